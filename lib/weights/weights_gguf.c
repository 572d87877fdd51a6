/* weights_gguf.c - a base from a GGUF file.
 *
 * Its keys become a config.json (gguf_config.c), the config a description,
 * and each tensor gets the name of the module that it stands for there: so
 * whatever is above sees a model directory's tensors. Shapes are the file's
 * dimensions, the last one first. Nothing of the data is read.
 *
 * A tensor that no module has is an error: it would change the model. q, k and
 * v in one matrix, one below the other, are three tensors, each a part of it;
 * the matrices of all experts are one for each.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/family.h"
#include "weights/gguf_config.h"
#include "weights/gguf_tokenizer.h"
#include "weights/weights_source.h"

/* What llama.cpp calls the modules; those of a layer below "blk.N.". */
static const struct {
    const char *name;
    uint8_t role;
    bool in_layer;
} names[] = {
    { "token_embd", ROLE_EMBED, false },
    { "position_embd", ROLE_POS, false },
    { "output_norm", ROLE_NORM_F, false },
    { "output", ROLE_HEAD, false },
    { "attn_norm", ROLE_NORM1, true },
    { "attn_qkv", ROLE_QKV, true },
    { "attn_q", ROLE_Q, true },
    { "attn_k", ROLE_K, true },
    { "attn_v", ROLE_V, true },
    { "attn_q_norm", ROLE_Q_NORM, true },
    { "attn_k_norm", ROLE_K_NORM, true },
    { "attn_output", ROLE_O, true },
    { "post_attention_norm", ROLE_POST1, true },
    { "ffn_norm", ROLE_NORM2, true },
    { "ffn_gate", ROLE_GATE, true },
    { "ffn_up", ROLE_UP, true }, /* that is what files are read as */
    { "ffn_up", ROLE_GATE_UP, true },
    { "ffn_down", ROLE_DOWN, true },
    { "ffn_gate_inp", ROLE_ROUTER, true },
    { "ffn_gate_exps", ROLE_EXPERT_GATE, true }, /* these: of all experts */
    { "ffn_up_exps", ROLE_EXPERT_UP, true },
    { "ffn_down_exps", ROLE_EXPERT_DOWN, true },
    { "post_ffw_norm", ROLE_POST2, true },
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* A tensor's name, taken apart. */
struct place {
    uint8_t role;
    uint32_t layer;
    bool bias;
};

/* The number at *p, which it takes with the dot behind it; UINT32_MAX where
 * there is none below 10^6. */
static uint32_t
take_layer(const char **p, const char *end)
{
    uint32_t layer = 0;
    const char *q = *p;

    while (q < end && *q >= '0' && *q <= '9' && q - *p < 6)
        layer = 10 * layer + (uint32_t)(*q++ - '0');
    if (q == *p || q == end || *q != '.' || (**p == '0' && q - *p > 1))
        return UINT32_MAX;
    *p = q + 1;
    return layer;
}

/* Whether name is that of a module that llama.cpp knows. */
static bool
find_place(struct place *at, struct gguf_text name)
{
    const char *p = name.p, *end = p + name.n, *dot;
    bool in_layer = name.n > 4 && memcmp(p, "blk.", 4) == 0;

    at->layer = 0;
    if (in_layer) {
        p += 4;
        at->layer = take_layer(&p, end);
    }
    dot = memchr(p, '.', (size_t)(end - p));
    if (dot == NULL || at->layer == UINT32_MAX)
        return false;
    at->bias = gguf_text_is((struct gguf_text){ dot, (size_t)(end - dot) },
                            ".bias");
    if (!at->bias
        && !gguf_text_is((struct gguf_text){ dot, (size_t)(end - dot) },
                         ".weight"))
        return false;
    for (size_t i = 0; i < N_NAMES; i++)
        if (names[i].in_layer == in_layer
            && gguf_text_is((struct gguf_text){ p, (size_t)(dot - p) },
                            names[i].name)) {
            at->role = names[i].role;
            return true;
        }
    return false;
}

static void
put_name(struct buf *name, const struct module *m)
{
    size_t i = 0;

    while (names[i].role != m->role)
        i++; /* every role has a name */
    if (names[i].in_layer)
        buf_addf(name, "blk.%u.", m->layer);
    buf_addstr(name, names[i].name);
}

void
gguf_weight_name(struct buf *name, const struct module *m)
{
    put_name(name, m);
    buf_addstr(name, ".weight");
}

void
gguf_bias_name(struct buf *name, const struct module *m)
{
    put_name(name, m);
    buf_addstr(name, ".bias");
}

/* What a file is opened with. */
struct opening {
    struct weights *w;
    const struct gguf_arch *arch;
    const struct model_desc *desc;
    struct err *e;
};

static int
no_place(const struct opening *o, const struct gguf_tensor *t)
{
    return err_set(o->e, ERR_DATA, "%s: tensor %.*s has no place in a %s "
                   "model of %u layers", o->w->path, (int)t->name.n,
                   t->name.p, o->desc->family->model_type,
                   o->desc->n_layers);
}

/* t as a weight of its own shape, without a name. */
static int
read_tensor(struct weight *x, const struct opening *o,
            const struct gguf_tensor *t)
{
    const struct gguf_format *f = gguf_format(t->type);

    if (f->dtype == DTYPE_NONE)
        return err_set(o->e, ERR_DATA, "%s: tensor %.*s: weights of type %s "
                       "are not supported", o->w->path, (int)t->name.n,
                       t->name.p, f->name);
    *x = (struct weight){
        .dtype = f->dtype, .n_dims = t->n_dims, .bytes = t->bytes,
        .data = gguf_data(&o->w->source->gguf, t),
    };
    for (uint32_t i = 0; i < t->n_dims; i++)
        x->shape[i] = t->ne[t->n_dims - 1 - i];
    return 0;
}

/* Adds x as the weight or the bias of m. */
static int
add(const struct opening *o, struct weight *x, const struct module *m,
    bool bias)
{
    struct weights_source *s = o->w->source;
    const struct layer_desc *y = &o->desc->layer[m->layer];
    uint32_t i = bias ? m->bias : m->weight;
    char *name = mem_strdup(o->desc->tensor[i].name);

    s->name = mem_grow(s->name, (s->n_names + 1) * sizeof(*s->name));
    s->name[s->n_names++] = name;
    x->name = name;
    if (o->arch->paired && (m->role == ROLE_Q || m->role == ROLE_K)) {
        x->heads = m->role == ROLE_Q ? y->heads : y->kv_heads;
        if (x->n_dims == 0 || x->shape[0] != m->out || y->head_dim % 2 != 0)
            return err_set(o->e, ERR_DATA, "%s: tensor %s: no rows of %u "
                           "heads of %u", o->w->path, name, x->heads,
                           y->head_dim);
        x->paired = x->data;
        x->data = NULL;
    }
    return weights_add(o->w, x, o->e);
}

/* A matrix or a vector that has q, k and v one below the other. */
static int
add_parts(const struct opening *o, const struct gguf_tensor *t,
          const struct weight *whole, const struct place *at)
{
    uint64_t row = 0, rows = 0;
    int rc = 0;

    for (uint8_t role = ROLE_Q; role <= ROLE_V; role++) {
        const struct module *m = desc_module(o->desc, role, at->layer);

        if (m == NULL || (at->bias && !m->has_bias))
            return no_place(o, t);
        rows += m->out;
    }
    if (whole->n_dims == 0 || whole->shape[0] != rows
        || whole->bytes % rows != 0)
        return err_set(o->e, ERR_DATA, "%s: tensor %.*s: %llu rows (expected "
                       "%llu)", o->w->path, (int)t->name.n, t->name.p,
                       (unsigned long long)whole->shape[0],
                       (unsigned long long)rows);
    for (uint8_t role = ROLE_Q; role <= ROLE_V && rc == 0; role++) {
        const struct module *m = desc_module(o->desc, role, at->layer);
        struct weight x = *whole;

        x.data = (const char *)whole->data + row * (whole->bytes / rows);
        x.bytes = whole->bytes / rows * m->out;
        x.shape[0] = m->out;
        row += m->out;
        rc = add(o, &x, m, at->bias);
    }
    return rc;
}

/* The matrices of a layer's experts, of which first is the first's module, one
 * behind the other. */
static int
add_experts(const struct opening *o, const struct gguf_tensor *t,
            const struct weight *whole, const struct module *first)
{
    uint32_t n = o->desc->layer[first->layer].experts;
    int rc = 0;

    if (whole->n_dims != 3 || whole->shape[0] != n)
        return err_set(o->e, ERR_DATA, "%s: tensor %.*s: not the matrices of "
                       "%u experts", o->w->path, (int)t->name.n, t->name.p,
                       n);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct weight x = *whole;

        x.n_dims = 2;
        x.shape[0] = whole->shape[1];
        x.shape[1] = whole->shape[2];
        x.bytes = whole->bytes / n;
        x.data = (const char *)whole->data + i * x.bytes;
        rc = add(o, &x, desc_expert(o->desc, first->role, first->layer, i),
                 false);
    }
    return rc;
}

