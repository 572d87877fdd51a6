/* build.c - a description, a base and choices become a program.
 *
 * Order: bind tensors and parameters; emit START, FWD (recording a tape of
 * the ops that want a gradient), HEAD, then BWD by walking the tape back,
 * then UPDATE; last, copies to the host's memory, scratch, lifetimes and
 * places.
 *
 * Recomputation keeps of each layer (RECOMPUTE_BLOCK), or of its mixer
 * (RECOMPUTE_ATTENTION), the input alone, and what the ops that write its
 * output keep for their gradient: in BWD it is emitted once more just before
 * its gradients.
 */
#include "model/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/moe.h"
#include "tensor/dynamic8.h"

size_t
build_bytes(const struct build *b, uint8_t dtype)
{
    return element_size(dtype, b->backend->real_size);
}

struct view
build_view(struct build *b, enum zone zone, uint32_t rows, uint32_t cols,
           uint8_t dtype)
{
    struct prog *p = b->p;
    struct view v = { (uint32_t)p->n_bufs, rows, cols, cols, 0, dtype };

    if (p->n_bufs == b->buf_cap) {
        size_t cap = 2 * b->buf_cap + 64;

        p->buf = mem_grow(p->buf, cap * sizeof(*p->buf));
        b->mark = mem_grow(b->mark, cap * sizeof(*b->mark));
        b->buf_cap = cap;
    }
    memset(&p->buf[p->n_bufs], 0, sizeof(*p->buf));
    memset(&b->mark[p->n_bufs], 0, sizeof(*b->mark));
    p->buf[p->n_bufs].bytes = rows * dtype_units(dtype, cols)
                              * build_bytes(b, dtype);
    p->buf[p->n_bufs].zone = (uint8_t)zone;
    p->n_bufs++;
    return v;
}

struct view
view_cols(struct view v, uint32_t col, uint32_t n)
{
    v.off += col;
    v.cols = n;
    return v;
}

struct op *
build_op(struct build *b, enum op_kind kind, uint32_t layer)
{
    struct prog *p = b->p;
    struct op *op;

    if (p->n_ops == b->op_cap) {
        b->op_cap = 2 * b->op_cap + 64;
        p->op = mem_grow(p->op, b->op_cap * sizeof(*p->op));
    }
    op = &p->op[p->n_ops++];
    memset(op, 0, sizeof(*op));
    op->kind = (uint16_t)kind;
    op->layer = (uint16_t)layer;
    return op;
}

struct part *
build_parts(struct build *b, uint32_t n)
{
    struct prog *p = b->p;

    if (p->n_parts == b->part_cap) {
        b->part_cap = 2 * b->part_cap + 64;
        p->parts = mem_grow(p->parts, b->part_cap * sizeof(*p->parts));
    }
    p->parts[p->n_parts] = mem_array(n, sizeof(**p->parts));
    return p->parts[p->n_parts++];
}

void
build_tape(struct build *b, const struct op *op)
{
    if (b->n_tape == b->tape_cap) {
        b->tape_cap = 2 * b->tape_cap + 64;
        b->tape = mem_grow(b->tape, b->tape_cap * sizeof(*b->tape));
    }
    b->tape[b->n_tape++] = *op;
}

static void
emit_zero(struct build *b, struct view v)
{
    struct op *op = build_op(b, OP_ZERO, 0);

    op->y[0] = v;
}

/* A layer with experts, of which all have as many; NULL: none has. */
static const struct layer_desc *
some_routed(const struct model_desc *d)
{
    for (uint32_t l = 0; l < d->n_layers; l++)
        if (d->layer[l].experts > 0)
            return &d->layer[l];
    return NULL;
}

/* Room for what the layers' routers say for the load-balancing loss. */
static void
place_tallies(struct build *b)
{
    const struct layer_desc *y = some_routed(b->d);
    uint32_t routed = 0;

    for (uint32_t l = 0; l < b->d->n_layers; l++)
        routed += b->d->layer[l].experts > 0;
    if (y == NULL || !(b->d->balance > 0) || b->o->mode != PROG_TRAIN)
        return;
    b->tally = build_view(b, ZONE_ARENA, routed * b->o->batch,
                          2 * y->experts, DTYPE_REAL);
    b->balance = build_view(b, ZONE_ARENA, b->o->batch, y->experts,
                            DTYPE_REAL);
}

