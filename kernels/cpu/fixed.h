/* fixed.h - products of a few rows of floats with weights in blocks of small
 * whole numbers, in whole numbers.
 *
 * A block of 32 floats becomes whole numbers n of 24 bits times a power of
 * two, step: a float is off by at most 2^-23 (1 + 2^-7) times the largest
 * magnitude of its block, about what a sum of such products in floats
 * loses. With n = 2^16 a + 2^8 b + c, all three signed bytes, a
 * weight's codes are multiplied with a, b and c, and sums within a block are
 * exact. Blocks are added in their order, so that a row's result is the same
 * bits with every instruction set and beside any other rows. A block with a
 * NaN or an infinity makes NaNs.
 */
#ifndef KERNELS_CPU_FIXED_H
#define KERNELS_CPU_FIXED_H

#include "kernels/cpu/vec.h"

enum { FIXED_BLOCK = 32, FIXED_ROWS = 8 /* of x, at most */ };

/* Before a half of a block stand its last bytes once more: a weight's codes
 * may begin in the middle of four bytes. */
enum { FIXED_AGAIN = 2 };

struct fixed {
    int8_t part[3][2][FIXED_AGAIN + FIXED_BLOCK / 2]; /* a, b, c */
    int32_t sum[2];                         /* of the n of either half */
    float step;
    float total;                            /* step times both sums */
    char pad[4];
};

_Static_assert(sizeof(struct fixed) == FIXED_BLOCK * sizeof(float),
               "a block takes as many bytes as its floats");

struct fixed_format {
    uint8_t dtype;
    uint32_t block; /* elements: rows are whole ones */

    /* As struct vec_stored's mul, for whole rows of a weight (trans, k0 = 0)
     * and at most FIXED_ROWS rows of x, k / FIXED_BLOCK blocks each, in place
     * of a. Returns how many columns of c it has made, from the first on: all
     * but some of the last 15. */
    size_t (*mul)(const struct stored_rows *s, const struct stored_mul *p,
                  const struct fixed *x);
};

struct fixed_ops {
    /* y[n / FIXED_BLOCK] = x[n], n whole blocks */
    void (*from)(struct fixed *y, const float *x, size_t n);
    const struct fixed_format *formats; /* the last has DTYPE_NONE */
};

#if defined(__x86_64__)
extern const struct fixed_ops fixed_avx2;
extern const struct fixed_ops fixed_avx512vnni;
#endif

#endif
