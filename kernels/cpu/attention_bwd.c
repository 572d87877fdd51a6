/* attention_bwd.c - ATTENTION backward: weights are computed again, block by
 * block, from the kept log-sum-exp of a row.
 *
 * With P = exp(scale q k^T - lse), dP = do v^T, delta = do . o of a row:
 *   dS = P (dP - delta) scale;  dv += P^T do;  dq += dS k;  dk += dS^T q
 *
 * An item is one head of one sequence: blocks of keys in order, and within
 * one the blocks of queries in order. Heads that share a key head write dk
 * and dv to scratch each, which are then added in the order of heads.
 */
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/weight.h"

struct bwd {
    struct job job;
    size_t n, seq, group; /* rows, of a sequence, heads to a key head */
    float *dkv, *worker;  /* scratch: dk, dv per head; the first worker's */
};

/* An item's place in the work and in scratch. */
struct head {
    const struct bwd *bwd;
    size_t head;
    struct span rows;
    float *p, *dp, *kt, *vt, *delta; /* blocks; keys, values turned */
    float *o; /* a row of o, where that has to be widened */
    struct narrow_attn *narrow; /* NULL: products are of floats */
};

static size_t
group_of(const struct op *op)
{
    return op->u.attn.heads / op->u.attn.kv_heads;
}

/* Scratch of a worker; places it when h is there. */
static size_t
head_lay(const struct op *op, struct head *h, float *base)
{
    size_t keys = attention_keys(op), block = piece(Q_BLOCK * keys);
    size_t turned = piece(op->u.attn.head_dim * keys);
    size_t delta = piece(op->u.attn.seq_len);

    if (h) {
        h->p = base;
        h->dp = h->p + block;
        h->kt = h->dp + block;
        h->vt = h->kt + turned;
        h->delta = h->vt + turned;
        h->o = h->delta + delta;
    }
    return 2 * block + 2 * turned + delta
        + (is_f32(&op->x[3]) ? 0 : piece(op->u.attn.head_dim));
}

static size_t
dkv_floats(const struct op *op)
{
    if (group_of(op) == 1)
        return 0;
    return piece((size_t)op->x[0].rows * op->u.attn.heads
                 * op->u.attn.head_dim);
}

uint64_t
attention_bwd_scratch(const struct op *op, int workers)
{
    return (2 * (uint64_t)dkv_floats(op)
            + (uint64_t)head_lay(op, NULL, NULL) * (uint64_t)workers)
        * sizeof(float);
}

/* Where row 0 of a head's dk (which 0) or dv (1) goes, and its stride. */
static float *
dkv_at(const struct bwd *f, size_t head, int which, size_t *ld)
{
    const struct op *op = f->job.op;
    const struct view *y = &op->y[1 + which];
    size_t hd = op->u.attn.head_dim;

    if (f->group == 1) {
        *ld = y->ld;
        return f32_at(&f->job, y) + head * hd;
    }
    *ld = op->u.attn.heads * hd;
    return f->dkv + (size_t)which * dkv_floats(op) + head * hd;
}

/* Scores and dP of a block, each [nr][nk], become P and dS. */
static void
block_weights(const struct head *h, struct span q, struct span see)
{
    const struct job *j = &h->bwd->job;
    const struct view *lse = &j->op->x[4];
    float scale = j->op->u.attn.scale;
    size_t nk = see.end - see.first, r;

    for (r = q.first; r < q.end; r++) {
        struct span s = span_meet(attention_span(j, r), see);
        size_t a = s.first - see.first, b = s.end - see.first;
        float *p = h->p + (r - q.first) * nk, *dp = h->dp + (p - h->p);

        memset(p, 0, a * sizeof(*p));
        memset(dp, 0, a * sizeof(*dp));
        j->vec->exp_sum(p + a, p + a, b - a, scale,
                        f32_at(j, lse)[r * lse->ld + h->head]);
        j->vec->softmax_bwd(dp + a, p + a, dp + a, b - a,
                            h->delta[r - h->rows.first], scale);
        memset(p + b, 0, (nk - b) * sizeof(*p));
        memset(dp + b, 0, (nk - b) * sizeof(*dp));
    }
}