static void
emit_balance(struct build *b)
{
    struct op *op;

    if (b->tally.buf == 0)
        return;
    op = build_op(b, OP_BALANCE, 0);
    op->x[0] = b->tally;
    op->y[0] = b->balance;
    op->u.balance = (struct balance_args){
        b->o->batch, b->o->seq_len, some_routed(b->d)->top_k, b->d->balance
    };
}

/* FWD up to the head. */
static void
emit_forward(struct build *b)
{
    bool again = b->o->mode == PROG_TRAIN
                 && b->o->recompute == RECOMPUTE_BLOCK;
    struct view x = build_embed(b);

    place_tallies(b);
    for (uint32_t l = 0; l < b->d->n_layers; l++) {
        if (again)
            build_again_from(b);
        x = build_layer(b, l, x);
        if (again)
            build_again_to(b, x);
    }
    emit_balance(b);
    b->p->hidden = build_final(b, x);
    if (b->o->mode != PROG_TRAIN)
        return;
    emit_zero(b, build_grad(b, b->p->hidden));
    b->mark[build_grad(b, b->p->hidden).buf].written = true;
}

/* Columns [from, to) of a vector, if it is there. */
static struct view
flat_part(struct view v, uint64_t from, uint64_t to)
{
    return v.buf ? view_cols(v, (uint32_t)from, (uint32_t)(to - from)) : v;
}

/* Parameters [from, to) of the flat vector, whose moments are in 8 bits or
 * reals. */
static void
emit_optimizer(struct build *b, uint64_t from, uint64_t to,
               enum param_group group, bool eight)
{
    const struct prog *p = b->p;
    uint64_t first = from - (eight ? 0 : p->n_eight);
    uint64_t end = first + (to - from), block = DYNAMIC8_BLOCK;
    uint64_t none = eight ? 0 : p->n_muon; /* without v */
    struct op *op;

    if (from == to)
        return;
    op = build_op(b, eight ? OP_ADAMW8 : b->o->optimizer == OPT_SGD
                  ? OP_SGD : OP_ADAMW, 0);
    op->x[0] = flat_part(p->grads, from, to);
    op->y[0] = flat_part(p->params, from, to);
    op->y[1] = flat_part(eight ? p->m8 : p->m, first, end);
    op->y[2] = flat_part(eight ? p->v8 : p->v, first - none, end - none);
    if (eight) {
        op->y[3] = flat_part(p->m_scale, first / block, end / block);
        op->y[4] = flat_part(p->v_scale, first / block, end / block);
    }
    op->u.opt.beta1 = b->o->beta1;
    op->u.opt.beta2 = b->o->beta2;
    op->u.opt.eps = b->o->adam_eps;
    op->u.opt.decay = group == PARAMS_PLAIN ? 0 : b->o->decay;
    op->u.opt.lr_ratio = group == PARAMS_FASTER ? b->o->lr_ratio : 1;
}

double
muon_adjusted(enum muon_adjust how, double out, double in)
{
    double more = out > in ? out / in : 1;

    return how == MUON_ORIGINAL ? sqrt(more)
                                : 0.2 * sqrt(out > in ? out : in);
}

/* An op a matrix. */
static void
emit_muon(struct build *b)
{
    const struct prog *p = b->p;

    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];
        struct op *op;

        if (param_state(b->o, q) != STATE_MUON)
            continue;
        op = build_op(b, OP_MUON, q->module->layer);
        op->x[0] = prog_param(q, p->grads);
        op->y[0] = prog_param(q, p->params);
        op->y[1] = prog_param(q, p->m);
        op->u.muon.momentum = b->o->momentum;
        op->u.muon.decay = q->decay ? b->o->decay : 0;
        op->u.muon.lr_ratio = b->o->muon_lr_ratio;
        op->u.muon.adjust = (float)muon_adjusted(b->o->muon_adjust,
                                                 q->module->out,
                                                 q->module->in);
    }
}

