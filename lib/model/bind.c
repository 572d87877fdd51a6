/* bind.c - base tensors, constants and trainable parameters to views.
 *
 * The parameters are one flat vector in the STATE zone, group by group (see
 * param_group; matrices, which alone decay, first), each on a 64-byte boundary
 * of floats; the gradients are a second vector of the same layout, so is each
 * moment of AdamW. Those whose moments have 8 bits come before the others, each
 * on the boundary of a block; and so do those that Muon moves.
 */
#include "model/build.h"

#include <string.h>

#include "base/mem.h"
#include "model/family.h"
#include "tensor/dynamic8.h"
#include "tensor/stored.h"

/* What module i gets. */
static struct lora_part
lora_part_of(const struct build *b, size_t i)
{
    const struct prog_opts *o = b->o;

    if (o->lora != NULL)
        return o->lora[i];
    return (struct lora_part){
        .rank = module_is_linear(b->d, &b->d->module[i]) ? o->rank : 0,
        .scale = o->alpha / (float)o->rank
    };
}

/* Whether tensor i of the description is a parameter. */
static bool
is_trained(const struct build *b, size_t i)
{
    const struct lora_part *lora = b->o->lora;

    return b->o->method == METHOD_FULL
           || (b->o->method == METHOD_LORA && lora != NULL
               && lora[b->d->tensor[i].module].whole);
}

static struct param *
add_param(struct build *b, const struct module *m, enum param_kind kind,
          uint32_t rows, uint32_t cols)
{
    struct prog *p = b->p;
    struct param *q = &p->param[p->n_params++];

    q->module = m;
    q->kind = kind;
    q->rows = rows;
    q->cols = cols;
    q->n = (uint64_t)rows * cols;
    q->decay = true;
    p->n_trainable += q->n;
    return q;
}

static void
add_adapter(struct build *b, size_t i)
{
    const struct module *m = &b->d->module[i];
    struct lora_part lora = lora_part_of(b, i);
    struct param *q;

    if (lora.rank == 0)
        return;
    b->adapted[i].scale = lora.scale;
    q = add_param(b, m, PARAM_LORA_A, lora.rank, m->in);
    q->fixed = lora.c;
    q->scale = lora.scale;
    q = add_param(b, m, PARAM_LORA_B, m->out, lora.rank);
    q->fixed = lora.d;
    q->scale = lora.scale;
    if (lora.dora)
        add_param(b, m, PARAM_LORA_MAGNITUDE, 1, m->out)->decay = false;
}

static void
add_tensor(struct build *b, const struct model_tensor *t)
{
    struct param *q = add_param(b, &b->d->module[t->module], PARAM_TENSOR,
                                t->rows, t->cols);

    q->tensor = t;
    q->decay = t->flags & TENSOR_DECAYS;
}

/* Rows of weights, of modules that have them; the ids are copied. */
static void
add_tokens(struct build *b)
{
    const struct lora_part *lora = b->o->lora;
    struct prog *p = b->p;
    size_t n = 0;

    for (size_t i = 0; i < b->d->n_modules; i++)
        n += lora[i].n_tokens;
    p->tokens = mem_array(n + 1, sizeof(*p->tokens));
    n = 0;
    for (size_t i = 0; i < b->d->n_modules; i++) {
        const struct model_tensor *t;
        struct param *q;

        if (lora[i].n_tokens == 0)
            continue;
        t = &b->d->tensor[b->d->module[i].weight];
        q = add_param(b, &b->d->module[i], PARAM_TOKENS, lora[i].n_tokens,
                      t->cols);
        q->tensor = t;
        q->token = memcpy(p->tokens + n, lora[i].token,
                          q->rows * sizeof(*p->tokens));
        q->decay = t->flags & TENSOR_DECAYS;
        n += q->rows;
    }
}

/* A, B, A, B in the order of the modules; then the tensors in theirs, and the
 * rows of such. */
static void
add_params(struct build *b)
{
    const struct model_desc *d = b->d;
    bool lora = b->o->method == METHOD_LORA;

    for (size_t i = 0; i < d->n_modules && lora; i++)
        add_adapter(b, i);
    for (size_t i = 0; i < d->n_tensors; i++)
        if (is_trained(b, i))
            add_tensor(b, &d->tensor[i]);
    if (lora && b->o->lora != NULL)
        add_tokens(b);
}

enum param_group
param_group(const struct prog_opts *o, const struct param *q)
{
    if (!q->decay)
        return PARAMS_PLAIN;
    return q->kind == PARAM_LORA_B && o->lr_ratio > 0
           && (o->lr_ratio < 1 || o->lr_ratio > 1) ? PARAMS_FASTER
                                                   : PARAMS_DECAY;
}

