/* adapter.c - PEFT's two files to matrices and back. Tensors are paired by
 * name, A with B, before any is loaded. */
#include "weights/adapter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "weights/adapter_config.h"

#define PREFIX "base_model.model."
#define SUFFIX_A ".lora_A.weight"
#define SUFFIX_B ".lora_B.weight"

double
adapter_scale(const struct adapter *a)
{
    return a->alpha / (a->rslora ? sqrt(a->rank) : a->rank);
}

void
adapter_release(struct adapter *a)
{
    size_t i;

    for (i = 0; i < a->n; i++)
        free((char *)a->item[i].name);
    for (i = 0; i < a->n_targets; i++)
        free((char *)a->target[i]);
    free((char *)a->base);
    free(a->target);
    free(a->item);
    free(a->data);
    memset(a, 0, sizeof(*a));
}

/* Reading the tensors */

/* MODULE of PREFIX MODULE suffix, to be freed; NULL if it is none. */
static char *
module_of(const char *name, const char *suffix)
{
    size_t n = strlen(name), prefix = strlen(PREFIX), end = strlen(suffix);

    if (n <= prefix + end || memcmp(name, PREFIX, prefix) != 0
        || strcmp(name + n - end, suffix) != 0)
        return NULL;
    return mem_dup(name + prefix, n - prefix - end);
}

static const struct safetensor *
partner_of(const struct safetensors *s, const char *module,
           const char *suffix)
{
    const struct safetensor *t;
    struct buf name;

    buf_init(&name);
    buf_addf(&name, PREFIX "%s%s", module, suffix);
    t = safetensors_find(s, name.data);
    buf_release(&name);
    return t;
}

static int
check_matrix(const struct safetensor *t, struct err *e)
{
    char text[SHAPE_TEXT];

    if (t->n_dims != 2 || t->shape[0] == 0 || t->shape[1] == 0
        || t->shape[0] > UINT32_MAX || t->shape[1] > UINT32_MAX)
        return err_set(e, ERR_DATA, "tensor %s: shape %s, expected a matrix",
                       t->name, shape_text(text, t->shape, t->n_dims));
    if (!dtype_is_float(t->dtype))
        return err_set(e, ERR_DATA, "tensor %s: type %s, expected a float",
                       t->name, dtype_name(t->dtype));
    return 0;
}

/* Widens t to out; every value has to be finite. */
static int
load_matrix(float *out, const struct safetensors *s,
            const struct safetensor *t, struct err *e)
{
    size_t n = (size_t)(t->shape[0] * t->shape[1]), bad;

    floats_load(out, safetensors_data(s, t), t->dtype, n);
    bad = floats_bad(out, n);
    if (bad < n)
        return err_set(e, ERR_DATA, "tensor %s: element %zu is %g", t->name,
                       bad, (double)out[bad]);
    return 0;
}

/* The module of A's tensor t; *at counts the floats used of a->data. */
static int
read_module(struct adapter *a, const struct safetensors *s,
            const struct safetensor *t, size_t *at, struct err *e)
{
    struct adapter_module *m = &a->item[a->n];
    char *module = module_of(t->name, SUFFIX_A);
    const struct safetensor *b = partner_of(s, module, SUFFIX_B);
    float *data = a->data + *at;
    int rc;

    if (b == NULL) {
        rc = err_set(e, ERR_DATA, "tensor %s has no lora_B", t->name);
        goto out;
    }
    rc = check_matrix(t, e);
    if (rc == 0)
        rc = check_matrix(b, e);
    if (rc == 0 && (t->shape[0] != a->rank || b->shape[1] != a->rank))
        rc = err_set(e, ERR_DATA, "module %s: ranks %llu and %llu of its "
                     "matrices, expected r = %u", module,
                     (unsigned long long)t->shape[0],
                     (unsigned long long)b->shape[1], a->rank);
    if (rc == 0)
        rc = load_matrix(data, s, t, e);
    if (rc == 0)
        rc = load_matrix(data + t->shape[0] * t->shape[1], s, b, e);
    if (rc < 0)
        goto out;
    *m = (struct adapter_module){
        module, (uint32_t)t->shape[1], (uint32_t)b->shape[0],
        data, data + t->shape[0] * t->shape[1]
    };
    *at += (size_t)(t->shape[0] * t->shape[1] + b->shape[0] * b->shape[1]);
    a->n++;
    module = NULL;
out:
    free(module);
    return rc;
}

static int
by_name(const void *x, const void *y)
{
    const struct adapter_module *a = x, *b = y;

    return strcmp(a->name, b->name);
}

/* Every tensor is an A or the B of an A; counts floats and modules. */
static int
survey(const struct safetensors *s, size_t *n_floats, size_t *n_modules,
       struct err *e)
{
    size_t i;

