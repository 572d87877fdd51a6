/* mix_mamba.c - Mamba (arXiv:2312.00752) and Mamba-2 (2405.21060) to ops.
 *
 *   [u | z] = IN x;  u = act(CONV u);  [r | B | C] = X u, which may be normed
 *   y = SCAN(u, DT r, A_log, B, C, D);  OUT (silu(z) * y)
 *
 * Mamba-2, where N is an RMSNorm of each group's columns by themselves:
 *   [z | u B C | d] = IN x;  [u | B | C] = act(CONV [u B C])
 *   y = SSD(u, d, A_log, B, C, D, step bias);  OUT N(silu(z) * y)
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
    struct view u = build_activation(b, x.cols), kept = { 0 };
    struct op *op;

    if (b->o->mode == PROG_DECODE && y->width > 1)
        kept = build_view(b, ZONE_STATE, b->o->batch * (y->width - 1),
                          x.cols, DTYPE_REAL);
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

/* What a scan is made of but its operands: the last states of each chunk,
 * which the backward begins at, those that decoding keeps, and y. */
static struct op *
build_scan(struct build *b, enum op_kind kind, uint32_t layer, uint32_t chunk)
{
    const struct layer_desc *y = &b->d->layer[layer];
    uint32_t chunks = (b->o->seq_len + chunk - 1) / chunk;
    uint32_t numbers = y->inner * y->state;
    struct view states = { 0 }, past = { 0 };
    struct view out = build_activation(b, y->inner);
    struct op *op;

    if (b->o->mode == PROG_TRAIN)
        states = build_view(b, ZONE_ARENA, b->o->batch * chunks, numbers,
                            DTYPE_REAL);
    if (b->o->mode == PROG_DECODE)
        past = build_view(b, ZONE_STATE, b->o->batch, numbers, DTYPE_REAL);
    op = build_op(b, kind, layer);
    op->y[0] = out;
    op->y[1] = states;
    op->y[2] = past;
    return op;
}

/* step_b_c: [r | B | C]. */
static struct view
emit_scan(struct build *b, uint32_t layer, struct view u,
          struct view step_b_c)
{
    static const uint8_t step[] = { ROLE_DT };
    const struct layer_desc *y = &b->d->layer[layer];
    struct view none = { 0 };
    struct view d = build_linear(b, layer, step, 1,
                                 view_cols(step_b_c, 0, y->rank), none);
    struct op *op = build_scan(b, OP_SCAN, layer, SCAN_CHUNK);

    op->x[0] = u;
    op->x[1] = d;
    op->x[2] = weight_of(b, layer, ROLE_A_LOG);
    op->x[3] = view_cols(step_b_c, y->rank, 2 * y->state);
    op->x[4] = weight_of(b, layer, ROLE_SKIP);
    op->u.scan.state = y->state;
    op->u.scan.seq_len = b->o->seq_len;
    op->u.scan.cached = b->o->mode == PROG_DECODE;
    build_record(b, op, build_needs(b, u) || build_needs(b, step_b_c)
                 || build_needs(b, d) || is_trained(b, layer, ROLE_A_LOG)
                 || is_trained(b, layer, ROLE_SKIP));
    return op->y[0];
}

/* silu(z) * y */
static struct view
emit_gate(struct build *b, uint32_t layer, struct view z, struct view y)
{
    struct view gated = build_activation(b, y.cols);
    struct op *op = build_op(b, OP_GLU, layer);

    op->x[0] = z;
    op->x[1] = y;
    op->y[0] = gated;
    op->u.act.kind = ACT_SILU;
    build_record(b, op, build_needs(b, z) || build_needs(b, y));
    return gated;
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
    struct view gated = emit_gate(b, layer, view_cols(both, inner, inner), y);

    build_keep(b, layer, gated);
    return build_linear(b, layer, out, 1, gated, residual);
}

/* u_b_c: [u | B | C]; d: the steps. */
static struct view
emit_ssd(struct build *b, uint32_t layer, struct view u_b_c, struct view d)
{
    static const uint8_t own[] = { ROLE_HEAD_A_LOG, ROLE_SKIP,
                                   ROLE_STEP_BIAS };
    const struct layer_desc *y = &b->d->layer[layer];
    bool need = build_needs(b, u_b_c) || build_needs(b, d);
    struct op *op = build_scan(b, OP_SSD, layer, SSD_CHUNK);

    op->x[0] = view_cols(u_b_c, 0, y->inner);
    op->x[1] = d;
    op->x[2] = weight_of(b, layer, ROLE_HEAD_A_LOG);
    op->x[3] = view_cols(u_b_c, y->inner, 2 * y->groups * y->state);
    op->x[4] = weight_of(b, layer, ROLE_SKIP);
    op->x[5] = weight_of(b, layer, ROLE_STEP_BIAS);
    op->u.ssd = (struct ssd_args){
        .heads = y->heads, .groups = y->groups, .state = y->state,
        .seq_len = b->o->seq_len, .least = b->d->step_low,
        .most = b->d->step_high, .cached = b->o->mode == PROG_DECODE
    };
    for (int i = 0; i < 3; i++)
        need = need || is_trained(b, layer, own[i]);
    build_record(b, op, need);
    return op->y[0];
}

struct view
mix_mamba2(struct build *b, uint32_t layer, struct view x,
           struct view residual)
{
    static const uint8_t in[] = { ROLE_IN }, out[] = { ROLE_OUT };
    const struct layer_desc *y = &b->d->layer[layer];
    uint32_t inner = y->inner, conv = inner + 2 * y->groups * y->state;
    const struct view none = { 0 };
    struct view all = build_linear(b, layer, in, 1, x, none);
    struct view u_b_c = emit_conv(b, layer, view_cols(all, inner, conv));
    struct view z = view_cols(all, 0, inner), normed;
    struct view gated = emit_gate(b, layer, z, emit_ssd(
        b, layer, u_b_c, view_cols(all, inner + conv, y->heads)));

    if (build_needs(b, gated))
        build_keep(b, layer, gated);
    normed = build_activation(b, inner);
    build_norm(b, layer, ROLE_GATED_NORM, gated, normed);
    build_keep(b, layer, normed);
    return build_linear(b, layer, out, 1, normed, residual);
}
