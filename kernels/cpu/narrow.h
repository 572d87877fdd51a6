/* narrow.h - operands of products in bfloat16, made once for all tiles of an
 * op's result. They lie in scratch that is counted where the back end
 * computes in bfloat16 alone: behind the rest of the op's.
 */
#ifndef KERNELS_CPU_NARROW_H
#define KERNELS_CPU_NARROW_H

#include "kernels/cpu/cpu.h"

enum { BF16_DEPTH = 768 /* most of k in a packed panel of B */ };

/* A matrix: a row is padded with zeros to ld, in whole cache lines, and
 * BF16_SPARE rows behind the last may be read. */
struct narrow {
    uint16_t *at; /* NULL: none */
    size_t ld;
};

/* One of so many rows and columns in the scratch at base from float *at on,
 * which moves behind it. base NULL: it is counted only. */
struct narrow narrow_lay(float *base, size_t *at, size_t rows, size_t cols);

/* Floats of scratch that it takes. */
size_t narrow_floats(size_t rows, size_t cols);

/* Rows of floats or of bfloat16, ld elements apart. */
struct rows_from {
    const float *f32;     /* NULL: of bfloat16 */
    const uint16_t *bf16;
    size_t ld;
};

/* Those of a view, from a row and a column on. */
static inline struct rows_from
rows_from(const struct job *j, const struct view *v, size_t row, size_t col)
{
    size_t at = row * v->ld + col;

    if (is_f32(v))
        return (struct rows_from){ f32_at(j, v) + at, NULL, v->ld };
    return (struct rows_from){ NULL, (uint16_t *)view_at(j->run, v) + at,
                               v->ld };
}

static inline uint16_t *
narrow_row_at(const struct narrow *x, size_t row)
{
    return x->at + row * x->ld;
}

/* Rows r0 .. r0+n of x from src[n][cols], rounded and padded. */
void narrow_put(const struct job *j, const struct narrow *x, size_t r0,
                const float *src, size_t ld, size_t n, size_t cols);

/* The same from floats or from bfloat16, which are copied. */
void narrow_rows(const struct job *j, const struct narrow *x, size_t r0,
                 const struct rows_from *from, size_t n, size_t cols);

/* The same times scale. */
void narrow_put_scaled(const struct job *j, const struct narrow *x, size_t r0,
                       const float *src, size_t ld, size_t n, size_t cols,
                       float scale);

/* All of x from n rows, by all threads. */
void narrow_fill(const struct job *j, const struct narrow *x,
                 const struct rows_from *from, size_t n, size_t cols);

/* dst = x's rows r0 .. r0+n and columns c0 .. c0+cols turned: row c is column
 * c0 + c, padded with a zero for an odd n. cols is at most WEIGHT_COLS; tmp
 * holds narrow_turn_floats(n). */
void narrow_turn(const struct job *j, const struct narrow *x, size_t r0,
                 size_t n, size_t c0, size_t cols, uint16_t *dst, size_t ld,
                 float *tmp);
size_t narrow_turn_floats(size_t n);

/* Columns c0 .. c0+cols of x's rows r0 .. r0+n in pairs of rows: [n / 2][ld],
 * with zeros for the row that an odd n lacks. */
void narrow_pairs(const struct job *j, const struct narrow *x, size_t r0,
                  size_t n, size_t c0, size_t cols, uint32_t *out, size_t ld);

/* Columns n .. cols of so many packed rows become zeros. */
void narrow_pad(uint32_t *b, size_t n, size_t cols, size_t pairs);

/* c[m,n] = turned b, or += it when acc: b[k,n] are rows of a narrow matrix
 * from column c0 on, n at most WEIGHT_COLS; turned is A, [m,k]. tmp holds
 * narrow_mul_floats(). */
struct narrow_mul {
    size_t m, n, k, c0, row0; /* of b: its first row */
    const uint16_t *a;
    size_t lda, ldc;
    const struct narrow *b;
    float *c;
    bool acc;
};

void narrow_mul(const struct job *j, const struct narrow_mul *p, float *tmp);
size_t narrow_mul_floats(void);

#endif
