/* desc.c - config.json to a description.
 *
 * Numbers are collected through the family's key table into a struct config,
 * checked once, and turned into layers and modules. Whatever changes the
 * function of the model and isn't understood is refused by name.
 *
 * Limits: 512 layers, 65536 columns, 2^20 rows of vocabulary, 256 heads.
 */
#include "model/desc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "kernels/ops.h"
#include "model/family.h"

#define MAX_LAYERS 512
#define MAX_DIM 65536
#define MAX_VOCAB (1u << 20)
#define MAX_HEADS 256

struct source {
    const cJSON *root;
    const char *where;
    struct err *e;
};

static const struct {
    const char *name;
    uint8_t kind;
} acts[] = {
    { "gelu_new", ACT_GELU_TANH },
    { "gelu_pytorch_tanh", ACT_GELU_TANH },
    { "gelu_fast", ACT_GELU_TANH },
    { "gelu", ACT_GELU_ERF },
    { "silu", ACT_SILU },
    { "swish", ACT_SILU },
    { "relu", ACT_RELU },
};

static bool
is_set(const cJSON *v)
{
    return v != NULL && !cJSON_IsNull(v);
}

/* The key at the top, or inside transformers 5's rope_parameters. */
static const cJSON *
key_find(const struct source *s, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(s->root, key);
    const cJSON *rope;

    if (is_set(v))
        return v;
    rope = cJSON_GetObjectItemCaseSensitive(s->root, "rope_parameters");
    v = cJSON_GetObjectItemCaseSensitive(rope, key);
    return is_set(v) ? v : NULL;
}

static int
read_numbers(const struct source *s, const struct family *f,
             struct config *c)
{
    for (const struct cfg_key *k = f->keys; k->key != NULL; k++) {
        double *field = (double *)((char *)c + k->offset);
        const cJSON *v = key_find(s, k->key);

        *field = k->def;
        if (v == NULL)
            continue;
        if (cJSON_IsBool(v))
            *field = cJSON_IsTrue(v);
        else if (cJSON_IsNumber(v) && isfinite(v->valuedouble))
            *field = v->valuedouble;
        else
            return err_set(s->e, ERR_DATA, "%s: %s is not a number",
                           s->where, k->key);
    }
    return 0;
}

/* A rope scaling other than "default" changes every angle. */
static int
check_rope(const struct source *s)
{
    static const char *const holders[] = { "rope_scaling",
                                           "rope_parameters" };

    for (size_t i = 0; i < 2; i++) {
        const cJSON *h = cJSON_GetObjectItemCaseSensitive(s->root,
                                                          holders[i]);
        const cJSON *t = cJSON_GetObjectItemCaseSensitive(h, "rope_type");

        if (!is_set(h))
            continue;
        if (!is_set(t))
            t = cJSON_GetObjectItemCaseSensitive(h, "type");
        if (cJSON_IsString(t) && strcmp(t->valuestring, "default") != 0)
            return err_set(s->e, ERR_DATA,
                           "%s: rope scaling '%s' is not supported",
                           s->where, t->valuestring);
        if (!is_set(t) && i == 0)
            return err_set(s->e, ERR_DATA, "%s: rope_scaling has no type",
                           s->where);
    }
    return 0;
}

static int
check_refused(const struct source *s, const struct family *f)
{
    for (const char *const *k = f->refused; *k != NULL; k++) {
        bool want = **k == '!';
        const char *key = *k + want;
        const cJSON *v = key_find(s, key);

        if (v != NULL && cJSON_IsTrue(v) != want)
            return err_set(s->e, ERR_DATA, "%s: %s is not supported",
                           s->where, key);
    }
    return 0;
}

static int
read_act(const struct source *s, const struct family *f, uint8_t *act)
{
    const cJSON *v = key_find(s, f->act_key);
    const char *name = cJSON_IsString(v) ? v->valuestring : f->act;

    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(acts[i].name, name) == 0) {
            *act = acts[i].kind;
            return 0;
        }
    }
    return err_set(s->e, ERR_DATA, "%s: activation '%s' is not supported",
                   s->where, name);
}

/* A whole number in [min, max]. */
static int
check_count(const struct source *s, const char *what, double v, double min,
            double max)
{
    if (v >= min && v <= max && v == floor(v))
        return 0;
    return err_set(s->e, ERR_DATA, "%s: bad %s (found %g, expected %g..%g)",
                   s->where, what, v, min, max);
}

