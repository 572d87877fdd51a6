/* cpu_world.h - one op, run by several back ends on the same numbers.
 *
 * A world owns buffers with float values; world_run lays them out for a back
 * end (float or double), fills its scratch with NaN, runs the op and gives
 * back all values as double. So what one back end wrote can be held against
 * another's, buffer by buffer.
 *
 * The bound of an element's error is EPS * (16 + 4 sqrt(K)) * M: EPS is a
 * float's relative rounding error 2^-24, K the length of the op's longest
 * reduction, M the largest magnitude in the buffer or of its terms (rms
 * errors of sums grow as sqrt(K); 16 is what a chain of elementwise
 * functions of a few ulp each may add).
 */
#ifndef CPU_WORLD_H
#define CPU_WORLD_H

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/par.h"
#include "kernels/host.h"
#include "stored_fill.h"
#include "test.h"

enum { WORLD_BUFS = 64, WORLD_PARTS = 4 };

struct world {
    struct tensor_buf buf[WORLD_BUFS];
    float *value[WORLD_BUFS]; /* of a real buffer */
    size_t len[WORLD_BUFS];
    bool act[WORLD_BUFS];     /* it holds activations or their gradients */
    bool whole[WORLD_BUFS];   /* it holds whole numbers */
    void *base[WORLD_BUFS];   /* of a stored one */
    uint32_t n_bufs;
    uint32_t pad, off;        /* of the next real views: see world_real */
    struct op op;
    struct op more[3];        /* that follow it, without scratch */
    size_t n_more;
    struct part part[WORLD_PARTS];
    struct inputs in;
    uint32_t head_at;
    struct results out;       /* before the op is run */
    struct batch batch;
    int32_t *ids;             /* what batch points to */
    float *weight;
    double reduction;         /* K */
    double magnitude;         /* of terms, where larger than the result's */
    double extra;             /* share of M that is added to the bound */
    double rounding;          /* of bf16: of a buffer's largest, the share
                                 that is the bound; 0: any will do */
    uint64_t seed;
};

/* What a back end made of a world. */
struct outcome {
    double *value[WORLD_BUFS];
    struct results out;
};

static inline double
draw(struct world *w)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(w->seed >> 11) * 0x1p-53;
}

static inline void
world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->n_bufs = 1;
    w->pad = 3;
    w->off = 1;
    w->seed = seed * 77 + 5;
    w->reduction = 1;
    w->out.scale = 1;
    w->in.seed = seed;
    w->in.step = seed + 3;
    w->in.row0 = 2 * seed;
    w->in.inv_tokens = 0.25;
}

static inline void
world_release(struct world *w)
{
    for (uint32_t i = 0; i < w->n_bufs; i++) {
        free(w->value[i]);
        free(w->base[i]);
    }
    free(w->ids);
    free(w->weight);
}

/* A real buffer of values in [-range, range), its rows w->pad longer than the
 * view, which starts at w->off. */
static inline struct view
world_real(struct world *w, uint32_t rows, uint32_t cols, double range)
{
    uint32_t i = w->n_bufs++;
    struct view v = { i, rows, cols, cols + w->pad, w->off, DTYPE_REAL, 0 };

    w->len[i] = (size_t)rows * v.ld + v.off;
    w->value[i] = mem_array(w->len[i], sizeof(float));
    w->buf[i].zone = ZONE_ARENA;
    for (size_t k = 0; k < w->len[i]; k++)
        w->value[i][k] = (float)((2 * draw(w) - 1) * range);
    return v;
}

/* The same of activations, or of their gradients. */
static inline struct view
world_act(struct world *w, uint32_t rows, uint32_t cols, double range)
{
    struct view v = world_real(w, rows, cols, range);

    w->act[v.buf] = true;
    return v;
}

/* Room for activations in the host's memory, without values. */
static inline struct view
world_host(struct world *w, uint32_t rows, uint32_t cols)
{
    uint32_t i = w->n_bufs++;
    struct view v = { i, rows, cols, cols, w->off, DTYPE_REAL, 0 };

    w->len[i] = (size_t)rows * cols + v.off;
    w->buf[i].zone = ZONE_HOST;
    w->act[i] = true;
    return v;
}

/* A buffer of the base. */
static inline uint32_t
world_bytes(struct world *w, uint64_t bytes)
{
    uint32_t i = w->n_bufs++;

    w->base[i] = mem_alloc((size_t)bytes);
    w->buf[i].zone = ZONE_BASE;
    w->buf[i].source = w->base[i];
    w->buf[i].bytes = bytes;
    return i;
}

