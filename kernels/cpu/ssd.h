/* ssd.h - what SSD and its gradient share; private to kernels/cpu.
 *
 * The heads are cut into blocks, each within a group. Of a block a chunk of
 * rows is computed with products of matrices, in the terms of arXiv:2405.21060,
 * section 6: with L the sums of the logarithms of the decays in the chunk, and
 * S the state before it,
 *   M[t, s] = C[t] B[s] exp(L[t] - L[s]) delta[s]   for s <= t of a document
 *   y = D x + M x + exp(L) C S,   S' = exp(L[last]) S + (e delta B)^T x
 * where e[s] = exp(L[last] - L[s]), and rows that another document divides from
 * S, or from the last row, have no part in it. L falls, so that no exponential
 * is over 1; it is summed in double and kept as the sum of two floats, so that
 * a difference is as exact as a product of the decays.
 */
#ifndef KERNELS_CPU_SSD_H
#define KERNELS_CPU_SSD_H

#include "kernels/cpu/cpu.h"

struct ssd {
    struct job job;
    size_t rows, seq, chunks, cols, state, heads, groups;
    size_t width;          /* columns of a head */
    size_t block, divided; /* heads of a block; blocks of a group */
    const float *a_log, *skip, *bias;
    float *delta, *slope;  /* [rows, heads]; slope: backward */
    float *own;            /* of the workers */
    float *sums;           /* backward: [blocks, rows, 2 state] */
};

/* Of a head and the rows of a chunk. */
struct ssd_head {
    float at[SSD_CHUNK], rest[SSD_CHUNK]; /* L, of base 2 */
    float delta[SSD_CHUNK];
    float carry[SSD_CHUNK];               /* exp(L) */
    float e[SSD_CHUNK], weight[SSD_CHUNK]; /* e; e delta */
    float fade;                           /* of S, from chunk to chunk */
    float a, pad[14];                     /* a: -exp(A_log) */
};

/* Rows of a block of heads of one group. */
struct ssd_chunk {
    const struct ssd *f;
    size_t from, n;       /* rows */
    size_t head, heads;   /* of the block: first, how many */
    size_t c0, cols;      /* their columns */
    size_t carried;       /* of the rows, those that S is before */
    size_t last;          /* the first that the state behind them sees */
    size_t first[SSD_CHUNK]; /* row of the chunk that row's sum begins with */
    const float *b, *c;   /* of row from, group's */
    size_t ldbc;
    struct ssd_head *of;  /* [heads] */
    float *bt, *g;        /* B turned, [state, SSD_CHUNK]; C B^T */
};

struct ssd ssd_open(const struct job *j, bool bwd);

/* Scratch in floats: what all workers read, and what a worker has for
 * ssd_chunk. */
size_t ssd_shared_floats(const struct op *op, bool bwd);
size_t ssd_chunk_floats(const struct op *op);

/* Heads of a block. */
size_t ssd_block(const struct op *op);

/* Blocks of all groups. */
size_t ssd_blocks(const struct op *op);

/* Places what ssd_chunk_floats counts, and the block; returns what is
 * behind. */
float *ssd_place(struct ssd_chunk *k, const struct ssd *f, size_t block,
                 float *at);

/* Rows [from, from + n): fills in what is made of steps and of B and C. */
void ssd_begin(struct ssd_chunk *k, size_t from, size_t n);

/* Row from + t of a view, at the column. */
static inline float *
ssd_at(const struct ssd_chunk *k, const struct view *v, size_t t, size_t col)
{
    return f32_at(&k->f->job, v) + (k->from + t) * v->ld + col;
}

/* Whether a document begins with row t. */
static inline bool
ssd_begins(const struct ssd_chunk *k, size_t t)
{
    return t >= k->carried && k->first[t] == t;
}

/* What row t of M is made from, from the first row that it sees on. */
struct ssd_row ssd_row_of(const struct ssd_chunk *k, size_t h, size_t t);

/* The block's part of a state, [state][ld], times each head's fade. */
void ssd_fade(const struct ssd_chunk *k, float *s, size_t ld);

/* c[m,n] = op(a) op(b) + beta c of floats, alpha 1. */
static inline void
ssd_mul(const struct ssd_chunk *k, struct product p)
{
    p.alpha = 1.0f;
    gemm_f32(&k->f->job.cpu->gemm, &p);
}

#endif
