/* adapter_mlx.c - mlx-lm's adapter_config.json, read and written, and the
 * matrices as mlx-lm has them. */
#include "weights/adapter_mlx.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/keys.h"
#include "weights/adapter_config.h"
#include "weights/adapter_layout.h"
#include "weights/module_pattern.h"

#define PARAMETERS "lora_parameters"
#define MAX_LAYERS 65536
#define MAX_SCALE 1e9

struct fields {
    double dora, num_layers, rank, scale, dropout;
};

#define AT(field) .offset = offsetof(struct fields, field)

static const struct key_word types[] = { { "lora", 0 }, { "dora", 1 },
                                         { NULL, 0 } };

static const struct key config_keys[] = {
    { .name = "fine_tune_type", .kind = KEY_WORD, AT(dora),
      .words = types },
    { .name = "num_layers", .kind = KEY_COUNT, .flags = KEY_REQUIRED,
      AT(num_layers), .min = -1, .max = MAX_LAYERS },
    { PARAMETERS, KEY_OBJECT, KEY_REQUIRED },
    { "model", KEY_TEXT, KEY_NULL },
    { .name = NULL }
};

static const struct key parameters[] = {
    { .name = "rank", .kind = KEY_COUNT, .flags = KEY_REQUIRED, AT(rank),
      .min = 1, .max = ADAPTER_MAX_RANK },
    { .name = "scale", .kind = KEY_REAL, .flags = KEY_REQUIRED, AT(scale),
      .min = -MAX_SCALE, .max = MAX_SCALE },
    { .name = "dropout", .kind = KEY_DROP, .flags = KEY_REQUIRED,
      AT(dropout), .max = 1 },
    { "keys", KEY_FREE }, /* check_keys */
    { .name = NULL }
};

bool
adapter_is_mlx(const char *dir)
{
    return dir_has(dir, ADAPTER_MLX_WEIGHTS)
           && !dir_has(dir, ADAPTER_WEIGHTS);
}

/* Reading */

static const cJSON *
key_of(const cJSON *root, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(root, key);
}

static const cJSON *
module_keys(const cJSON *root)
{
    return key_of(key_of(root, PARAMETERS), "keys");
}

/* A list of strings, or nothing. */
static int
check_keys(const cJSON *keys, struct err *e)
{
    const cJSON *v;

    if (keys == NULL || cJSON_IsNull(keys))
        return 0;
    if (!cJSON_IsArray(keys))
        return key_error("keys", keys, e, "a list of strings");
    cJSON_ArrayForEach(v, keys)
        if (!cJSON_IsString(v))
            return key_error("keys", v, e, "a list of strings");
    return 0;
}

/* A parameter that we don't know may mean anything: earlier versions
 * multiplied by one called alpha. */
static int
check_unknown(const cJSON *root, struct err *e)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, root)
        if (key_find(parameters, v->string) == NULL)
            return key_error(v->string, v, e, "none: this key of "
                             PARAMETERS " is not known");
    return 0;
}

int
adapter_mlx_config(struct adapter *a, const cJSON *root, struct err *e)
{
    const cJSON *p = key_of(root, PARAMETERS), *base = key_of(root, "model");
    struct fields f, of_p;
    int rc;

    rc = keys_read(&f, config_keys, root, e);
    if (rc == 0)
        rc = keys_read(&of_p, parameters, p, e);
    if (rc == 0)
        rc = check_unknown(p, e);
    if (rc == 0)
        rc = check_keys(module_keys(root), e);
    if (rc < 0)
        return rc;
    a->dora = f.dora > 0;
    a->rank = (uint32_t)of_p.rank;
    a->alpha = of_p.scale * of_p.rank;
    a->dropout = of_p.dropout;
    if (cJSON_IsString(base))
        a->base = mem_strdup(base->valuestring);
    return 0;
}

/* The module's name in an mlx model, to be freed. */
static char *
mlx_name(const char *module)
{
    char *name = adapter_tensor_name(&adapter_mlx, module, ADAPTER_A);

    name[strlen(name) - strlen(adapter_mlx.suffix[ADAPTER_A])] = 0;
    return name;
}

