/* pair_hash.h - the hash of two neighbouring tokens, for tables of pairs;
 * private to lib/text. */
#ifndef TEXT_PAIR_HASH_H
#define TEXT_PAIR_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline size_t
pair_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;

    return (size_t)(h ^ h >> 32);
}

#endif