/* Adds what a block of P and dS gives to dq, dk and dv. */
static void
block_grads(const struct head *h, struct span q, struct span see)
{
    const struct job *j = &h->bwd->job;
    const struct op *op = j->op;
    const struct view *dout = &op->x[5];
    const struct gemm *gemm = &j->cpu->gemm;
    size_t nr = q.end - q.first, nk = see.end - see.first;
    size_t kv = attention_key_head(op, h->head);
    struct product g = {
        .m = nr, .n = op->u.attn.head_dim, .k = nk, .alpha = 1.0f,
        .beta = 1.0f, .a = h->dp, .lda = nk, .ldb = op->x[1].ld,
        .ldc = op->y[0].ld
    };

    g.b = attention_at(j, &op->x[1], see.first, kv);
    g.c = attention_at(j, &op->y[0], q.first, h->head);
    gemm_f32(gemm, &g);
    g.ta = true;
    g.m = nk;
    g.k = nr;
    g.b = attention_at(j, &op->x[0], q.first, h->head);
    g.ldb = op->x[0].ld;
    g.c = dkv_at(h->bwd, h->head, 0, &g.ldc);
    g.c += see.first * g.ldc;
    gemm_f32(gemm, &g);
    g.a = h->p;
    g.b = attention_at(j, dout, q.first, h->head);
    g.ldb = dout->ld;
    g.c = dkv_at(h->bwd, h->head, 1, &g.ldc);
    g.c += see.first * g.ldc;
    gemm_f32(gemm, &g);
}

/* A block with products of bfloat16. */
static void
narrow_block(const struct head *h, struct span q, struct span keys)
{
    const struct job *j = &h->bwd->job;
    const struct op *op = j->op;
    struct narrow_attn *a = h->narrow;
    struct narrow_block b = {
        q, span_meet(attention_reach(j, q), keys), keys.first
    };
    size_t nr = q.end - q.first, nk, ld;
    float *to;

    b.see.first -= (b.see.first - keys.first) % 2;
    nk = b.see.end - b.see.first;
    if (nk == 0)
        return;
    narrow_dots(j, a, &a->q, a->kt, &b, h->p);
    narrow_dots(j, a, &a->d, a->vt, &b, h->dp);
    block_weights(h, q, b.see);
    narrow_put(j, &a->p, 0, h->p, nk, nr, nk);
    narrow_put(j, &a->s, 0, h->dp, nk, nr, nk);
    narrow_sums(j, a, &a->s, a->kp, &b,
                attention_at(j, &op->y[0], q.first, h->head), op->y[0].ld);
    to = dkv_at(h->bwd, h->head, 0, &ld);
    narrow_turned_sums(j, a, &a->s, &a->q, &b, to + b.see.first * ld, ld);
    to = dkv_at(h->bwd, h->head, 1, &ld);
    narrow_turned_sums(j, a, &a->p, &a->d, &b, to + b.see.first * ld, ld);
}

static void
block(const struct head *h, struct span q, struct span keys)
{
    const struct job *j = &h->bwd->job;
    const struct op *op = j->op;
    struct span see = span_meet(attention_reach(j, q), keys);
    struct product g = {
        .m = q.end - q.first, .n = see.end - see.first,
        .k = op->u.attn.head_dim, .alpha = 1.0f,
        .lda = op->x[0].ld, .ldb = attention_keys(op),
        .ldc = see.end - see.first
    };

    if (g.n == 0)
        return;
    g.a = attention_at(j, &op->x[0], q.first, h->head);
    g.b = h->kt + (see.first - keys.first);
    g.c = h->p;
    gemm_f32(&j->cpu->gemm, &g);
    g.a = attention_at(j, &op->x[5], q.first, h->head);
    g.lda = op->x[5].ld;
    g.b = h->vt + (see.first - keys.first);
    g.c = h->dp;
    gemm_f32(&j->cpu->gemm, &g);
    block_weights(h, q, see);
    block_grads(h, q, see);
}

static void
zero_rows(float *p, size_t ld, size_t nr, size_t nc)
{
    size_t i;

    for (i = 0; i < nr; i++)
        memset(p + i * ld, 0, nc * sizeof(*p));
}

