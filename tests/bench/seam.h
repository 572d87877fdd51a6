/* seam.h - the time of ops over the contract of kernels/ops.h alone, and what
 * a back end reaches at best: a large LINEAR and a large COPY.
 *
 * A back end may return from a range before it is done, so what is timed is
 * so many runs and the wait for the results of an empty UPDATE, long enough
 * that the wait is little of it. The median of some rounds counts.
 */
#ifndef BENCH_SEAM_H
#define BENCH_SEAM_H

#include <stdlib.h>

#include "base/mem.h"
#include "kernels/ops.h"
#include "rounds.h"

#define ROUND_SECONDS 0.02
enum { ROUNDS = 5, MOST_RUNS = 4096 };

/* A range of a program in memory, ready to run. */
struct timed {
    struct backend *b;
    struct memory *m;
    enum range range; /* but UPDATE */
};

/* Seconds of so many runs. */
static inline int
timed_runs(const struct timed *t, unsigned runs, double *seconds,
           struct err *e)
{
    double start = clock_now(CLOCK_MONOTONIC);
    struct results results;
    int rc = 0;

    for (unsigned i = 0; i < runs && rc == 0; i++)
        rc = t->b->run(t->m, t->range, e);
    if (rc == 0)
        rc = t->b->run(t->m, RANGE_UPDATE, e);
    if (rc == 0)
        rc = t->b->results(t->m, &results, e);
    *seconds = clock_now(CLOCK_MONOTONIC) - start;
    return rc;
}

/* Seconds of one run. The first is not counted: it may prepare what the
 * others use. */
static inline int
timed_median(const struct timed *t, double *seconds, struct err *e)
{
    double round[ROUNDS];
    unsigned runs = 1;
    int rc = timed_runs(t, 1, &round[0], e);

    while (rc == 0) {
        rc = timed_runs(t, runs, &round[0], e);
        if (round[0] >= ROUND_SECONDS || runs >= MOST_RUNS)
            break;
        runs *= 2;
    }
    for (int i = 0; i < ROUNDS && rc == 0; i++)
        rc = timed_runs(t, runs, &round[i], e);
    if (rc == 0)
        *seconds = median(round, ROUNDS) / runs;
    return rc;
}

/* Ops of one range, UPDATE's among BWD's, by themselves, in the memory of a
 * program that has their buffers (NULL: in memory of their own). */
static inline int
time_list(struct backend *b, struct op_list *list, enum range range,
          struct memory *with, const struct batch *batch,
          const struct inputs *in, double *seconds, struct err *e)
{
    struct timed t = { .b = b, .range = range };
    int rc;

    if (range == RANGE_UPDATE)
        t.range = RANGE_BWD;
    for (int r = 0; r <= RANGE_COUNT; r++)
        list->range[r] = r <= (int)t.range ? 0 : list->n;
    rc = b->prepare(b, &t.m, list, with, e);
    if (rc < 0)
        return rc;
    rc = b->batch(t.m, batch, in, e);
    if (rc == 0)
        rc = timed_median(&t, seconds, e);
    b->release(t.m);
    return rc;
}

/* ---- what can be reached ------------------------------------------------ */

/* An op over buffers of its own: 1 a weight, 2 x, 3 y and 4 scratch, those
 * of them that it has. */
struct probe {
    struct backend *b;
    struct op op;
    struct part part;
    struct tensor_buf buf[5];
    struct op_list list;
};

static inline void
probe_buffer(struct probe *p, uint32_t i, enum zone zone, uint64_t bytes)
{
    uint64_t *end = &p->list.zone_bytes[zone];

    p->buf[i] = (struct tensor_buf){ .bytes = bytes, .at = *end,
                                     .zone = (uint8_t)zone };
    *end += size_round(bytes, 256);
}

static inline struct view
probe_view(struct probe *p, uint32_t i, enum zone zone, uint32_t rows,
           uint32_t cols, uint8_t dtype)
{
    size_t size = element_size(dtype, p->b->real_size);

    probe_buffer(p, i, zone, (uint64_t)rows * cols * size);
    p->buf[i].dtype = p->buf[i].source_dtype = dtype;
    return (struct view){ i, rows, cols, cols, 0, dtype, 0 };
}

