/* ssd.c - SSD, chunk by chunk: see ssd.h.
 *
 * An item is a block of a sequence's heads, which goes through its chunks in
 * order.
 */
#include "kernels/cpu/ssd.h"

#include <math.h>
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

/* At least so many heads share a product of B and C; at most so many blocks
 * have sums of their own for their gradients. Rows of steps in an item. */
enum { SSD_HEADS = 4, SSD_BLOCKS = 16, STEP_ROWS = 64 };

/* A decay of 2^-FADED and more is 0 in any float. */
#define FADED 1e4

size_t
ssd_block(const struct op *op)
{
    size_t heads = op->u.ssd.heads / op->u.ssd.groups;
    size_t block = ceil_div(op->u.ssd.heads, SSD_BLOCKS);

    return min_size(heads, block < SSD_HEADS ? SSD_HEADS : block);
}

size_t
ssd_blocks(const struct op *op)
{
    size_t heads = op->u.ssd.heads / op->u.ssd.groups;

    return ceil_div(heads, ssd_block(op)) * op->u.ssd.groups;
}

size_t
ssd_shared_floats(const struct op *op, bool bwd)
{
    size_t steps = piece((size_t)op->x[0].rows * op->u.ssd.heads);

    return weight_row_floats(&op->x[2]) + weight_row_floats(&op->x[4])
           + weight_row_floats(&op->x[5]) + (bwd ? 2 : 1) * steps;
}

static size_t
head_floats(void)
{
    return piece(sizeof(struct ssd_head) / sizeof(float));
}

size_t
ssd_chunk_floats(const struct op *op)
{
    return ssd_block(op) * head_floats()
           + (op->u.ssd.state + (size_t)SSD_CHUNK) * SSD_CHUNK;
}

/* Columns of a block, at most. */
static size_t
block_cols(const struct op *op)
{
    return ssd_block(op) * (op->x[0].cols / op->u.ssd.heads);
}

/* Forward: what a chunk takes, M, the state, C S and e delta x. */
static size_t
worker_floats(const struct op *op)
{
    size_t cols = piece(block_cols(op));

    return ssd_chunk_floats(op) + (size_t)SSD_CHUNK * SSD_CHUNK
           + (op->u.ssd.state + 2 * (size_t)SSD_CHUNK) * cols;
}

uint64_t
ssd_scratch(const struct op *op, int workers)
{
    return (ssd_shared_floats(op, false)
            + (size_t)workers * worker_floats(op)) * sizeof(float);
}

static void
step_item(void *ctx, size_t item, int worker)
{
    const struct ssd *f = ctx;
    const struct op *op = f->job.op;
    const struct view *d = &op->x[1];
    size_t i = item * STEP_ROWS, end = min_size(i + STEP_ROWS, f->rows);

    (void)worker;
    for (; i < end; i++)
        f->job.vec->ssd_steps(f->delta + i * f->heads,
                              f->slope ? f->slope + i * f->heads : NULL,
                              f32_at(&f->job, d) + i * d->ld, f->bias,
                              f->heads, op->u.ssd.least, op->u.ssd.most);
}

struct ssd
ssd_open(const struct job *j, bool bwd)
{
    const struct op *op = j->op;
    float *a = f32_at(j, &op->scratch), *own = a;
    float *d = a + weight_row_floats(&op->x[2]);
    float *bias = d + weight_row_floats(&op->x[4]);
    size_t steps = piece((size_t)op->x[0].rows * op->u.ssd.heads);
    struct ssd f = {
        .job = *j, .rows = token_rows(j, &op->x[0]),
        .seq = op->u.ssd.seq_len, .cols = op->x[0].cols,
        .state = op->u.ssd.state, .heads = op->u.ssd.heads,
        .groups = op->u.ssd.groups, .block = ssd_block(op),
        .chunks = ceil_div(op->u.ssd.seq_len, SSD_CHUNK),
        .width = op->x[0].cols / op->u.ssd.heads,
        .divided = ssd_blocks(op) / op->u.ssd.groups,
        .a_log = weight_row(j, &op->x[2], a),
        .skip = weight_row(j, &op->x[4], d),
        .bias = weight_row(j, &op->x[5], bias),
        .own = own + ssd_shared_floats(op, bwd)
    };

    f.delta = bias + weight_row_floats(&op->x[5]);
    f.slope = bwd ? f.delta + steps : NULL;
    par_for(ceil_div(f.rows, STEP_ROWS), step_item, &f);
    return f;
}

