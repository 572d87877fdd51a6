/* attention_bf16.c - the products of ATTENTION and of its backward where they
 * are of bfloat16: q, k, v and dO are rounded, and so are P and dS; scores,
 * sums and softmax are floats.
 */
#include "kernels/cpu/attention.h"
#include "kernels/cpu/weight.h"

static bool
is_backward(const struct op *op)
{
    return op->kind == OP_ATTENTION_BWD;
}

/* Words of 32 bits that begin at base + *at. */
static uint32_t *
words(float *base, size_t *at, size_t n)
{
    uint32_t *to = base ? (uint32_t *)(void *)(base + *at) : NULL;

    *at += piece(n);
    return to;
}

size_t
narrow_attn_lay(const struct op *op, struct narrow_attn *a, float *base)
{
    size_t hd = op->u.attn.head_dim, keys = attention_keys(op), at = 0;
    bool bwd = is_backward(op);
    size_t rows = bwd ? op->u.attn.seq_len : Q_GROUP;

    a->ldk = keys + BF16_LANES;
    a->ldh = ceil_div(hd, BF16_LANES) * BF16_LANES;
    a->q = narrow_lay(base, &at, rows, hd);
    a->k = narrow_lay(base, &at, keys, hd);
    a->p = narrow_lay(base, &at, Q_BLOCK, keys);
    a->kt = words(base, &at, ceil_div(hd, 2) * a->ldk);
    a->vp = words(base, &at, ceil_div(keys, 2) * a->ldh);
    if (!bwd)
        return at;
    a->d = narrow_lay(base, &at, rows, hd);
    a->s = narrow_lay(base, &at, Q_BLOCK, keys);
    a->vt = words(base, &at, ceil_div(hd, 2) * a->ldk);
    a->kp = a->vp;
    a->qp = words(base, &at, Q_BLOCK / 2 * a->ldh);
    a->turned = (uint16_t *)(void *)words(
        base, &at, (keys + BF16_SPARE) * Q_BLOCK / 2);
    a->tmp = (float *)(void *)words(base, &at, narrow_turn_floats(Q_BLOCK));
    return at;
}

uint64_t
attention_bf16_scratch(const struct op *op, int workers)
{
    struct narrow_attn a;

    if (op->u.attn.cache_len > 0)
        return 0;
    return (uint64_t)narrow_attn_lay(op, &a, NULL) * (uint64_t)workers
        * sizeof(float);
}

bool
attention_narrow(const struct job *j)
{
    return j->cpu->bf16 != NULL && j->op->u.attn.cache_len == 0;
}

void
narrow_attn_rows(const struct job *j, struct narrow_attn *a,
                 struct narrow *to, const struct view *x, size_t head,
                 struct span rows)
{
    size_t hd = j->op->u.attn.head_dim;
    struct rows_from from = rows_from(j, x, rows.first, head * hd);

    a->row0 = rows.first;
    narrow_rows(j, to, 0, &from, rows.end - rows.first, hd);
}

/* Rows of keys or values as columns, and as pairs of rows. */
static void
pack(const struct job *j, struct narrow_attn *a, const struct view *x,
     size_t head, struct span keys, uint32_t *columns, uint32_t *rows)
{
    size_t hd = j->op->u.attn.head_dim, n = keys.end - keys.first;
    struct rows_from from = rows_from(j, x, keys.first,
                                      attention_key_head(j->op, head) * hd);

    narrow_rows(j, &a->k, 0, &from, n, hd);
    if (columns)
        j->vec->transpose((float *)(void *)columns, a->ldk,
                          (const float *)(const void *)a->k.at, a->k.ld / 2,
                          n, ceil_div(hd, 2));
    if (rows)
        narrow_pairs(j, &a->k, 0, n, 0, hd, rows, a->ldh);
}

void
narrow_attn_keys(const struct job *j, struct narrow_attn *a, size_t head,
                 struct span keys)
{
    bool bwd = is_backward(j->op);

    pack(j, a, &j->op->x[1], head, keys, a->kt, bwd ? a->kp : NULL);
    pack(j, a, &j->op->x[2], head, keys, bwd ? a->vt : NULL,
         bwd ? NULL : a->vp);
}

static size_t
length(struct span s)
{
    return s.end - s.first;
}

void
narrow_dots(const struct job *j, const struct narrow_attn *a,
            const struct narrow *x, const uint32_t *columns,
            const struct narrow_block *b, float *out)
{
    struct bf16_product g = {
        .m = length(b->q), .n = length(b->see),
        .pairs = ceil_div(j->op->u.attn.head_dim, 2),
        .a = narrow_row_at(x, b->q.first - a->row0), .lda = x->ld,
        .b = columns + (b->see.first - b->first), .ldb = a->ldk, .c = out,
        .ldc = length(b->see)
    };

    j->cpu->bf16->mul(&g);
}

void
narrow_sums(const struct job *j, const struct narrow_attn *a,
            const struct narrow *w, const uint32_t *rows,
            const struct narrow_block *b, float *out, size_t ld)
{
    struct bf16_product g = {
        .m = length(b->q), .n = j->op->u.attn.head_dim,
        .pairs = ceil_div(length(b->see), 2), .a = w->at, .lda = w->ld,
        .b = rows + (b->see.first - b->first) / 2 * a->ldh, .ldb = a->ldh,
        .c = out, .ldc = ld, .acc = true
    };

    j->cpu->bf16->mul(&g);
}

void
narrow_turned_sums(const struct job *j, const struct narrow_attn *a,
                   const struct narrow *w, const struct narrow *x,
                   const struct narrow_block *b, float *out, size_t ld)
{
    size_t nr = length(b->q), nk = length(b->see), c, nc;
    size_t hd = j->op->u.attn.head_dim;
    struct bf16_product g = {
        .m = nk, .n = hd, .pairs = ceil_div(nr, 2), .a = a->turned,
        .lda = Q_BLOCK, .b = a->qp, .ldb = a->ldh, .c = out, .ldc = ld,
        .acc = true
    };

    for (c = 0; c < nk; c += nc) {
        nc = min_size(WEIGHT_COLS, nk - c);
        narrow_turn(j, w, 0, nr, c, nc, a->turned + c * Q_BLOCK, Q_BLOCK,
                    a->tmp);
    }
    narrow_pairs(j, x, b->q.first - a->row0, nr, 0, hd, a->qp, a->ldh);
    j->cpu->bf16->mul(&g);
}
