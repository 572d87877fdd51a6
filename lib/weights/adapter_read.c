/* adapter_read.c - PEFT's two files to matrices. Tensors are paired by name, A
 * with B, before any is loaded. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "weights/adapter_config.h"
#include "weights/adapter_names.h"

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

/* Both matrices of a module, whose rank the config knows. */
static int
check_module(const struct adapter_module *m, const struct safetensor *a,
             const struct safetensor *b, struct err *e)
{
    int rc = check_matrix(a, e);

    if (rc == 0)
        rc = check_matrix(b, e);
    if (rc == 0 && (a->shape[0] != m->rank || b->shape[1] != m->rank))
        rc = err_set(e, ERR_DATA, "module %s: ranks %llu and %llu of its "
                     "matrices, expected r = %u", m->name,
                     (unsigned long long)a->shape[0],
                     (unsigned long long)b->shape[1], m->rank);
    return rc;
}

/* The magnitudes of a module of n outputs. */
static int
check_magnitude(const struct safetensor *t, const char *module, uint32_t n,
                struct err *e)
{
    char text[SHAPE_TEXT];

    if (t == NULL)
        return err_set(e, ERR_DATA, "module %s has no lora_magnitude_vector, "
                       "and use_dora is set", module);
    if (t->n_dims != 1 || t->shape[0] != n)
        return err_set(e, ERR_DATA, "tensor %s: shape %s, expected [%u]",
                       t->name, shape_text(text, t->shape, t->n_dims), n);
    if (!dtype_is_float(t->dtype))
        return err_set(e, ERR_DATA, "tensor %s: type %s, expected a float",
                       t->name, dtype_name(t->dtype));
    return 0;
}

/* The floats of t follow those that *at counts of a->data. */
static int
take(const float **to, const struct adapter *a, const struct safetensors *s,
     const struct safetensor *t, size_t *at, struct err *e)
{
    size_t n = (size_t)(t->bytes / dtype_size(t->dtype)), bad;
    float *data = a->data + *at;

    floats_load(data, safetensors_data(s, t), t->dtype, n);
    bad = floats_bad(data, n);
    if (bad < n)
        return err_set(e, ERR_DATA, "tensor %s: element %zu is %g", t->name,
                       bad, (double)data[bad]);
    *at += n;
    *to = data;
    return 0;
}

/* The module whose A is the tensor t. */
static int
read_module(struct adapter *a, const struct safetensors *s,
            const struct safetensor *t, size_t *at, struct err *e)
{
    struct adapter_module *m = &a->item[a->n];
    char *module = module_of(t->name, SUFFIX_A);
    const struct safetensor *b = partner_of(s, module, SUFFIX_B);
    const struct safetensor *size = partner_of(s, module, SUFFIX_MAGNITUDE);
    int rc;

    *m = (struct adapter_module){ .name = module };
    if (b == NULL) {
        rc = err_set(e, ERR_DATA, "tensor %s has no lora_B", t->name);
        goto out;
    }
    rc = adapter_strength(a, module, &m->rank, &m->alpha, e);
    if (rc == 0)
        rc = check_module(m, t, b, e);
    if (rc == 0 && a->dora)
        rc = check_magnitude(size, module, (uint32_t)b->shape[0], e);
    if (rc == 0)
        rc = take(&m->a, a, s, t, at, e);
    if (rc == 0)
        rc = take(&m->b, a, s, b, at, e);
    if (rc == 0 && a->dora)
        rc = take(&m->magnitude, a, s, size, at, e);
    if (rc < 0)
        goto out;
    m->in = (uint32_t)t->shape[1];
    m->out = (uint32_t)b->shape[0];
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

/* Whether the tensor of that name belongs to an A, or is one. */
static bool
is_known(const struct adapter *a, const struct safetensors *s,
         const char *name, bool *is_a)
{
    static const char *const suffixes[] = { SUFFIX_A, SUFFIX_B,
                                            SUFFIX_MAGNITUDE };
    size_t n = a->dora ? 3 : 2;
    bool known = false;

    *is_a = false;
    for (size_t i = 0; i < n && !known; i++) {
        char *module = module_of(name, suffixes[i]);

        *is_a = module && i == 0;
        known = module && partner_of(s, module, SUFFIX_A);
        free(module);
    }
    return known;
}

/* Every tensor is a part of a module that has an A; counts floats and
 * modules. */
static int
survey(const struct adapter *a, const struct safetensors *s,
       size_t *n_floats, size_t *n_modules, struct err *e)
{
    *n_floats = *n_modules = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct safetensor *t = &s->item[i];
        bool is_a;

        if (!is_known(a, s, t->name, &is_a))
            return err_set(e, ERR_DATA, "tensor %s: expected " PREFIX
                           "MODULE" SUFFIX_A "%s or its lora_B", t->name,
                           a->dora ? ", its lora_magnitude_vector" : "");
        if (dtype_is_float(t->dtype))
            *n_floats += (size_t)(t->bytes / dtype_size(t->dtype));
        *n_modules += is_a;
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

    rc = survey(a, s, &n_floats, &n_modules, e);
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