enum param_state
param_state(const struct prog_opts *o, const struct param *q)
{
    if (o->optimizer == OPT_ADAMW8 && q->n >= ADAMW8_LEAST)
        return STATE_EIGHT;
    return o->optimizer == OPT_MUON && q->kind == PARAM_TENSOR
           && q->tensor->n_dims == 2 && q->tensor->flags & TENSOR_LINEAR
           && !(q->tensor->flags & TENSOR_EXACT) ? STATE_MUON : STATE_WHOLE;
}

/* Offsets: group by group. */
static void
lay_groups(struct prog *p, enum param_state state, uint64_t align)
{
    for (int group = 0; group < PARAM_GROUPS; group++) {
        for (size_t i = 0; i < p->n_params; i++) {
            struct param *q = &p->param[i];

            if ((int)param_group(&p->opts, q) != group
                || param_state(&p->opts, q) != state)
                continue;
            q->off = p->n_flat;
            p->n_flat = size_round(p->n_flat + q->n, align);
        }
    }
}

static void
lay_flat(struct prog *p)
{
    lay_groups(p, STATE_EIGHT, DYNAMIC8_BLOCK);
    p->n_eight = p->n_flat;
    lay_groups(p, STATE_MUON, FLAT_ALIGN);
    p->n_muon = p->n_flat - p->n_eight;
    lay_groups(p, STATE_WHOLE, FLAT_ALIGN);
}

/* Of DoRA's norms, as they are in p->norms; elements of them all. */
static uint64_t
lay_norms(struct prog *p)
{
    uint64_t n = 0;

    for (size_t i = 0; i < p->n_params; i++) {
        if (p->param[i].kind != PARAM_LORA_MAGNITUDE)
            continue;
        p->param[i].norm = n;
        n = size_round(n + p->param[i].n, FLAT_ALIGN);
    }
    return n;
}

/* Right after the parameters, wherever these are. */
static void
make_norms(struct build *b)
{
    uint64_t n = lay_norms(b->p);

    if (n > 0)
        b->p->norms = build_view(b, ZONE_STATE, 1, (uint32_t)n, DTYPE_REAL);
}

/* A vector of the optimiser's state; absent where it would be empty. */
static struct view
state_view(struct build *b, uint64_t n, uint8_t dtype)
{
    return n > 0 ? build_view(b, ZONE_STATE, 1, (uint32_t)n, dtype)
                 : (struct view){ 0 };
}

static int
make_moments(struct build *b)
{
    struct prog *p = b->p;
    uint64_t rest = p->n_flat - p->n_eight;
    uint64_t blocks = p->n_eight / DYNAMIC8_BLOCK;

    if (b->o->optimizer == OPT_SGD)
        return 0;
    p->m = state_view(b, rest, DTYPE_REAL);
    p->v = state_view(b, rest - p->n_muon, DTYPE_REAL);
    p->m8 = state_view(b, p->n_eight, DTYPE_U8);
    p->v8 = state_view(b, p->n_eight, DTYPE_U8);
    p->m_scale = state_view(b, blocks, DTYPE_REAL);
    p->v_scale = state_view(b, blocks, DTYPE_REAL);
    return 0;
}

static int
make_params(struct build *b)
{
    struct prog *p = b->p;
    bool train = b->o->mode == PROG_TRAIN;

    p->param = mem_array(3 * b->d->n_modules, sizeof(*p->param));
    add_params(b);
    lay_flat(p);
    if (p->n_flat == 0)
        return 0;
    if (p->n_flat > UINT32_MAX)
        return err_set(b->e, ERR_LIMIT,
                       "%llu trainable parameters are over the limit of "
                       "2^32", (unsigned long long)p->n_flat);
    p->params = build_view(b, ZONE_STATE, 1, (uint32_t)p->n_flat,
                           DTYPE_REAL);
    make_norms(b);
    if (!train)
        return 0;
    p->grads = build_view(b, ZONE_STATE, 1, (uint32_t)p->n_flat,
                          DTYPE_REAL);
    return make_moments(b);
}

/* A view of q in a flat vector; absent if the vector is. */
static struct view
flat_view(struct view flat, const struct param *q)
{
    struct view v = { flat.buf, q->rows, q->cols, q->cols, q->off,
                      flat.dtype };
    const struct view none = { 0 };

    return flat.buf ? v : none;
}

static void
bind_magnitude(struct adapted *m, const struct prog *p,
               const struct param *q, struct bound v)
{
    m->magnitude = v;
    m->norm = view_part(p->norms, q->norm, q->n);
}

