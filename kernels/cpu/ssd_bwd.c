/* ssd_bwd.c - the gradient of SSD: see ssd.h.
 *
 * An item is a block of heads, which goes through the chunks of all sequences,
 * the last of each first, with R, the gradient of the state behind a chunk. In
 * ssd.h's terms, with dM = dy x^T, e and delta as columns, and U = B R:
 *   dx = D dy + M^T dy + e delta U      dG = sum over heads of dM M / (C B)
 *   dC = dG B + exp(L) dy S^T           dB = dG^T C + e delta x R^T
 *   R' = exp(L[last]) R + C^T exp(L) dy
 * What L[t] gets is summed from the last row of its document backward: that is
 * what the logarithm of a row's decay, delta A, gets. B and C's gradients are
 * sums over heads: each block has its own, and these are added in order.
 */
#include "kernels/cpu/ssd.h"

#include <string.h>

#include "base/par.h"

enum { SUM_ROWS = 64 };

/* What a worker has. */
struct backward {
    struct ssd_chunk k;
    float *m, *dm, *dg; /* [SSD_CHUNK, SSD_CHUNK] each */
    float *xt;          /* x of a head, turned */
    float *z, *u;       /* C S and U; then exp(L) dy and e delta x */
    float *r;           /* R */
    size_t ld;          /* of the last three */
    const float *s;     /* S, its rows f->cols apart */
    float *sums;        /* of the chunk's rows: dB, dC */
    bool later;         /* a chunk comes behind it */
    double *da, *dskip, *dbias; /* of the block's heads */
};

/* Of a head: what rows get from M, and from the state. */
struct row_sums {
    float m[SSD_CHUNK], q[SSD_CHUNK], yz[SSD_CHUNK], xu[SSD_CHUNK];
    float state; /* S R */
};

static size_t
wide_cols(const struct op *op)
{
    return piece(ssd_block(op) * (op->x[0].cols / op->u.ssd.heads));
}

static size_t
worker_floats(const struct op *op)
{
    size_t width = op->x[0].cols / op->u.ssd.heads;

    return ssd_chunk_floats(op)
           + (size_t)SSD_CHUNK * (3 * SSD_CHUNK + piece(width))
           + (op->u.ssd.state + 2 * (size_t)SSD_CHUNK) * wide_cols(op)
           + 6 * piece(ssd_block(op));
}

uint64_t
ssd_bwd_scratch(const struct op *op, int workers)
{
    size_t sums = ssd_blocks(op) * op->x[0].rows * 2 * op->u.ssd.state;

    return (ssd_shared_floats(op, true)
            + (size_t)workers * worker_floats(op) + sums) * sizeof(float);
}

static void
place_worker(struct backward *w, const struct ssd *f, size_t block,
             float *base)
{
    const struct op *op = f->job.op;
    size_t square = (size_t)SSD_CHUNK * SSD_CHUNK, n = piece(f->block);

    w->m = ssd_place(&w->k, f, block, base);
    w->ld = wide_cols(op);
    w->dm = w->m + square;
    w->dg = w->dm + square;
    w->xt = w->dg + square;
    w->z = w->xt + SSD_CHUNK * piece(f->width);
    w->u = w->z + SSD_CHUNK * w->ld;
    w->r = w->u + SSD_CHUNK * w->ld;
    w->da = (double *)(w->r + f->state * w->ld);
    w->dskip = w->da + n;
    w->dbias = w->dskip + n;
    memset(w->da, 0, 3 * n * sizeof(*w->da));
}

/* M of head h, dG += what it gets, and sums of dM M: of rows, and, but for
 * delta, of columns. */
static void
decays_bwd(const struct backward *w, size_t h, struct row_sums *sum)
{
    const struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;
    const struct view *vx = &f->job.op->x[0], *vy = &f->job.op->x[7];
    size_t col = k->c0 + h * f->width;

    f->job.vec->transpose(w->xt, SSD_CHUNK, ssd_at(k, vx, 0, col), vx->ld,
                          k->n, f->width);
    ssd_mul(k, (struct product){ .m = k->n, .n = k->n, .k = f->width,
                                 .a = ssd_at(k, vy, 0, col), .lda = vy->ld,
                                 .b = w->xt, .ldb = SSD_CHUNK, .c = w->dm,
                                 .ldc = SSD_CHUNK });
    memset(sum->q, 0, sizeof(sum->q));
    for (size_t t = 0; t < k->n; t++) {
        struct ssd_row row = ssd_row_of(k, h, t);
        size_t at = t * SSD_CHUNK, s = k->first[t];

        memset(w->m + at, 0, k->n * sizeof(*w->m));
        sum->m[t] = f->job.vec->ssd_row_bwd(w->m + at + s, w->dg + at + s,
                                            sum->q + s, w->dm + at + s, &row);
    }
}

