/* head.c - HEAD_CE and LOGITS: products with the vocabulary.
 *
 * HEAD_CE keeps the logits of one chunk of rows in scratch. Panels of
 * VOCAB_COLS columns also leave each row's maximum and sum of exponentials,
 * which are then joined in order. For the backward the vocabulary is cut
 * into PARTS runs of panels: each turns its logits into d in place and
 * multiplies them with its rows of W into a partial sum of its own; the
 * partial sums are added in order.
 */
#include <math.h>
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

enum { VOCAB_COLS = WEIGHT_COLS, ROW_TILE = 256, PARTS = 16 };

struct head {
    struct job job;
    const struct part *part;
    size_t chunk, rows, dim, vocab, ld; /* rows: of this chunk */
    size_t panels, parts, part_cols, first;
    const float *bias;
    float *x, *logits, *stat, *lse, *coef, *sums, *bias_tmp, *worker;
    size_t per_worker;
};

/* Sizes, and the places in scratch from base on; returns floats before the
 * workers' own. With keep 0 nothing but x and the bias is placed. */
static size_t
head_lay(struct head *h, const struct op *op, const struct part *part,
         size_t chunk, bool loss, float *base)
{
    size_t at = 0;

    h->part = part;
    h->chunk = chunk;
    h->dim = op->x[0].cols;
    h->vocab = part->w.rows;
    h->ld = piece(h->vocab);
    h->panels = ceil_div(h->vocab, VOCAB_COLS);
    h->part_cols = ceil_div(h->panels, PARTS) * VOCAB_COLS;
    h->parts = ceil_div(h->vocab, h->part_cols);
    h->per_worker = weight_panel(&part->w);
    h->x = base;
    at += piece(chunk * h->dim);
    h->bias_tmp = base + at;
    at += weight_row_floats(&part->bias);
    if (!loss)
        return at;
    h->stat = base + at;
    at += piece(chunk * h->panels * 2);
    h->lse = base + at;
    at += piece(chunk);
    h->coef = base + at;
    at += piece(chunk);
    h->logits = base + at;
    at += chunk * h->ld;
    h->sums = base + at;
    if (op->y[1].buf)
        at += h->parts * piece(chunk * h->dim);
    return at;
}

static uint64_t
head_bytes(const struct op *op, size_t chunk, bool loss, int workers)
{
    struct head h;
    size_t at = head_lay(&h, op, op->u.head.part, chunk, loss, NULL);

    return ((uint64_t)at + (uint64_t)h.per_worker * (uint64_t)workers)
        * sizeof(float);
}

uint64_t
head_ce_scratch(const struct op *op, int workers)
{
    return head_bytes(op, op->u.head.chunk, true, workers);
}

uint64_t
logits_scratch(const struct op *op, int workers)
{
    return head_bytes(op, op->y[0].rows, false, workers);
}

static const int32_t *
head_rows(const struct head *h)
{
    return h->job.run->batch->head_row + h->first;
}

static void
gather_item(void *ctx, size_t k, int worker)
{
    const struct head *h = ctx;
    const struct view *x = &h->job.op->x[0];
    size_t row = (size_t)head_rows(h)[k];

    (void)worker;
    memcpy(h->x + k * h->dim, f32_at(&h->job, x) + row * x->ld,
           h->dim * sizeof(float));
}

/* logits of rows r0 .. r0+nr and the columns of a panel, into out. */
static void
panel_logits(const struct head *h, size_t panel, size_t r0, size_t nr,
             float *out, size_t ld, int worker)
{
    size_t c0 = panel * VOCAB_COLS, i;
    struct weight_mul w = {
        .w = &h->part->w, .scale = &h->part->scale, .trans = true, .m = nr,
        .n = min_size(VOCAB_COLS, h->vocab - c0), .k = h->dim, .n0 = c0,
        .a = h->x + r0 * h->dim, .lda = h->dim, .c = out, .ldc = ld,
        .panel = h->worker + (size_t)worker * h->per_worker
    };

    weight_mul(&h->job, &w);
    for (i = 0; h->bias && i < nr; i++)
        h->job.vec->axpy(out + i * ld, h->bias + c0, 1.0f, w.n, true);
}

