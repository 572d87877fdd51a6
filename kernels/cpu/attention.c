/* attention.c - ATTENTION over blocks of keys, never a T x T matrix.
 *
 * An item is Q_GROUP query rows of one head. It walks over the keys that any
 * of them sees, a block at a time: the keys are turned once, then used by
 * each block of Q_BLOCK queries. Each row keeps its running maximum m, sum l
 * and weighted sum o (Milakov and Gimelshein, "Online normalizer calculation
 * for softmax", 2018): a new maximum scales l and o down. What a row doesn't
 * see gets weight 0; blocks that none sees are never visited.
 */
#include "kernels/cpu/attention.h"

#include <math.h>
#include <string.h>

#include "base/par.h"

/* Fewer queries than TURN_QUERIES don't pay for turning the keys. */
enum { TURN_QUERIES = 16 };

struct fwd {
    struct job job;
    size_t n, seq, groups; /* rows, rows of a sequence, groups in one */
};

/* An item's place in the work and in scratch. */
struct group {
    const struct job *job;
    size_t head;
    struct span rows;
    float *s, *kt, *o, *m, *l; /* scores, keys turned, state of each row */
    struct narrow_attn *narrow; /* NULL: products are of floats */
};

size_t
attention_keys(const struct op *op)
{
    size_t most = GEMM_SMALL / (Q_BLOCK * op->u.attn.head_dim) / 16 * 16;

    return most < 64 ? 64 : min_size(most, 192);
}

struct span
attention_span(const struct job *j, size_t row)
{
    size_t window = j->op->u.attn.window, seq = j->op->u.attn.seq_len;
    size_t cache = j->op->u.attn.cache_len, s = row / seq;
    size_t at = row, first, doc;

    if (cache > 0) {
        first = s * cache;
        at = first + (size_t)j->run->batch->cache_at[s] + row % seq;
    } else {
        first = s * seq;
        doc = (size_t)j->run->batch->doc_first[row];
        first = doc > first ? doc : first;
    }
    if (window && at + 1 > first + window)
        first = at + 1 - window;
    return (struct span){ first, at + 1 };
}

struct span
attention_reach(const struct job *j, struct span rows)
{
    struct span reach = attention_span(j, rows.first), s;
    size_t i;

    for (i = rows.first + 1; i < rows.end; i++) {
        s = attention_span(j, i);
        if (s.first < reach.first)
            reach.first = s.first;
        reach.end = s.end;
    }
    return reach;
}

size_t
attention_key_head(const struct op *op, size_t head)
{
    return head / (op->u.attn.heads / op->u.attn.kv_heads);
}

float *
attention_at(const struct job *j, const struct view *v, size_t row,
             size_t head)
{
    return f32_at(j, v) + row * v->ld + head * j->op->u.attn.head_dim;
}

void
attention_turn(const struct job *j, const struct view *v, size_t head,
               struct span keys, float *out, size_t ld)
{
    j->vec->transpose(out, ld,
                      attention_at(j, v, keys.first,
                                   attention_key_head(j->op, head)),
                      v->ld, keys.end - keys.first, j->op->u.attn.head_dim);
}

/* Scratch of a worker; places it when g is there. */
static size_t
group_lay(const struct op *op, struct group *g, float *base)
{
    size_t hd = op->u.attn.head_dim, keys = attention_keys(op);
    size_t s = piece(Q_BLOCK * keys), kt = piece(hd * keys);
    size_t o = piece(Q_GROUP * hd);

    if (g) {
        g->s = base;
        g->kt = g->s + s;
        g->o = g->kt + kt;
        g->m = g->o + o;
        g->l = g->m + Q_GROUP;
    }
    return s + kt + o + 2 * Q_GROUP;
}

uint64_t
attention_scratch(const struct op *op, int workers)
{
    return (uint64_t)group_lay(op, NULL, NULL) * (uint64_t)workers
        * sizeof(float);
}

/* Row i of a block of scores becomes weights; its m and l move on, and o is
 * scaled to the new maximum. see: its keys, counted from the block's. */
