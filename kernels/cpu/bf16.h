/* bf16.h - products of bfloat16 operands with sums in float.
 *
 * Operands are rounded to the nearest bfloat16, ties to even. A row of A is
 * its bfloat16s in order; a row of B, as packed, holds, for columns in order,
 * the pair of elements (2i, 2i + 1) along k as one 32-bit word. Each element
 * of C adds its pairs in the order of k, whatever the shape, so its bits don't
 * depend on the rows and columns beside it.
 */
#ifndef KERNELS_CPU_BF16_H
#define KERNELS_CPU_BF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BF16_LANES = 16, /* columns that a row of B is padded to, with zeros */
    BF16_SPARE = 16  /* rows behind A's last that are read, and don't count */
};

struct bf16_product {
    size_t m, n, pairs;   /* pairs: half of k */
    const uint16_t *a;    /* [m + BF16_SPARE][lda] */
    const uint32_t *b;    /* [pairs][ldb] */
    size_t lda, ldb, ldc; /* in elements of a, b and c */
    float *c;             /* c[m][n] = a b, or += it when acc */
    bool acc;
};

struct bf16_ops {
    void (*mul)(const struct bf16_product *p);
    /* y[n] = x[n] rounded. */
    void (*narrow)(uint16_t *y, const float *x, size_t n);
    /* y[n] = pairs of a (low half) and b. */
    void (*pair)(uint32_t *y, const uint16_t *a, const uint16_t *b, size_t n);
};

#if defined(__x86_64__)
extern const struct bf16_ops bf16_avx512; /* where CPUID has avx512_bf16 */
#endif

#endif
