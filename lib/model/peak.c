/* peak.c - probes of one op each, and the sizes that are tried. */
#include "model/peak.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define ENOUGH 0.02 /* seconds */

enum {
    TIMES = 3,
    LEAST = 256, MOST = 8192,     /* rows and columns of a product */
    COPY_LEAST = 64, COPY_MOST = 131072, COPY_COLS = 4096
};

/* An op over buffers of its own: 1 a weight, 2 x, 3 y and 4 scratch, those
 * of them that it has. */
struct probe {
    struct backend *b;
    struct op op;
    struct part part;
    struct tensor_buf buf[5];
    struct op_list list;
};

static struct view
probe_view(struct probe *p, uint32_t i, enum zone zone, uint32_t rows,
           uint32_t cols, uint8_t dtype)
{
    uint64_t *end = &p->list.zone_bytes[zone];
    uint64_t bytes = (uint64_t)rows * cols
                     * element_size(dtype, p->b->real_size);

    p->buf[i] = (struct tensor_buf){ .bytes = bytes, .at = *end,
                                     .zone = (uint8_t)zone, .dtype = dtype,
                                     .source_dtype = dtype };
    *end += size_round(bytes, 256);
    return (struct view){ i, rows, cols, cols, 0, dtype, 0 };
}

/* Seconds of one run and what it takes to know that it is done. */
static int
run_once(const struct probe *p, struct memory *m, double *seconds,
         struct err *e)
{
    double from = clock_seconds();
    struct results results;
    int rc = p->b->run(m, RANGE_FWD, e);

    if (rc == 0)
        rc = p->b->run(m, RANGE_UPDATE, e);
    if (rc == 0)
        rc = p->b->results(m, &results, e);
    *seconds = clock_seconds() - from;
    return rc;
}

/* The first run is not counted: it may prepare what the others use. */
static int
run_probe(const struct probe *p, const struct batch *batch, double *best,
          struct err *e)
{
    const struct inputs in = { .n_head = batch->n };
    struct memory *m;
    double seconds;
    int rc = p->b->prepare(p->b, &m, &p->list, NULL, e);

    if (rc < 0)
        return rc;
    rc = p->b->batch(m, batch, &in, e);
    if (rc == 0)
        rc = run_once(p, m, &seconds, e);
    for (int i = 0; i < TIMES && rc == 0; i++) {
        rc = run_once(p, m, &seconds, e);
        *best = i == 0 || seconds < *best ? seconds : *best;
    }
    p->b->release(m);
    return rc;
}

static int
time_probe(struct probe *p, uint32_t rows, double *seconds, struct err *e)
{
    int32_t *zeros = mem_array(rows, sizeof(*zeros));
    float *weight = mem_array(rows, sizeof(*weight));
    const struct batch batch = { .ids = zeros, .target = zeros, .pos = zeros,
                                 .doc_first = zeros, .head_row = zeros,
                                 .weight = weight, .n = rows };
    uint64_t scratch = p->b->scratch(p->b, &p->op);
    int rc;

    if (scratch > 0)
        p->op.scratch = probe_view(p, 4, ZONE_ARENA, 1, (uint32_t)scratch,
                                   DTYPE_U8);
    p->list.op = &p->op;
    p->list.n = 1;
    p->list.buf = p->buf;
    p->list.n_bufs = sizeof(p->buf) / sizeof(p->buf[0]);
    p->list.rows = rows;
    p->list.seqs = p->list.head_chunk = 1;
    for (int r = 0; r <= RANGE_COUNT; r++)
        p->list.range[r] = r > RANGE_FWD;
    rc = run_probe(p, &batch, seconds, e);
    free(zeros);
    free(weight);
    return rc;
}

/* n numbers as a weight: what a device draws depends on them. */
static void *
some_weight(size_t n, uint8_t dtype)
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

/* Operations a second of W W^T, of n x n: x is the weight, so that it holds
 * numbers. */
static int
product_rate(struct backend *b, uint32_t n, double *rate, double *seconds,
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
    p.buf[1].source = w = some_weight((size_t)n * n, p.part.w.dtype);
    rc = time_probe(&p, n, seconds, e);
    free(w);
    *rate = 2.0 * n * n * n / *seconds;
    return rc;
}

static int
copy_rate(struct backend *b, uint32_t rows, double *rate, double *seconds,
          struct err *e)
{
    struct probe p = { .b = b };
    int rc;

    p.op.kind = OP_COPY;
    p.op.x[0] = probe_view(&p, 2, ZONE_ARENA, rows, COPY_COLS,
                           b->activation);
    p.op.y[0] = probe_view(&p, 3, ZONE_ARENA, rows, COPY_COLS,
                           b->activation);
    rc = time_probe(&p, rows, seconds, e);
    *rate = 2.0 * (double)p.buf[2].bytes / *seconds;
    return rc;
}

int
peak_measure(struct peak *p, struct backend *b, uint64_t room,
             struct err *e)
{
    double rate, seconds = 0;
    uint64_t rows;
    int rc = 0;

    p->flops = p->bytes = 0;
    for (uint32_t n = LEAST; n <= MOST && seconds < ENOUGH && rc == 0
         && (n == LEAST || 12 * (uint64_t)n * n <= room); n *= 2) {
        rc = product_rate(b, n, &rate, &seconds, e);
        p->flops = rc == 0 && rate > p->flops ? rate : p->flops;
    }
    seconds = 0;
    for (rows = COPY_LEAST; rows <= COPY_MOST && seconds < ENOUGH && rc == 0
         && (rows == COPY_LEAST || 8 * rows * COPY_COLS <= room);
         rows *= 2) {
        rc = copy_rate(b, (uint32_t)rows, &rate, &seconds, e);
        p->bytes = rc == 0 ? rate : p->bytes;
    }
    return rc;
}

double
peak_floor(const struct peak *p, const struct op_cost *c)
{
    double work = c->flops / p->flops, moved = c->bytes / p->bytes;

    return work > moved ? work : moved;
}
