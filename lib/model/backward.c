/* backward.c - an op to the ops of its gradient.
 *
 * The tape is walked last op first. A gradient's first writer stores, later
 * ones add, so activation gradients are never zeroed. Two gradients share a
 * buffer where one is a copy of the other: a residual's is its sum's (its
 * other reader, the norm before the branch, comes later in this walk and
 * adds), and an activation function's input takes its output's place.
 */
#include "model/build.h"
#include "model/op_info.h"

struct view
build_grad(struct build *b, struct view v)
{
    uint32_t g;

    v = build_wide(b, v);
    g = b->mark[v.buf].grad;
    if (g == 0) {
        uint64_t bytes = b->p->buf[v.buf].bytes;

        g = build_view(b, ZONE_ARENA, 0, 0, v.dtype).buf;
        b->p->buf[g].bytes = bytes;
        b->mark[v.buf].grad = g;
    }
    v.buf = g;
    return v;
}

/* The gradient of v as op's y[i]: adds if it has been written before. */
static void
put_grad(struct build *b, struct op *op, int i, struct view v)
{
    struct view g = build_grad(b, v);

    op->y[i] = g;
    if (b->mark[g.buf].written)
        op->acc |= (uint8_t)(1 << i);
}

/* After an op's writes to the gradient of v. Parts of a buffer (q|k|v,
 * gate|up) have one reader each: nobody adds to their gradients. */
static void
set_written(struct build *b, struct view v)
{
    if (v.cols == v.ld)
        b->mark[build_grad(b, v).buf].written = true;
}

/* Both, where the gradient of v is wanted, whose only writer in op y[i] is. */
static void
give_grad(struct build *b, struct op *op, int i, struct view v)
{
    if (!build_needs(b, v))
        return;
    put_grad(b, op, i, v);
    set_written(b, v);
}

static void
share_grad(struct build *b, struct view v, struct view of)
{
    b->mark[v.buf].grad = build_grad(b, of).buf;
}

/* The module whose weight is bound to v. */
static const struct module *
module_of(const struct build *b, const struct view *v)
{
    for (size_t i = 0; i < b->d->n_tensors; i++) {
        const struct view *w = &b->bound[i].v;

        if (w->buf == v->buf && w->off == v->off)
            return &b->d->module[b->d->tensor[i].module];
    }
    return NULL;
}

void
grad_norm(struct build *b, const struct op *f)
{
    const struct module *m = module_of(b, &f->x[1]);
    struct view dy = build_grad(b, f->y[0]);
    struct op op = { .kind = OP_NORM_BWD, .layer = f->layer };

    op.x[0] = build_kept(b, f->x[0]);
    op.x[1] = f->x[1];
    op.x[2] = f->y[1];
    op.x[3] = dy;
    op.u = f->u;
    op.y[1] = bound_tensor(b, m->weight)->grad;
    op.y[2] = bound_tensor(b, m->bias)->grad;
    give_grad(b, &op, 0, f->x[0]);
    *build_op(b, OP_NORM_BWD, f->layer) = op;
}

void
grad_linear(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_LINEAR_BWD, .layer = f->layer };

    op.x[0] = f->x[0];
    op.x[1] = build_grad(b, f->y[0]);
    op.u = f->u;
    if (build_needs(b, f->x[1]))
        share_grad(b, f->x[1], f->y[0]);
    give_grad(b, &op, 0, f->x[0]);
    *build_op(b, OP_LINEAR_BWD, f->layer) = op;
}

/* The columns of a part are its own; the residual is that of all parts. */
void
grad_dora(struct build *b, const struct op *f)
{
    struct op *op;
    struct view dy = build_grad(b, f->y[0]), dx = build_grad(b, f->x[0]);

    if (build_needs(b, f->x[4]))
        share_grad(b, f->x[4], f->y[0]);
    op = build_op(b, OP_DORA_BWD, f->layer);
    for (int i = 0; i < 3; i++)
        op->x[i] = f->x[i];
    op->x[3] = dy;
    op->y[0] = dx;
    if (f->x[1].buf != 0) {
        op->y[1] = f->x[1];
        op->y[1].buf = b->p->grads.buf;
    }
}

