/* head.c - HEAD_CE: products with the vocabulary, and what LOGITS (logits.c)
 * takes of them.
 *
 * A worker makes logits a tile of ROW_TILE rows by VOCAB_COLS words at a time.
 * The vocabulary is cut into PARTS; a part walks over its tiles and keeps,
 * per row, the running maximum m, the sum l of exp(logit - m) and, for the
 * backward, the sum s of exp(logit - m) W, as attention does over keys. The
 * parts are then joined in order:
 *
 *   lse = log(sum_p l_p exp(m_p))
 *   dx  = b sum_p exp(m_p - lse) s_p - c W[target],  c = weight / tokens
 *
 * where b is c, or with a z-loss c (1 + 2 z lse).
 *
 * Full training keeps the chunk's logits, tile after tile of a block of rows,
 * and walks over them once more, each tile becoming d by lse.
 *
 * Words that have rows of their own (struct part) get their logits, and their
 * part of s, beside the products with W.
 */
#include <math.h>
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/head.h"

size_t
head_place(struct head *h, const struct op *op, size_t chunk, float *base)
{
    size_t at = 0;

    h->part = op->u.head.part;
    h->chunk = chunk;
    h->dim = op->x[0].cols;
    h->vocab = h->part->w.rows;
    h->panels = ceil_div(h->vocab, VOCAB_COLS);
    h->part_cols = ceil_div(h->panels, PARTS) * VOCAB_COLS;
    h->parts = ceil_div(h->vocab, h->part_cols);
    h->per_worker = weight_panel() + (size_t)ROW_TILE * VOCAB_COLS;
    h->x = base;
    at += piece(chunk * h->dim);
    h->bias_tmp = base + at;
    at += weight_row_floats(&h->part->bias);
    h->stat = base + at;
    at += piece(chunk * h->parts * 2);
    h->own = base + at;
    at += piece(chunk);
    h->lse = base + at;
    at += piece(chunk);
    h->soft = h->coef = base + at;
    at += piece(chunk);
    if (op->kind == OP_HEAD_CE && op->u.head.z > 0) {
        h->soft = base + at;
        at += piece(chunk);
    }
    h->sums = base + at;
    if (op->y[1].buf)
        at += h->parts * piece(chunk * h->dim);
    if (h->part->grad_w.buf || h->part->grad_bias.buf) {
        h->logits = base + at;
        at += piece(chunk * h->vocab);
    }
    h->fixed_at = base + at;
    if (op->kind == OP_LOGITS)
        at += weight_fixed_floats(chunk, h->dim);
    return at;
}

static uint64_t
head_bytes(const struct op *op, size_t chunk, int workers)
{
    struct head h;
    size_t at = head_place(&h, op, chunk, NULL);

    return ((uint64_t)at + (uint64_t)h.per_worker * (uint64_t)workers)
        * sizeof(float);
}

uint64_t
head_ce_scratch(const struct op *op, int workers)
{
    return head_bytes(op, op->u.head.chunk, workers);
}

uint64_t
logits_scratch(const struct op *op, int workers)
{
    return head_bytes(op, op->y[0].rows, workers);
}

static const int32_t *
head_rows(const struct head *h)
{
    return h->job.run->batch->head_row + h->first;
}

/* The target of row k of the chunk. */
static size_t
target_of(const struct head *h, size_t k)
{
    return (size_t)h->job.run->batch->target[head_rows(h)[k]];
}

void
head_gather(void *ctx, size_t k, int worker)
{
    const struct head *h = ctx;
    const struct view *x = &h->job.op->x[0];
    size_t row = (size_t)head_rows(h)[k];

    (void)worker;
    memcpy(h->x + k * h->dim, f32_at(&h->job, x) + row * x->ld,
           h->dim * sizeof(float));
}

static const float *
row_of_token(const struct head *h, size_t k)
{
    return h->own_row + k * h->part->rows.ld;
}

/* The first token that is not below word c. */
static size_t
token_from(const struct head *h, size_t c)
{
    return h->n_tokens == 0 ? 0 : first_token(h->token, (uint32_t)h->n_tokens,
                                              (int64_t)c);
}

void
head_tokens(struct head *h)
{
    const struct job *j = &h->job;

    h->token = view_at(j->run, &h->part->tokens);
    h->n_tokens = h->token ? h->part->tokens.cols : 0;
    h->own_row = f32_at(j, &h->part->rows);
}