float *
ssd_place(struct ssd_chunk *k, const struct ssd *f, size_t block, float *at)
{
    const struct view *bc = &f->job.op->x[3];
    size_t group = block / f->divided, share = f->heads / f->groups;
    size_t first = block % f->divided * f->block;

    memset(k, 0, sizeof(*k));
    k->f = f;
    k->head = group * share + first;
    k->heads = min_size(f->block, share - first);
    k->c0 = k->head * f->width;
    k->cols = k->heads * f->width;
    k->b = f32_at(&f->job, bc) + group * f->state;
    k->ldbc = bc->ld;
    k->of = (struct ssd_head *)at;
    k->bt = at + f->block * head_floats();
    k->g = k->bt + f->state * SSD_CHUNK;
    return k->g + (size_t)SSD_CHUNK * SSD_CHUNK;
}

/* Which rows see which. */
static void
divide_rows(struct ssd_chunk *k)
{
    const struct job *j = &k->f->job;
    bool cached = j->op->u.ssd.cached;

    k->carried = 0;
    for (size_t t = 0; t < k->n; t++) {
        size_t first = cached ? 0 : first_row(j, k->from + t, k->f->seq);
        bool before = cached || first < k->from;

        k->first[t] = before ? 0 : first - k->from;
        k->carried += before;
    }
    k->last = k->first[k->n - 1];
}

static void
sum_decays(const struct ssd_chunk *k, size_t h)
{
    const struct ssd *f = k->f;
    struct ssd_head *o = &k->of[h];
    double a = -exp((double)f->a_log[k->head + h]), sum = 0;
    size_t n = k->n;

    o->a = (float)a;
    for (size_t t = 0; t < n; t++) {
        o->delta[t] = f->delta[(k->from + t) * f->heads + k->head + h];
        if (ssd_begins(k, t))
            sum = 0; /* whose bits depend on no other document */
        sum += fmax((double)o->delta[t] * a * 1.4426950408889634, -FADED);
        o->at[t] = (float)sum;
        o->rest[t] = (float)(sum - (double)o->at[t]);
    }
    for (size_t t = 0; t < n; t++) {
        float behind = (o->at[n - 1] - o->at[t])
                       + (o->rest[n - 1] - o->rest[t]);

        o->carry[t] = t < k->carried ? exp2f(o->at[t]) : 0;
        o->e[t] = t < k->last ? 0 : exp2f(behind);
        o->weight[t] = o->e[t] * o->delta[t];
    }
    o->fade = k->carried == n ? o->carry[n - 1] : 0;
}

void
ssd_begin(struct ssd_chunk *k, size_t from, size_t n)
{
    const struct ssd *f = k->f;
    const float *b = k->b + from * k->ldbc;

    k->from = from;
    k->n = n;
    k->c = b + f->groups * f->state;
    divide_rows(k);
    for (size_t h = 0; h < k->heads; h++)
        sum_decays(k, h);
    f->job.vec->transpose(k->bt, SSD_CHUNK, b, k->ldbc, n, f->state);
    ssd_mul(k, (struct product){ .m = n, .n = n, .k = f->state, .a = k->c,
                                 .lda = k->ldbc, .b = k->bt,
                                 .ldb = SSD_CHUNK, .c = k->g,
                                 .ldc = SSD_CHUNK });
}

struct ssd_row
ssd_row_of(const struct ssd_chunk *k, size_t h, size_t t)
{
    const struct ssd_head *o = &k->of[h];
    size_t s = k->first[t];

    return (struct ssd_row){ .g = k->g + t * SSD_CHUNK + s,
                             .delta = o->delta + s, .at = o->at + s,
                             .rest = o->rest + s, .n = t + 1 - s };
}

void
ssd_fade(const struct ssd_chunk *k, float *s, size_t ld)
{
    const struct ssd *f = k->f;

    for (size_t i = 0; i < f->state; i++)
        for (size_t h = 0; h < k->heads; h++) {
            float *x = s + i * ld + h * f->width, fade = k->of[h].fade;

            if (fade > 0)
                f->job.vec->axpy(x, x, fade, f->width, false);
            else
                memset(x, 0, f->width * sizeof(*x));
        }
}

/* What a worker has for the forward. */
struct forward {
    struct ssd_chunk k;
    float *m, *h, *z, *x; /* M, the state, C S, e delta x */
    size_t ld;            /* of the last three */
};

