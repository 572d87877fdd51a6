/* ffn.c - the dense feed-forwards to ops: act(UP x) or act(GATE x) * (UP x),
 * then DOWN. Gate and up share one buffer, [gate | up], so that one op reads
 * its input once for both. */
#include "model/layer_kind.h"

struct view
ffn_mlp(struct build *b, uint32_t layer, struct view x, struct view residual)
{
    static const uint8_t roles[] = { ROLE_UP }, down[] = { ROLE_DOWN };
    const struct view none = { 0 };
    struct view h = build_linear(b, layer, roles, 1, x, none);
    struct view out = build_activation(b, b->d->layer[layer].ff_dim);
    struct op *op;

    if (build_needs(b, h))
        build_keep(b, layer, h);
    op = build_op(b, OP_ACT, layer);
    op->x[0] = h;
    op->y[0] = out;
    op->u.act.kind = b->d->act;
    build_record(b, op, build_needs(b, h));
    build_keep(b, layer, out);
    return build_linear(b, layer, down, 1, out, residual);
}

struct view
ffn_gated_of(struct build *b, uint32_t layer, const struct gated_roles *r,
             struct view x, struct view residual)
{
    const struct view none = { 0 };
    struct view h = build_linear(b, layer, r->in, r->n, x, none);
    uint32_t n = h.cols / 2;
    struct view out = build_activation(b, n);
    struct op *op;

    if (build_needs(b, h))
        build_keep(b, layer, h);
    op = build_op(b, OP_GLU, layer);
    op->x[0] = view_cols(h, 0, n);
    op->x[1] = view_cols(h, n, n);
    op->y[0] = out;
    op->u.act.kind = b->d->act;
    build_record(b, op, build_needs(b, h));
    build_keep(b, layer, out);
    return build_linear(b, layer, &r->down, 1, out, residual);
}

struct view
ffn_gated(struct build *b, uint32_t layer, struct view x,
          struct view residual)
{
    static const struct gated_roles roles = {
        { ROLE_GATE_UP, ROLE_GATE, ROLE_UP }, 3, ROLE_DOWN
    };

    return ffn_gated_of(b, layer, &roles, x, residual);
}
