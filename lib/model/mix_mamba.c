/* mix_mamba.c - Mamba (arXiv:2312.00752) to ops.
 *
 *   [u | z] = IN x;  u = act(CONV u);  [r | B | C] = X u, which may be normed
 *   y = SCAN(u, DT r, A_log, B, C, D);  OUT (silu(z) * y)
 *
 * Decoding, a layer keeps the rows that its convolution still wants, and the
 * scan's state, in STATE: of each sequence the same, however long its past.
 */
#include "model/layer_kind.h"

static struct view
weight_of(const struct build *b, uint32_t layer, enum role role)
{
    return bound_tensor(b, desc_module(b->d, role, layer)->weight)->v;
}

/* Whether the weight or the bias of that module is trained. */
static bool
is_trained(const struct build *b, uint32_t layer, enum role role)
{
    const struct module *m = desc_module(b->d, role, layer);

    return bound_tensor(b, m->weight)->grad.buf != 0
           || bound_tensor(b, m->bias)->grad.buf != 0;
}

static struct view
emit_conv(struct build *b, uint32_t layer, struct view x)
{
    const struct layer_desc *y = &b->d->layer[layer];
    const struct module *m = desc_module(b->d, ROLE_CONV, layer);
    struct view u = build_activation(b, y->inner), kept = { 0 };
    struct op *op;

    if (b->o->mode == PROG_DECODE && y->width > 1)
        kept = build_view(b, ZONE_STATE, b->o->batch * (y->width - 1),
                          y->inner, DTYPE_REAL);
    op = build_op(b, OP_CONV1D, layer);
    op->x[0] = x;
    op->x[1] = weight_of(b, layer, ROLE_CONV);
    op->x[2] = bound_tensor(b, m->bias)->v;
    op->y[0] = u;
    op->y[1] = kept;
    op->u.conv.seq_len = b->o->seq_len;
    op->u.conv.act = b->d->act;
    op->u.conv.cached = b->o->mode == PROG_DECODE;
    build_record(b, op, build_needs(b, x) || is_trained(b, layer, ROLE_CONV));
    return u;
}

/* [r | B | C], each by its norm, where there are norms for them. */
static struct view
emit_norms(struct build *b, uint32_t layer, struct view step_b_c)
{
    const struct layer_desc *y = &b->d->layer[layer];
    const struct {
        enum role role;
        uint32_t at, n;
    } part[] = {
        { ROLE_DT_NORM, 0, y->rank },
        { ROLE_B_NORM, y->rank, y->state },
        { ROLE_C_NORM, y->rank + y->state, y->state },
    };
    struct view normed;

    if (desc_module(b->d, ROLE_DT_NORM, layer) == NULL)
        return step_b_c;
    normed = build_activation(b, step_b_c.cols);
    for (int i = 0; i < 3; i++)
        build_norm(b, layer, part[i].role,
                   view_cols(step_b_c, part[i].at, part[i].n),
                   view_cols(normed, part[i].at, part[i].n));
    return normed;
}

/* step_b_c: [r | B | C]. */
static struct view
emit_scan(struct build *b, uint32_t layer, struct view u,
          struct view step_b_c)
{
    static const uint8_t step[] = { ROLE_DT };
    const struct layer_desc *y = &b->d->layer[layer];
    uint32_t chunks = (b->o->seq_len + SCAN_CHUNK - 1) / SCAN_CHUNK;
    uint32_t numbers = y->inner * y->state;
    struct view none = { 0 }, states = none, past = none, out;
    struct view d = build_linear(b, layer, step, 1,
                                 view_cols(step_b_c, 0, y->rank), none);
    struct op *op;

    out = build_activation(b, y->inner);
    if (b->o->mode == PROG_TRAIN)
        states = build_view(b, ZONE_ARENA, b->o->batch * chunks, numbers,
                            DTYPE_REAL);
    if (b->o->mode == PROG_DECODE)
        past = build_view(b, ZONE_STATE, b->o->batch, numbers, DTYPE_REAL);
    op = build_op(b, OP_SCAN, layer);
    op->x[0] = u;
    op->x[1] = d;
    op->x[2] = weight_of(b, layer, ROLE_A_LOG);
    op->x[3] = view_cols(step_b_c, y->rank, 2 * y->state);
    op->x[4] = weight_of(b, layer, ROLE_SKIP);
    op->y[0] = out;
    op->y[1] = states;
    op->y[2] = past;
    op->u.scan.state = y->state;
    op->u.scan.seq_len = b->o->seq_len;
    op->u.scan.cached = b->o->mode == PROG_DECODE;
    build_record(b, op, build_needs(b, u) || build_needs(b, step_b_c)
                 || build_needs(b, d) || is_trained(b, layer, ROLE_A_LOG)
                 || is_trained(b, layer, ROLE_SKIP));
    return out;
}

struct view
mix_mamba(struct build *b, uint32_t layer, struct view x,
          struct view residual)
{
    static const uint8_t in[] = { ROLE_IN }, middle[] = { ROLE_X };
    static const uint8_t out[] = { ROLE_OUT };
    uint32_t inner = b->d->layer[layer].inner;
    const struct view none = { 0 };
    struct view both = build_linear(b, layer, in, 1, x, none);
    struct view u = emit_conv(b, layer, view_cols(both, 0, inner));
    struct view step_b_c = emit_norms(b, layer, build_linear(b, layer, middle,
                                                             1, u, none));
    struct view y = emit_scan(b, layer, u, step_b_c);
    struct view gated = build_activation(b, inner);
    struct op *op = build_op(b, OP_GLU, layer);

    op->x[0] = view_cols(both, inner, inner);
    op->x[1] = y;
    op->y[0] = gated;
    op->u.act.kind = ACT_SILU;
    build_record(b, op, build_needs(b, both) || build_needs(b, y));
    build_keep(b, layer, gated);
    return build_linear(b, layer, out, 1, gated, residual);
}