/* Each group's parameters follow one another, from `from` on. */
static uint64_t
emit_groups(struct build *b, uint64_t from, enum param_state state,
            uint64_t align)
{
    const struct prog *p = b->p;

    for (int group = 0; group < PARAM_GROUPS; group++) {
        uint64_t to = from;

        for (size_t i = 0; i < p->n_params; i++) {
            const struct param *q = &p->param[i];
            uint64_t end = size_round(q->off + q->n, align);

            if ((int)param_group(b->o, q) == group && end > to
                && param_state(b->o, q) == state)
                to = end;
        }
        emit_optimizer(b, from, to, (enum param_group)group,
                       state == STATE_EIGHT);
        from = to;
    }
    return from;
}

static void
emit_update(struct build *b)
{
    struct op *op = build_op(b, OP_SQNORM, 0);
    uint64_t from;

    op->x[0] = b->p->grads;
    op = build_op(b, OP_CLIP, 0);
    op->u.clip.max_norm = b->o->clip;
    from = emit_groups(b, 0, STATE_EIGHT, DYNAMIC8_BLOCK);
    emit_muon(b);
    emit_groups(b, from + b->p->n_muon, STATE_WHOLE, FLAT_ALIGN);
}

static void
emit_ranges(struct build *b)
{
    struct prog *p = b->p;
    bool train = b->o->mode == PROG_TRAIN;

    if (train)
        emit_zero(b, p->grads);
    build_dora_norms(b);
    p->range[RANGE_FWD] = p->n_ops;
    emit_forward(b);
    p->range[RANGE_HEAD] = p->n_ops;
    build_head(b, p->hidden);
    p->range[RANGE_BWD] = p->n_ops;
    if (train)
        build_stretches(b);
    p->range[RANGE_UPDATE] = p->n_ops;
    if (train)
        emit_update(b);
    p->range[RANGE_COUNT] = p->n_ops;
}

static int
check_opts(const struct prog_opts *o, const struct model_desc *d,
           struct err *e)
{
    uint32_t longest = o->mode == PROG_DECODE ? o->cache_len : o->seq_len;

    if (o->batch == 0 || o->seq_len == 0 || longest == 0
        || (o->mode != PROG_DECODE && o->head_chunk == 0))
        return err_set(e, ERR_USAGE, "an empty batch");
    if ((uint64_t)o->batch * o->seq_len > 1u << 24)
        return err_set(e, ERR_LIMIT, "%u x %u tokens in a batch are over "
                       "the limit of 2^24", o->batch, o->seq_len);
    if ((uint64_t)o->batch * longest > UINT32_MAX)
        return err_set(e, ERR_LIMIT, "%u caches of %u positions are over the "
                       "limit of 2^32", o->batch, longest);
    if (!desc_reaches(d, longest))
        return err_set(e, ERR_USAGE, "%u tokens are more than the model's "
                       "%u %s", longest, d->max_pos, desc_positions(d));
    if (o->mode == PROG_TRAIN && o->method == METHOD_NONE)
        return err_set(e, ERR_USAGE, "nothing to train");
    if (o->method == METHOD_LORA && o->lora == NULL
        && (o->rank == 0 || o->rank > 4096))
        return err_set(e, ERR_USAGE, "bad rank (found %u, expected 1..4096)",
                       o->rank);
    return 0;
}

/* Places of experts' rows are kept exactly. */
static int
check_experts(const struct build *b)
{
    uint64_t rows = (uint64_t)b->o->batch * b->o->seq_len;

    for (uint32_t l = 0; l < b->d->n_layers; l++) {
        const struct layer_desc *y = &b->d->layer[l];

        if (y->experts > 0
            && route_rows(rows, y->top_k, y->experts, ROUTE_TILE) > 1u << 24)
            return err_set(b->e, ERR_LIMIT, "%llu tokens in a batch, each of "
                           "which goes through %u experts, are over the "
                           "limit of 2^24", (unsigned long long)rows,
                           y->top_k);
    }
    return 0;
}