/* A stored weight of values in [-1, 1), with its side if it has one. */
static inline struct view
world_base(struct world *w, uint32_t rows, uint32_t cols, uint8_t dtype)
{
    const struct stored *s = stored_of(dtype);
    uint64_t row = stored_row_bytes(s, cols);
    uint64_t side_row = stored_blocks(s, cols) * dtype_size(s->side_dtype);
    struct view v = { world_bytes(w, rows * row), rows, cols, cols, 0, dtype,
                      0 };
    float *x = mem_array(cols, sizeof(*x));

    if (side_row > 0)
        v.side = world_bytes(w, rows * side_row);
    for (uint32_t r = 0; r < rows; r++) {
        char *side = v.side ? (char *)w->base[v.side] + r * side_row : NULL;

        for (uint32_t c = 0; c < cols; c++)
            x[c] = (float)(2 * draw(w) - 1);
        stored_fill(s, (char *)w->base[v.buf] + r * row, side, x, cols);
    }
    free(x);
    return v;
}

/* n ids, each `step` above the one before, from `first` on. */
static inline struct view
world_tokens(struct world *w, uint32_t n, int32_t first, int32_t step)
{
    struct view v = { world_bytes(w, n * sizeof(int32_t)), 1, n, n, 0,
                      DTYPE_I32, 0 };
    int32_t *id = w->base[v.buf];

    for (uint32_t k = 0; k < n; k++)
        id[k] = first + (int32_t)k * step;
    return v;
}

/* A weight of any dtype. */
static inline struct view
world_weight(struct world *w, uint32_t rows, uint32_t cols, uint8_t dtype)
{
    return dtype == DTYPE_REAL ? world_real(w, rows, cols, 1)
                               : world_base(w, rows, cols, dtype);
}

/* Rounds every float to bfloat16, so that products of bfloat16 are exact, but
 * for whole numbers, which are no operands. */
static inline void
world_round(struct world *w)
{
    for (uint32_t i = 1; i < w->n_bufs; i++)
        for (size_t k = 0; w->value[i] && !w->whole[i] && k < w->len[i]; k++)
            w->value[i][k] = bf16_to_f32(f32_to_bf16(w->value[i][k]));
}

/* n rows in documents of `doc` rows, sequences of seq; ids below vocab. */
static inline void
world_batch(struct world *w, uint32_t n, uint32_t seq, uint32_t doc,
            uint32_t vocab)
{
    int32_t *p = mem_array((size_t)n * 5, sizeof(*p));

    w->ids = p;
    w->weight = mem_array(n, sizeof(*w->weight));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i % seq, first = at / doc * doc;

        p[i] = (int32_t)(draw(w) * vocab);
        p[n + i] = (int32_t)(draw(w) * vocab);
        p[2 * n + i] = (int32_t)(at - first);
        p[3 * n + i] = (int32_t)(i - at + first);
        p[4 * n + i] = (int32_t)i;
        w->weight[i] = (float)(0.5 + draw(w));
    }
    w->batch = (struct batch){ .ids = p, .target = p + n, .pos = p + 2 * n,
                               .doc_first = p + 3 * n,
                               .head_row = p + 4 * n, .weight = w->weight,
                               .n = n };
}

/* Element 0 of the zone is of the view of buffer i. */
static inline void
world_lay(struct world *w, size_t real_size, uint64_t scratch,
          uint64_t *bytes)
{
    uint64_t at = 0;

    for (uint32_t i = 1; i < w->n_bufs; i++) {
        if (w->buf[i].zone == ZONE_BASE)
            continue;
        w->buf[i].at = at;
        w->buf[i].bytes = w->len[i] * real_size;
        at += size_round(w->buf[i].bytes, 64);
    }
    w->buf[w->n_bufs].zone = ZONE_ARENA;
    w->buf[w->n_bufs].at = at;
    w->buf[w->n_bufs].bytes = scratch;
    w->op.scratch = (struct view){ w->n_bufs, 1, (uint32_t)scratch,
                                   (uint32_t)scratch, 0, DTYPE_U8, 0 };
    *bytes = at + scratch;
}

