/* ffn_experts.c - a mixture of experts (Mixtral, arXiv:2401.04088) to ops.
 *
 *   ROUTE(ROUTER x);  rows = GATHER x;  h = act(GATE rows) * (UP rows)
 *   COMBINE(DOWN h), weighed by ROUTE
 *
 * where GATE, UP and DOWN of all experts are one GROUPED each, in which an
 * expert has the rows that it was chosen for. With an expert for all tokens
 * (Qwen2-MoE, arXiv:2407.10671) that one's output, times the sigmoid of
 * SHARE x, is what COMBINE adds to. Decoding some few tokens, a
 * weight is read for the rows that there are; else products are of ROUTE_TILE
 * rows, so that no token's result depends on another's choice.
 */
#include "kernels/moe.h"
#include "model/layer_kind.h"

enum { FEW = 8 }; /* tokens */

/* What ROUTE says, and how. */
struct routed {
    struct view weights, places, counts;
    struct route_args args;
    uint32_t rows; /* of experts */
};

static struct routed
emit_route(struct build *b, uint32_t layer, struct view logits)
{
    const struct layer_desc *y = &b->d->layer[layer];
    bool few = b->o->mode == PROG_DECODE && b->p->rows <= FEW;
    struct routed r = {
        .weights = build_reals(b, y->top_k),
        .places = build_reals(b, 2 * y->top_k),
        .counts = build_view(b, ZONE_ARENA, 1, y->experts, DTYPE_REAL),
        .args = { y->experts, y->top_k, few ? 1 : ROUTE_TILE, b->o->seq_len,
                  b->d->route_norm },
    };
    struct op *op = build_op(b, OP_ROUTE, layer);

    op->x[0] = logits;
    op->y[0] = r.weights;
    op->y[1] = r.places;
    op->y[2] = r.counts;
    if (b->tally.buf != 0) {
        op->y[3] = b->tally;
        op->y[3].rows = b->o->batch;
        op->y[3].off = (uint64_t)b->n_routed++ * b->o->batch * b->tally.ld;
    }
    op->u.route = r.args;
    build_record(b, op, build_needs(b, logits));
    r.rows = (uint32_t)route_rows(b->p->rows, y->top_k, y->experts,
                                  r.args.tile);
    return r;
}

static struct view
emit_rows(struct build *b, const struct routed *r, uint32_t cols)
{
    return build_view(b, ZONE_ARENA, r->rows, cols, b->backend->activation);
}

static struct view
emit_gather(struct build *b, uint32_t layer, const struct routed *r,
            struct view x)
{
    struct view rows = emit_rows(b, r, x.cols);
    struct op *op = build_op(b, OP_GATHER, layer);

    op->x[0] = x;
    op->x[1] = r->places;
    op->x[2] = r->counts;
    op->y[0] = rows;
    op->u.route = r->args;
    build_record(b, op, build_needs(b, x));
    build_keep(b, layer, rows);
    return rows;
}

static struct view
emit_gate(struct build *b, uint32_t layer, const struct routed *r,
          struct view h)
{
    uint32_t n = b->d->layer[layer].expert_dim;
    struct view out = emit_rows(b, r, n);
    struct op *op;

    if (build_needs(b, h))
        build_keep(b, layer, h);
    op = build_op(b, OP_GLU, layer);
    op->x[0] = view_cols(h, 0, n);
    op->x[1] = view_cols(h, n, n);
    op->y[0] = out;
    op->u.act.kind = b->d->act;
    op->u.act.all = 1;
    build_record(b, op, build_needs(b, h));
    build_keep(b, layer, out);
    return out;
}

struct view
ffn_experts(struct build *b, uint32_t layer, struct view x,
            struct view residual)
{
    static const uint8_t router[] = { ROLE_ROUTER };
    static const uint8_t in[] = { ROLE_EXPERT_GATE, ROLE_EXPERT_UP };
    static const uint8_t down[] = { ROLE_EXPERT_DOWN };
    const struct view none = { 0 };
    struct routed r = emit_route(b, layer,
                                 build_linear(b, layer, router, 1, x, none));
    struct view h = build_grouped(b, layer, in, 2,
                                  emit_gather(b, layer, &r, x), r.counts,
                                  r.args.tile);
    struct view out = build_grouped(b, layer, down, 1,
                                    emit_gate(b, layer, &r, h), r.counts,
                                    r.args.tile);
    struct view y = build_activation(b, b->d->dim);
    struct op *op = build_op(b, OP_COMBINE, layer);

    op->x[0] = out;
    op->x[1] = r.places;
    op->x[2] = r.weights;
    op->x[3] = residual;
    op->x[4] = r.counts;
    op->y[0] = y;
    op->u.route = r.args;
    build_record(b, op, build_needs(b, out) || build_needs(b, r.weights)
                 || build_needs(b, residual));
    return y;
}

struct view
ffn_shared(struct build *b, uint32_t layer, struct view x,
           struct view residual)
{
    static const struct gated_roles roles = {
        { ROLE_SHARED_GATE, ROLE_SHARED_UP }, 2, ROLE_SHARED_DOWN
    };
    static const uint8_t share[] = { ROLE_SHARE };
    const struct view none = { 0 };
    struct view out = ffn_gated_of(b, layer, &roles, x, none);
    struct view gate = build_linear(b, layer, share, 1, x, none);
    struct view y = build_activation(b, b->d->dim);
    struct op *op = build_op(b, OP_GATE, layer);

    op->x[0] = gate;
    op->x[1] = out;
    op->x[2] = residual;
    op->y[0] = y;
    build_record(b, op, build_needs(b, gate) || build_needs(b, out)
                 || build_needs(b, residual));
    return ffn_experts(b, layer, x, y);
}