/* The gradients of a head start at 0 unless they add to what is there. */
static void
head_start(const struct head *h)
{
    const struct bwd *f = h->bwd;
    const struct op *op = f->job.op;
    size_t hd = op->u.attn.head_dim, n = h->rows.end - h->rows.first, ld, r;
    float *p;
    int i;

    if (!(op->acc & 1))
        zero_rows(attention_at(&f->job, &op->y[0], h->rows.first, h->head),
                  op->y[0].ld, n, hd);
    for (i = 0; i < 2; i++) {
        p = dkv_at(f, h->head, i, &ld);
        if (f->group > 1 || !(op->acc & 2 << i))
            zero_rows(p + h->rows.first * ld, ld, n, hd);
    }
    for (r = 0; r < n; r++)
        h->delta[r] = f->job.vec->dot(
            row_floats(&f->job, &op->x[3], h->rows.first + r, h->head * hd,
                       hd, h->o),
            attention_at(&f->job, &op->x[5], h->rows.first + r, h->head),
            hd);
}

static void
item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    const struct op *op = f->job.op;
    struct head h = { .bwd = f, .head = i % op->u.attn.heads };
    size_t step = attention_keys(op), floats = head_lay(op, NULL, NULL);
    struct narrow_attn narrow;
    struct span keys, q;

    head_lay(op, &h, f->worker + (size_t)worker * floats);
    h.rows.first = i / op->u.attn.heads * f->seq;
    h.rows.end = min_size(h.rows.first + f->seq, f->n);
    head_start(&h);
    if (attention_narrow(&f->job)) {
        narrow_attn_lay(op, &narrow, f->worker
                        + (size_t)par_threads() * floats
                        + (size_t)worker
                          * narrow_attn_lay(op, &narrow, NULL));
        narrow_attn_rows(&f->job, &narrow, &narrow.q, &op->x[0], h.head,
                         h.rows);
        narrow_attn_rows(&f->job, &narrow, &narrow.d, &op->x[5], h.head,
                         h.rows);
        h.narrow = &narrow;
    }
    for (keys.first = h.rows.first; keys.first < h.rows.end;
         keys.first = keys.end) {
        keys.end = min_size(keys.first + step, h.rows.end);
        if (h.narrow) {
            narrow_attn_keys(&f->job, &narrow, h.head, keys);
        } else {
            attention_turn(&f->job, &op->x[1], h.head, keys, h.kt, step);
            attention_turn(&f->job, &op->x[2], h.head, keys, h.vt, step);
        }
        q.first = keys.first - (keys.first - h.rows.first) % Q_BLOCK;
        for (; q.first < h.rows.end; q.first = q.end) {
            q.end = min_size(q.first + Q_BLOCK, h.rows.end);
            if (h.narrow)
                narrow_block(&h, q, keys);
            else
                block(&h, q, keys);
        }
    }
}

/* dk and dv of a row are the sums over the heads that share them. */
static void
sum_item(void *ctx, size_t row, int worker)
{
    const struct bwd *f = ctx;
    const struct op *op = f->job.op;
    size_t hd = op->u.attn.head_dim, head, ld;
    int i;

    (void)worker;
    for (i = 0; i < 2; i++) {
        const struct view *y = &op->y[1 + i];
        float *to = f32_at(&f->job, y) + row * y->ld;

        for (head = 0; head < op->u.attn.heads; head++) {
            const float *from = dkv_at(f, head, i, &ld) + row * ld;
            bool acc = head % f->group || (op->acc & 2 << i);

            f->job.vec->axpy(to + head / f->group * hd, from, 1.0f, hd,
                             acc);
        }
    }
}

void
cpu_attention_bwd(const struct job *j)
{
    const struct op *op = j->op;
    struct bwd f = { .job = *j, .n = token_rows(j, &op->x[0]) };

    f.seq = min_size(op->u.attn.seq_len, f.n);
    f.group = group_of(op);
    f.dkv = f32_at(j, &op->scratch);
    f.worker = f.dkv + 2 * dkv_floats(op);
    par_for(ceil_div(f.n, f.seq) * op->u.attn.heads, item, &f);
    if (f.group > 1)
        par_for(f.n, sum_item, &f);
}