void
head_logits(const struct head *h, size_t r0, size_t nr, size_t c0, size_t nc,
            float *out, size_t ld, float *panel)
{
    struct weight_mul w = {
        .w = &h->part->w, .trans = true, .m = nr,
        .n = nc, .k = h->dim, .n0 = c0, .a = h->x + r0 * h->dim,
        .lda = h->dim, .c = out, .ldc = ld, .panel = panel,
        .fixed = h->fixed
    };
    size_t i, k;

    head_take_x(h, r0, &w);
    weight_mul(&h->job, &w);
    for (k = token_from(h, c0);
         k < h->n_tokens && (size_t)h->token[k] < c0 + nc; k++)
        for (i = 0; i < nr; i++)
            out[i * ld + (size_t)h->token[k] - c0]
                = h->job.vec->dot(w.a + i * h->dim, row_of_token(h, k),
                                  h->dim);
    for (i = 0; h->bias && i < nr; i++)
        h->job.vec->axpy(out + i * ld, h->bias + c0, 1.0f, nc, true);
}

static float *
sum_of(const struct head *h, size_t part, size_t k)
{
    return h->sums + part * piece(h->chunk * h->dim) + k * h->dim;
}

/* A row's tile of logits becomes exp(logit - m), m and l moving on, s being
 * scaled to the new m. */
static void
online_row(const struct head *h, size_t part, size_t k, size_t c0, size_t nc,
           float *t)
{
    const struct vec *vec = h->job.vec;
    float *stat = h->stat + (k * h->parts + part) * 2;
    float top = vec->max(t, nc), shrink;
    size_t target = target_of(h, k);

    if (target >= c0 && target < c0 + nc)
        h->own[k] = t[target - c0];
    if (!(top <= stat[0])) {
        shrink = expf(stat[0] - top);
        stat[0] = top;
        stat[1] *= shrink;
        if (h->job.op->y[1].buf)
            vec->axpy(sum_of(h, part, k), sum_of(h, part, k), shrink,
                      h->dim, false);
    }
    stat[1] += vec->exp_sum(t, t, nc, 1.0f, stat[0]);
}

/* s of a part += t R for the words of a tile t[nr][nc] whose rows are R, and
 * their columns of t become 0. */
static void
tile_sum_tokens(const struct head *h, size_t part, size_t r0, size_t nr,
                size_t c0, size_t nc, float *t)
{
    for (size_t k = token_from(h, c0);
         k < h->n_tokens && (size_t)h->token[k] < c0 + nc; k++)
        for (size_t i = 0; i < nr; i++) {
            float *p = &t[i * nc + (size_t)h->token[k] - c0];

            h->job.vec->axpy(sum_of(h, part, r0 + i), row_of_token(h, k), *p,
                             h->dim, true);
            *p = 0;
        }
}

/* s of a part += t W for a tile t[nr][nc], which is lost. */
static void
tile_sum(const struct head *h, size_t part, size_t r0, size_t nr, size_t c0,
         size_t nc, float *t, int worker)
{
    struct weight_mul w = {
        .w = &h->part->w, .m = nr, .k = nc,
        .k0 = c0, .a = t, .lda = nc, .beta = 1.0f, .ldc = h->dim,
        .panel = h->worker + (size_t)worker * h->per_worker
    };
    size_t n0;

    tile_sum_tokens(h, part, r0, nr, c0, nc, t);
    head_take_tile(h, worker, t, nr, nc, &w);
    for (n0 = 0; n0 < h->dim; n0 += WEIGHT_COLS) {
        w.n = min_size(WEIGHT_COLS, h->dim - n0);
        w.n0 = n0;
        w.c = sum_of(h, part, r0) + n0;
        weight_mul(&h->job, &w);
    }
}

/* Where the logits of rows r0 .. r0+nr and words from c0 on are kept. */
static float *
kept_tile(const struct head *h, size_t r0, size_t nr, size_t c0)
{
    return h->logits + r0 * h->vocab + nr * c0;
}

/* t[nr][nc] = logits of rows r0.. and words c0..., which are kept where the
 * gradient of W needs them. */
static void
first_logits(const struct head *h, size_t r0, size_t nr, size_t c0, size_t nc,
             float *t, float *panel)
{
    float *kept = h->logits ? kept_tile(h, r0, nr, c0) : t;

    head_logits(h, r0, nr, c0, nc, kept, nc, panel);
    if (kept != t)
        memcpy(t, kept, nr * nc * sizeof(float));
}