    *n_floats = *n_modules = 0;
    for (i = 0; i < s->n; i++) {
        const struct safetensor *t = &s->item[i];
        char *a = module_of(t->name, SUFFIX_A);
        char *b = module_of(t->name, SUFFIX_B);
        bool known = a || (b && partner_of(s, b, SUFFIX_A));

        *n_modules += a != NULL;
        *n_floats += (size_t)(t->bytes / dtype_size(t->dtype));
        free(a);
        free(b);
        if (!known)
            return err_set(e, ERR_DATA, "tensor %s: expected " PREFIX
                           "MODULE" SUFFIX_A " or its lora_B", t->name);
    }
    if (*n_modules == 0)
        return err_set(e, ERR_DATA, "holds no adapter matrices");
    return 0;
}

static int
read_modules(struct adapter *a, const struct safetensors *s, struct err *e)
{
    size_t n_floats, n_modules, i, at = 0;
    int rc;

    rc = survey(s, &n_floats, &n_modules, e);
    if (rc < 0)
        return rc;
    a->item = mem_array(n_modules, sizeof(*a->item));
    a->data = mem_try(n_floats * sizeof(*a->data));
    if (a->data == NULL)
        return err_set(e, ERR_IO, "out of memory for %zu floats", n_floats);
    for (i = 0; i < s->n && rc == 0; i++) {
        char *module = module_of(s->item[i].name, SUFFIX_A);

        if (module)
            rc = read_module(a, s, &s->item[i], &at, e);
        free(module);
    }
    if (rc == 0)
        qsort(a->item, a->n, sizeof(*a->item), by_name);
    return rc;
}

/* Every module is one that the config selects. */
static int
check_selected(const struct adapter *a, const cJSON *config, const char *dir,
               struct err *e)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < a->n && rc == 0; i++)
        rc = adapter_config_selects(config, a->item[i].name, e);
    if (rc < 0)
        err_prefix(e, "%s/" ADAPTER_CONFIG, dir);
    return rc;
}

int
adapter_read(struct adapter *a, const char *dir, struct err *e)
{
    char *path = path_join(dir, ADAPTER_WEIGHTS);
    cJSON *config = NULL;
    struct safetensors s;
    int rc;

    memset(a, 0, sizeof(*a));
    rc = adapter_config_read(a, &config, dir, e);
    if (rc < 0)
        goto out;
    rc = safetensors_open(&s, path, SAFETENSORS_MAX_ADAPTER_HEADER, e);
    if (rc < 0)
        goto out;
    rc = read_modules(a, &s, e);
    if (rc < 0)
        err_prefix(e, "%s", path);
    else
        rc = check_selected(a, config, dir, e);
    safetensors_release(&s);
out:
    if (rc < 0)
        adapter_release(a);
    cJSON_Delete(config);
    free(path);
    return rc;
}

/* Writing */

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

static void
put_number(struct buf *b, const char *key, double v)
{
    buf_addf(b, "  \"%s\": ", key);
    json_put_double(b, v);
    buf_addstr(b, ",\n");
}

static void
put_bool(struct buf *b, const char *key, bool v)
{
    buf_addf(b, "  \"%s\": %s,\n", key, v ? "true" : "false");
}

/* The end of a module's name that is the same in every layer: what follows
 * the layer's number; the whole name when it has none. */
static const char *
name_in_layer(const char *name)
{
    const char *p;
    size_t n;

    for (p = name; (p = strchr(p, '.')) != NULL;) {
        n = strspn(++p, "0123456789");
        if (n > 0 && p[n] == '.')
            return p + n + 1;
    }
    return name;
}

