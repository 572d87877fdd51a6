/* attention.c - ATTENTION and its backward, one query row at a time.
 *
 *   s_j = scale * q . k_j over the keys the row sees, p = softmax(s),
 *   o = sum p_j v_j, lse = log sum exp(s_j)
 *
 * Scores are never kept: the row's log-sum-exp is found in a first pass, and
 * p_j = exp(s_j - lse) wherever it is needed, in the backward, too.
 */
#include <math.h>

#include "kernels/ref/ref.h"

/* A query row and head, and the keys [first, last] that it sees. */
struct query {
    const struct op *op;
    struct mat k, v;
    const real *q;
    size_t first, last;
    size_t at; /* column of its key head */
};

static struct query
query_at(struct run *r, const struct op *op, size_t row, size_t head)
{
    struct mat q = mat_of(r, &op->x[0]);
    size_t group = op->u.attn.heads / op->u.attn.kv_heads;
    size_t hd = op->u.attn.head_dim, window = op->u.attn.window;
    size_t seq = op->u.attn.seq_len, cache = op->u.attn.cache_len;
    struct query s = {
        .op = op, .k = mat_of(r, &op->x[1]), .v = mat_of(r, &op->x[2]),
        .q = row_of(&q, row) + head * hd, .at = head / group * hd
    };

    if (cache > 0) {
        s.first = row / seq * cache;
        s.last = s.first + (size_t)r->batch->cache_at[row / seq] + row % seq;
    } else {
        s.last = row;
        s.first = (size_t)r->batch->doc_first[row];
    }
    if (window && s.last + 1 > s.first + window)
        s.first = s.last + 1 - window;
    return s;
}

static const real *
key_at(const struct query *s, size_t j)
{
    return row_of(&s->k, j) + s->at;
}

static double
score(const struct query *s, size_t j)
{
    return s->op->u.attn.scale * dot(s->q, key_at(s, j),
                                     s->op->u.attn.head_dim);
}

static double
log_sum_exp(const struct query *s)
{
    double top = -INFINITY, sum = 0;

    for (size_t j = s->first; j <= s->last; j++)
        top = fmax(top, score(s, j));
    for (size_t j = s->first; j <= s->last; j++)
        sum += exp(score(s, j) - top);
    return top + log(sum);
}

/* Whether a row sees any key: decoding, one without a token has none. */
static bool
sees(const struct run *r, const struct op *op, size_t row)
{
    return op->u.attn.cache_len == 0
           || holds_token(r, row, op->u.attn.seq_len);
}

void
REF(attention)(struct run *r, const struct op *op)
{
    struct mat q = mat_of(r, &op->x[0]), o = mat_of(r, &op->y[0]);
    struct mat kept = mat_of(r, &op->y[1]);
    size_t n = token_rows(r, &q), hd = op->u.attn.head_dim;

    clear_rows(&o, n, op->acc & 1);
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < op->u.attn.heads && sees(r, op, i); h++) {
            struct query s = query_at(r, op, i, h);
            double lse = log_sum_exp(&s);
            real *to = row_of(&o, i) + h * hd;

            for (size_t j = s.first; j <= s.last; j++) {
                double p = exp(score(&s, j) - lse);
                const real *v = row_of(&s.v, j) + s.at;

                for (size_t c = 0; c < hd; c++)
                    put(&to[c], p * v[c], true);
            }
            if (kept.p)
                row_of(&kept, i)[h] = (real)lse;
        }
}

/* With delta = do . o: dp = do . v_j, ds = p (dp - delta) scale;
 * dq += ds k_j, dk_j += ds q, dv_j += p do. */
static void
query_bwd(const struct query *s, double lse, const real *o, const real *d,
          real *dq, struct mat *dk, struct mat *dv)
{
    size_t hd = s->op->u.attn.head_dim;
    double delta = dot(d, o, hd);

    for (size_t j = s->first; j <= s->last; j++) {
        const real *k = key_at(s, j), *v = row_of(&s->v, j) + s->at;
        real *dk_j = row_of(dk, j) + s->at, *dv_j = row_of(dv, j) + s->at;
        double p = exp(score(s, j) - lse);
        double ds = p * (dot(d, v, hd) - delta) * s->op->u.attn.scale;

        for (size_t c = 0; c < hd; c++) {
            put(&dq[c], ds * k[c], true);
            put(&dk_j[c], ds * s->q[c], true);
            put(&dv_j[c], p * d[c], true);
        }
    }
}

void
REF(attention_bwd)(struct run *r, const struct op *op)
{
    struct mat o = mat_of(r, &op->x[3]), lse = mat_of(r, &op->x[4]);
    struct mat d = mat_of(r, &op->x[5]), dq = mat_of(r, &op->y[0]);
    struct mat dk = mat_of(r, &op->y[1]), dv = mat_of(r, &op->y[2]);
    size_t n = token_rows(r, &d), hd = op->u.attn.head_dim;

    clear_rows(&dq, n, op->acc & 1);
    clear_rows(&dk, n, op->acc & 2);
    clear_rows(&dv, n, op->acc & 4);
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < op->u.attn.heads; h++) {
            struct query s = query_at(r, op, i, h);

            query_bwd(&s, row_of(&lse, i)[h], row_of(&o, i) + h * hd,
                      row_of(&d, i) + h * hd, row_of(&dq, i) + h * hd, &dk,
                      &dv);
        }
}