/* Runs the world's ops on b with that many threads. */
static inline struct outcome
world_run(struct world *w, struct backend *b, int threads)
{
    struct outcome out = { .out = w->out };
    struct run run = { .buf = w->buf, .real_size = b->real_size,
                       .in = &w->in, .head_at = w->head_at,
                       .out = &out.out, .batch = &w->batch };
    struct err e;
    uint64_t bytes;
    char *zone;

    par_set_threads(threads);
    world_lay(w, b->real_size, b->scratch(b, &w->op), &bytes);
    zone = mem_try(size_round(bytes + 64, 64));
    memset(zone, 0xff, bytes);
    memset(zone + bytes, 0x5a, 64);
    run.zone[ZONE_ARENA] = run.zone[ZONE_HOST] = zone;
    for (uint32_t i = 1; i < w->n_bufs; i++)
        for (size_t k = 0; w->value[i] && k < w->len[i]; k++) {
            if (b->real_size == 4)
                ((float *)(void *)(zone + w->buf[i].at))[k] = w->value[i][k];
            else
                ((double *)(void *)(zone + w->buf[i].at))[k]
                    = (double)w->value[i][k];
        }
    if (!CHECK(host_run(b, &run, &w->op, 1, &e) == 0
               && host_run(b, &run, w->more, w->n_more, &e) == 0))
        printf("%s\n", e.text);
    for (int k = 0; k < 64; k++)
        if (zone[bytes + (uint64_t)k] != 0x5a)
            CHECK(!"wrote behind its scratch");
    for (uint32_t i = 1; i < w->n_bufs; i++) {
        out.value[i] = mem_array(w->len[i], sizeof(double));
        for (size_t k = 0; w->value[i] && k < w->len[i]; k++)
            out.value[i][k] = b->real_size == 4
                ? (double)((float *)(void *)(zone + w->buf[i].at))[k]
                : ((double *)(void *)(zone + w->buf[i].at))[k];
    }
    free(zone);
    return out;
}

static inline void
outcome_release(const struct world *w, struct outcome *o)
{
    for (uint32_t i = 1; i < w->n_bufs; i++)
        free(o->value[i]);
}

static inline bool
near(double a, double b, double bound)
{
    return isnan(b) ? isnan(a) : a == b || fabs(a - b) <= bound;
}

/* Every buffer of got against want; name says which case it is. */
static inline void
world_compare(const struct world *w, const struct outcome *got,
              const struct outcome *want, const char *name)
{
    double slack = 0x1p-24 * (16 + 4 * sqrt(w->reduction)) + w->extra;
    double worst = 0;
    uint32_t bad = 0;

    for (uint32_t i = 1; i < w->n_bufs; i++) {
        double top = w->magnitude;
        bool same = true;

        for (size_t k = 0; w->value[i] && k < w->len[i]; k++) {
            top = fmax(top, fabs(want->value[i][k]));
            same &= want->value[i][k] == (double)w->value[i][k];
        }
        for (size_t k = 0; w->value[i] && k < w->len[i]; k++)
            if (!near(got->value[i][k], want->value[i][k],
                      same ? 0 : slack * top)) {
                worst = fmax(worst, fabs(got->value[i][k]
                                         - want->value[i][k]) / top);
                bad = i;
            }
    }
    if (!CHECK(bad == 0))
        printf("    %s: buffer %u off by %.2e of its largest, bound "
               "%.2e\n", name, bad, worst, slack);
    slack *= 4;
    CHECK(near(got->out.loss_sum, want->out.loss_sum,
               slack * (1 + fabs(want->out.loss_sum))));
    CHECK(near(got->out.z_sum, want->out.z_sum,
               slack * (1 + fabs(want->out.z_sum))));
    CHECK(near(got->out.balance_sum, want->out.balance_sum,
               slack * (1 + fabs(want->out.balance_sum))));
    CHECK(near(got->out.gnorm2, want->out.gnorm2,
               slack * (1 + want->out.gnorm2)));
    CHECK(near(got->out.scale, want->out.scale, slack));
    CHECK(got->out.skipped == want->out.skipped);
}

/* Bit for bit. */
static inline void
world_same(const struct world *w, const struct outcome *a,
           const struct outcome *b, const char *name)
{
    bool same = memcmp(&a->out, &b->out, sizeof(a->out)) == 0;

    for (uint32_t i = 1; i < w->n_bufs; i++)
        if (w->value[i])
            same &= memcmp(a->value[i], b->value[i],
                           w->len[i] * sizeof(double)) == 0;
    if (!CHECK(same))
        printf("    %s: 1 and 3 threads differ\n", name);
}

#endif