/* In place on the gradient of the rotated columns. */
void
grad_rope(struct build *b, const struct op *f)
{
    struct view g = build_grad(b, f->y[0]);
    struct op *op = build_op(b, OP_ROPE, f->layer);

    op->x[0] = g;
    op->x[1] = f->x[1];
    op->y[0] = g;
    op->u = f->u;
    op->u.rope.sign = -f->u.rope.sign;
}

void
grad_attention(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_ATTENTION_BWD, .layer = f->layer };

    for (int i = 0; i < 3; i++) {
        op.x[i] = build_kept(b, f->x[i]);
        put_grad(b, &op, i, f->x[i]);
    }
    set_written(b, f->x[0]);
    op.x[3] = build_kept(b, f->y[0]);
    op.x[4] = f->y[1];
    op.x[5] = build_grad(b, f->y[0]);
    op.u = f->u;
    *build_op(b, OP_ATTENTION_BWD, f->layer) = op;
}

void
grad_act(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_ACT_BWD, .layer = f->layer };

    op.x[0] = build_kept(b, f->x[0]);
    op.x[1] = build_grad(b, f->y[0]);
    op.u = f->u;
    share_grad(b, f->x[0], f->y[0]);
    op.y[0] = build_grad(b, f->x[0]);
    *build_op(b, OP_ACT_BWD, f->layer) = op;
}

void
grad_glu(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_GLU_BWD, .layer = f->layer };

    op.x[0] = build_kept(b, f->x[0]);
    op.x[1] = build_kept(b, f->x[1]);
    op.x[2] = build_grad(b, f->y[0]);
    op.u = f->u;
    put_grad(b, &op, 0, f->x[0]);
    put_grad(b, &op, 1, f->x[1]);
    set_written(b, f->x[0]);
    *build_op(b, OP_GLU_BWD, f->layer) = op;
}

void
grad_conv1d(struct build *b, const struct op *f)
{
    const struct module *m = module_of(b, &f->x[1]);
    struct op op = { .kind = OP_CONV1D_BWD, .layer = f->layer, .u = f->u };

    for (int i = 0; i < 3; i++)
        op.x[i] = f->x[i];
    op.x[3] = build_grad(b, f->y[0]);
    give_grad(b, &op, 0, f->x[0]);
    op.y[1] = bound_tensor(b, m->weight)->grad;
    op.y[2] = bound_tensor(b, m->bias)->grad;
    *build_op(b, OP_CONV1D_BWD, f->layer) = op;
}

/* Of a scan of n operands, behind which its gradient's op has its states and
 * the gradient of y: that of operand i is in y[i]. */
static void
give_scan(struct build *b, const struct op *f, enum op_kind kind, int n)
{
    static const uint8_t rows[] = { 0, 1, 3 }; /* operands of token rows */
    struct op op = { .kind = (uint16_t)kind, .layer = f->layer, .u = f->u };

    for (int i = 0; i < n; i++)
        op.x[i] = f->x[i];
    op.x[n] = f->y[1];
    op.x[n + 1] = build_grad(b, f->y[0]);
    for (int i = 0; i < 3; i++)
        give_grad(b, &op, rows[i], f->x[rows[i]]);
    for (int i = 2; i < n; i++)
        if (i != 3)
            op.y[i] = bound_tensor(b, module_of(b, &f->x[i])->weight)->grad;
    *build_op(b, kind, f->layer) = op;
}

void
grad_scan(struct build *b, const struct op *f)
{
    give_scan(b, f, OP_SCAN_BWD, 5);
}

void
grad_ssd(struct build *b, const struct op *f)
{
    give_scan(b, f, OP_SSD_BWD, 6);
}

void
grad_route(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_ROUTE_BWD, .layer = f->layer, .u = f->u };

    op.x[0] = f->x[0];
    op.x[1] = f->y[1];
    op.x[2] = build_grad(b, f->y[0]);
    op.x[3] = b->balance;
    give_grad(b, &op, 0, f->x[0]);
    *build_op(b, OP_ROUTE_BWD, f->layer) = op;
}