/* Fills in what is derived and checks that the sizes fit together. */
static int
check_config(const struct source *s, struct config *c)
{
    const char *w = s->where;
    int rc = 0;

    if (rc == 0)
        rc = check_count(s, "vocabulary size", c->vocab, 1, MAX_VOCAB);
    if (rc == 0)
        rc = check_count(s, "hidden size", c->dim, 1, MAX_DIM);
    if (rc == 0)
        rc = check_count(s, "number of layers", c->n_layers, 1, MAX_LAYERS);
    if (rc == 0)
        rc = check_count(s, "number of heads", c->heads, 1, MAX_HEADS);
    if (rc < 0)
        return rc;
    if (c->kv_heads == 0)
        c->kv_heads = c->heads;
    if (c->ff_dim == 0)
        c->ff_dim = 4 * c->dim;
    if (c->head_dim == 0 && fmod(c->dim, c->heads) != 0)
        return err_set(s->e, ERR_DATA,
                       "%s: %g columns don't divide into %g heads", w,
                       c->dim, c->heads);
    if (c->head_dim == 0)
        c->head_dim = c->dim / c->heads;
    if (c->kv_heads < 1 || fmod(c->heads, c->kv_heads) != 0)
        return err_set(s->e, ERR_DATA,
                       "%s: %g heads don't divide over %g key heads", w,
                       c->heads, c->kv_heads);
    if (rc == 0)
        rc = check_count(s, "head size", c->head_dim, 1, 1024);
    if (rc == 0)
        rc = check_count(s, "feed-forward size", c->ff_dim, 1,
                         16.0 * MAX_DIM);
    if (rc == 0)
        rc = check_count(s, "number of positions", c->max_pos, 1, 1 << 24);
    if (rc == 0)
        rc = check_count(s, "sliding window", c->window, 0, 1 << 30);
    if (rc == 0 && !(c->eps > 0 && c->eps < 1 && c->theta >= 0
                     && c->rotary > 0 && c->rotary <= 1
                     && c->init_range >= 0 && c->init_range < 100))
        rc = err_set(s->e, ERR_DATA,
                     "%s: epsilon, theta, rotary factor or initializer "
                     "range out of bounds", w);
    return rc;
}

/* transformers 5 may say it layer by layer; else it is a rule. */
static bool
layer_slides(const struct source *s, const struct config *c, uint32_t l)
{
    const cJSON *types = cJSON_GetObjectItemCaseSensitive(s->root,
                                                          "layer_types");
    const cJSON *t = cJSON_GetArrayItem(types, (int)l);

    if (cJSON_IsString(t))
        return strcmp(t->valuestring, "sliding_attention") == 0;
    return c->use_window != 0 && l >= c->window_from;
}

static void
fill_layers(struct model_desc *d, const struct source *s,
            const struct config *c)
{
    d->layer = mem_array(d->n_layers, sizeof(*d->layer));
    for (uint32_t l = 0; l < d->n_layers; l++) {
        struct layer_desc *y = &d->layer[l];

        y->ffn = d->family->ffn;
        y->heads = (uint32_t)c->heads;
        y->kv_heads = (uint32_t)c->kv_heads;
        y->head_dim = (uint32_t)c->head_dim;
        y->ff_dim = (uint32_t)c->ff_dim;
        if (c->window > 0 && layer_slides(s, c, l))
            y->window = (uint32_t)c->window;
    }
}

/* Columns in and out of a role's matrix; a norm has in 0. */
static void
role_shape(const struct model_desc *d, enum role role, uint32_t layer,
           struct module *m)
{
    const struct layer_desc *y = &d->layer[layer];
    uint32_t q = y->heads * y->head_dim, kv = y->kv_heads * y->head_dim;

    m->in = d->dim;
    m->out = d->dim;
    switch (role) {
    case ROLE_EMBED:
    case ROLE_HEAD: m->out = d->vocab; break;
    case ROLE_POS:  m->out = d->max_pos; break;
    case ROLE_QKV:  m->out = q + 2 * kv; break;
    case ROLE_Q:    m->out = q; break;
    case ROLE_K:
    case ROLE_V:    m->out = kv; break;
    case ROLE_O:    m->in = q; break;
    case ROLE_GATE:
    case ROLE_UP:   m->out = y->ff_dim; break;
    case ROLE_DOWN: m->in = y->ff_dim; break;
    default:        m->in = 0; break;
    }
}

static bool
role_in_layer(enum role role)
{
    return role >= ROLE_NORM1 && role <= ROLE_DOWN;
}