static void
logits_item(void *ctx, size_t i, int worker)
{
    const struct head *h = ctx;
    size_t blocks = ceil_div(h->rows, ROW_TILE), r0 = i % blocks * ROW_TILE;
    size_t nr = min_size(ROW_TILE, h->rows - r0), panel = i / blocks, r;
    size_t c0 = panel * VOCAB_COLS, nc = min_size(VOCAB_COLS, h->vocab - c0);
    float *out = h->logits + r0 * h->ld + c0;

    panel_logits(h, panel, r0, nr, out, h->ld, worker);
    for (r = 0; r < nr; r++) {
        float *stat = h->stat + ((r0 + r) * h->panels + panel) * 2;

        stat[0] = h->job.vec->max(out + r * h->ld, nc);
        stat[1] = h->job.vec->exp_sum(NULL, out + r * h->ld, nc, 1.0f,
                                      stat[0]);
    }
}

/* The row's log-sum-exp from its panels, joined in order. */
static float
join_panels(const float *stat, size_t panels)
{
    float top = stat[0];
    double sum = 0;
    size_t p;

    for (p = 1; p < panels; p++)
        top = stat[2 * p] > top ? stat[2 * p] : top;
    for (p = 0; p < panels; p++)
        sum += (double)stat[2 * p + 1] * exp((double)stat[2 * p] - top);
    return (float)(top + log(sum));
}

static void
lse_item(void *ctx, size_t k, int worker)
{
    const struct head *h = ctx;

    (void)worker;
    h->lse[k] = join_panels(h->stat + k * h->panels * 2, h->panels);
}

/* Losses and the factors of d, in the order of k. */
static void
losses(const struct head *h)
{
    const struct job *j = &h->job;
    const struct view *y = &j->op->y[0];
    const struct batch *b = j->run->batch;
    struct step *step = j->run->step;
    size_t k;

    for (k = 0; k < h->rows; k++) {
        size_t row = (size_t)head_rows(h)[k];
        float own = h->logits[k * h->ld + (size_t)b->target[row]];
        float loss = h->lse[k] - own;
        float *to = f32_at(j, y);

        h->coef[k] = (float)((double)b->weight[row] * step->inv_tokens);
        step->loss_sum += (double)b->weight[row] * (double)loss;
        if (to && j->op->acc & 1)
            to[row * y->ld] += loss;
        else if (to)
            to[row * y->ld] = loss;
    }
}

/* The logits of a part of the vocabulary become d. */
static void
part_d(const struct head *h, size_t c0, size_t nc)
{
    const int32_t *target = h->job.run->batch->target;
    size_t k;

    for (k = 0; k < h->rows; k++) {
        size_t own = (size_t)target[head_rows(h)[k]];
        float *d = h->logits + k * h->ld;

        h->job.vec->exp_scale(d + c0, nc, h->lse[k], h->coef[k]);
        if (own >= c0 && own < c0 + nc)
            d[own] -= h->coef[k];
    }
}

static void
dx_item(void *ctx, size_t part, int worker)
{
    const struct head *h = ctx;
    size_t c0 = part * h->part_cols, r0, n0;
    float *sum = h->sums + part * piece(h->chunk * h->dim);
    struct weight_mul w = {
        .w = &h->part->w, .scale = &h->part->scale, .k0 = c0,
        .k = min_size(h->part_cols, h->vocab - c0), .lda = h->ld,
        .ldc = h->dim,
        .panel = h->worker + (size_t)worker * h->per_worker
    };

    part_d(h, c0, w.k);
    if (h->job.op->y[1].buf == 0)
        return;
    for (n0 = 0; n0 < h->dim; n0 += WEIGHT_COLS)
        for (r0 = 0; r0 < h->rows; r0 += ROW_TILE) {
            w.m = min_size(ROW_TILE, h->rows - r0);
            w.n = min_size(WEIGHT_COLS, h->dim - n0);
            w.n0 = n0;
            w.a = h->logits + r0 * h->ld + c0;
            w.c = sum + r0 * h->dim + n0;
            weight_mul(&h->job, &w);
        }
}