/* y of head h: D x + M x + exp(L) C S. */
static void
head_rows(const struct forward *w, size_t h)
{
    const struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;
    const struct view *vx = &f->job.op->x[0], *vy = &f->job.op->y[0];
    const struct vec *vec = f->job.vec;
    size_t col = k->c0 + h * f->width;

    for (size_t t = 0; t < k->n; t++) {
        struct ssd_row row = ssd_row_of(k, h, t);
        float *m = w->m + t * SSD_CHUNK;

        memset(m, 0, k->n * sizeof(*m));
        vec->ssd_row(m + k->first[t], &row);
        vec->axpy(ssd_at(k, vy, t, col), ssd_at(k, vx, t, col),
                  f->skip[k->head + h], f->width, f->job.op->acc & 1);
    }
    ssd_mul(k, (struct product){ .m = k->n, .n = f->width, .k = k->n,
                                 .a = w->m, .lda = SSD_CHUNK,
                                 .b = ssd_at(k, vx, 0, col), .ldb = vx->ld,
                                 .c = ssd_at(k, vy, 0, col), .ldc = vy->ld,
                                 .beta = 1.0f });
    for (size_t t = 0; t < k->carried; t++)
        vec->axpy(ssd_at(k, vy, t, col), w->z + t * w->ld + h * f->width,
                  k->of[h].carry[t], f->width, true);
    for (size_t t = k->last; t < k->n; t++)
        vec->axpy(w->x + t * w->ld + h * f->width, ssd_at(k, vx, t, col),
                  k->of[h].weight[t], f->width, false);
}

static void
chunk_rows(struct forward *w, size_t from, size_t n)
{
    struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;

    ssd_begin(k, from, n);
    if (k->carried > 0)
        ssd_mul(k, (struct product){ .m = k->carried, .n = k->cols,
                                     .k = f->state, .a = k->c,
                                     .lda = k->ldbc, .b = w->h, .ldb = w->ld,
                                     .c = w->z, .ldc = w->ld });
    for (size_t h = 0; h < k->heads; h++)
        head_rows(w, h);
    ssd_fade(k, w->h, w->ld);
    ssd_mul(k, (struct product){ .ta = true, .m = f->state, .n = k->cols,
                                 .k = n - k->last,
                                 .a = k->b + (from + k->last) * k->ldbc,
                                 .lda = k->ldbc,
                                 .b = w->x + k->last * w->ld, .ldb = w->ld,
                                 .c = w->h, .ldc = w->ld, .beta = 1.0f });
}

/* The block's part of a row of states, or from there. */
static void
move_state(const struct forward *w, const struct view *v, size_t row,
           bool out)
{
    const struct ssd *f = w->k.f;
    float *at = f32_at(&f->job, v) + row * v->ld + w->k.c0;

    for (size_t s = 0; s < f->state; s++) {
        float *own = w->h + s * w->ld, *there = at + s * f->cols;

        memcpy(out ? there : own, out ? own : there,
               w->k.cols * sizeof(*own));
    }
}

/* Decoding: rows that hold no token. */
static void
clear_rest(const struct ssd_chunk *k, size_t from, size_t end)
{
    const struct view *y = &k->f->job.op->y[0];

    for (; from < end && !(k->f->job.op->acc & 1); from++)
        memset(f32_at(&k->f->job, y) + from * y->ld + k->c0, 0,
               k->cols * sizeof(float));
}

static void
ssd_item(void *ctx, size_t i, int worker)
{
    const struct ssd *f = ctx;
    const struct op *op = f->job.op;
    const struct batch *b = f->job.run->batch;
    size_t blocks = f->divided * f->groups, q = i / blocks;
    size_t from = q * f->seq, last = min_size(from + f->seq, f->rows);
    size_t end = last, c = 0;
    struct forward w = { .ld = piece(block_cols(op)) };
    bool cached = op->u.ssd.cached;

    w.m = ssd_place(&w.k, f, i % blocks,
                    f->own + (size_t)worker * worker_floats(op));
    w.h = w.m + (size_t)SSD_CHUNK * SSD_CHUNK;
    w.z = w.h + f->state * w.ld;
    w.x = w.z + SSD_CHUNK * w.ld;
    if (cached)
        end = min_size(from + (size_t)b->seq_n[q], last);
    memset(w.h, 0, f->state * w.ld * sizeof(*w.h));
    if (cached && b->cache_at[q] > 0)
        move_state(&w, &op->y[2], q, false);
    for (size_t at = from; at < end; at += SSD_CHUNK, c++) {
        chunk_rows(&w, at, min_size(SSD_CHUNK, end - at));
        if (op->y[1].buf != 0)
            move_state(&w, &op->y[1], q * f->chunks + c, true);
    }
    if (cached && end > from)
        move_state(&w, &op->y[2], q, true);
    clear_rest(&w.k, end, last);
}

void
cpu_ssd(const struct job *j)
{
    struct ssd f = ssd_open(j, false);

    par_for(ceil_div(f.rows, f.seq) * f.divided * f.groups, ssd_item, &f);
}
