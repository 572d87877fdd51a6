/* hash_avx512.c - eight texts in vectors of 512 bits: see the Makefile. */
#if defined(__x86_64__)
#include "base/hash_lanes.h"

#include <string.h>

typedef uint64_t word __attribute__((vector_size(8 * HASH_LANES)));

#include "base/hash_mix.inc"

/* Rows become columns: of pairs of rows, words; then pairs of words; then
 * fours. */
INLINE void
transpose(word out[8], const word r[8])
{
    word a[8], b[8];

    for (int i = 0; i < 8; i += 2) {
        a[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6,
                                       14);
        a[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13,
                                           7, 15);
    }
    for (int i = 0; i < 8; i += i % 4 == 1 ? 3 : 1) {
        b[i] = __builtin_shufflevector(a[i], a[i + 2], 0, 1, 8, 9, 4, 5, 12,
                                       13);
        b[i + 2] = __builtin_shufflevector(a[i], a[i + 2], 2, 3, 10, 11, 6, 7,
                                           14, 15);
    }
    for (int i = 0; i < 4; i++) {
        out[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10,
                                         11);
        out[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12,
                                             13, 14, 15);
    }
}

/* The block of each lane at p[lane] + at, a vector for each word. */
INLINE void
load_blocks(word m[WORDS], const uint8_t *const p[HASH_LANES], size_t at)
{
    word row[8];

    for (int i = 0; i < WORDS; i += 8) {
        for (int k = 0; k < HASH_LANES; k++)
            memcpy(&row[k], p[k] + at + 8 * i, sizeof(row[k]));
        transpose(m + i, row);
    }
}

static void
compress(word state[8], word done, const word m[WORDS])
{
    word v[WORDS];

    for (int i = 0; i < 8; i++) {
        v[i] = state[i];
        v[i + 8] = iv[i] - (word){ 0 };
    }
    v[12] ^= done;
    mix_all(v, m);
    for (int i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

void
hash_lanes_add_avx512(struct hash_lanes *s,
                      const uint8_t *const p[HASH_LANES], size_t n)
{
    word state[8], done, m[WORDS];

    memcpy(state, s->state, sizeof(state));
    memcpy(&done, s->done, sizeof(done));
    for (size_t i = 0; i < n; i++) {
        load_blocks(m, p, 128 * i);
        done += 128;
        compress(state, done, m);
    }
    memcpy(s->state, state, sizeof(state));
    memcpy(s->done, &done, sizeof(done));
}
#endif