static void
part_item(void *ctx, size_t i, int worker)
{
    const struct head *h = ctx;
    size_t blocks = ceil_div(h->rows, ROW_TILE), r0 = i % blocks * ROW_TILE;
    size_t nr = min_size(ROW_TILE, h->rows - r0), part = i / blocks, k;
    size_t c0 = part * h->part_cols, nc;
    size_t end = min_size(c0 + h->part_cols, h->vocab);
    float *panel = h->worker + (size_t)worker * h->per_worker;
    float *t = panel + weight_panel();

    for (k = r0; k < r0 + nr; k++) {
        h->stat[(k * h->parts + part) * 2] = -INFINITY;
        h->stat[(k * h->parts + part) * 2 + 1] = 0.0f;
    }
    if (h->job.op->y[1].buf)
        memset(sum_of(h, part, r0), 0, nr * h->dim * sizeof(float));
    for (; c0 < end; c0 += nc) {
        nc = min_size(VOCAB_COLS, end - c0);
        first_logits(h, r0, nr, c0, nc, t, panel);
        for (k = 0; k < nr; k++)
            online_row(h, part, r0 + k, c0, nc, t + k * nc);
        if (h->job.op->y[1].buf)
            tile_sum(h, part, r0, nr, c0, nc, t, worker);
    }
}

/* The row's log-sum-exp from its parts, joined in order. */
static float
join_parts(const float *stat, size_t parts)
{
    float top = stat[0];
    double sum = 0;
    size_t p;

    for (p = 1; p < parts; p++)
        top = stat[2 * p] > top ? stat[2 * p] : top;
    for (p = 0; p < parts; p++)
        sum += (double)stat[2 * p + 1]
            * exp((double)stat[2 * p] - (double)top);
    return (float)((double)top + log(sum));
}

/* The z-loss of row k. */
static void
take_z(const struct head *h, size_t k, double weight)
{
    double z = (double)h->job.op->u.head.z, lse = (double)h->lse[k];

    h->soft[k] = h->coef[k] * (float)(1 + 2 * z * lse);
    h->job.run->out->z_sum += weight * z * lse * lse;
}

/* Losses, c and b, in the order of k. */
static void
losses(const struct head *h)
{
    const struct job *j = &h->job;
    const struct view *y = &j->op->y[0];
    const struct batch *b = j->run->batch;
    const double inv_tokens = j->run->in->inv_tokens;
    double *sum = &j->run->out->loss_sum;
    float *to = f32_at(j, y), loss, z = j->op->u.head.z;
    size_t k, row;

    for (k = 0; k < h->rows; k++) {
        row = (size_t)head_rows(h)[k];
        h->lse[k] = join_parts(h->stat + k * h->parts * 2, h->parts);
        loss = h->lse[k] - h->own[k];
        h->coef[k] = (float)((double)b->weight[row] * inv_tokens);
        if (z > 0)
            take_z(h, k, (double)b->weight[row]);
        *sum += (double)b->weight[row] * (double)loss;
        if (to && j->op->acc & 1)
            to[row * y->ld] += loss;
        else if (to)
            to[row * y->ld] = loss;
    }
}

static void
dx_item(void *ctx, size_t k, int worker)
{
    const struct head *h = ctx;
    const struct job *j = &h->job;
    const struct view *y = &j->op->y[1];
    float *to = f32_at(j, y) + (size_t)head_rows(h)[k] * y->ld;
    float *own = h->worker + (size_t)worker * h->per_worker;
    size_t part, c, nc, target = target_of(h, k), t = token_from(h, target);

    for (part = 0; part < h->parts; part++)
        j->vec->axpy(to, sum_of(h, part, k),
                     h->soft[k] * expf(h->stat[(k * h->parts + part) * 2]
                                       - h->lse[k]),
                     h->dim, part > 0 || (j->op->acc & 2));
    if (t < h->n_tokens && (size_t)h->token[t] == target) {
        j->vec->axpy(to, row_of_token(h, t), -h->coef[k], h->dim, true);
        return;
    }
    for (c = 0; c < h->dim; c += nc) {
        nc = min_size(WEIGHT_COLS, h->dim - c);
        weight_widen(j, &h->part->w, target, c, 1, nc, own);
        j->vec->axpy(to + c, own, -h->coef[k], nc, true);
    }
}

/* t becomes d of rows r0 .. r0+nr and words c0 .. c0+nc. */
static void
tile_d(const struct head *h, size_t r0, size_t nr, size_t c0, size_t nc,
       float *t)
{
    size_t k, target;

    for (k = 0; k < nr; k++) {
        target = target_of(h, r0 + k);
        h->job.vec->exp_scale(t + k * nc, nc, h->lse[r0 + k],
                              h->soft[r0 + k]);
        if (target >= c0 && target < c0 + nc)
            t[k * nc + target - c0] -= h->coef[r0 + k];
    }
}

