/* adapter_write.c - an adapter as PEFT's two files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "weights/adapter_layout.h"
#include "weights/adapter_tokens.h"
#include "weights/module_pattern.h"

/* What transformers has gate_proj and up_proj of all experts in. */
#define GATE_UP "experts.gate_up_proj"

static void
put_text(struct buf *b, const char *key, const char *text)
{
    buf_addf(b, "  \"%s\": ", key);
    if (text)
        json_put_string(b, text, strlen(text));
    else
        buf_addstr(b, "null");
    buf_addstr(b, ",\n");
}

/* What is whole is told so: PEFT takes no 1e+01 for a rank. */
static void
put_value(struct buf *b, double v)
{
    if (fabs(v) < 1e15 && v <= floor(v))
        buf_addf(b, "%.0f", v);
    else
        json_put_double(b, v);
}

static void
put_number(struct buf *b, const char *key, double v)
{
    buf_addf(b, "  \"%s\": ", key);
    put_value(b, v);
    buf_addstr(b, ",\n");
}

static void
put_bool(struct buf *b, const char *key, bool v)
{
    buf_addf(b, "  \"%s\": %s,\n", key, v ? "true" : "false");
}

static void
put_targets(struct buf *b, const struct adapter *a)
{
    struct map names;
    char unused[128];
    size_t i;

    if (a->target_pattern) {
        put_text(b, "target_modules", a->target[0]);
        return;
    }
    map_init(&names);
    for (i = 0; i < a->n_targets; i++)
        if (!names_parameter(a->target[i])
            && !module_parameter(unused, a->target[i]))
            map_put(&names, a->target[i], strlen(a->target[i]), 0, NULL);
    for (i = 0; i < a->n && a->n_targets == 0; i++) {
        uint32_t layer;
        const char *end = adapter_name_in_layer(a->item[i].name, &layer);

        if (!module_parameter(unused, a->item[i].name))
            map_put(&names, end, strlen(end), 0, NULL);
    }
    buf_addstr(b, "  \"target_modules\": [");
    for (i = 0; i < names.n; i++) {
        buf_addstr(b, i ? ",\n    " : "\n    ");
        json_put_string(b, map_key(&names, i), names.entry[i].len);
    }
    buf_addstr(b, "\n  ],\n");
    map_release(&names);
}

/* A list, or null where it is empty. */
static void
put_names(struct buf *b, const char *key, const char *const *name, size_t n)
{
    if (n == 0) {
        put_text(b, key, NULL);
        return;
    }
    buf_addf(b, "  \"%s\": [", key);
    for (size_t i = 0; i < n; i++) {
        buf_addstr(b, i ? ",\n    " : "\n    ");
        json_put_string(b, name[i], strlen(name[i]));
    }
    buf_addstr(b, "\n  ],\n");
}

/* Whether the adapter has matrices of experts that transformers keeps in a
 * parameter of that name's end. */
static bool
has_parameter(const struct adapter *a, const char *end)
{
    char name[128];

    for (size_t i = 0; i < a->n; i++)
        if (module_parameter(name, a->item[i].name)
            && module_is_named(name, end))
            return true;
    return false;
}

/* PEFT reaches them by the parameter's name; nothing where there are none. */
static void
put_parameters(struct buf *b, const struct adapter *a)
{
    static const char *const ends[] = { "experts.down_proj", GATE_UP };
    const char *names[2];
    size_t n = 0;

    for (size_t i = 0; i < 2; i++)
        if (has_parameter(a, ends[i]))
            names[n++] = ends[i];
    if (n > 0)
        put_names(b, "target_parameters", names, n);
}

/* twice: the value of experts' gates and ups, which are one parameter of two
 * ranks. */
static void
put_patterns(struct buf *b, const char *key, const struct adapter *a,
             const struct adapter_patterns *p, double twice)
{
    bool more = has_parameter(a, GATE_UP);

    buf_addf(b, "  \"%s\": {", key);
    for (size_t i = 0; i < p->n; i++) {
        buf_addstr(b, i ? ",\n    " : "\n    ");
        json_put_string(b, p->item[i].key, strlen(p->item[i].key));
        buf_addstr(b, ": ");
        put_value(b, p->item[i].value);
        more &= strcmp(p->item[i].key, GATE_UP) != 0;
    }
    if (more) {
        buf_addstr(b, p->n ? ",\n    \"" GATE_UP "\": "
                           : "\n    \"" GATE_UP "\": ");
        put_value(b, twice);
    }
    buf_addstr(b, p->n || more ? "\n  },\n" : "},\n");
}

static void
put_ids(struct buf *b, const struct adapter_tokens *t)
{
    buf_addstr(b, "[");
    for (uint32_t k = 0; k < t->n; k++)
        buf_addf(b, "%s%d", k ? ", " : "", t->id[k]);
    buf_addstr(b, "]");
}