static void
sum_item(void *ctx, size_t k, int worker)
{
    const struct head *h = ctx;
    const struct view *y = &h->job.op->y[1];
    size_t row = (size_t)head_rows(h)[k], part;
    float *to = f32_at(&h->job, y) + row * y->ld;

    (void)worker;
    for (part = 0; part < h->parts; part++)
        h->job.vec->axpy(to,
                         h->sums + part * piece(h->chunk * h->dim)
                             + k * h->dim,
                         1.0f, h->dim, part > 0 || (h->job.op->acc & 2));
}

/* Rows of a panel of grad_w += d^T x, and its part of grad_bias. */
static void
grad_item(void *ctx, size_t panel, int worker)
{
    const struct head *h = ctx;
    const struct view *gw = &h->part->grad_w, *gb = &h->part->grad_bias;
    size_t c0 = panel * VOCAB_COLS, nc = min_size(VOCAB_COLS, h->vocab - c0);
    struct product g = {
        .ta = true, .m = nc, .n = h->dim, .k = h->rows, .alpha = 1.0f,
        .beta = 1.0f, .a = h->logits + c0, .lda = h->ld, .b = h->x,
        .ldb = h->dim, .ldc = gw->ld
    };
    size_t k;

    (void)worker;
    if (gw->buf) {
        g.c = f32_at(&h->job, gw) + c0 * gw->ld;
        gemm_f32(&h->job.cpu->gemm, &g);
    }
    for (k = 0; gb->buf && k < h->rows; k++)
        h->job.vec->axpy(f32_at(&h->job, gb) + c0,
                         h->logits + k * h->ld + c0, 1.0f, nc, true);
}

void
cpu_head_ce(const struct job *j)
{
    const struct op *op = j->op;
    const struct head_args *a = &op->u.head;
    size_t have = j->run->batch ? j->run->step->n_head : 0;
    struct head h = { .job = *j, .first = j->run->step->head_at };
    bool grads = a->part->grad_w.buf || a->part->grad_bias.buf;
    float *base = f32_at(j, &op->scratch);

    if (h.first >= have)
        return;
    h.worker = base + head_lay(&h, op, a->part, a->chunk, true, base);
    h.rows = min_size(a->chunk, have - h.first);
    h.bias = weight_row(j, &a->part->bias, h.bias_tmp);
    par_for(h.rows, gather_item, &h);
    par_for(h.panels * ceil_div(h.rows, ROW_TILE), logits_item, &h);
    par_for(h.rows, lse_item, &h);
    losses(&h);
    if (op->y[1].buf || grads)
        par_for(h.parts, dx_item, &h);
    if (op->y[1].buf)
        par_for(h.rows, sum_item, &h);
    if (grads)
        par_for(h.panels, grad_item, &h);
}

static void
out_item(void *ctx, size_t i, int worker)
{
    const struct head *h = ctx;
    const struct view *y = &h->job.op->y[0];
    size_t blocks = ceil_div(h->rows, ROW_TILE), r0 = i % blocks * ROW_TILE;
    size_t panel = i / blocks;

    panel_logits(h, panel, r0, min_size(ROW_TILE, h->rows - r0),
                 f32_at(&h->job, y) + r0 * y->ld + panel * VOCAB_COLS,
                 y->ld, worker);
}

void
cpu_logits(const struct job *j)
{
    const struct op *op = j->op;
    const struct part *part = op->u.head.part;
    struct head h = { .job = *j };
    float *base = f32_at(j, &op->scratch);

    h.worker = base + head_lay(&h, op, part, op->y[0].rows, false, base);
    h.rows = min_size(op->y[0].rows, j->run->step->n_head);
    h.bias = weight_row(j, &part->bias, h.bias_tmp);
    par_for(h.rows, gather_item, &h);
    par_for(h.panels * ceil_div(h.rows, ROW_TILE), out_item, &h);
}
