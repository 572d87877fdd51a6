/* parts.cuh - the parts of a LINEAR (q|k|v, gate|up) as one matrix, where
 * their weights and adapters lie so or are put so in scratch. */
#ifndef KERNELS_CUDA_PARTS_CUH
#define KERNELS_CUDA_PARTS_CUH

#include "tensor.cuh"

/* What the parts before part i take together; i may be their number. */
static inline struct parts
before_part(const struct call *c, uint32_t i)
{
    return parts_before(&c->card->sizing, c->op, i);
}

template <class T>
static inline mat<T>
weight_of(struct call *c, uint32_t i, char *space)
{
    return as_operand<T>(c, &c->op->u.lin.part[i].w,
                         space + before_part(c, i).w);
}

template <class T>
static inline mat<T>
lora_b_of(struct call *c, uint32_t i, char *space)
{
    return as_operand<T>(c, &c->op->u.lin.part[i].b,
                         space + before_part(c, i).b);
}

/* Whether part i's weight and columns of y follow on those of part i - 1. */
template <class T>
static inline bool
follows(struct call *c, uint32_t i)
{
    const struct part *p = &c->op->u.lin.part[i], *last = p - 1;
    mat<T> w = mat_of<T>(c, &p->w), before = mat_of<T>(c, &last->w);
    bool stored = is_operand(&c->card->sizing, p->w.dtype);

    return p->col == last->col + last->out && !p->in_out && !last->in_out
           && stored == is_operand(&c->card->sizing, last->w.dtype)
           && (!stored || (w.p == row_range(before, before.rows, 0).p
                           && w.ld == before.ld));
}

/* The weights as one matrix w[sum of out, in]: as they lie in the base, or
 * widened into space. False where they can't be, or there is but one. */
template <class T>
static inline bool
join_weights(struct call *c, char *space, mat<T> *w)
{
    uint32_t n = c->op->u.lin.n;

    if (n == 1)
        return false;
    for (uint32_t i = 1; i < n; i++)
        if (!follows<T>(c, i))
            return false;
    *w = weight_of<T>(c, 0, space);
    for (uint32_t i = 1; i < n; i++)
        weight_of<T>(c, i, space);
    w->rows = before_part(c, n).out;
    return true;
}

/* A of all adapters, one under the other. */
template <class T>
static inline mat<T>
join_lora_a(struct call *c, char *space)
{
    const struct parts all = before_part(c, c->op->u.lin.n);
    mat<T> a = packed<T>(space, all.rank, c->op->x[0].cols);

    for (uint32_t i = 0; i < c->op->u.lin.n; i++) {
        const struct part *p = &c->op->u.lin.part[i];

        if (p->a.buf != 0 && all.adapters == 1)
            return as_operand<T>(c, &p->a, space);
        if (p->a.buf != 0)
            put_widened(c, row_range(a, before_part(c, i).rank, p->rank),
                        &p->a);
    }
    return a;
}

/* The places of all adapters' h as one; false where they don't lie side by
 * side. */
template <class T>
static inline bool
join_h(struct call *c, mat<T> *h)
{
    *h = none<T>();
    for (uint32_t i = 0; i < c->op->u.lin.n; i++) {
        const struct part *p = &c->op->u.lin.part[i];
        mat<T> own = mat_of<T>(c, &p->h);

        if (p->a.buf == 0)
            continue;
        if (h->p == nullptr)
            *h = { own.p, own.rows, 0, own.ld };
        if (own.p != h->p + h->cols || own.ld != h->ld)
            return false;
        h->cols += own.cols;
    }
    return true;
}

#endif