static inline int
probe_time(struct probe *p, uint32_t rows, double *seconds, struct err *e)
{
    int32_t *zeros = mem_array(rows, sizeof(*zeros));
    float *weight = mem_array(rows, sizeof(*weight));
    const struct batch batch = { .ids = zeros, .target = zeros, .pos = zeros,
                                 .doc_first = zeros, .head_row = zeros,
                                 .weight = weight, .n = rows };
    const struct inputs in = { .n_head = rows };
    uint64_t scratch = p->b->scratch(p->b, &p->op);
    int rc;

    if (scratch > 0)
        p->op.scratch = probe_view(p, 4, ZONE_ARENA, 1, (uint32_t)scratch,
                                   DTYPE_U8);
    p->list.op = &p->op;
    p->list.n = 1;
    p->list.buf = p->buf;
    p->list.n_bufs = 5;
    p->list.rows = rows;
    p->list.seqs = p->list.head_chunk = 1;
    rc = time_list(p->b, &p->list, RANGE_FWD, NULL, &batch, &in, seconds, e);
    free(zeros);
    free(weight);
    return rc;
}

/* n numbers as a weight: what a card draws depends on them. */
static inline void *
probe_weight(size_t n, uint8_t dtype)
{
    float *x = mem_array(n, sizeof(*x));
    uint32_t word = 1;

    for (size_t i = 0; i < n; i++) {
        word = word * 1664525u + 1013904223u;
        x[i] = (float)(word >> 8) * 0x1p-24f - 0.5f;
        if (dtype == DTYPE_BF16)
            ((uint16_t *)x)[i] = f32_to_bf16(x[i]);
    }
    return x;
}

/* FLOP/s of W W^T, of n x n: x is the weight, so that it holds numbers. */
static inline int
linear_rate(struct backend *b, uint32_t n, double *rate, double *seconds,
            struct err *e)
{
    uint8_t type = b->activation;
    struct probe p = { .b = b };
    void *w;
    int rc;

    p.op.kind = OP_LINEAR;
    p.op.u.lin.part = &p.part;
    p.op.u.lin.n = 1;
    p.part.in = p.part.out = n;
    p.part.w = probe_view(&p, 1, ZONE_BASE, n, n,
                          type == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F32);
    p.op.x[0] = p.part.w;
    p.op.x[0].dtype = type;
    p.op.y[0] = probe_view(&p, 3, ZONE_ARENA, n, n, type);
    p.buf[1].source = w = probe_weight((size_t)n * n, p.part.w.dtype);
    rc = probe_time(&p, n, seconds, e);
    free(w);
    *rate = 2.0 * n * n * n / *seconds;
    return rc;
}

/* Bytes a second, read and written, of a copy of so many rows. */
static inline int
copy_rate(struct backend *b, uint32_t rows, double *rate, double *seconds,
          struct err *e)
{
    enum { COLS = 4096 };
    struct probe p = { .b = b };
    int rc;

    p.op.kind = OP_COPY;
    p.op.x[0] = probe_view(&p, 2, ZONE_ARENA, rows, COLS, b->activation);
    p.op.y[0] = probe_view(&p, 3, ZONE_ARENA, rows, COLS, b->activation);
    rc = probe_time(&p, rows, seconds, e);
    *rate = 2.0 * (double)p.buf[2].bytes / *seconds;
    return rc;
}

/* The best rate over sizes that double until one takes so long. */
static inline int
best_rate(int rate_of(struct backend *b, uint32_t n, double *rate,
                      double *seconds, struct err *e),
          struct backend *b, uint32_t least, uint32_t most, double enough,
          double *best, struct err *e)
{
    double rate, seconds = 0;
    int rc = 0;

    *best = 0;
    for (uint32_t n = least; n <= most && seconds < enough && rc == 0;
         n *= 2) {
        rc = rate_of(b, n, &rate, &seconds, e);
        if (rc == 0 && rate > *best)
            *best = rate;
    }
    return rc;
}

#endif