static void
online_row(const struct group *g, size_t i, float *s, size_t nk,
           struct span see)
{
    const struct op *op = g->job->op;
    const struct vec *vec = g->job->vec;
    size_t hd = op->u.attn.head_dim;
    float scale = op->u.attn.scale, top, shrink;

    top = scale * vec->max(s + see.first, see.end - see.first);
    if (!(top <= g->m[i])) {
        shrink = expf(g->m[i] - top);
        g->l[i] *= shrink;
        vec->axpy(g->o + i * hd, g->o + i * hd, shrink, hd, false);
        g->m[i] = top;
    }
    memset(s, 0, see.first * sizeof(*s));
    g->l[i] += vec->exp_sum(s + see.first, s + see.first,
                            see.end - see.first, scale, g->m[i]);
    memset(s + see.end, 0, (nk - see.end) * sizeof(*s));
}

/* s = q k^T, of the keys `see` of the block of them that begins at first. */
static void
scores(const struct group *g, struct span q, struct span see, size_t first)
{
    const struct job *j = g->job;
    const struct op *op = j->op;
    const struct view *vq = &op->x[0], *vk = &op->x[1];
    size_t kv = attention_key_head(op, g->head);
    struct product p = {
        .m = q.end - q.first, .n = see.end - see.first,
        .k = op->u.attn.head_dim, .alpha = 1.0f, .lda = vq->ld, .c = g->s,
        .ldc = see.end - see.first,
        .a = attention_at(j, vq, q.first, g->head)
    };

    p.b = g->kt + (see.first - first);
    p.ldb = attention_keys(op);
    if (g->rows.end - g->rows.first < TURN_QUERIES) {
        p.tb = true;
        p.b = attention_at(j, vk, see.first, kv);
        p.ldb = vk->ld;
    }
    gemm_f32(&j->cpu->gemm, &p);
}

/* o += s v. */
static void
add_values(const struct group *g, struct span q, struct span see, float *o)
{
    const struct job *j = g->job;
    const struct view *v = &j->op->x[2];
    size_t hd = j->op->u.attn.head_dim, nk = see.end - see.first;
    struct product p = {
        .m = q.end - q.first, .n = hd, .k = nk, .alpha = 1.0f, .beta = 1.0f,
        .a = g->s, .lda = nk, .ldb = v->ld, .c = o, .ldc = hd,
        .b = attention_at(j, v, see.first,
                          attention_key_head(j->op, g->head))
    };

    gemm_f32(&j->cpu->gemm, &p);
}

/* The queries q against those of `keys` that they see. */
static void
query_block(const struct group *g, struct span q, struct span keys)
{
    const struct job *j = g->job;
    struct span see = span_meet(attention_reach(j, q), keys);
    size_t nr = q.end - q.first, at = q.first - g->rows.first, nk, i;
    float *o = g->o + at * j->op->u.attn.head_dim;
    struct narrow_block b;

    if (g->narrow)
        see.first -= (see.first - keys.first) % 2;
    b = (struct narrow_block){ q, see, keys.first };
    nk = see.end - see.first;
    if (nk == 0)
        return;
    if (g->narrow)
        narrow_dots(j, g->narrow, &g->narrow->q, g->narrow->kt, &b, g->s);
    else
        scores(g, q, see, keys.first);
    for (i = 0; i < nr; i++) {
        struct span s = span_meet(attention_span(j, q.first + i), see);

        s.first -= see.first;
        s.end -= see.first;
        online_row(g, at + i, g->s + i * nk, nk, s);
    }
    if (!g->narrow) {
        add_values(g, q, see, o);
        return;
    }
    narrow_put(j, &g->narrow->p, 0, g->s, nk, nr, nk);
    narrow_sums(j, g->narrow, &g->narrow->p, g->narrow->vp, &b, o,
                j->op->u.attn.head_dim);
}