/* dx of head h. */
static void
inputs_bwd(const struct backward *w, size_t h)
{
    const struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;
    const struct op *op = f->job.op;
    const struct view *dx = &op->y[0], *vy = &op->x[7];
    size_t col = k->c0 + h * f->width;

    if (dx->buf == 0)
        return;
    for (size_t t = 0; t < k->n; t++)
        f->job.vec->axpy(ssd_at(k, dx, t, col), ssd_at(k, vy, t, col),
                         f->skip[k->head + h], f->width, op->acc & 1);
    ssd_mul(k, (struct product){ .ta = true, .m = k->n, .n = f->width,
                                 .k = k->n, .a = w->m, .lda = SSD_CHUNK,
                                 .b = ssd_at(k, vy, 0, col), .ldb = vy->ld,
                                 .c = ssd_at(k, dx, 0, col), .ldc = dx->ld,
                                 .beta = 1.0f });
    for (size_t t = k->last; t < k->n && w->later; t++)
        f->job.vec->axpy(ssd_at(k, dx, t, col),
                         w->u + t * w->ld + h * f->width,
                         k->of[h].weight[t], f->width, true);
}

/* Sums over the columns of head h, after which z and u become exp(L) dy and
 * e delta x. */
static void
state_bwd(const struct backward *w, size_t h, struct row_sums *sum)
{
    const struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;
    const struct vec *vec = f->job.vec;
    const struct ssd_head *o = &k->of[h];
    const struct view *vx = &f->job.op->x[0], *vy = &f->job.op->x[7];
    size_t n = f->width, at = h * n, col = k->c0 + at;

    for (size_t t = 0; t < k->n; t++) {
        float *dy = ssd_at(k, vy, t, col), *x = ssd_at(k, vx, t, col);
        float *z = w->z + t * w->ld + at, *u = w->u + t * w->ld + at;

        sum->yz[t] = t < k->carried ? vec->dot(dy, z, n) : 0;
        sum->xu[t] = t >= k->last && w->later ? vec->dot(x, u, n) : 0;
        w->dskip[h] += (double)vec->dot(dy, x, n);
        if (t < k->carried)
            vec->axpy(z, dy, o->carry[t], n, false);
        if (t >= k->last && w->later)
            vec->axpy(u, x, o->weight[t], n, false);
    }
    sum->state = 0;
    for (size_t s = 0; s < f->state && o->fade > 0 && w->later; s++)
        sum->state += vec->dot(w->s + s * f->cols + at, w->r + s * w->ld + at,
                               n);
}

/* The gradients of head h's steps, and of what they are made from. */
static void
steps_bwd(const struct backward *w, size_t h, const struct row_sums *sum)
{
    const struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;
    const struct ssd_head *o = &k->of[h];
    const struct view *dd = &f->job.op->y[1];
    double behind = (double)o->fade * (double)sum->state;

    for (size_t t = 0; t < k->n; t++)
        behind += (double)o->weight[t] * (double)sum->xu[t];
    for (size_t t = k->n; t-- > 0;) {
        double own = (double)sum->q[t] + (double)o->e[t] * (double)sum->xu[t];
        double fade, d;

        behind += (double)sum->m[t] - (double)o->delta[t] * own
                  + (double)o->carry[t] * (double)sum->yz[t];
        fade = ssd_begins(k, t) ? 0 : behind;
        behind = fade;
        w->da[h] += fade * (double)o->delta[t];
        d = (fade * (double)o->a + own)
            * (double)f->slope[(k->from + t) * f->heads + k->head + h];
        w->dbias[h] += d;
        if (dd->buf != 0) {
            float *to = ssd_at(k, dd, t, k->head + h);

            *to = (f->job.op->acc & 2 ? *to : 0) + (float)d;
        }
    }
}

/* B and C's gradients from all heads, and R'. */
static void
groups_bwd(const struct backward *w)
{
    const struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;
    const float *b = k->b + k->from * k->ldbc;
    size_t ld = 2 * f->state;
    struct product p = { .n = f->state, .ldb = k->ldbc, .ldc = ld,
                         .m = k->n, .k = k->n, .a = w->dg,
                         .lda = SSD_CHUNK };

    p.b = b;
    p.c = w->sums + f->state;
    ssd_mul(k, p);
    p.ta = true;
    p.b = k->c;
    p.c = w->sums;
    ssd_mul(k, p);
    p = (struct product){ .tb = true, .n = f->state, .k = k->cols,
                          .ldc = ld, .lda = w->ld, .beta = 1.0f };
    if (w->later) {
        p.m = k->n - k->last;
        p.a = w->u + k->last * w->ld;
        p.b = w->r;
        p.ldb = w->ld;
        p.c = w->sums + k->last * ld;
        ssd_mul(k, p);
    }
    ssd_fade(k, w->r, w->ld);
    if (k->carried == 0)
        return;
    p.m = k->carried;
    p.a = w->z;
    p.b = w->s;
    p.ldb = f->cols;
    p.c = w->sums + f->state;
    ssd_mul(k, p);
    ssd_mul(k, (struct product){ .ta = true, .m = f->state, .n = k->cols,
                                 .k = k->carried, .a = k->c, .lda = k->ldbc,
                                 .b = w->z, .ldb = w->ld, .c = w->r,
                                 .ldc = w->ld, .beta = 1.0f });
}