static bool
has_string(const cJSON *list, const char *s)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, list)
        if (strcmp(v->valuestring, s) == 0)
            return true;
    return false;
}

/* *in_layer: by the name in its layer. */
static bool
is_selected(const cJSON *root, const char *module, bool *in_layer)
{
    const cJSON *keys = module_keys(root);
    char *name = mlx_name(module);
    uint32_t layer;
    bool whole;

    *in_layer = keys == NULL || cJSON_IsNull(keys)
                || has_string(keys, adapter_name_in_layer(module, &layer));
    whole = has_string(keys, name);
    free(name);
    return *in_layer || whole;
}

int
adapter_mlx_selects(const cJSON *root, const char *module, struct err *e)
{
    uint32_t layer;
    bool in_layer;

    adapter_name_in_layer(module, &layer);
    if (layer == UINT32_MAX)
        return err_set(e, ERR_DATA, "module %s of the adapter is in no layer",
                       module);
    if (!is_selected(root, module, &in_layer))
        return err_set(e, ERR_DATA, "keys leaves out module %s, of which the "
                       "adapter has matrices", module);
    return 0;
}

/* The last num_layers layers are selected: no more than those may be among
 * the modules that are selected by their names in a layer. */
static int
check_layers(const struct adapter *a, const cJSON *root, struct err *e)
{
    const cJSON *v = key_of(root, "num_layers");
    uint32_t first = UINT32_MAX, last = 0, layer;
    bool in_layer;

    for (size_t i = 0; i < a->n; i++) {
        adapter_name_in_layer(a->item[i].name, &layer);
        is_selected(root, a->item[i].name, &in_layer);
        if (in_layer && layer < first)
            first = layer;
        if (in_layer && layer > last)
            last = layer;
    }
    if (v->valuedouble >= 1 && first <= last
        && last - first + 1.0 > v->valuedouble)
        return err_set(e, ERR_DATA, "num_layers (found %g) leaves out some "
                       "of the layers %u to %u, of which the adapter has "
                       "matrices", v->valuedouble, first, last);
    return 0;
}

/* Names in a layer, and how many layers there are at least. */
static void
survey(const struct adapter *a, struct map *names, uint32_t *layers)
{
    *layers = 0;
    for (size_t i = 0; i < a->n; i++) {
        uint32_t layer;
        const char *end = adapter_name_in_layer(a->item[i].name, &layer);

        map_put(names, end, strlen(end), 0, NULL);
        if (layer >= *layers)
            *layers = layer + 1;
    }
}

/* Whether it looks like one of GPT-2's, which are stored [in, out]; those of
 * GPT-BigCode have the same names, and one key and value for all queries. */
static bool
is_turned(const struct adapter *a)
{
    bool turned = false;

    for (size_t i = 0; i < a->n; i++) {
        const struct adapter_module *m = &a->item[i];

        turned |= strncmp(m->name, "transformer.", 12) == 0;
        if (module_is_named(m->name, "c_attn") && m->out != 3 * m->in)
            return false;
    }
    return turned;
}

/* Where the modules are not those of every layer, PEFT is told of each. */
int
adapter_mlx_settle(struct adapter *a, const cJSON *root, struct err *e)
{
    int rc = check_layers(a, root, e);
    struct map names;
    uint32_t layers;

    if (rc < 0)
        return rc;
    map_init(&names);
    survey(a, &names, &layers);
    if (a->n != names.n * (size_t)layers) {
        a->target = mem_array(a->n, sizeof(*a->target));
        for (size_t i = 0; i < a->n; i++)
            a->target[a->n_targets++] = mem_strdup(a->item[i].name);
    }
    map_release(&names);
    a->fan_in_fan_out = is_turned(a);
    return 0;
}

/* Writing */

struct writer {
    const struct adapter *a;
    enum dtype dtype;
    double scale;
};

static int
put_part(void *ctx, size_t i, enum adapter_part part, struct out *out,
         struct err *e)
{
    const struct writer *w = ctx;
    const struct adapter_module *m = &w->a->item[i];
    size_t n = part == ADAPTER_MAGNITUDE ? m->out
               : (size_t)m->rank * (part == ADAPTER_A ? m->in : m->out);
    double factor = adapter_scale(w->a, m) / w->scale;
    float *x = mem_array(n, sizeof(*x));
    void *bytes = mem_array(n, sizeof(*x));
    int rc;

