/* forward.c - layers to ops.
 *
 * Sequential:  x1 = x + O(attention(QKV(norm1 x)))
 *              y  = x1 + DOWN(ff(norm2 x1))
 * Parallel:    n = norm1 x;  y = x + O(attention(QKV n)) + DOWN(ff(n))
 *
 * The residual is added by the LINEAR that ends a branch. Query, key and
 * value share one buffer, [q | k | v], and so do gate and up, so that one op
 * reads its input once for all of its modules.
 */
#include "model/build.h"

#include <math.h>

#include "base/rng.h"

static struct view
activation(struct build *b, uint32_t cols)
{
    return build_view(b, ZONE_ARENA, b->p->rows, cols, DTYPE_REAL);
}

static void
set_need(struct build *b, struct view v, bool need)
{
    b->mark[v.buf].need = b->mark[v.buf].need || need;
}

static bool
is_needed(const struct build *b, struct view v)
{
    return b->mark[v.buf].need;
}

/* Records the op for the backward when anything in it wants a gradient. */
static void
tape_if(struct build *b, const struct op *op, bool need)
{
    set_need(b, op->y[0], need);
    if (need && b->o->mode == PROG_TRAIN)
        build_tape(b, op);
}

static struct view
emit_norm(struct build *b, uint32_t layer, enum role role, struct view x)
{
    const struct module *m = desc_module(b->d, role, layer);
    const struct bound *gain = bound_tensor(b, m->weight);
    struct view y = activation(b, b->d->dim), stats = activation(b, 2);
    struct op *op = build_op(b, OP_NORM, layer);

    op->x[0] = x;
    op->x[1] = gain->v;
    op->x[2] = bound_tensor(b, m->bias)->v;
    op->y[0] = y;
    op->y[1] = stats;
    op->u.norm.eps = b->d->eps;
    op->u.norm.rms = b->d->norm == NORM_RMS;
    tape_if(b, op, is_needed(b, x) || gain->grad.buf != 0);
    return y;
}

/* Fills in the part of module m whose columns start at col; true when it
 * has something to train. */
static bool
fill_part(struct build *b, struct part *t, const struct module *m,
          uint32_t col)
{
    const struct bound *w = bound_tensor(b, m->weight);
    const struct bound *bias = bound_tensor(b, m->bias);
    const struct adapted *lora = &b->adapted[m - b->d->module];

    t->w = w->v;
    t->bias = bias->v;
    t->grad_w = w->grad;
    t->grad_bias = bias->grad;
    t->col = col;
    t->in = m->in;
    t->out = m->out;
    t->in_out = m->in_out;
    t->site = rng_site(m->name);
    if (lora->a.v.buf == 0)
        return w->grad.buf != 0;
    t->a = lora->a.v;
    t->b = lora->b.v;
    t->grad_a = lora->a.grad;
    t->grad_b = lora->b.grad;
    t->h = activation(b, b->o->rank);
    t->rank = b->o->rank;
    t->lora_scale = b->o->alpha / (float)b->o->rank;
    t->dropout = b->o->mode == PROG_TRAIN ? b->o->dropout : 0;
    return b->o->method == METHOD_LORA;
}

/* The roles that are there, in order, side by side in one output; residual
 * may be absent (buf 0). again: see build_layer. */
static struct op
emit_linear(struct build *b, uint32_t layer, const uint8_t *roles,
            size_t n_roles, struct view x, struct view residual,
            const struct op *again)
{
    struct part *part = again ? again->u.lin.part
                              : build_parts(b, (uint32_t)n_roles);
    uint32_t n = 0, col = 0;
    bool train = false;
    struct op op = { .kind = OP_LINEAR, .layer = (uint16_t)layer };

    for (size_t i = 0; i < n_roles; i++) {
        const struct module *m = desc_module(b->d, roles[i], layer);

        if (m == NULL)
            continue;
        if (again == NULL)
            train |= fill_part(b, &part[n], m, col);
        else
            train |= part[n].a.buf != 0 || part[n].grad_w.buf != 0;
        col += m->out;
        n++;
    }
    op.x[0] = x;
    op.x[1] = residual;
    op.u.lin.part = part;
    op.u.lin.n = n;
    if (again != NULL) {
        op.y[0] = again->y[0];
    } else {
        op.y[0] = activation(b, col);
        *build_op(b, OP_LINEAR, layer) = op;
    }
    tape_if(b, &op, train || is_needed(b, x)
                    || (residual.buf != 0 && is_needed(b, residual)));
    return op;
}

static void
emit_rope(struct build *b, uint32_t layer, struct view qk)
{
    const struct layer_desc *y = &b->d->layer[layer];
    struct op *op = build_op(b, OP_ROPE, layer);

    op->x[0] = qk;
    op->y[0] = qk;
    op->u.rope.heads = y->heads + y->kv_heads;
    op->u.rope.head_dim = y->head_dim;
    op->u.rope.rope_dim = b->d->rope_dim;
    op->u.rope.theta = b->d->rope_theta;
    op->u.rope.sign = 1;
    tape_if(b, op, is_needed(b, qk));
}

/* Decoding: appends this pass's rows to a cache and gives the cache. */
static struct view
emit_cache(struct build *b, uint32_t layer, struct view x)
{
    struct view cache = build_view(b, ZONE_STATE, b->o->cache_len, x.cols,
                                   DTYPE_REAL);
    struct op *op = build_op(b, OP_CACHE, layer);

    op->x[0] = x;
    op->y[0] = cache;
    return cache;
}