/* Decoding, attention goes through a cache, in which any head will do. */
static int
check_heads(const struct build *b)
{
    uint32_t most = b->backend->head_dim;

    if (most == 0 || b->o->mode == PROG_DECODE)
        return 0;
    for (uint32_t l = 0; l < b->d->n_layers; l++) {
        const struct layer_desc *y = &b->d->layer[l];

        if (y->mixer == MIX_ATTENTION && y->head_dim > most)
            return err_set(b->e, ERR_USAGE, "heads of %u columns are more "
                           "than the %u that attention on %s takes (use "
                           "--device cpu)", y->head_dim, most,
                           b->backend->name);
    }
    return 0;
}

static void
list_ops(struct prog *p)
{
    struct op_list *l = &p->list;

    *l = (struct op_list){ .op = p->op, .n = p->n_ops, .buf = p->buf,
                           .n_bufs = p->n_bufs, .rows = p->rows,
                           .seqs = p->opts.batch,
                           .head_chunk = p->opts.mode == PROG_DECODE
                                         ? p->rows : p->opts.head_chunk };
    memcpy(l->range, p->range, sizeof(l->range));
    memcpy(l->zone_bytes, p->zone_bytes, sizeof(l->zone_bytes));
}

int
prog_build(struct prog *p, const struct model_desc *d,
           const struct prog_opts *o, const struct frozen *base,
           const struct backend *backend, struct err *e)
{
    struct build b = { .p = p, .d = d, .o = o, .base = base,
                       .backend = backend, .e = e };
    int rc;

    memset(p, 0, sizeof(*p));
    rc = check_opts(o, d, e);
    if (rc == 0)
        rc = check_experts(&b);
    if (rc == 0)
        rc = check_heads(&b);
    if (rc < 0)
        return rc;
    p->opts = *o;
    p->opts.lora = NULL;
    p->desc = d;
    p->rows = o->batch * o->seq_len;
    build_view(&b, ZONE_NONE, 0, 0, DTYPE_U8);
    b.bound = mem_array(d->n_tensors, sizeof(*b.bound));
    b.adapted = mem_array(d->n_modules, sizeof(*b.adapted));
    rc = bind_tensors(&b);
    if (rc == 0) {
        emit_ranges(&b);
        if (o->offload == OFFLOAD_ACTIVATIONS)
            build_offload(&b);
        rc = plan_scratch(&b);
    }
    if (rc == 0) {
        plan_lifetimes(&b);
        plan_place(&b);
        list_ops(p);
    }
    free(b.bound);
    free(b.adapted);
    free(b.mark);
    free(b.tape);
    if (rc < 0)
        prog_release(p);
    return rc;
}

void
prog_widen(struct prog *p, const struct prog *other)
{
    for (int z = 0; z < ZONE_COUNT; z++)
        if (other->zone_bytes[z] > p->zone_bytes[z])
            p->zone_bytes[z] = p->list.zone_bytes[z] = other->zone_bytes[z];
}

void
prog_release(struct prog *p)
{
    for (size_t i = 0; i < p->n_parts; i++)
        free(p->parts[i]);
    free(p->parts);
    free(p->op);
    free(p->buf);
    free(p->param);
    free(p->tokens);
    memset(p, 0, sizeof(*p));
}

void
prog_param_name(const struct param *p, char out[128])
{
    static const char *const end[] = {
        [PARAM_LORA_A] = "lora_A.weight",
        [PARAM_LORA_B] = "lora_B.weight",
        [PARAM_LORA_MAGNITUDE] = "lora_magnitude_vector",
        [PARAM_TOKENS] = "token_adapter.trainable_tokens_delta"
    };

    if (p->kind == PARAM_TENSOR)
        snprintf(out, 128, "%s", p->tensor->name);
    else
        snprintf(out, 128, "%s.%s", p->module->name, end[p->kind]);
}
