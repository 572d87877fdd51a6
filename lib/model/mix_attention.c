/* mix_attention.c - attention to ops.
 *
 * Query, key and value share one buffer, [q | k | v], so that one op reads
 * its input once for all of its modules; norms of queries and keys put those
 * into one of their own, [q | k]. Decoding, a layer keeps its keys and
 * values in STATE.
 */
#include "model/layer_kind.h"

static void
emit_rope(struct build *b, uint32_t layer, struct view qk)
{
    const struct layer_desc *y = &b->d->layer[layer];
    struct op *op = build_op(b, OP_ROPE, layer);

    op->x[0] = qk;
    op->x[1] = b->rope[y->rope];
    op->y[0] = qk;
    op->u.rope.heads = y->heads + y->kv_heads;
    op->u.rope.head_dim = y->head_dim;
    op->u.rope.factor = b->d->rope[y->rope].factor;
    op->u.rope.sign = 1;
    build_record(b, op, build_needs(b, qk));
}

/* Decoding: appends this pass's rows to a cache and gives the cache, which is
 * the layer's own. */
static struct view
emit_cache(struct build *b, uint32_t layer, struct view x)
{
    struct view cache = build_view(b, ZONE_STATE,
                                   b->o->batch * b->o->cache_len, x.cols,
                                   x.dtype);
    struct op *op = build_op(b, OP_CACHE, layer);

    op->x[0] = x;
    op->y[0] = cache;
    op->u.cache.seq_len = b->o->seq_len;
    op->u.cache.cache_len = b->o->cache_len;
    return cache;
}

/* Query and key as attention takes them, [q | k]: normed, where there are
 * norms for them, and turned. */
static struct view
emit_qk(struct build *b, uint32_t layer, struct view qk)
{
    const struct layer_desc *y = &b->d->layer[layer];
    uint32_t q = y->heads * y->head_dim, k = y->kv_heads * y->head_dim;
    struct view normed;

    if (desc_module(b->d, ROLE_Q_NORM, layer) != NULL) {
        normed = build_activation(b, q + k);
        build_norm(b, layer, ROLE_Q_NORM, view_cols(qk, 0, q),
                   view_cols(normed, 0, q));
        build_norm(b, layer, ROLE_K_NORM, view_cols(qk, q, k),
                   view_cols(normed, q, k));
        qk = normed;
    }
    if (b->d->pos == POS_ROTARY)
        emit_rope(b, layer, qk);
    return qk;
}

static struct view
emit_attention(struct build *b, uint32_t layer, struct view qkv)
{
    const struct layer_desc *y = &b->d->layer[layer];
    uint32_t q = y->heads * y->head_dim, kv = y->kv_heads * y->head_dim;
    bool cached = b->o->mode == PROG_DECODE;
    struct view qk = emit_qk(b, layer, view_cols(qkv, 0, q + kv));
    struct view k = view_cols(qk, q, kv), v = view_cols(qkv, q + kv, kv);
    struct view o = build_activation(b, q), lse = { 0 };
    struct op *op;

    if (cached) {
        k = emit_cache(b, layer, k);
        v = emit_cache(b, layer, v);
    } else {
        lse = build_reals(b, y->heads);
    }
    if (build_needs(b, qkv)) {
        build_keep(b, layer, qkv);
        if (qk.buf != qkv.buf)
            build_keep(b, layer, qk);
    }
    op = build_op(b, OP_ATTENTION, layer);
    op->x[0] = view_cols(qk, 0, q);
    op->x[1] = k;
    op->x[2] = v;
    op->y[0] = o;
    op->y[1] = lse;
    op->u.attn.heads = y->heads;
    op->u.attn.kv_heads = y->kv_heads;
    op->u.attn.head_dim = y->head_dim;
    op->u.attn.window = y->window;
    op->u.attn.seq_len = b->o->seq_len;
    op->u.attn.scale = b->d->attn_scale;
    op->u.attn.cache_len = cached ? b->o->cache_len : 0;
    build_record(b, op, build_needs(b, qk) || build_needs(b, qkv));
    build_keep(b, layer, o);
    return o;
}

struct view
mix_attention(struct build *b, uint32_t layer, struct view x,
              struct view residual)
{
    static const uint8_t in[] = { ROLE_QKV, ROLE_Q, ROLE_K, ROLE_V };
    static const uint8_t out[] = { ROLE_O };
    const struct view none = { 0 };
    struct view qkv = build_linear(b, layer, in, 4, x, none);

    return build_linear(b, layer, out, 1, emit_attention(b, layer, qkv),
                        residual);
}
