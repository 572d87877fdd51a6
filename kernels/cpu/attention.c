/* attention.c - ATTENTION over blocks of keys, never a T x T matrix.
 *
 * An item is Q_BLOCK query rows of one head. It walks over the keys that
 * any of them sees, K_BLOCK at a time, keeping each row's running maximum m,
 * sum l and weighted sum o (Milakov and Gimelshein, "Online normalizer
 * calculation for softmax", 2018): a new maximum scales l and o down. What a
 * row doesn't see gets weight 0; blocks that none sees are never visited.
 */
#include "kernels/cpu/attention.h"

#include <math.h>
#include <string.h>

#include "base/par.h"

struct fwd {
    struct job job;
    size_t n, seq, blocks; /* rows, rows of a sequence, blocks in one */
};

/* Scratch of a worker: scores, o, and m and l. */
static size_t
worker_floats(const struct op *op)
{
    return piece((size_t)Q_BLOCK * K_BLOCK)
        + piece((size_t)Q_BLOCK * op->u.attn.head_dim)
        + piece((size_t)Q_BLOCK * 2);
}

uint64_t
attention_scratch(const struct op *op, int workers)
{
    return (uint64_t)worker_floats(op) * (uint64_t)workers * sizeof(float);
}

struct span
attention_span(const struct job *j, size_t row)
{
    size_t window = j->op->u.attn.window, seq = j->op->u.attn.seq_len;
    size_t at = row, first = 0, doc;

    if (j->op->u.attn.cached) {
        at = j->run->step->cache_at + row;
    } else {
        first = row / seq * seq;
        doc = (size_t)j->run->batch->doc_first[row];
        first = doc > first ? doc : first;
    }
    if (window && at + 1 > first + window)
        first = at + 1 - window;
    return (struct span){ first, at + 1 };
}

struct span
attention_reach(const struct job *j, size_t r0, size_t nr)
{
    struct span reach = attention_span(j, r0), s;
    size_t i;

    for (i = 1; i < nr; i++) {
        s = attention_span(j, r0 + i);
        if (s.first < reach.first)
            reach.first = s.first;
        reach.end = s.end;
    }
    return reach;
}

void
attention_scores(const struct job *j, size_t head, size_t r0, size_t nr,
                 size_t k0, size_t nk, float *s)
{
    const struct op *op = j->op;
    const struct view *q = &op->x[0], *k = &op->x[1];
    size_t hd = op->u.attn.head_dim;
    size_t kv = head / (op->u.attn.heads / op->u.attn.kv_heads);
    struct product g = {
        .tb = true, .m = nr, .n = nk, .k = hd, .alpha = 1.0f,
        .a = f32_at(j, q) + r0 * q->ld + head * hd, .lda = q->ld,
        .b = f32_at(j, k) + k0 * k->ld + kv * hd, .ldb = k->ld, .c = s,
        .ldc = nk
    };

    gemm_f32(&j->cpu->gemm, &g);
}

/* Row i of a block of scores becomes weights; m and l move on, and o[hd] is
 * scaled to the new maximum. see: the row's keys within the block. */
static void
online_row(const struct job *j, float *s, size_t nk, struct span see,
           float *m, float *l, float *o)
{
    const struct op *op = j->op;
    float scale = op->u.attn.scale, top, shrink;

    top = scale * j->vec->max(s + see.first, see.end - see.first);
    if (!(top <= *m)) {
        shrink = expf(*m - top);
        *l *= shrink;
        j->vec->axpy(o, o, shrink, op->u.attn.head_dim, false);
        *m = top;
    }
    memset(s, 0, see.first * sizeof *s);
    *l += j->vec->exp_sum(s + see.first, s + see.first,
                          see.end - see.first, scale, *m);
    memset(s + see.end, 0, (nk - see.end) * sizeof *s);
}

/* The part of a span within [k0, k0 + nk), relative to k0. */
static struct span
span_within(struct span s, size_t k0, size_t nk)
{
    size_t first = s.first > k0 ? min_size(s.first - k0, nk) : 0;
    size_t end = s.end > k0 ? min_size(s.end - k0, nk) : 0;

    return (struct span){ first, end };
}

static void
key_block(const struct job *j, size_t head, size_t r0, size_t nr, size_t k0,
          size_t nk, float *tmp)
{
    const struct op *op = j->op;
    const struct view *v = &op->x[2];
    size_t hd = op->u.attn.head_dim, i;
    size_t kv = head / (op->u.attn.heads / op->u.attn.kv_heads);
    float *o = tmp + piece((size_t)Q_BLOCK * K_BLOCK);
    float *m = o + piece((size_t)Q_BLOCK * hd), *l = m + Q_BLOCK;
    struct product g = {
        .m = nr, .n = hd, .k = nk, .alpha = 1.0f, .beta = 1.0f, .a = tmp,
        .lda = nk, .b = f32_at(j, v) + k0 * v->ld + kv * hd, .ldb = v->ld,
        .c = o, .ldc = hd
    };

    attention_scores(j, head, r0, nr, k0, nk, tmp);
    for (i = 0; i < nr; i++)
        online_row(j, tmp + i * nk, nk,
                   span_within(attention_span(j, r0 + i), k0, nk), m + i,
                   l + i, o + i * hd);
    gemm_f32(&j->cpu->gemm, &g);
}

static void
query_block(const struct job *j, size_t head, size_t r0, size_t nr,
            float *tmp)
{
    const struct op *op = j->op;
    const struct view *y = &op->y[0], *lse = &op->y[1];
    size_t hd = op->u.attn.head_dim, i, k0;
    float *o = tmp + piece((size_t)Q_BLOCK * K_BLOCK);
    float *m = o + piece((size_t)Q_BLOCK * hd), *l = m + Q_BLOCK;
    struct span reach = attention_reach(j, r0, nr);

    memset(o, 0, nr * hd * sizeof *o);
    for (i = 0; i < nr; i++) {
        m[i] = -INFINITY;
        l[i] = 0.0f;
    }
    for (k0 = reach.first; k0 < reach.end; k0 += K_BLOCK)
        key_block(j, head, r0, nr, k0, min_size(K_BLOCK, reach.end - k0),
                  tmp);
    for (i = 0; i < nr; i++) {
        j->vec->axpy(f32_at(j, y) + (r0 + i) * y->ld + head * hd,
                     o + i * hd, 1.0f / l[i], hd, op->acc & 1);
        if (lse->buf)
            f32_at(j, lse)[(r0 + i) * lse->ld + head] = m[i] + logf(l[i]);
    }
}

static void
item(void *ctx, size_t i, int worker)
{
    const struct fwd *f = ctx;
    const struct op *op = f->job.op;
    float *tmp = f32_at(&f->job, &op->scratch)
        + (size_t)worker * worker_floats(op);
    size_t head = i / f->blocks % op->u.attn.heads;
    size_t first = i / f->blocks / op->u.attn.heads * f->seq;
    size_t at = i % f->blocks * Q_BLOCK, end = min_size(f->seq, f->n - first);

    if (at < end)
        query_block(&f->job, head, first + at, min_size(Q_BLOCK, end - at),
                    tmp);
}

void
cpu_attention(const struct job *j)
{
    const struct op *op = j->op;
    struct fwd f = { .job = *j, .n = token_rows(j, &op->x[0]) };
    size_t seq = op->u.attn.cached ? f.n : op->u.attn.seq_len;

    f.seq = min_size(seq, f.n);
    f.blocks = ceil_div(f.seq, Q_BLOCK);
    par_for(ceil_div(f.n, f.seq) * op->u.attn.heads * f.blocks, item, &f);
}
