/* pair_hash.h - the hash of two neighbouring tokens, for tables of pairs;
 * private to lib/text.
 *
 * A tokenizer.json may be made so that its pairs would lie in one place of a
 * table, each found behind all before it. So the factor is random: whichever
 * two pairs are chosen, few factors put them together (Dietzfelbinger et al.,
 * A Reliable Randomized Algorithm for the Closest-Pair Problem, 1997: the
 * highest bits of a product with a random odd number).
 */
#ifndef TEXT_PAIR_HASH_H
#define TEXT_PAIR_HASH_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

/* A table's own factor. */
static inline uint64_t
pair_hash_key(void)
{
    uint64_t key;

    randombytes_buf(&key, sizeof(key));
    return key | 1;
}

/* The product's highest byte becomes the lowest, and so on: tables take the
 * lowest bits of a hash. */
static inline size_t
pair_hash(uint64_t key, uint32_t left, uint32_t right)
{
    return (size_t)__builtin_bswap64(((uint64_t)left << 32 | right) * key);
}

#endif
