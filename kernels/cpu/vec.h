/* vec.h - arithmetic on rows of floats, once per instruction set.
 *
 * Every table holds the same functions, made from vec_body.inc over the
 * vector type of its instruction set. A result depends on the values and n
 * alone, not on alignment: the last lanes of a row go through the same
 * instructions as the others, and sums add lane by lane in a fixed order.
 *
 * acc: the result is added to what is there. Pointers may be equal where an
 * argument is read and written at the same index; other overlap is an error.
 */
#ifndef KERNELS_CPU_VEC_H
#define KERNELS_CPU_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What AdamW's rule becomes for one step: m = b1 m + (1-b1) g and so on. */
struct adamw {
    float beta1, beta2, eps;
    float keep;  /* 1 - lr * decay */
    float scale; /* of the gradient */
    float rate;  /* lr / bias1 */
    float root;  /* 1 / sqrt(bias2) */
};

/* A stored weight as its rows lie. */
struct stored_rows {
    const char *at, *side;        /* row 0, and its scales */
    size_t row_bytes, side_bytes; /* from one row to the next */
    size_t cols;                  /* that these bytes are for */
    void (*plain)(float *out, const void *row, const void *side, size_t col,
                  size_t n); /* widens, as struct stored has it */
};

/* c[m,n] = beta c + a[m,k] V, V[k,n] being the part of a weight that starts
 * at (k0, n0): V(i, j) = w(k0 + i, n0 + j), or w(n0 + j, i) when trans. n0 is
 * a multiple of 64. With beta 0, c is not read. */
struct stored_mul {
    bool trans;
    size_t m, n, k, n0, k0, lda, ldc;
    const float *a;
    float *c, beta;
};

/* CONV1D of some columns of a row. x[k] is the row that weight k meets, NULL
 * for one of zeros; weights are turned: those of k begin at weight + k ldw. */
struct conv_row {
    const float *const *x;
    const float *weight, *bias; /* bias may be NULL */
    size_t cols, width, ldw;
    int act; /* enum act_kind; -1: none */
};

/* SCAN of some columns, over at most SCAN_CHUNK rows. a = -exp(A_log), turned:
 * that of number s begins at a + s lda, as h does at h + s ldh. bc is row 0's
 * B, C behind it. */
struct scan_part {
    size_t rows, cols, state;
    const float *u, *d, *bc, *a, *skip;
    size_t ldu, ldd, ldbc, lda;
    const bool *begins; /* h is 0 before that row */
    float *h;           /* before the rows; the forward leaves that after */
    size_t ldh;
};

/* Its gradients; u and d may be NULL. Those of h are carried from the chunk
 * that follows to the one before; those of a and skip add. */
struct scan_grads {
    const float *dy;
    float *u, *d, *h, *a, *skip;
    size_t lddy, ldu, ldd, ldh, lda;
    float *bc;    /* [rows, 2 state] */
    float *lanes; /* scratch: 2 state SCAN_CHUNK SCAN_LANES floats */
    int acc;      /* bits 0 and 1: adds to u, to d */
};

/* SSD: a row's sum of n rows up to itself, in the terms of ssd.h. g: C of the
 * row times B of each. */
struct ssd_row {
    const float *g, *delta, *at, *rest;
    size_t n;
};

enum { SCAN_LANES = 16 }; /* of the widest vectors */

/* What an instruction set does with a stored format. */
struct vec_stored {
    uint8_t dtype;

    /* y[n] = elements [col, col + n) of a row, to the bit what plain gives.
     * Fast where col is a multiple of 64. */
    void (*widen)(float *y, const struct stored_rows *s, size_t row,
                  size_t col, size_t n);

    /* For few rows of a: every element of V is widened in registers, once
     * for some rows of a. */
    void (*mul)(const struct stored_rows *s, const struct stored_mul *p);
};

struct vec {
    const char *name;