/* Each row's gradient is the sum of its copies'. */
void
grad_gather(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_COMBINE, .layer = f->layer, .u = f->u };

    op.x[0] = build_grad(b, f->y[0]);
    op.x[1] = f->x[1];
    give_grad(b, &op, 0, f->x[0]);
    *build_op(b, OP_COMBINE, f->layer) = op;
}

void
grad_combine(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_COMBINE_BWD, .layer = f->layer, .u = f->u };
    static const uint8_t to[] = { 0, 2 }; /* operands that have gradients */

    op.x[0] = f->x[0];
    op.x[1] = f->x[1];
    op.x[2] = f->x[2];
    op.x[3] = build_grad(b, f->y[0]);
    op.x[4] = f->x[4];
    if (build_needs(b, f->x[3]))
        share_grad(b, f->x[3], f->y[0]);
    for (int i = 0; i < 2; i++)
        give_grad(b, &op, i, f->x[to[i]]);
    *build_op(b, OP_COMBINE_BWD, f->layer) = op;
}

void
grad_gate(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_GATE_BWD, .layer = f->layer };

    op.x[0] = f->x[0];
    op.x[1] = f->x[1];
    op.x[2] = build_grad(b, f->y[0]);
    if (build_needs(b, f->x[2]))
        share_grad(b, f->x[2], f->y[0]);
    for (int i = 0; i < 2; i++)
        give_grad(b, &op, i, f->x[i]);
    *build_op(b, OP_GATE_BWD, f->layer) = op;
}

void
grad_grouped(struct build *b, const struct op *f)
{
    struct op op = { .kind = OP_GROUPED_BWD, .layer = f->layer, .u = f->u };

    op.x[0] = f->x[0];
    op.x[1] = f->x[1];
    op.x[2] = build_grad(b, f->y[0]);
    give_grad(b, &op, 0, f->x[0]);
    *build_op(b, OP_GROUPED_BWD, f->layer) = op;
}

/* A sum's gradient is its operands', times scale. Both share its buffer where
 * that is 1: the first's is read before anybody adds to the second's. */
void
grad_add(struct build *b, const struct op *f)
{
    bool plain = f->u.add.scale >= 1 && f->u.add.scale <= 1;
    struct op op = { .kind = OP_ADD, .layer = f->layer, .u = f->u };

    op.x[0] = build_grad(b, f->y[0]);
    if (build_needs(b, f->x[0]) && plain) {
        share_grad(b, f->x[0], f->y[0]);
    } else if (build_needs(b, f->x[0])) {
        put_grad(b, &op, 0, f->x[0]);
        set_written(b, f->x[0]);
        *build_op(b, OP_ADD, f->layer) = op;
    }
    if (build_needs(b, f->x[1]))
        share_grad(b, f->x[1], f->y[0]);
}

void
grad_embed(struct build *b, const struct op *f)
{
    const struct module *table = desc_module(b->d, ROLE_EMBED, 0);
    const struct module *pos = desc_module(b->d, ROLE_POS, 0);
    struct op op = { .kind = OP_EMBED_BWD, .layer = f->layer };

    op.x[0] = build_grad(b, f->y[0]);
    op.u.embed.skip = b->d->pad;
    op.y[0] = bound_tensor(b, table->weight)->grad;
    if (pos != NULL)
        op.y[1] = bound_tensor(b, pos->weight)->grad;
    *build_op(b, OP_EMBED_BWD, f->layer) = op;
}

void
grad_embed_tokens(struct build *b, const struct op *f)
{
    const struct module *m = desc_module(b->d, ROLE_EMBED, 0);
    struct op op = { .kind = OP_EMBED_TOKENS_BWD, .layer = f->layer };

    op.x[0] = build_grad(b, f->y[0]);
    op.x[1] = f->x[2];
    op.u.embed.skip = b->d->pad;
    op.y[0] = b->adapted[m - b->d->module].rows.grad;
    *build_op(b, OP_EMBED_TOKENS_BWD, f->layer) = op;
}

void
build_backward(struct build *b)
{
    while (b->n_tape > 0) {
        struct op op = b->tape[--b->n_tape];

        op_info(op.kind)->grad(b, &op);
    }
}