static void
add_module(struct model_desc *d, const struct config *c,
           const struct wt_name *w, uint32_t layer)
{
    struct module *m = &d->module[d->n_modules++];
    const char *body = w->role == ROLE_HEAD ? "" : d->family->body;
    char prefix[32] = "";

    if (role_in_layer(w->role))
        /* layers is a constant of the family table: "layers.%u." */
        snprintf(prefix, sizeof(prefix), d->family->layers, layer);
    snprintf(m->name, sizeof(m->name), "%s%s%s", body, prefix, w->name);
    m->role = w->role;
    m->layer = layer;
    m->in_out = w->in_out;
    m->shared = w->role == ROLE_HEAD && d->tied;
    m->bias = w->bias == BIAS_ALWAYS
              || (w->bias == BIAS_ATTN && c->attn_bias != 0)
              || (w->bias == BIAS_MLP && c->mlp_bias != 0);
    role_shape(d, w->role, layer, m);
}

/* One module a name outside the layers, n_layers for one inside. */
static void
fill_modules(struct model_desc *d, const struct config *c)
{
    const struct wt_name *names = d->family->names, *inside, *w;
    size_t n = 0;

    for (w = names; w->name != NULL; w++)
        n++;
    d->module = mem_array(n * d->n_layers, sizeof(*d->module));
    for (w = names; w->name != NULL && !role_in_layer(w->role); w++)
        add_module(d, c, w, 0);
    inside = w;
    for (uint32_t l = 0; l < d->n_layers; l++) {
        for (w = inside; w->name != NULL && role_in_layer(w->role); w++)
            add_module(d, c, w, l);
    }
    for (; w->name != NULL; w++)
        add_module(d, c, w, 0);
}

static int
fill_desc(struct model_desc *d, const struct source *s, struct config *c)
{
    const struct family *f = d->family;
    int rc;

    c->rotary = 1;
    c->use_window = 1;
    rc = read_numbers(s, f, c);
    if (rc == 0)
        rc = check_rope(s);
    if (rc == 0)
        rc = check_refused(s, f);
    if (rc == 0)
        rc = read_act(s, f, &d->act);
    if (rc == 0)
        rc = check_config(s, c);
    if (rc < 0)
        return rc;
    d->vocab = (uint32_t)c->vocab;
    d->dim = (uint32_t)c->dim;
    d->n_layers = (uint32_t)c->n_layers;
    d->max_pos = (uint32_t)c->max_pos;
    d->norm = f->norm;
    d->pos = f->pos;
    d->parallel = f->parallel;
    d->tied = c->tied != 0;
    d->eps = (float)c->eps;
    d->rope_theta = (float)c->theta;
    d->init_range = (float)c->init_range;
    if (d->pos == POS_ROTARY)
        d->rope_dim = (uint32_t)(c->head_dim * c->rotary);
    if (d->rope_dim % 2 != 0)
        return err_set(s->e, ERR_DATA,
                       "%s: %u rotary columns are not a pair of halves",
                       s->where, d->rope_dim);
    fill_layers(d, s, c);
    fill_modules(d, c);
    return 0;
}

int
desc_read(struct model_desc *d, const char *text, size_t n,
          const char *where, struct err *e)
{
    struct config c = { 0 };
    struct source s = { NULL, where, e };
    cJSON *root = NULL;
    const cJSON *type;
    int rc;

    memset(d, 0, sizeof(*d));
    rc = json_user(&root, text, n, where, e);
    if (rc < 0)
        return rc;
    s.root = root;
    type = cJSON_GetObjectItemCaseSensitive(root, "model_type");
    if (!cJSON_IsString(type)) {
        rc = err_set(e, ERR_DATA, "%s: no model_type", where);
        goto out;
    }
    d->family = family_find(type->valuestring);
    if (d->family == NULL) {
        rc = err_set(e, ERR_DATA, "%s: unknown model_type '%s'", where,
                     type->valuestring);
        goto out;
    }
    rc = fill_desc(d, &s, &c);
out:
    cJSON_Delete(root);
    if (rc < 0)
        desc_release(d);
    return rc;
}

void
desc_release(struct model_desc *d)
{
    free(d->layer);
    free(d->module);
    memset(d, 0, sizeof(*d));
}

const struct module *
desc_module(const struct model_desc *d, enum role role, uint32_t layer)
{
    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module *m = &d->module[i];

        if (m->role == role
            && (!role_in_layer(role) || m->layer == layer))
            return m;
    }
    return NULL;
}

uint64_t
desc_params(const struct model_desc *d)
{
    uint64_t n = 0;

    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module *m = &d->module[i];

        if (!m->shared)
            n += (uint64_t)m->out * (m->in ? m->in : 1);
        n += m->bias ? m->out : 0;
    }
    return n;
}
