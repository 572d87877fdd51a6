/* cost.c - the bytes of an op: a walk over its views, or, for the kinds that
 * don't read or write all of a view once, a function of their own. */
#include "model/cost.h"

#include "model/op_info.h"

static double
element_bytes(uint8_t dtype)
{
    return dtype == DTYPE_REAL ? sizeof(float) : (double)dtype_size(dtype);
}

static double
row_bytes(const struct view *v)
{
    return v->buf == 0 ? 0 : (double)dtype_units(v->dtype, v->cols)
                             * element_bytes(v->dtype);
}

static double
view_bytes(const struct view *v)
{
    return v->rows * row_bytes(v);
}

/* A row of a stored weight, with its scales. */
static double
stored_row(const struct prog *p, const struct view *w)
{
    double side = w->side ? (double)p->buf[w->side].bytes / w->rows : 0;

    return row_bytes(w) + side;
}

static double
stored_bytes(const struct prog *p, const struct view *w)
{
    return w->rows * stored_row(p, w);
}

struct walk {
    const struct prog *p;
    const struct op *op;
    double bytes;
};

/* A side tensor has no view of its own: all of its buffer is meant. */
static void
count(void *ctx, const struct view *v, enum view_use use)
{
    struct walk *w = ctx;
    double n = v->rows > 0 ? view_bytes(v) : (double)w->p->buf[v->buf].bytes;

    if (v != &w->op->scratch)
        w->bytes += use == VIEW_ADDED ? 2 * n : n;
}

static double
all_views(const struct prog *p, const struct op *op, double n_head)
{
    struct walk w = { p, op, 0 };

    (void)n_head;
    op_walk(op, count, &w);
    return w.bytes;
}

static double
embed(const struct prog *p, const struct op *op, double n_head)
{
    double row = stored_row(p, &op->x[0]);

    (void)n_head;
    if (op->x[1].buf != 0)
        row += stored_row(p, &op->x[1]);
    return p->rows * row + view_bytes(&op->y[0]);
}

static double
embed_bwd(const struct prog *p, const struct op *op, double n_head)
{
    (void)n_head;
    return view_bytes(&op->x[0])
           + 2.0 * p->rows * (row_bytes(&op->y[0]) + row_bytes(&op->y[1]));
}

static double
linear_bwd(const struct prog *p, const struct op *op, double n_head)
{
    double bytes = all_views(p, op, n_head);

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *t = &op->u.lin.part[i];

        bytes -= view_bytes(&t->bias);
        if (op->y[0].buf == 0)
            bytes -= stored_bytes(p, &t->w) + view_bytes(&t->a);
    }
    return bytes;
}

static double
head_ce(const struct prog *p, const struct op *op, double n_head)
{
    const struct part *t = op->u.head.part;
    bool dx = op->y[1].buf != 0, dw = t->grad_w.buf != 0;
    uint32_t chunk = op->u.head.chunk;
    double chunks = (double)(((uint64_t)n_head + chunk - 1) / chunk);
    double weights = (1 + dx) * stored_bytes(p, &t->w) + view_bytes(&t->bias)
                     + 2 * (view_bytes(&t->grad_w)
                            + view_bytes(&t->grad_bias));
    double row = row_bytes(&op->x[0]) + row_bytes(&op->y[0])
                 + (op->acc & 2 ? 2 : 1) * row_bytes(&op->y[1]);

    if (dx || dw)
        row += 2.0 * t->out * element_bytes(op->x[0].dtype);
    return chunks * weights + n_head * row;
}

static double
logits(const struct prog *p, const struct op *op, double n_head)
{
    const struct part *t = op->u.head.part;

    return stored_bytes(p, &t->w) + view_bytes(&t->bias)
           + n_head * (row_bytes(&op->x[0]) + row_bytes(&op->y[0]));
}

static double
cache(const struct prog *p, const struct op *op, double n_head)
{
    (void)p;
    (void)n_head;
    return 2 * view_bytes(&op->x[0]);
}

static double
aside(const struct prog *p, const struct op *op, double n_head)
{
    (void)p;
    (void)n_head;
    return op->kind == OP_WAIT ? 0 : view_bytes(&op->x[0]);
}

/* NULL: all_views. */
static double (*const bytes_of[OP_KINDS])(const struct prog *p,
                                          const struct op *op,
                                          double n_head) = {
    [OP_EMBED] = embed,
    [OP_EMBED_BWD] = embed_bwd,
    [OP_LINEAR_BWD] = linear_bwd,
    [OP_HEAD_CE] = head_ce,
    [OP_LOGITS] = logits,
    [OP_CACHE] = cache,
    [OP_STASH] = aside,
    [OP_FETCH] = aside,
    [OP_WAIT] = aside,
};

struct op_cost
op_cost(const struct prog *p, const struct op *op, uint32_t n_head)
{
    const struct op_info *info = op_info(op->kind);
    struct op_cost cost = { 0, 0 };

    if (info->flops != NULL)
        cost.flops = info->flops(op, p->rows, n_head);
    cost.bytes = (bytes_of[op->kind] ? bytes_of[op->kind]
                                     : all_views)(p, op, n_head);
    return cost;
}
