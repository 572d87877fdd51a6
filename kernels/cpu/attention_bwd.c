/* attention_bwd.c - ATTENTION backward: weights are computed again, block by
 * block, from the kept log-sum-exp of a row.
 *
 * With P = exp(scale q k^T - lse), dP = do v^T, delta = do . o of a row:
 *   dS = P (dP - delta) scale;  dv += P^T do;  dq += dS k;  dk += dS^T q
 *
 * An item is one head of one sequence, its blocks in fixed order. Heads that
 * share a key head write dk and dv to scratch each, which are then added in
 * the order of heads.
 */
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/attention.h"

struct bwd {
    struct job job;
    size_t n, seq, group; /* rows, of a sequence, heads to a key head */
    float *dkv, *worker;  /* scratch: dk, dv per head; the first worker's */
    size_t per_worker;
};

static size_t
group_of(const struct op *op)
{
    return op->u.attn.heads / op->u.attn.kv_heads;
}

/* P, dP and delta. */
static size_t
worker_floats(const struct op *op)
{
    (void)op;
    return piece((size_t)Q_BLOCK * K_BLOCK) * 2 + piece(Q_BLOCK);
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
            + (uint64_t)worker_floats(op) * (uint64_t)workers)
        * sizeof(float);
}

/* Where a head's dk (which 0) or dv (1) goes, and its row stride. */
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

/* P and dS of a block from scores p and dp, each [nr][nk]. */
static void
block_weights(const struct bwd *f, size_t head, size_t r0, size_t nr,
              size_t k0, size_t nk, float *p, float *dp, const float *delta)
{
    const struct job *j = &f->job;
    const struct view *lse = &j->op->x[4];
    float scale = j->op->u.attn.scale;
    size_t i;

    for (i = 0; i < nr; i++) {
        struct span s = attention_span(j, r0 + i);
        size_t a = s.first > k0 ? min_size(s.first - k0, nk) : 0;
        size_t b = s.end > k0 ? min_size(s.end - k0, nk) : 0;
        float *pi = p + i * nk, *di = dp + i * nk;

        if (a >= b)
            a = b = 0;
        memset(pi, 0, a * sizeof *pi);
        memset(di, 0, a * sizeof *di);
        j->vec->exp_sum(pi + a, pi + a, b - a, scale,
                        f32_at(j, lse)[(r0 + i) * lse->ld + head]);
        j->vec->softmax_bwd(di + a, pi + a, di + a, b - a, delta[i], scale);
        memset(pi + b, 0, (nk - b) * sizeof *pi);
        memset(di + b, 0, (nk - b) * sizeof *di);
    }
}

static void
block(const struct bwd *f, size_t head, size_t r0, size_t nr, size_t k0,
      size_t nk, float *tmp)
{
    const struct job *j = &f->job;
    const struct op *op = j->op;
    const struct view *q = &op->x[0], *k = &op->x[1], *v = &op->x[2];
    const struct view *dout = &op->x[5], *dq = &op->y[0];
    const struct gemm *gemm = &j->cpu->gemm;
    size_t hd = op->u.attn.head_dim, kv = head / f->group * hd;
    float *p = tmp, *dp = p + piece((size_t)Q_BLOCK * K_BLOCK);
    const float *delta = dp + piece((size_t)Q_BLOCK * K_BLOCK);
    const float *doh = f32_at(j, dout) + r0 * dout->ld + head * hd;
    struct product g = {
        .tb = true, .m = nr, .n = nk, .k = hd, .alpha = 1.0f, .a = doh,
        .lda = dout->ld, .b = f32_at(j, v) + k0 * v->ld + kv, .ldb = v->ld,
        .c = dp, .ldc = nk
    };

    attention_scores(j, head, r0, nr, k0, nk, p);
    gemm_f32(gemm, &g);
    block_weights(f, head, r0, nr, k0, nk, p, dp, delta);
    g = (struct product){
        .m = nr, .n = hd, .k = nk, .alpha = 1.0f, .beta = 1.0f, .a = dp,
        .lda = nk, .b = f32_at(j, k) + k0 * k->ld + kv, .ldb = k->ld,
        .c = f32_at(j, dq) + r0 * dq->ld + head * hd, .ldc = dq->ld
    };
    gemm_f32(gemm, &g);
    g.ta = true;
    g.m = nk;
    g.k = nr;
    g.b = f32_at(j, q) + r0 * q->ld + head * hd;
    g.ldb = q->ld;
    g.c = dkv_at(f, head, 0, &g.ldc) + k0 * g.ldc;
    gemm_f32(gemm, &g);
    g.a = p;
    g.b = doh;
    g.ldb = dout->ld;
    g.c = dkv_at(f, head, 1, &g.ldc) + k0 * g.ldc;
    gemm_f32(gemm, &g);
}

static void
zero_rows(float *p, size_t ld, size_t nr, size_t nc)
{
    size_t i;

    for (i = 0; i < nr; i++)
        memset(p + i * ld, 0, nc * sizeof *p);
}

/* The gradients of a head start at 0 unless they add to what is there. */
static void
head_start(const struct bwd *f, size_t head, size_t first, size_t nr)
{
    const struct op *op = f->job.op;
    const struct view *dq = &op->y[0];
    size_t hd = op->u.attn.head_dim, ld;
    float *p;
    int i;

    if (!(op->acc & 1))
        zero_rows(f32_at(&f->job, dq) + first * dq->ld + head * hd, dq->ld,
                  nr, hd);
    for (i = 0; i < 2; i++) {
        p = dkv_at(f, head, i, &ld);
        if (f->group > 1 || !(op->acc & 2 << i))
            zero_rows(p + first * ld, ld, nr, hd);
    }
}

static void
item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    const struct job *j = &f->job;
    const struct op *op = j->op;
    const struct view *o = &op->x[3], *dout = &op->x[5];
    size_t head = i % op->u.attn.heads, hd = op->u.attn.head_dim;
    size_t first = i / op->u.attn.heads * f->seq, r0, k0, nr, r;
    size_t end = min_size(first + f->seq, f->n);
    float *tmp = f->worker + (size_t)worker * f->per_worker;
    float *delta = tmp + piece((size_t)Q_BLOCK * K_BLOCK) * 2;

    head_start(f, head, first, end - first);
    for (r0 = first; r0 < end; r0 += Q_BLOCK) {
        struct span reach;

        nr = min_size(Q_BLOCK, end - r0);
        reach = attention_reach(j, r0, nr);
        for (r = 0; r < nr; r++)
            delta[r] = j->vec->dot(
                f32_at(j, o) + (r0 + r) * o->ld + head * hd,
                f32_at(j, dout) + (r0 + r) * dout->ld + head * hd, hd);
        for (k0 = reach.first; k0 < reach.end; k0 += K_BLOCK)
            block(f, head, r0, nr, k0, min_size(K_BLOCK, reach.end - k0),
                  tmp);
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
    f.per_worker = worker_floats(op);
    par_for(ceil_div(f.n, f.seq) * op->u.attn.heads, item, &f);
    if (f.group > 1)
        par_for(f.n, sum_item, &f);
}
