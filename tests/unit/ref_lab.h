/* ref_lab.h - single ops on the reference in double, buffer by buffer.
 *
 * Each buffer is memory of its own, filled with random numbers; rows are
 * PAD elements longer than the view and hold SENTINEL there, so that a write
 * beside the view is seen.
 */
#ifndef REF_LAB_H
#define REF_LAB_H

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/host.h"
#include "test.h"

enum { LAB_BUFS = 64, LAB_PARTS = 4, PAD = 3 };

#define SENTINEL 777.0

struct lab {
    struct backend backend;
    struct tensor_buf buf[LAB_BUFS];
    struct view view[LAB_BUFS]; /* of real buffers: the whole of them */
    uint32_t n_bufs;
    struct inputs in;
    struct results out;
    struct batch batch;
    struct run run;
    int32_t *index; /* what batch points to */
    float *weight;
    struct part part[LAB_PARTS];
    struct rng rng;
};

/* Uniform in [-1, 1). */
static inline double
lab_draw(struct lab *l)
{
    return 2 * rng_double(&l->rng) - 1;
}

static inline void
lab_init(struct lab *l, uint64_t seed)
{
    memset(l, 0, sizeof(*l));
    ref64_open(&l->backend);
    rng_init(&l->rng, seed, 0);
    l->n_bufs = 1;
    l->in.seed = seed;
    l->in.step = 3;
    l->in.row0 = 40;
    l->in.inv_tokens = 0.125;
    l->out.scale = 1;
    l->run = (struct run){ .buf = l->buf, .real_size = sizeof(double),
                           .in = &l->in, .out = &l->out,
                           .batch = &l->batch };
}

static inline void
lab_release(struct lab *l)
{
    for (uint32_t i = 1; i < l->n_bufs; i++)
        free((void *)l->buf[i].source);
    free(l->index);
    free(l->weight);
}

static inline uint32_t
lab_buf(struct lab *l, size_t bytes)
{
    uint32_t i = l->n_bufs++;

    l->buf[i].zone = ZONE_BASE;
    l->buf[i].source = mem_alloc(bytes);
    l->buf[i].bytes = bytes;
    return i;
}

static inline double *
lab_row(const struct lab *l, const struct view *v, size_t row)
{
    return (double *)view_at(&l->run, v) + row * v->ld;
}

static inline void
lab_fill(struct lab *l, const struct view *v)
{
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < v->ld; c++)
            lab_row(l, v, i)[c] = c < v->cols ? lab_draw(l) : SENTINEL;
}

/* A matrix of reals in [-1, 1). */
static inline struct view
lab_real(struct lab *l, uint32_t rows, uint32_t cols)
{
    uint32_t ld = cols + PAD;
    uint32_t i = lab_buf(l, (size_t)rows * ld * sizeof(double));
    struct view v = { i, rows, cols, ld, 0, DTYPE_REAL, 0 };

    l->view[i] = v;
    lab_fill(l, &v);
    return v;
}

static inline struct view
lab_cols(struct view v, uint32_t col, uint32_t cols)
{
    v.off += col;
    v.cols = cols;
    return v;
}

/* A stored weight of [-1, 1), with scales if it is I8. */
static inline struct view
lab_weight(struct lab *l, uint32_t rows, uint32_t cols, uint8_t dtype)
{
    size_t n = (size_t)rows * cols, size = dtype_size(dtype);
    struct view v = { 0, rows, cols, cols, 0, dtype, 0 }, scale;
    char *to;

    if (dtype == DTYPE_REAL)
        return lab_real(l, rows, cols);
    v.buf = lab_buf(l, n * size);
    to = (char *)l->buf[v.buf].source;
    for (size_t i = 0; i < n; i++) {
        float f = (float)lab_draw(l);

        if (dtype == DTYPE_I8)
            to[i] = (char)(127 * f);
        else
            floats_store(to + i * size, dtype, &f, 1);
    }
    if (dtype != DTYPE_I8)
        return v;
    scale = lab_weight(l, rows, (cols + 127) / 128, DTYPE_F16);
    v.side = scale.buf;
    for (size_t i = 0; i < (size_t)scale.rows * scale.cols; i++)
        ((uint16_t *)l->buf[scale.buf].source)[i]
            = f32_to_f16((float)(1.5 + lab_draw(l)) / 127);
    return v;
}

/* n ids, each `step` above the one before, from `first` on. */
static inline struct view
lab_tokens(struct lab *l, uint32_t n, int32_t first, int32_t step)
{
    struct view v = { lab_buf(l, n * sizeof(int32_t)), 1, n, n, 0, DTYPE_I32,
                      0 };
    int32_t *id = (int32_t *)l->buf[v.buf].source;

    for (uint32_t k = 0; k < n; k++)
        id[k] = first + (int32_t)k * step;
    return v;
}

/* n rows in sequences of seq, documents of doc rows in them; ids and
 * targets below vocab. Every third row has weight 0. */
static inline void
lab_batch(struct lab *l, uint32_t n, uint32_t seq, uint32_t doc,
          uint32_t vocab)
{
    int32_t *p = mem_array((size_t)n * 5, sizeof(*p));

    l->index = p;
    l->weight = mem_array(n, sizeof(*l->weight));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i % seq, first = at / doc * doc;

        p[i] = (int32_t)rng_below(&l->rng, vocab);
        p[n + i] = (int32_t)rng_below(&l->rng, vocab);
        p[2 * n + i] = (int32_t)(at - first);
        p[3 * n + i] = (int32_t)(i - at + first);
        p[4 * n + i] = (int32_t)i;
        l->weight[i] = i % 3 == 1 ? 0 : 0.5f + (float)(i % 5);
    }
    l->batch = (struct batch){ .ids = p, .target = p + n, .pos = p + 2 * n,
                               .doc_first = p + 3 * n,
                               .head_row = p + 4 * n, .weight = l->weight,
                               .n = n };
}

/* Runs an op with scratch of its own, full of NaN. */
static inline void
lab_run(struct lab *l, struct op *op)
{
    uint64_t bytes = l->backend.scratch(&l->backend, op);
    uint32_t buf = l->n_bufs;
    struct err e;

    l->buf[buf] = (struct tensor_buf){ .zone = ZONE_BASE, .bytes = bytes,
                                       .source = mem_alloc((size_t)bytes) };
    memset((void *)l->buf[buf].source, 0xff, (size_t)bytes);
    op->scratch = (struct view){ buf, 1, (uint32_t)bytes, (uint32_t)bytes,
                                 0, DTYPE_U8, 0 };
    if (!CHECK(host_run(&l->backend, &l->run, op, 1, &e) == 0))
        printf("    %s\n", e.text);
    free((void *)l->buf[buf].source);
    l->buf[buf].source = NULL;
}

/* Nothing was written beside a view. */
static inline void
lab_check_pads(const struct lab *l, const char *name)
{
    bool clean = true;

    for (uint32_t i = 1; i < l->n_bufs; i++) {
        const struct view *v = &l->view[i];

        for (size_t r = 0; v->buf && r < v->rows; r++)
            for (size_t c = v->cols; c < v->ld; c++)
                clean &= lab_row(l, v, r)[c] == SENTINEL;
    }
    if (!CHECK(clean))
        printf("    %s: wrote beside a view\n", name);
}

#endif