    /* y = act(x), dx = act'(x) dy; kind: enum act_kind. */
    void (*act)(float *y, const float *x, size_t n, int kind, bool acc);
    void (*act_bwd)(float *dx, const float *x, const float *dy, size_t n,
                    int kind, bool acc);
    /* y = act(g) * u; dg = act'(g) u dy, du = act(g) dy. */
    void (*glu)(float *y, const float *g, const float *u, size_t n, int kind,
                bool acc);
    void (*glu_bwd)(float *dg, float *du, const float *g, const float *u,
                    const float *dy, size_t n, int kind, int acc);

    /* One row: y = (x - mean) * rstd * gain + bias (bias may be NULL);
     * stats = mean, rstd (may be NULL). rms: mean is 0. */
    void (*norm)(float *y, float *stats, const float *x, const float *gain,
                 const float *bias, size_t n, float eps, bool rms, bool acc);
    /* dx of the same row (may be NULL); dgain and dbias (may be NULL) add. */
    void (*norm_bwd)(float *dx, float *dgain, float *dbias, const float *x,
                     const float *gain, const float *stats, const float *dy,
                     size_t n, bool rms, bool acc);

    /* (a, b) of n pairs = (x cos - z sin, z cos + x sin). */
    void (*rotate)(float *a, float *b, const float *x, const float *z,
                   const float *cosine, const float *sine, size_t n,
                   bool acc);

    /* y = a x, or y += a x. */
    void (*axpy)(float *y, const float *x, float a, size_t n, bool acc);
    float (*dot)(const float *x, const float *z, size_t n);
    float (*max)(const float *x, size_t n); /* n > 0; NaNs do not count */
    /* y = exp(scale x - sub); the sum. y may be NULL. */
    float (*exp_sum)(float *y, const float *x, size_t n, float scale,
                     float sub);
    /* y = a * exp(y - sub) */
    void (*exp_scale)(float *y, size_t n, float sub, float a);
    /* ds = p * (dp - delta) * scale */
    void (*softmax_bwd)(float *ds, const float *p, const float *dp, size_t n,
                        float delta, float scale);
    double (*sqsum)(const float *x, size_t n);

    /* y = act(.); d = act'(.) dy, which x[k] times is added to dw + k lddw, and
     * which itself to dbias. */
    void (*conv)(float *y, const struct conv_row *p, bool acc);
    void (*conv_bwd)(float *d, const struct conv_row *p, const float *dy,
                     float *dw, size_t lddw, float *dbias);
    void (*scan)(const struct scan_part *p, float *y, size_t ldy, bool acc);
    void (*scan_bwd)(const struct scan_part *p, const struct scan_grads *to);

    /* Steps of n heads, d + bias through softplus and kept in bounds, and
     * their derivatives (may be NULL). */
    void (*ssd_steps)(float *delta, float *slope, const float *d,
                      const float *bias, size_t n, float least, float most);
    /* m = g w, where w = delta 2^((own at - at) + (own rest - rest)), own
     * being the last. */
    void (*ssd_row)(float *m, const struct ssd_row *r);
    /* The same; dg += dm w, q += dm g w / delta. The sum of dm g w. */
    float (*ssd_row_bwd)(float *m, float *dg, float *q, const float *dm,
                         const struct ssd_row *r);

    void (*adamw)(float *p, float *m, float *v, const float *g, size_t n,
                  const struct adamw *a);
    /* p -= rate * (scale * g + decay * p) */
    void (*sgd)(float *p, const float *g, size_t n, float rate, float scale,
                float decay);

    /* The stored formats that are fast here; the last has DTYPE_NONE. */
    const struct vec_stored *stored;

    /* y[c * ldy + r] = x[r * ldx + c]. */
    void (*transpose)(float *y, size_t ldy, const float *x, size_t ldx,
                      size_t rows, size_t cols);

    /* y = keep ? scale * x : 0 for n columns from column c0, a multiple of
     * 4, of a row of a dropout mask: see dropout in kernels/ops.h. Kept when
     * the draw is at least limit. */
    void (*drop)(float *y, const float *x, size_t c0, size_t n,
                 const uint32_t key[2], uint64_t step, uint32_t row,
                 uint64_t limit, float scale, bool acc);
};

extern const struct vec vec_generic;
#if defined(__x86_64__)
extern const struct vec vec_avx2, vec_avx512;
#endif

#endif
