/* bind.c - base tensors and trainable parameters to views.
 *
 * The parameters are one flat vector in the STATE zone, matrices first (they
 * alone decay), each on a 64-byte boundary of floats; the gradients are a
 * second vector of the same layout, so is each moment of AdamW.
 */
#include "model/build.h"

#include <string.h>

#include "base/mem.h"
#include "model/base.h"
#include "model/family.h"
#include "tensor/stored.h"

#define FLAT_ALIGN 16 /* elements */

static bool
is_linear(const struct module *m)
{
    return m->role >= ROLE_QKV && m->role <= ROLE_DOWN
           && m->role != ROLE_NORM2;
}

/* PEFT's rule for one name of target_modules. */
static bool
name_matches(const char *module, const char *target)
{
    size_t n = strlen(module), k = strlen(target);

    if (k > n || strcmp(module + n - k, target) != 0)
        return false;
    return k == n || module[n - k - 1] == '.';
}

static bool
is_target(const struct prog_opts *o, const struct module *m)
{
    if (!is_linear(m))
        return false;
    for (size_t i = 0; i < o->n_targets; i++) {
        if (name_matches(m->name, o->targets[i]))
            return true;
    }
    return o->n_targets == 0;
}

static int
check_targets(struct build *b)
{
    const struct model_desc *d = b->d;

    for (size_t i = 0; i < b->o->n_targets; i++) {
        bool hit = false;

        for (size_t j = 0; j < d->n_modules && !hit; j++)
            hit = is_linear(&d->module[j])
                  && name_matches(d->module[j].name, b->o->targets[i]);
        if (!hit)
            return err_set(b->e, ERR_USAGE,
                           "target '%s' is no linear module of a %s layer",
                           b->o->targets[i], d->family->model_type);
    }
    return 0;
}

static void
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
    q->decay = kind >= PARAM_LORA_A || (kind == PARAM_WEIGHT && m->in > 0);
    p->n_trainable += q->n;
}

static void
add_params(struct build *b, const struct module *m)
{
    if (b->o->method == METHOD_LORA && is_target(b->o, m)) {
        add_param(b, m, PARAM_LORA_A, b->o->rank, m->in);
        add_param(b, m, PARAM_LORA_B, m->out, b->o->rank);
    }
    if (b->o->method != METHOD_FULL)
        return;
    if (m->in == 0)
        add_param(b, m, PARAM_WEIGHT, 1, m->out);
    else if (m->in_out)
        add_param(b, m, PARAM_WEIGHT, m->in, m->out);
    else if (!m->shared)
        add_param(b, m, PARAM_WEIGHT, m->out, m->in);
    if (m->bias)
        add_param(b, m, PARAM_BIAS, 1, m->out);
}

/* Offsets: what decays first, the rest after. */
static void
lay_flat(struct prog *p)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < p->n_params; i++) {
            struct param *q = &p->param[i];

            if (q->decay != (pass == 0))
                continue;
            q->off = p->n_flat;
            p->n_flat = size_round(p->n_flat + q->n, FLAT_ALIGN);
        }
    }
}

static int
make_params(struct build *b)
{
    struct prog *p = b->p;
    bool train = b->o->mode == PROG_TRAIN;

    p->param = mem_array(4 * b->d->n_modules, sizeof(*p->param));
    for (size_t i = 0; i < b->d->n_modules; i++)
        add_params(b, &b->d->module[i]);
    lay_flat(p);
    if (p->n_flat == 0)
        return 0;
    if (p->n_flat > UINT32_MAX)
        return err_set(b->e, ERR_LIMIT,
                       "%llu trainable parameters are over the limit of "
                       "2^32", (unsigned long long)p->n_flat);
    p->params = build_view(b, ZONE_STATE, 1, (uint32_t)p->n_flat,
                           DTYPE_REAL);
    if (!train)
        return 0;
    p->grads = build_view(b, ZONE_STATE, 1, (uint32_t)p->n_flat,
                          DTYPE_REAL);
    if (b->o->optimizer == OPT_ADAMW) {
        p->m = build_view(b, ZONE_STATE, 1, (uint32_t)p->n_flat,
                          DTYPE_REAL);
        p->v = build_view(b, ZONE_STATE, 1, (uint32_t)p->n_flat,
                          DTYPE_REAL);
    }
    return 0;
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
bind_params(struct build *b)
{
    struct prog *p = b->p;

    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];
        struct bound *t = &b->bound[q->module - b->d->module];
        struct view v = flat_view(p->params, q);
        struct view g = flat_view(p->grads, q);

        switch (q->kind) {
        case PARAM_WEIGHT: t->w = v; t->grad_w = g; break;
        case PARAM_BIAS:   t->bias = v; t->grad_bias = g; break;
        case PARAM_LORA_A: t->a = v; t->grad_a = g; break;
        default:           t->b = v; t->grad_b = g; break;
        }
    }
}

/* A buffer over a tensor of the base, and its view. */
static struct view
base_view(struct build *b, const void *data, uint64_t rows, uint64_t cols,
          uint8_t dtype)
{
    struct view v = build_view(b, ZONE_BASE, (uint32_t)rows, (uint32_t)cols,
                               dtype);

    b->p->buf[v.buf].source = data;
    return v;
}

/* Module m's NAME.weight or NAME.bias. Trained: checked, but not a view. */
static int
bind_tensor(struct build *b, const struct module *m, const char *suffix)
{
    struct bound *s = &b->bound[m - b->d->module];
    const struct stored *stored;
    const struct weight *t;
    uint64_t rows, cols;
    int rc = base_find(&t, b->w, b->d, m, suffix, b->e);

    if (rc == 0)
        rc = base_check_type(b->w, t, b->e);
    if (rc < 0)
        return rc;
    if (b->o->method == METHOD_FULL)
        return dtype_is_float(t->dtype) ? 0
               : err_set(b->e, ERR_USAGE, "%s: full training needs a "
                         "floating-point base (%s is %s)", b->w->path,
                         t->name, stored_of(t->dtype)->name);
    rows = t->n_dims == 2 ? t->shape[0] : 1;
    cols = t->shape[t->n_dims - 1];
    if (strcmp(suffix, ".bias") == 0) {
        s->bias = base_view(b, t->data, rows, cols, t->dtype);
        return 0;
    }
    s->w = base_view(b, t->data, rows, cols, t->dtype);
    stored = stored_of(t->dtype);
    if (stored->side_dtype != DTYPE_NONE)
        s->w.side = base_view(b, t->scale, rows, stored_blocks(stored, cols),
                              stored->side_dtype).buf;
    return 0;
}

/* A tied head reads, and trains, the embedding. */
static void
bind_shared(struct build *b)
{
    const struct module *m = b->d->module;
    const struct bound *table = &b->bound[desc_module(b->d, ROLE_EMBED, 0)
                                          - m];

    for (size_t i = 0; i < b->d->n_modules; i++) {
        if (!m[i].shared)
            continue;
        b->bound[i].w = table->w;
        b->bound[i].grad_w = table->grad_w;
    }
}

int
bind_modules(struct build *b)
{
    int rc = 0;

    if (b->o->method == METHOD_LORA)
        rc = check_targets(b);
    if (rc == 0)
        rc = make_params(b);
    for (size_t i = 0; i < b->d->n_modules && rc == 0; i++) {
        const struct module *m = &b->d->module[i];

        if (!m->shared)
            rc = bind_tensor(b, m, ".weight");
        if (rc == 0 && m->bias)
            rc = bind_tensor(b, m, ".bias");
    }
    if (rc < 0)
        return rc;
    bind_params(b);
    bind_shared(b);
    return 0;
}