/* A panel's rows of grad_w += d^T x, and its part of grad_bias. */
static void
grad_item(void *ctx, size_t i, int worker)
{
    const struct head *h = ctx;
    const struct view *gw = &h->part->grad_w, *gb = &h->part->grad_bias;
    size_t c0 = i * VOCAB_COLS, nc = min_size(VOCAB_COLS, h->vocab - c0);
    struct product g = {
        .ta = true, .m = nc, .n = h->dim, .alpha = 1.0f, .beta = 1.0f,
        .lda = nc, .ldb = h->dim, .ldc = gw->ld
    };
    size_t r0, k;
    float *t;

    for (r0 = 0; r0 < h->rows; r0 += ROW_TILE) {
        g.k = min_size(ROW_TILE, h->rows - r0);
        g.b = h->x + r0 * h->dim;
        g.a = t = kept_tile(h, r0, g.k, c0);
        tile_d(h, r0, g.k, c0, nc, t);
        g.c = gw->buf ? f32_at(&h->job, gw) + c0 * gw->ld : NULL;
        if (g.c && h->x16.at)
            head_grad(h, worker, t, r0, g.k, c0, nc);
        else if (g.c)
            gemm_f32(&h->job.cpu->gemm, &g);
        for (k = 0; gb->buf && k < g.k; k++)
            h->job.vec->axpy(f32_at(&h->job, gb) + c0, t + k * nc, 1.0f, nc,
                             true);
    }
}

/* t becomes d of rows r0 .. r0+nr and tokens k0 .. k0+nk. */
static void
tokens_d(const struct head *h, size_t r0, size_t nr, size_t k0, size_t nk,
         float *t)
{
    for (size_t i = 0; i < nr; i++) {
        size_t target = target_of(h, r0 + i), k = token_from(h, target);
        float *row = t + i * nk;

        for (size_t c = 0; h->bias && c < nk; c++)
            row[c] += h->bias[h->token[k0 + c]];
        h->job.vec->exp_scale(row, nk, h->lse[r0 + i], h->soft[r0 + i]);
        if (k >= k0 && k < k0 + nk && (size_t)h->token[k] == target)
            row[k - k0] -= h->coef[r0 + i];
    }
}

/* A panel of tokens' rows of grad_rows += d^T x. */
static void
grad_tokens_item(void *ctx, size_t i, int worker)
{
    const struct head *h = ctx;
    const struct gemm *gemm = &h->job.cpu->gemm;
    const struct view *to = &h->part->grad_rows;
    size_t k0 = i * VOCAB_COLS, nk = min_size(VOCAB_COLS, h->n_tokens - k0);
    float *t = h->worker + (size_t)worker * h->per_worker + weight_panel();

    for (size_t r0 = 0; r0 < h->rows; r0 += ROW_TILE) {
        size_t nr = min_size(ROW_TILE, h->rows - r0);
        const float *x = h->x + r0 * h->dim;
        struct product l = {
            .tb = true, .m = nr, .n = nk, .k = h->dim, .alpha = 1.0f, .a = x,
            .lda = h->dim, .b = row_of_token(h, k0),
            .ldb = h->part->rows.ld, .c = t, .ldc = nk
        }, g = {
            .ta = true, .m = nk, .n = h->dim, .k = nr, .alpha = 1.0f,
            .beta = 1.0f, .a = t, .lda = nk, .b = x, .ldb = h->dim,
            .c = f32_at(&h->job, to) + k0 * to->ld, .ldc = to->ld
        };

        gemm_f32(gemm, &l);
        tokens_d(h, r0, nr, k0, nk, t);
        gemm_f32(gemm, &g);
    }
}

void
cpu_head_ce(const struct job *j)
{
    const struct op *op = j->op;
    const struct part *part = op->u.head.part;
    size_t have = j->run->in->n_head, blocks;
    struct head h = { .job = *j, .first = j->run->head_at };
    float *base = f32_at(j, &op->scratch);

    if (h.first >= have)
        return;
    h.worker = base + head_place(&h, op, op->u.head.chunk, base);
    h.rows = min_size(h.chunk, have - h.first);
    h.bias = weight_row(j, &part->bias, h.bias_tmp);
    head_tokens(&h);
    blocks = ceil_div(h.rows, ROW_TILE);
    par_for(h.rows, head_gather, &h);
    head_narrow(&h);
    par_for(h.parts * blocks, part_item, &h);
    losses(&h);
    if (op->y[1].buf)
        par_for(h.rows, dx_item, &h);
    if (part->grad_w.buf || part->grad_bias.buf)
        par_for(h.panels, grad_item, &h);
    if (part->grad_rows.buf)
        par_for(ceil_div(h.n_tokens, VOCAB_COLS), grad_tokens_item, &h);
}
