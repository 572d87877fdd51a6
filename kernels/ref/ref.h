/* ref.h - the reference back end: what every op means, in plain C.
 *
 * Written to be read and to be right, not to be fast: one thread, loops in
 * index order, sums in double. The folder is compiled twice: as it is, with
 * reals of float (ref_open), and with REF_DOUBLE defined, with reals of
 * double (ref64_open), which is how gradients are proved by differences.
 *
 * A real is the element of activations, trainable parameters and gradients;
 * a stored weight has a type of its own and is read through struct table.
 */
#ifndef KERNELS_REF_REF_H
#define KERNELS_REF_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/host.h"
#include "tensor/stored.h"

#ifdef REF_DOUBLE
typedef double real;
#define REF(name) ref64_##name
#else
typedef float real;
#define REF(name) ref_##name
#endif

/* A matrix of reals; p is NULL when its view is absent. */
struct mat {
    real *p;
    size_t rows, cols, ld;
};

/* A stored matrix of any type. */
struct table {
    const char *p;
    const char *side;            /* of a quantised weight: its scales */
    const struct stored *stored; /* NULL: reals */
    size_t row, side_row;        /* bytes from row to row */
};

static inline struct mat
mat_of(const struct run *r, const struct view *v)
{
    return (struct mat){ view_at(r, v), v->rows, v->cols, v->ld };
}

static inline real *
row_of(const struct mat *m, size_t i)
{
    return m->p + i * m->ld;
}

/* Rows of m that hold tokens. */
static inline size_t
token_rows(const struct run *r, const struct mat *m)
{
    return r->batch->n < m->rows ? r->batch->n : m->rows;
}

/* Decoding: whether row i of sequences of seq rows holds a token. */
static inline bool
holds_token(const struct run *r, size_t i, size_t seq)
{
    return i % seq < (size_t)r->batch->seq_n[i / seq];
}

/* The first row of row i's document that is in its sequence of seq rows. */
static inline size_t
first_row(const struct run *r, size_t i, size_t seq)
{
    size_t doc = (size_t)r->batch->doc_first[i], at = i - i % seq;

    return doc > at ? doc : at;
}

static inline void
put(real *to, double value, bool add)
{
    *to = (real)(add ? *to + value : value);
}

/* Zeroes the first n rows of m unless the op adds to it. */
static inline void
clear_rows(struct mat *m, size_t n, bool add)
{
    for (size_t i = 0; i < n && !add; i++)
        for (size_t c = 0; c < m->cols; c++)
            row_of(m, i)[c] = 0;
}

static inline double
dot(const real *a, const real *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* table.c */
struct table REF(table)(const struct run *r, const struct view *v);
double REF(table_at)(const struct table *t, size_t row, size_t col);

/* act.c: act(x) and its derivative. */
double REF(act_value)(unsigned kind, double x);
double REF(act_slope)(unsigned kind, double x);

/* The ops. */
void REF(embed)(struct run *r, const struct op *op);
void REF(embed_bwd)(struct run *r, const struct op *op);
void REF(embed_tokens)(struct run *r, const struct op *op);
void REF(embed_tokens_bwd)(struct run *r, const struct op *op);
void REF(norm)(struct run *r, const struct op *op);
void REF(norm_bwd)(struct run *r, const struct op *op);
void REF(linear)(struct run *r, const struct op *op);
void REF(linear_bwd)(struct run *r, const struct op *op);
void REF(dora_norm)(struct run *r, const struct op *op);
void REF(dora)(struct run *r, const struct op *op);
void REF(dora_bwd)(struct run *r, const struct op *op);
void REF(rope)(struct run *r, const struct op *op);
void REF(attention)(struct run *r, const struct op *op);
void REF(attention_bwd)(struct run *r, const struct op *op);
void REF(act)(struct run *r, const struct op *op);
void REF(act_bwd)(struct run *r, const struct op *op);
void REF(glu)(struct run *r, const struct op *op);
void REF(glu_bwd)(struct run *r, const struct op *op);
void REF(add)(struct run *r, const struct op *op);
void REF(conv1d)(struct run *r, const struct op *op);
void REF(conv1d_bwd)(struct run *r, const struct op *op);
void REF(scan)(struct run *r, const struct op *op); /* and SSD */
void REF(scan_bwd)(struct run *r, const struct op *op);
void REF(route)(struct run *r, const struct op *op);
void REF(route_bwd)(struct run *r, const struct op *op);
void REF(balance)(struct run *r, const struct op *op);
void REF(gather)(struct run *r, const struct op *op);
void REF(combine)(struct run *r, const struct op *op);
void REF(combine_bwd)(struct run *r, const struct op *op);
void REF(gate)(struct run *r, const struct op *op);
void REF(gate_bwd)(struct run *r, const struct op *op);
void REF(grouped)(struct run *r, const struct op *op);
void REF(grouped_bwd)(struct run *r, const struct op *op);
void REF(head_ce)(struct run *r, const struct op *op);
void REF(logits)(struct run *r, const struct op *op);
void REF(cache)(struct run *r, const struct op *op);
void REF(copy)(struct run *r, const struct op *op);
void REF(zero)(struct run *r, const struct op *op);
void REF(sqnorm)(struct run *r, const struct op *op);
void REF(clip)(struct run *r, const struct op *op);
void REF(adamw)(struct run *r, const struct op *op);
void REF(adamw8)(struct run *r, const struct op *op);
void REF(muon)(struct run *r, const struct op *op);
void REF(sgd)(struct run *r, const struct op *op);

/* Bytes of scratch: of doubles, one thread's. */
uint64_t REF(muon_scratch)(const struct op *op);
uint64_t REF(route_scratch)(const struct op *op);
uint64_t REF(linear_scratch)(const struct op *op);
uint64_t REF(linear_bwd_scratch)(const struct op *op);
uint64_t REF(head_scratch)(const struct op *op);

#endif