    if (part == ADAPTER_A)
        adapter_turn(x, m->a, m->rank, m->in);
    else if (part == ADAPTER_B)
        adapter_turn(x, m->b, m->out, m->rank);
    else
        memcpy(x, m->magnitude, n * sizeof(*x));
    for (size_t k = 0; k < n && part == ADAPTER_B; k++)
        x[k] = (float)(factor * x[k]);
    rc = adapter_pack(bytes, w->dtype, x, n, m->name, e);
    if (rc == 0)
        rc = out_write(out, bytes, n * dtype_size(w->dtype), e);
    free(x);
    free(bytes);
    return rc;
}

static void
put_keys(struct buf *b, const struct adapter *a, uint32_t *first)
{
    struct map names;
    uint32_t layer;

    *first = UINT32_MAX;
    map_init(&names);
    for (size_t i = 0; i < a->n; i++) {
        const char *end = adapter_name_in_layer(a->item[i].name, &layer);

        map_put(&names, end, strlen(end), 0, NULL);
        if (layer < *first)
            *first = layer;
    }
    for (size_t i = 0; i < names.n; i++) {
        buf_addstr(b, i ? ",\n      " : "\n      ");
        json_put_string(b, map_key(&names, i), names.entry[i].len);
    }
    map_release(&names);
}

static void
put_config(struct buf *b, const struct writer *w, uint32_t n_layers)
{
    const struct adapter *a = w->a;
    uint32_t first;

    buf_addf(b, "{\n  \"fine_tune_type\": \"%s\",\n",
             a->dora ? "dora" : "lora");
    buf_addstr(b, "  \"" PARAMETERS "\": {\n    \"dropout\": ");
    json_put_double(b, a->dropout);
    buf_addstr(b, ",\n    \"keys\": [");
    put_keys(b, a, &first);
    buf_addf(b, "\n    ],\n    \"rank\": %u,\n    \"scale\": ",
             a->item[0].rank);
    json_put_double(b, w->scale);
    buf_addstr(b, "\n  },\n");
    if (a->base) {
        buf_addstr(b, "  \"model\": ");
        json_put_string(b, a->base, strlen(a->base));
        buf_addstr(b, ",\n");
    }
    buf_addf(b, "  \"num_layers\": %lld\n}\n",
             n_layers > first ? (long long)n_layers - first : -1);
}

static int
check_module(const struct adapter_module *m, uint32_t rank, struct err *e)
{
    uint32_t layer;

    adapter_name_in_layer(m->name, &layer);
    if (layer == UINT32_MAX)
        return err_set(e, ERR_USAGE, "module %s: is in no layer, and mlx-lm "
                       "adapts those alone", m->name);
    if (strstr(m->name, ".experts.") != NULL)
        return err_set(e, ERR_USAGE, "module %s: mlx-lm has all experts in "
                       "one module", m->name);
    if (m->rank != rank)
        return err_set(e, ERR_USAGE, "module %s: rank %u, where others have "
                       "%u: an adapter of mlx-lm has one rank", m->name,
                       m->rank, rank);
    return 0;
}

int
adapter_mlx_write(const struct adapter *a, uint32_t n_layers,
                  enum dtype dtype, const char *dir, struct err *e)
{
    struct writer w = { a, dtype, adapter_scale(a, &a->item[0]) };
    const struct adapter_source source = { put_part, &w };
    char *path = path_join(dir, ADAPTER_CONFIG);
    struct buf config;
    int rc = 0;

    if (fabs(w.scale) < FLT_MIN)
        w.scale = 1;
    for (size_t i = 0; i < a->n && rc == 0; i++)
        rc = check_module(&a->item[i], a->item[0].rank, e);
    if (rc == 0)
        rc = adapter_put_tensors(a, &adapter_mlx, dtype, dir, NULL, 0,
                                 &source, e);
    buf_init(&config);
    put_config(&config, &w, n_layers);
    if (rc == 0)
        rc = file_write(path, config.data, config.len, e);
    buf_release(&config);
    free(path);
    return rc;
}