/* A list, or lists by modules; null where there are none. */
static void
put_tokens(struct buf *b, const struct adapter *a)
{
    const struct adapter_tokens *t = a->tokens;

    if (a->n_tokens == 0) {
        put_text(b, "trainable_token_indices", NULL);
        return;
    }
    buf_addstr(b, "  \"trainable_token_indices\": ");
    if (t->key == NULL)
        put_ids(b, t);
    for (size_t i = 0; i < a->n_tokens && t->key != NULL; i++) {
        buf_addstr(b, i ? ",\n    " : "{\n    ");
        json_put_string(b, t[i].key, strlen(t[i].key));
        buf_addstr(b, ": ");
        put_ids(b, &t[i]);
    }
    buf_addstr(b, t->key ? "\n  },\n" : ",\n");
}

static void
put_config(struct buf *b, const struct adapter *a)
{
    buf_addstr(b, "{\n");
    put_patterns(b, "alpha_pattern", a, &a->alpha_pattern, 2 * a->alpha);
    put_text(b, "base_model_name_or_path", a->base);
    put_text(b, "bias", "none");
    if (a->tied)
        put_bool(b, "ensure_weight_tying", true);
    put_bool(b, "fan_in_fan_out", a->fan_in_fan_out);
    put_bool(b, "inference_mode", true);
    put_bool(b, "init_lora_weights", true);
    put_number(b, "lora_alpha", a->alpha);
    put_number(b, "lora_dropout", a->dropout);
    put_names(b, "modules_to_save", a->save, a->n_save);
    put_text(b, "peft_type", "LORA");
    put_number(b, "r", a->rank);
    put_patterns(b, "rank_pattern", a, &a->rank_pattern, 2.0 * a->rank);
    put_text(b, "revision", NULL);
    put_targets(b, a);
    put_parameters(b, a);
    put_text(b, "task_type", "CAUSAL_LM");
    put_tokens(b, a);
    put_bool(b, "use_dora", a->dora);
    buf_addf(b, "  \"use_rslora\": %s\n}\n", a->rslora ? "true" : "false");
}

/* That part of module m. */
static struct safetensor
describe(const struct adapter_module *m, const struct adapter_layout *l,
         enum adapter_part part)
{
    struct safetensor t = { .name = adapter_tensor_name(l, m->name, part),
                            .n_dims = 2 };

    switch (part) {
    case ADAPTER_A:
        t.shape[l->turned] = m->rank;
        t.shape[!l->turned] = m->in;
        break;
    case ADAPTER_B:
        t.shape[l->turned] = m->out;
        t.shape[!l->turned] = m->rank;
        break;
    case ADAPTER_MAGNITUDE:
        t.n_dims = 1;
        t.shape[0] = m->out;
        break;
    case ADAPTER_WHOLE:
    case ADAPTER_TOKENS:
        break;
    }
    return t;
}

/* PREFIX NAME END, to be freed. */
static char *
name_of(const struct adapter_layout *l, const char *name, const char *end)
{
    size_t n = strlen(l->prefix), k = strlen(name), m = strlen(end) + 1;
    char *text = mem_array(n + k + m, 1);

    memcpy(text, l->prefix, n);
    memcpy(text + n, name, k);
    memcpy(text + n + k, end, m);
    return text;
}

/* One that is saved whole. */
static struct safetensor
describe_whole(const struct adapter_tensor *w, const struct adapter_layout *l)
{
    struct safetensor t = { .n_dims = w->n_dims,
                            .name = name_of(l, w->name, "") };

    t.shape[0] = w->n_dims > 1 ? w->rows : w->cols;
    t.shape[1] = w->n_dims > 1 ? w->cols : 0;
    return t;
}

static struct safetensor
describe_tokens(const struct adapter_tokens *k,
                const struct adapter_layout *l)
{
    return (struct safetensor){
        .n_dims = 2, .shape = { k->n, k->cols },
        .name = name_of(l, k->module, ADAPTER_TOKENS_SUFFIX)
    };
}

/* A tensor that is to be written: a part of item i, or the i-th of another
 * kind. */
struct place {
    size_t i;
    enum adapter_part part;
};

/* Tensors of a module. */
static size_t
n_parts(const struct adapter *a)
{
    return a->dora ? 3 : 2;
}

/* Where all tensors come from, *n of them; the caller frees it. */
static struct place *
list_places(const struct adapter *a, size_t *n)
{
    size_t parts = n_parts(a), at = parts * a->n;
    struct place *p = mem_array(at + a->n_whole + a->n_tokens, sizeof(*p));

    for (size_t i = 0; i < at; i++)
        p[i] = (struct place){ i / parts, (enum adapter_part)(i % parts) };
    for (size_t i = 0; i < a->n_whole; i++)
        p[at++] = (struct place){ i, ADAPTER_WHOLE };
    for (size_t i = 0; i < a->n_tokens; i++)
        if (a->tokens[i].module != NULL)
            p[at++] = (struct place){ i, ADAPTER_TOKENS };
    *n = at;
    return p;
}