static void
chunk_bwd(struct backward *w, size_t from, size_t n)
{
    struct ssd_chunk *k = &w->k;
    const struct ssd *f = k->f;
    struct product p = { .n = k->cols, .k = f->state, .lda = k->ldbc,
                         .ldc = w->ld };
    struct row_sums sum;

    ssd_begin(k, from, n);
    if (k->carried > 0) {
        p.m = k->carried;
        p.a = k->c;
        p.b = w->s;
        p.ldb = f->cols;
        p.c = w->z;
        ssd_mul(k, p);
    }
    if (w->later) {
        p.m = n - k->last;
        p.a = k->b + (from + k->last) * k->ldbc;
        p.b = w->r;
        p.ldb = w->ld;
        p.c = w->u + k->last * w->ld;
        ssd_mul(k, p);
    }
    memset(w->dg, 0, (size_t)SSD_CHUNK * SSD_CHUNK * sizeof(*w->dg));
    for (size_t h = 0; h < k->heads; h++) {
        decays_bwd(w, h, &sum);
        inputs_bwd(w, h);
        state_bwd(w, h, &sum);
        steps_bwd(w, h, &sum);
    }
    groups_bwd(w);
}

/* A = -exp(A_log): its derivative is A itself. */
static void
put_parameters(const struct backward *w)
{
    const struct job *j = &w->k.f->job;
    float *da = f32_at(j, &j->op->y[2]), *dskip = f32_at(j, &j->op->y[4]);
    float *dbias = f32_at(j, &j->op->y[5]);

    for (size_t h = 0; h < w->k.heads; h++) {
        size_t at = w->k.head + h;

        if (da)
            da[at] += (float)(w->da[h] * (double)w->k.of[h].a);
        if (dskip)
            dskip[at] += (float)w->dskip[h];
        if (dbias)
            dbias[at] += (float)w->dbias[h];
    }
}

static void
block_item(void *ctx, size_t i, int worker)
{
    const struct ssd *f = ctx;
    const struct job *j = &f->job;
    const struct view *kept = &j->op->x[6];
    float *own = f->own + (size_t)worker * worker_floats(j->op);
    float *sums = f->sums + i * f->rows * 2 * f->state;
    struct backward w;

    place_worker(&w, f, i, own);
    for (size_t from = 0; from < f->rows; from += f->seq) {
        size_t n = min_size(f->seq, f->rows - from);
        size_t row = from / f->seq * f->chunks;

        memset(w.r, 0, f->state * w.ld * sizeof(*w.r));
        for (size_t c = ceil_div(n, SSD_CHUNK); c-- > 0;) {
            size_t at = from + c * SSD_CHUNK;

            w.later = c + 1 < ceil_div(n, SSD_CHUNK);
            w.s = c == 0 ? NULL : f32_at(j, kept) + (row + c - 1) * kept->ld
                                  + w.k.c0;
            w.sums = sums + at * 2 * f->state;
            chunk_bwd(&w, at, min_size(SSD_CHUNK, from + n - at));
        }
    }
    put_parameters(&w);
}

static void
sum_item(void *ctx, size_t item, int worker)
{
    const struct ssd *f = ctx;
    const struct view *y = &f->job.op->y[3];
    size_t end = min_size((item + 1) * SUM_ROWS, f->rows), n = f->state;

    (void)worker;
    for (size_t i = item * SUM_ROWS; i < end; i++)
        for (size_t b = 0; b < f->divided * f->groups; b++) {
            const float *own = f->sums + (b * f->rows + i) * 2 * n;
            float *to = f32_at(&f->job, y) + i * y->ld + b / f->divided * n;
            bool add = b % f->divided > 0 || f->job.op->acc & 8;

            f->job.vec->axpy(to, own, 1, n, add);
            f->job.vec->axpy(to + f->groups * n, own + n, 1, n, add);
        }
}

void
cpu_ssd_bwd(const struct job *j)
{
    struct ssd f = ssd_open(j, true);

    f.sums = f.own + (size_t)par_threads() * worker_floats(j->op);
    par_for(f.divided * f.groups, block_item, &f);
    if (j->op->y[3].buf != 0)
        par_for(ceil_div(f.rows, SUM_ROWS), sum_item, &f);
}