static struct view
emit_attention(struct build *b, uint32_t layer, struct view qkv)
{
    const struct layer_desc *y = &b->d->layer[layer];
    uint32_t q = y->heads * y->head_dim, kv = y->kv_heads * y->head_dim;
    bool cached = b->o->mode == PROG_DECODE;
    struct view k = view_cols(qkv, q, kv), v = view_cols(qkv, q + kv, kv);
    struct view o = activation(b, q), lse = { 0 };
    struct op *op;

    if (b->d->pos == POS_ROTARY)
        emit_rope(b, layer, view_cols(qkv, 0, q + kv));
    if (cached) {
        k = emit_cache(b, layer, k);
        v = emit_cache(b, layer, v);
    } else {
        lse = activation(b, y->heads);
    }
    op = build_op(b, OP_ATTENTION, layer);
    op->x[0] = view_cols(qkv, 0, q);
    op->x[1] = k;
    op->x[2] = v;
    op->y[0] = o;
    op->y[1] = lse;
    op->u.attn.heads = y->heads;
    op->u.attn.kv_heads = y->kv_heads;
    op->u.attn.head_dim = y->head_dim;
    op->u.attn.window = y->window;
    op->u.attn.seq_len = b->o->seq_len;
    op->u.attn.scale = 1.0f / sqrtf((float)y->head_dim);
    op->u.attn.cached = cached;
    tape_if(b, op, is_needed(b, qkv));
    return o;
}

static struct view
emit_act(struct build *b, uint32_t layer, struct view up)
{
    const struct layer_desc *y = &b->d->layer[layer];
    bool gated = y->ffn == FF_GATED;
    struct view out = activation(b, y->ff_dim);
    struct op *op = build_op(b, gated ? OP_GLU : OP_ACT, layer);

    op->x[0] = view_cols(up, 0, y->ff_dim);
    if (gated)
        op->x[1] = view_cols(up, y->ff_dim, y->ff_dim);
    op->y[0] = out;
    op->u.act.kind = b->d->act;
    tape_if(b, op, is_needed(b, up));
    return out;
}

struct view
build_embed(struct build *b)
{
    const struct module *m = desc_module(b->d, ROLE_EMBED, 0);
    const struct bound *table = bound_tensor(b, m->weight);
    const struct module *pos = desc_module(b->d, ROLE_POS, 0);
    struct view y = activation(b, b->d->dim);
    struct op *op = build_op(b, OP_EMBED, 0);

    op->x[0] = table->v;
    if (pos != NULL)
        op->x[1] = bound_tensor(b, pos->weight)->v;
    op->y[0] = y;
    tape_if(b, op, table->grad.buf != 0);
    return y;
}

struct layer_out
build_layer(struct build *b, uint32_t layer, struct view x,
            const struct op *again)
{
    static const uint8_t qkv_roles[] = { ROLE_QKV, ROLE_Q, ROLE_K, ROLE_V };
    static const uint8_t o_roles[] = { ROLE_O };
    static const uint8_t up_roles[] = { ROLE_GATE, ROLE_UP };
    static const uint8_t down_roles[] = { ROLE_DOWN };
    const struct view none = { 0 };
    struct view n = emit_norm(b, layer, ROLE_NORM1, x);
    struct layer_out out;
    struct op op;

    op = emit_linear(b, layer, qkv_roles, 4, n, none, NULL);
    op = emit_linear(b, layer, o_roles, 1,
                     emit_attention(b, layer, op.y[0]), x, NULL);
    x = op.y[0];
    if (!b->d->parallel)
        n = emit_norm(b, layer, ROLE_NORM2, x);
    op = emit_linear(b, layer, up_roles, 2, n, none, NULL);
    out.last = emit_linear(b, layer, down_roles, 1,
                           emit_act(b, layer, op.y[0]), x, again);
    out.x = out.last.y[0];
    return out;
}

struct view
build_final(struct build *b, struct view x)
{
    return emit_norm(b, 0, ROLE_NORM_F, x);
}

void
build_head(struct build *b, struct view hidden)
{
    struct part *part = build_parts(b, 1);
    bool decode = b->o->mode == PROG_DECODE;
    struct op *op;

    fill_part(b, part, desc_module(b->d, ROLE_HEAD, 0), 0);
    if (decode)
        b->p->logits = build_view(b, ZONE_ARENA, b->p->rows, b->d->vocab,
                                  DTYPE_REAL);
    else if (b->o->mode == PROG_EVAL)
        b->p->row_loss = build_view(b, ZONE_ARENA, b->p->rows, 1,
                                    DTYPE_REAL);
    op = build_op(b, decode ? OP_LOGITS : OP_HEAD_CE, 0);
    op->x[0] = hidden;
    op->y[0] = decode ? b->p->logits : b->p->row_loss;
    b->mark[op->y[0].buf].pinned = true;
    if (b->o->mode == PROG_TRAIN)
        op->y[1] = build_grad(b, hidden);
    op->u.head.part = part;
    op->u.head.chunk = b->o->head_chunk < b->p->rows ? b->o->head_chunk
                                                     : b->p->rows;
}