static void
group_finish(const struct group *g)
{
    const struct job *j = g->job;
    const struct op *op = j->op;
    const struct view *lse = &op->y[1];
    size_t n = g->rows.end - g->rows.first, hd = op->u.attn.head_dim, i;

    for (i = 0; i < n; i++) {
        size_t row = g->rows.first + i;

        j->vec->axpy(attention_at(j, &op->y[0], row, g->head),
                     g->o + i * hd, 1.0f / g->l[i], hd, op->acc & 1);
        if (lse->buf)
            f32_at(j, lse)[row * lse->ld + g->head]
                = g->m[i] + logf(g->l[i]);
    }
}

static void
group_run(const struct group *g)
{
    const struct job *j = g->job;
    size_t n = g->rows.end - g->rows.first, step = attention_keys(j->op), i;
    struct span reach = attention_reach(j, g->rows), keys, q;

    memset(g->o, 0, n * j->op->u.attn.head_dim * sizeof(*g->o));
    for (i = 0; i < n; i++) {
        g->m[i] = -INFINITY;
        g->l[i] = 0.0f;
    }
    if (g->narrow)
        narrow_attn_rows(j, g->narrow, &g->narrow->q, &j->op->x[0], g->head,
                         g->rows);
    for (keys.first = reach.first; keys.first < reach.end;
         keys.first = keys.end) {
        keys.end = min_size(keys.first + step, reach.end);
        if (g->narrow)
            narrow_attn_keys(j, g->narrow, g->head, keys);
        else if (n >= TURN_QUERIES)
            attention_turn(j, &j->op->x[1], g->head, keys, g->kt, step);
        for (q = g->rows; q.first < g->rows.end; q.first = q.end) {
            q.end = min_size(q.first + Q_BLOCK, g->rows.end);
            query_block(g, q, keys);
        }
    }
    group_finish(g);
}

/* Decoding: rows without a token. */
static void
clear_rows(const struct group *g, struct span rows)
{
    const struct job *j = g->job;
    size_t hd = j->op->u.attn.head_dim;

    for (size_t i = rows.first; i < rows.end && !(j->op->acc & 1); i++)
        memset(attention_at(j, &j->op->y[0], i, g->head), 0,
               hd * sizeof(float));
}

static void
item(void *ctx, size_t i, int worker)
{
    const struct fwd *f = ctx;
    const struct op *op = f->job.op;
    struct group g = { .job = &f->job };
    size_t s = i / f->groups / op->u.attn.heads, first = s * f->seq;
    size_t end = min_size(first + f->seq, f->n), last, tokens = end;
    float *base = f32_at(&f->job, &op->scratch);
    size_t floats = group_lay(op, NULL, NULL);
    struct narrow_attn narrow;

    group_lay(op, &g, base + (size_t)worker * floats);
    if (attention_narrow(&f->job)) {
        base += (size_t)par_threads() * floats;
        base += (size_t)worker * narrow_attn_lay(op, &narrow, NULL);
        narrow_attn_lay(op, &narrow, base);
        g.narrow = &narrow;
    }
    g.head = i / f->groups % op->u.attn.heads;
    if (op->u.attn.cache_len > 0)
        tokens = min_size(first + (size_t)f->job.run->batch->seq_n[s], end);
    g.rows.first = first + i % f->groups * Q_GROUP;
    last = min_size(g.rows.first + Q_GROUP, end);
    g.rows.end = min_size(last, tokens);
    if (g.rows.first < g.rows.end)
        group_run(&g);
    clear_rows(&g, (struct span){ g.rows.first < tokens ? tokens
                                                        : g.rows.first,
                                  last });
}

void
cpu_attention(const struct job *j)
{
    const struct op *op = j->op;
    struct fwd f = { .job = *j, .n = token_rows(j, &op->x[0]) };

    f.seq = min_size(op->u.attn.seq_len, f.n);
    f.groups = ceil_div(f.seq, Q_GROUP);
    par_for(ceil_div(f.n, f.seq) * op->u.attn.heads * f.groups, item, &f);
}
