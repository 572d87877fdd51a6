/* rng.h - counter-based random numbers: Philox4x32-10.
 *
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 * A number is a function of (key, counter) alone, so the order in which
 * threads, ranks or recomputation ask for it can't matter.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* out = philox(counter, key), ten rounds. */
void philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* A sequential view: stream `site` of `seed`. */
struct rng {
    uint32_t key[2], counter[4], out[4];
    int used;
};

void rng_init(struct rng *r, uint64_t seed, uint64_t site);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n), n > 0 */
double rng_double(struct rng *r);              /* [0, 1), 53 bits */
double rng_normal(struct rng *r);              /* mean 0, variance 1 */

/* A 64-bit site number for a name (FNV-1a). */
uint64_t rng_site(const char *name);

/* The i-th element of a seeded permutation of 0..n-1, in O(1) memory
 * (a Feistel network on Philox, walked until it falls below n). */
uint64_t rng_permute(uint64_t i, uint64_t n, uint64_t seed, uint64_t epoch);

#endif