static int
add_tensor(const struct opening *o, const struct gguf_tensor *t)
{
    const struct module *m;
    struct place at;
    struct weight x;
    int rc;

    if (gguf_text_is(t->name, GGUF_ROPE_FREQS))
        return 0; /* it is in the config */
    if (!find_place(&at, t->name) || at.layer >= o->desc->n_layers)
        return no_place(o, t);
    m = desc_module(o->desc, at.role, at.layer);
    if (m == NULL && at.role != ROLE_QKV)
        return no_place(o, t);
    rc = read_tensor(&x, o, t);
    if (rc < 0)
        return rc;
    if (m == NULL)
        return add_parts(o, t, &x, &at);
    if (at.bias && !m->has_bias)
        return no_place(o, t);
    if (m->expert >= 0)
        return add_experts(o, t, &x, m);
    return add(o, &x, m, at.bias);
}

static int
add_tensors(struct weights *w, const struct gguf_arch *arch,
            const struct buf *config, struct err *e)
{
    const struct gguf *g = &w->source->gguf;
    struct model_desc desc;
    struct opening o = { w, arch, &desc, e };
    int rc = desc_read(&desc, config->data, config->len, w->path, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < g->n_tensors && rc == 0; i++)
        rc = add_tensor(&o, &g->tensor[i]);
    desc_release(&desc);
    return rc;
}