/* The tensors of n places; *order maps a tensor's name to its place. */
static struct safetensor *
list_tensors(const struct adapter *a, const struct adapter_layout *l,
             const struct place *p, size_t n, enum dtype dtype,
             struct map *order)
{
    struct safetensor *t = mem_array(n, sizeof(*t));

    for (size_t i = 0; i < n; i++) {
        t[i] = p[i].part == ADAPTER_WHOLE
               ? describe_whole(&a->whole[p[i].i], l)
               : p[i].part == ADAPTER_TOKENS
               ? describe_tokens(&a->tokens[p[i].i], l)
               : describe(&a->item[p[i].i], l, p[i].part);
        t[i].dtype = dtype;
        map_put(order, t[i].name, strlen(t[i].name), i, NULL);
    }
    return t;
}

static int
put_item(void *ctx, size_t i, enum adapter_part part, struct out *out,
         struct err *e)
{
    const struct adapter *a = ctx;
    const struct adapter_module *m = a->item + (part < ADAPTER_WHOLE ? i : 0);
    const struct adapter_tensor *w;
    const struct adapter_tokens *k;

    switch (part) {
    case ADAPTER_A:
        return out_write(out, m->a, (size_t)m->rank * m->in * sizeof(float),
                         e);
    case ADAPTER_B:
        return out_write(out, m->b, (size_t)m->rank * m->out * sizeof(float),
                         e);
    case ADAPTER_MAGNITUDE:
        return out_write(out, m->magnitude, m->out * sizeof(float), e);
    case ADAPTER_TOKENS:
        k = &a->tokens[i];
        return out_write(out, k->rows, (size_t)k->n * k->cols * sizeof(float),
                         e);
    case ADAPTER_WHOLE:
        break;
    }
    w = &a->whole[i];
    return out_write(out, w->data, (size_t)(w->rows * w->cols)
                                   * sizeof(float), e);
}

static int
write_tensors(const struct adapter *a, const struct adapter_layout *l,
              enum dtype dtype, struct out *out,
              const struct safetensors_meta *meta, size_t n_meta,
              const struct adapter_source *source, struct err *e)
{
    struct safetensors_meta *all = mem_array(n_meta + 1, sizeof(*all));
    struct safetensor *t;
    size_t n, i;
    struct place *place = list_places(a, &n);
    struct map order;
    int rc;

    all[0] = (struct safetensors_meta){ "format", l->format };
    for (i = 0; i < n_meta; i++)
        all[i + 1] = meta[i];
    map_init(&order);
    t = list_tensors(a, l, place, n, dtype, &order);
    rc = safetensors_start(out, t, n, all, n_meta + 1, e);
    for (i = 0; i < n && rc == 0; i++) {
        const struct map_entry *m = map_get(&order, t[i].name,
                                            strlen(t[i].name));

        rc = source->put(source->ctx, place[m->value].i,
                         place[m->value].part, out, e);
    }
    for (i = 0; i < n; i++)
        free(t[i].name);
    free(t);
    free(all);
    free(place);
    map_release(&order);
    return rc;
}

int
adapter_put_tensors(const struct adapter *a, const struct adapter_layout *l,
                    enum dtype dtype, const char *dir,
                    const struct safetensors_meta *meta, size_t n_meta,
                    const struct adapter_source *source, struct err *e)
{
    char *path = path_join(dir, l->weights);
    struct out out;
    int rc;

    rc = dir_make(dir, e);
    if (rc == 0)
        rc = out_open(&out, path, e);
    free(path);
    if (rc < 0)
        return rc;
    rc = write_tensors(a, l, dtype, &out, meta, n_meta, source, e);
    if (rc == 0)
        return out_commit(&out, e);
    out_release(&out);
    return rc;
}

int
adapter_write(const struct adapter *a, const char *dir,
              const struct safetensors_meta *meta, size_t n_meta,
              const struct adapter_source *source, struct err *e)
{
    const struct adapter_source own = { put_item, (void *)a };
    char *path = path_join(dir, ADAPTER_CONFIG);
    struct buf text;
    int rc;

    buf_init(&text);
    rc = adapter_put_tensors(a, &adapter_peft, DTYPE_F32, dir, meta, n_meta,
                             source ? source : &own, e);
    put_config(&text, a);
    if (rc == 0)
        rc = file_write(path, text.data, text.len, e);
    buf_release(&text);
    free(path);
    return rc;
}
