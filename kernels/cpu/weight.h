/* weight.h - products with a stored weight, whatever its element type. */
#ifndef KERNELS_CPU_WEIGHT_H
#define KERNELS_CPU_WEIGHT_H

#include "kernels/cpu/cpu.h"

enum {
    WEIGHT_COLS = 128,  /* most columns of one weight_mul with a panel */
    WEIGHT_DEPTH = 384, /* rows of V in a panel: oneDNN's own block of k */
    WEIGHT_FEW = 8      /* rows of a that no panel is made for, decoding */
};

/* Whether that many rows are few: not in an evaluation, where a loss must not
 * depend on the rows that are batched with it. */
static inline bool
weight_few(const struct job *j, size_t rows)
{
    return rows <= WEIGHT_FEW && j->run->batch->seq_n != NULL;
}

/* How many of the columns of a product of few rows with w a tile has, a
 * multiple of 64: where no panel is made a thread's share of them, or half of
 * it, since memory gives most where much of it is read as it lies, and
 * processors may differ. in_out: w's rows run along the product's. A column's
 * sum doesn't depend on it. */
size_t weight_few_cols(const struct job *j, const struct view *w, bool in_out);

/* The tile of n that is taken as the i'th: first every other one, then those
 * between, so that a thread's second goes on where its first has ended. */
static inline size_t
weight_few_tile(size_t i, size_t n)
{
    size_t even = ceil_div(n, 2);

    return i < even ? 2 * i : 2 * (i - even) + 1;
}

/* Of few rows, those that are multiplied with a weight of small whole numbers
 * are so in fixed point (fixed.h), once for all of its columns. Floats of
 * scratch for as many of `rows` rows as are few. */
static inline size_t
weight_fixed_floats(size_t rows, size_t cols)
{
    return piece(min_size(rows, WEIGHT_FEW) * cols);
}

/* Whether that many rows are multiplied with the rows of w so. */
bool weight_in_fixed(const struct job *j, const struct view *w, size_t rows);

/* to[rows][cols / FIXED_BLOCK] = x[rows, cols]. Returns to. */
const struct fixed *weight_fixed(const struct job *j, const float *x,
                                 size_t ld, size_t rows, size_t cols,
                                 float *to);

/* c[m,n] = beta c + a[m,k] V, V[k,n] being the part of a weight that starts
 * at (k0, n0): V(i, j) = w(k0 + i, n0 + j), or w(n0 + j, i) when trans. n0 is
 * a multiple of 64. rows: each product is of so many rows of a, of which m is a
 * multiple; 0: all of them. */
struct weight_mul {
    const struct view *w;
    bool trans;
    size_t m, n, k, n0, k0, lda, ldc, rows;
    const float *a;
    const uint16_t *narrow; /* a rounded to bfloat16, its rows ldn apart, and
                               BF16_SPARE behind them (bf16.h); NULL: products
                               are of floats */
    size_t ldn;
    float *c, beta;
    float *panel; /* weight_panel() floats of the worker's scratch */
    const struct fixed *fixed; /* of a; NULL: not made */
};

void weight_mul(const struct job *j, const struct weight_mul *p);

/* A product with a not transposed, some rows of a at a time; 0: all. */
void product_rows(const struct gemm *g, struct product p, size_t rows);

/* Around what makes a panel of w: where the op is timed, its share of that. */
uint64_t weight_watch(const struct job *j, const struct view *w);
void weight_watched(const struct job *j, uint64_t from);

/* Floats of scratch a worker needs for it. */
size_t weight_panel(void);

/* weight_mul of p->narrow, and its part of the panel. */
void weight_mul_bf16(const struct job *j, const struct weight_mul *p);
size_t weight_bf16_floats(void);

/* dst[nr][nc] = w[r0 .. r0+nr, c0 .. c0+nc) widened to float. */
void weight_widen(const struct job *j, const struct view *w, size_t r0,
                  size_t c0, size_t nr, size_t nc, float *dst);

/* Columns c0 .. c0+n of a row of v, an activation, as floats: in place, or
 * widened into tmp[n]. */
const float *row_floats(const struct job *j, const struct view *v,
                        size_t row, size_t c0, size_t n, float *tmp);

/* The single row of v (a gain or bias) as floats: in place, or widened into
 * dst[cols]. NULL when v is absent. */
const float *weight_row(const struct job *j, const struct view *v,
                        float *dst);

/* Floats of dst that weight_row needs: 0 in place. */
size_t weight_row_floats(const struct view *v);

#endif
