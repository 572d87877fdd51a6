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
    size_t i;

    if (a->target_pattern) {
        put_text(b, "target_modules", a->target[0]);
        return;
    }
    map_init(&names);
    for (i = 0; i < a->n_targets; i++)
        map_put(&names, a->target[i], strlen(a->target[i]), 0, NULL);
    for (i = 0; i < a->n && a->n_targets == 0; i++) {
        uint32_t layer;
        const char *end = adapter_name_in_layer(a->item[i].name, &layer);

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

static void
put_patterns(struct buf *b, const char *key,
             const struct adapter_patterns *p)
{
    buf_addf(b, "  \"%s\": {", key);
    for (size_t i = 0; i < p->n; i++) {
        buf_addstr(b, i ? ",\n    " : "\n    ");
        json_put_string(b, p->item[i].key, strlen(p->item[i].key));
        buf_addstr(b, ": ");
        put_value(b, p->item[i].value);
    }
    buf_addstr(b, p->n ? "\n  },\n" : "},\n");
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

static void
put_config(struct buf *b, const struct adapter *a)
{
    buf_addstr(b, "{\n");
    put_patterns(b, "alpha_pattern", &a->alpha_pattern);
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
    put_patterns(b, "rank_pattern", &a->rank_pattern);
    put_text(b, "revision", NULL);
    put_targets(b, a);
    put_text(b, "task_type", "CAUSAL_LM");
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
        break;
    }
    return t;
}

/* One that is saved whole. */
static struct safetensor
describe_whole(const struct adapter_tensor *w, const struct adapter_layout *l)
{
    struct safetensor t = { .n_dims = w->n_dims };
    size_t n = strlen(l->prefix), k = strlen(w->name) + 1;

    t.name = mem_array(n + k, 1);
    memcpy(t.name, l->prefix, n);
    memcpy(t.name + n, w->name, k);
    t.shape[0] = w->n_dims > 1 ? w->rows : w->cols;
    t.shape[1] = w->n_dims > 1 ? w->cols : 0;
    return t;
}

/* Tensors of a module. */
static size_t
n_parts(const struct adapter *a)
{
    return a->dora ? 3 : 2;
}

/* All tensors; *order maps a tensor's name to its part of its item or, after
 * these, to one that is whole. */
static struct safetensor *
list_tensors(const struct adapter *a, const struct adapter_layout *l,
             enum dtype dtype, struct map *order)
{
    size_t parts = n_parts(a), n = parts * a->n;
    struct safetensor *t = mem_array(n + a->n_whole, sizeof(*t));

    for (size_t i = 0; i < n + a->n_whole; i++) {
        t[i] = i < n ? describe(&a->item[i / parts], l,
                                (enum adapter_part)(i % parts))
                     : describe_whole(&a->whole[i - n], l);
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

    switch (part) {
    case ADAPTER_A:
        return out_write(out, m->a, (size_t)m->rank * m->in * sizeof(float),
                         e);
    case ADAPTER_B:
        return out_write(out, m->b, (size_t)m->rank * m->out * sizeof(float),
                         e);
    case ADAPTER_MAGNITUDE:
        return out_write(out, m->magnitude, m->out * sizeof(float), e);
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
    size_t parts = n_parts(a), items = parts * a->n;
    size_t n = items + a->n_whole, i;
    struct map order;
    int rc;

    all[0] = (struct safetensors_meta){ "format", l->format };
    for (i = 0; i < n_meta; i++)
        all[i + 1] = meta[i];
    map_init(&order);
    t = list_tensors(a, l, dtype, &order);
    rc = safetensors_start(out, t, n, all, n_meta + 1, e);
    for (i = 0; i < n && rc == 0; i++) {
        const struct map_entry *m = map_get(&order, t[i].name,
                                            strlen(t[i].name));

        if (m->value < items)
            rc = source->put(source->ctx, m->value / parts,
                             (enum adapter_part)(m->value % parts), out, e);
        else
            rc = source->put(source->ctx, m->value - items, ADAPTER_WHOLE,
                             out, e);
    }
    for (i = 0; i < n; i++)
        free(t[i].name);
    free(t);
    free(all);
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