static void
bind_params(struct build *b)
{
    struct prog *p = b->p;

    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];
        struct adapted *m = &b->adapted[q->module - b->d->module];
        struct bound v = { flat_view(p->params, q), flat_view(p->grads, q) };

        if (q->kind == PARAM_LORA_A)
            m->a = v;
        else if (q->kind == PARAM_LORA_B)
            m->b = v;
        else if (q->kind == PARAM_LORA_MAGNITUDE)
            bind_magnitude(m, p, q, v);
        else if (q->kind == PARAM_TOKENS)
            m->rows = v;
        else
            b->bound[q->tensor - b->d->tensor] = v;
    }
}

/* A buffer over a tensor of the base, and its view; dtype is what the back
 * end has it as. */
static struct view
base_view(struct build *b, const void *data, uint8_t data_dtype,
          uint64_t rows, uint64_t cols, uint8_t dtype)
{
    struct view v = build_view(b, ZONE_BASE, (uint32_t)rows, (uint32_t)cols,
                               dtype);
    struct tensor_buf *t = &b->p->buf[v.buf];

    t->source = data;
    t->source_dtype = data_dtype;
    t->dtype = dtype;
    return v;
}

/* Vectors, which are added and multiplied by in floats, stay as they are. */
static uint8_t
dtype_there(const struct build *b, size_t i)
{
    uint8_t dtype = b->base->tensor[i].dtype;
    bool matrix = b->d->tensor[i].n_dims == 2;

    return b->backend->operand != DTYPE_NONE && matrix
           && dtype_is_float(dtype) ? b->backend->operand : dtype;
}

/* Tensor i of the description. Trained: checked, but not a view. */
static int
bind_tensor(struct build *b, size_t i)
{
    const struct model_tensor *own = &b->d->tensor[i];
    const struct frozen_tensor *t = &b->base->tensor[i];
    const struct stored *stored = stored_of(t->dtype);
    struct view *v = &b->bound[i].v;
    struct prog *p = b->p;

    if (b->o->method == METHOD_FULL && !dtype_is_float(t->dtype))
        return err_set(b->e, ERR_USAGE, "%s: full training needs a "
                       "floating-point base (%s is %s)", b->base->path,
                       t->name, stored->name);
    if (is_trained(b, i))
        return 0;
    *v = base_view(b, t->data, t->dtype, own->rows, own->cols,
                   dtype_there(b, i));
    if (stored->side_dtype != DTYPE_NONE)
        v->side = base_view(b, t->side, stored->side_dtype, own->rows,
                            stored_blocks(stored, own->cols),
                            stored->side_dtype).buf;
    p->base_bytes += p->buf[v->buf].bytes + p->buf[v->side].bytes;
    return 0;
}

/* The frozen matrices of adapters count as the base's. */
static void
bind_fixed(struct build *b)
{
    for (size_t i = 0; i < b->p->n_params; i++) {
        const struct param *q = &b->p->param[i];
        struct adapted *m;
        struct view v;

        if (q->fixed == NULL)
            continue;
        m = &b->adapted[q->module - b->d->module];
        v = base_view(b, q->fixed, DTYPE_F32, q->rows, q->cols, DTYPE_F32);
        b->p->base_bytes += b->p->buf[v.buf].bytes;
        if (q->kind == PARAM_LORA_A)
            m->c = v;
        else
            m->d = v;
    }
}

static void
bind_tokens(struct build *b)
{
    for (size_t i = 0; i < b->p->n_params; i++) {
        const struct param *q = &b->p->param[i];

        if (q->kind == PARAM_TOKENS)
            b->adapted[q->module - b->d->module].tokens
                = base_view(b, q->token, DTYPE_I32, 1, q->rows, DTYPE_I32);
    }
}

/* Constants of the description, beside the base's tensors. */
static void
bind_rope(struct build *b)
{
    for (size_t i = 0; i < MODEL_ROPES; i++) {
        const struct rope_desc *r = &b->d->rope[i];

        if (r->pairs > 0)
            b->rope[i] = base_view(b, r->freq, DTYPE_F32, 1, r->pairs,
                                   DTYPE_F32);
    }
}

const struct bound *
bound_tensor(const struct build *b, uint32_t i)
{
    static const struct bound none;

    return i == NO_TENSOR ? &none : &b->bound[i];
}

int
bind_tensors(struct build *b)
{
    int rc = 0;

    if (b->o->method == METHOD_FULL && b->d->turned)
        rc = err_set(b->e, ERR_USAGE, "%s: full training of a %s with "
                     "fan_in_fan_out false would make no model that "
                     "transformers reads", b->base->path,
                     b->d->family->model_type);
    if (rc == 0)
        rc = make_params(b);
    for (size_t i = 0; i < b->d->n_tensors && rc == 0; i++)
        rc = bind_tensor(b, i);
    if (rc == 0)
        bind_params(b);
    if (rc == 0) {
        bind_fixed(b);
        bind_tokens(b);
        bind_rope(b);
    }
    return rc;
}