static void
put_targets(struct buf *b, const struct adapter *a)
{
    struct map names;
    size_t i;

    map_init(&names);
    for (i = 0; i < a->n_targets; i++)
        map_put(&names, a->target[i], strlen(a->target[i]), 0, NULL);
    for (i = 0; i < a->n && a->n_targets == 0; i++) {
        const char *end = name_in_layer(a->item[i].name);

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
put_config(struct buf *b, const struct adapter *a)
{
    buf_addstr(b, "{\n  \"alpha_pattern\": {},\n");
    put_text(b, "base_model_name_or_path", a->base);
    put_text(b, "bias", "none");
    put_bool(b, "fan_in_fan_out", a->fan_in_fan_out);
    put_bool(b, "inference_mode", true);
    put_bool(b, "init_lora_weights", true);
    put_number(b, "lora_alpha", a->alpha);
    put_number(b, "lora_dropout", a->dropout);
    put_text(b, "modules_to_save", NULL);
    put_text(b, "peft_type", "LORA");
    put_number(b, "r", a->rank);
    buf_addstr(b, "  \"rank_pattern\": {},\n");
    put_text(b, "revision", NULL);
    put_targets(b, a);
    put_text(b, "task_type", "CAUSAL_LM");
    put_bool(b, "use_dora", false);
    buf_addf(b, "  \"use_rslora\": %s\n}\n", a->rslora ? "true" : "false");
}

static char *
tensor_name(const char *module, const char *suffix)
{
    struct buf name;
    char *copy;

    buf_init(&name);
    buf_addf(&name, PREFIX "%s%s", module, suffix);
    copy = mem_dup(name.data, name.len);
    buf_release(&name);
    return copy;
}

/* The 2n tensors; *order maps a tensor's name to 2 * item, + 1 for its B. */
static struct safetensor *
list_tensors(const struct adapter *a, struct map *order)
{
    struct safetensor *t = mem_array(2 * a->n, sizeof(*t));
    size_t i;

    for (i = 0; i < 2 * a->n; i++) {
        const struct adapter_module *m = &a->item[i / 2];
        bool is_a = i % 2 == 0;

        t[i].name = tensor_name(m->name, is_a ? SUFFIX_A : SUFFIX_B);
        t[i].dtype = DTYPE_F32;
        t[i].n_dims = 2;
        t[i].shape[0] = is_a ? a->rank : m->out;
        t[i].shape[1] = is_a ? m->in : a->rank;
        map_put(order, t[i].name, strlen(t[i].name), i, NULL);
    }
    return t;
}

static int
put_item(void *ctx, size_t i, bool b, struct out *out, struct err *e)
{
    const struct adapter *a = ctx;
    const struct adapter_module *m = &a->item[i];
    uint64_t n = (uint64_t)a->rank * (b ? m->out : m->in);

    return out_write(out, b ? m->b : m->a, n * sizeof(float), e);
}

static int
write_tensors(const struct adapter *a, struct out *out,
              const struct safetensors_meta *meta, size_t n_meta,
              const struct adapter_source *source, struct err *e)
{
    const struct adapter_source own = { put_item, (void *)a };
    struct safetensors_meta *all = mem_array(n_meta + 1, sizeof(*all));
    struct safetensor *t;
    struct map order;
    size_t i;
    int rc;

    if (source == NULL)
        source = &own;
    all[0] = (struct safetensors_meta){ "format", "pt" };
    for (i = 0; i < n_meta; i++)
        all[i + 1] = meta[i];
    map_init(&order);
    t = list_tensors(a, &order);
    rc = safetensors_start(out, t, 2 * a->n, all, n_meta + 1, e);
    for (i = 0; i < 2 * a->n && rc == 0; i++) {
        const struct map_entry *m = map_get(&order, t[i].name,
                                            strlen(t[i].name));

        rc = source->put(source->ctx, m->value / 2, m->value % 2, out, e);
    }
    for (i = 0; i < 2 * a->n; i++)
        free(t[i].name);
    free(t);
    free(all);
    map_release(&order);
    return rc;
}

int
adapter_write(const struct adapter *a, const char *dir,
              const struct safetensors_meta *meta, size_t n_meta,
              const struct adapter_source *source, struct err *e)
{
    char *weights = path_join(dir, ADAPTER_WEIGHTS);
    char *config = path_join(dir, ADAPTER_CONFIG);
    struct buf text;
    struct out out;
    int rc;

    buf_init(&text);
    rc = dir_make(dir, e);
    if (rc == 0)
        rc = out_open(&out, weights, e);
    if (rc < 0)
        goto done;
    rc = write_tensors(a, &out, meta, n_meta, source, e);
    if (rc == 0)
        rc = out_commit(&out, e);
    else
        out_release(&out);
    put_config(&text, a);
    if (rc == 0)
        rc = file_write(config, text.data, text.len, e);
done:
    buf_release(&text);
    free(weights);
    free(config);
    return rc;
}

/* Matching */

int
adapter_match(const struct adapter *a, const struct model_desc *d,
              size_t *linears, struct err *e)
{
    struct map names;
    size_t i;
    int rc = 0;

    map_init(&names);
    for (i = 0; i < d->n_modules; i++)
        if (module_is_linear(d, &d->module[i]))
            map_put(&names, d->module[i].name, strlen(d->module[i].name), i,
                    NULL);
    for (i = 0; i < a->n && rc == 0; i++) {
        const struct adapter_module *m = &a->item[i];
        const struct map_entry *found = map_get(&names, m->name,
                                                strlen(m->name));
        const struct module *own = found ? &d->module[found->value] : NULL;

        if (own == NULL)
            rc = err_set(e, ERR_DATA, "module %s of the adapter: the base "
                         "has no such linear", m->name);
        else if (own->in != m->in || own->out != m->out)
            rc = err_set(e, ERR_DATA, "module %s of the adapter: maps %u to "
                         "%u, in the base %u to %u", m->name, m->in, m->out,
                         own->in, own->out);
    }
    if (rc == 0 && a->n == 0)
        rc = err_set(e, ERR_DATA, "the adapter has no modules");
    if (rc == 0)
        *linears = names.n;
    map_release(&names);
    return rc;
}