/* The files of its tokenizer. One that can't be put so is named and left out:
 * a base can be trained without. */
static void
add_tokenizer(struct weights *w)
{
    const struct gguf *g = &w->source->gguf;
    struct buf json, config;
    struct err e;

    if (!gguf_has_tokenizer(g))
        return;
    buf_init(&json);
    buf_init(&config);
    if (gguf_tokenizer(&json, g, &e) < 0
        || gguf_tokenizer_config(&config, g, &e) < 0) {
        log_warn("%s: the base comes without its tokenizer", e.text);
    } else {
        weights_add_asset(w, "tokenizer.json", json.data, json.len);
        weights_add_asset(w, "tokenizer_config.json", config.data,
                          config.len);
        gguf_made_of(w->made_of, g);
    }
    buf_release(&json);
    buf_release(&config);
}

int
weights_open_gguf(struct weights *w, struct err *e)
{
    struct gguf *g = &w->source->gguf;
    const struct gguf_arch *arch;
    struct buf config;
    int rc = gguf_open(g, w->path, e);

    if (rc < 0)
        return rc;
    buf_init(&config);
    w->mapped = g->map.n;
    rc = gguf_arch_find(&arch, g, e);
    if (rc == 0)
        rc = gguf_config(&config, arch, g, e);
    if (rc == 0)
        rc = add_tensors(w, arch, &config, e);
    if (rc == 0) {
        weights_add_asset(w, MODELDIR_CONFIG, config.data, config.len);
        add_tokenizer(w);
    }
    buf_release(&config);
    return rc;
}
