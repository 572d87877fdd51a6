/* hash_lanes.h - BLAKE2b of several texts at once, one in each lane of a
 * vector; private to lib/base.
 */
#ifndef BASE_HASH_LANES_H
#define BASE_HASH_LANES_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

#define HASH_LANES 8

/* The states, a row for each word, and how many bytes they are of. */
struct hash_lanes {
    uint64_t state[8][HASH_LANES];
    uint64_t done[HASH_LANES];
};

/* The next n blocks of each lane, from p[lane] on, none of which is its text's
 * last. */
typedef void hash_lanes_add(struct hash_lanes *s,
                            const uint8_t *const p[HASH_LANES], size_t n);

/* The block that h holds is full, and not the last. */
void hash_pass(struct hash *h);

#if defined(__x86_64__)
hash_lanes_add hash_lanes_add_avx512;
#endif

#endif
