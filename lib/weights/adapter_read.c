/* adapter_read.c - PEFT's two files, or mlx-lm's, to matrices. Tensors are
 * paired by name, A with B, before any is loaded. */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "weights/adapter_layout.h"
#include "weights/adapter_mlx.h"
#include "weights/adapter_saved.h"
#include "weights/adapter_tokens.h"

#define MAX_CONFIG (1 << 20)

/* What is read, and from where. */
struct reader {
    struct adapter *a;
    const struct adapter_layout *layout;
    struct safetensors s;
    size_t at; /* floats of a->data that are taken */
    struct err *e;
};

/* That tensor of the module, or NULL. */
static const struct safetensor *
part_of(const struct reader *r, const char *module, enum adapter_part part)
{
    char *name = adapter_tensor_name(r->layout, module, part);
    const struct safetensor *t = safetensors_find(&r->s, name);

    free(name);
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
check_module(struct adapter_module *m, const struct safetensor *a,
             const struct safetensor *b, bool turned, struct err *e)
{
    int rc = check_matrix(a, e);

    if (rc == 0)
        rc = check_matrix(b, e);
    if (rc < 0)
        return rc;
    m->in = (uint32_t)a->shape[!turned];
    m->out = (uint32_t)b->shape[turned];
    if (a->shape[turned] != m->rank || b->shape[!turned] != m->rank)
        return err_set(e, ERR_DATA, "module %s: ranks %llu and %llu of its "
                       "matrices, expected r = %u", m->name,
                       (unsigned long long)a->shape[turned],
                       (unsigned long long)b->shape[!turned], m->rank);
    return 0;
}

/* The magnitudes of a module, of tensor t. */
static int
check_magnitude(const struct reader *r, const struct adapter_module *m,
                const struct safetensor *t)
{
    char text[SHAPE_TEXT];

    if (t == NULL)
        return err_set(r->e, ERR_DATA, "module %s has no %s, and the config "
                       "says DoRA", m->name,
                       r->layout->suffix[ADAPTER_MAGNITUDE] + 1);
    if (t->n_dims != 1 || t->shape[0] != m->out)
        return err_set(r->e, ERR_DATA, "tensor %s: shape %s, expected [%u]",
                       t->name, shape_text(text, t->shape, t->n_dims),
                       m->out);
    if (!dtype_is_float(t->dtype))
        return err_set(r->e, ERR_DATA, "tensor %s: type %s, expected a float",
                       t->name, dtype_name(t->dtype));
    return 0;
}

/* The floats of t follow those that are taken; turned: t is a matrix that
 * lies the other way round. */
static int
take(struct reader *r, const float **to, const struct safetensor *t,
     bool turned)
{
    size_t n = (size_t)(t->bytes / dtype_size(t->dtype)), bad;
    float *data = r->a->data + r->at, *other = NULL;

    if (turned && (other = mem_try(n * sizeof(*other))) == NULL)
        return err_set(r->e, ERR_IO, "out of memory for %zu floats", n);
    floats_load(turned ? other : data, safetensors_data(&r->s, t), t->dtype,
                n);
    bad = floats_bad(turned ? other : data, n);
    if (turned && bad == n)
        adapter_turn(data, other, (size_t)t->shape[0], (size_t)t->shape[1]);
    if (bad < n)
        err_set(r->e, ERR_DATA, "tensor %s: element %zu is %g", t->name, bad,
                (double)(turned ? other : data)[bad]);
    free(other);
    r->at += n;
    *to = data;
    return bad < n ? ERR_DATA : 0;
}

static int
take_parts(struct reader *r, struct adapter_module *m,
           const struct safetensor *a)
{
    const struct safetensor *b = part_of(r, m->name, ADAPTER_B);
    const struct safetensor *size = part_of(r, m->name, ADAPTER_MAGNITUDE);
    bool turned = r->layout->turned;
    int rc;

    if (b == NULL)
        return err_set(r->e, ERR_DATA, "tensor %s has no %s", a->name,
                       r->layout->turned ? "lora_b" : "lora_B");
    rc = adapter_strength(r->a, m->name, &m->rank, &m->alpha, r->e);
    if (rc == 0)
        rc = check_module(m, a, b, turned, r->e);
    if (rc == 0 && r->a->dora)
        rc = check_magnitude(r, m, size);
    if (rc == 0)
        rc = take(r, &m->a, a, turned);
    if (rc == 0)
        rc = take(r, &m->b, b, turned);
    if (rc == 0 && r->a->dora)
        rc = take(r, &m->magnitude, size, false);
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
is_known(const struct reader *r, const char *name, bool *is_a)
{
    enum adapter_part n = r->a->dora ? ADAPTER_PARTS : ADAPTER_MAGNITUDE;
    bool known = false;

    *is_a = false;
    for (enum adapter_part i = ADAPTER_A; i < n && !known; i++) {
        char *module = adapter_module_of(r->layout, name, i);

        *is_a = module && i == ADAPTER_A;
        known = module && part_of(r, module, ADAPTER_A);
        free(module);
    }
    return known;
}

/* The name in the model of a tensor that is saved whole; NULL: it is none. */
static const char *
whole_name(const struct reader *r, const char *name)
{
    size_t n = strlen(r->layout->prefix);
    char *module = strncmp(name, r->layout->prefix, n) == 0
                   ? adapter_saved_module(r->a, name + n) : NULL;

    free(module);
    return module ? name + n : NULL;
}

static int
take_whole(struct reader *r, const struct safetensor *t, const char *name)
{
    struct adapter_tensor *to = &r->a->whole[r->a->n_whole];
    char text[SHAPE_TEXT];

    if (t->n_dims < 1 || t->n_dims > 2)
        return err_set(r->e, ERR_DATA, "tensor %s: shape %s, expected a "
                       "matrix or a vector", t->name,
                       shape_text(text, t->shape, t->n_dims));
    if (!dtype_is_float(t->dtype))
        return err_set(r->e, ERR_DATA, "tensor %s: type %s, expected a float",
                       t->name, dtype_name(t->dtype));
    r->a->n_whole++;
    *to = (struct adapter_tensor){
        .name = mem_strdup(name), .n_dims = t->n_dims,
        .rows = t->n_dims > 1 ? t->shape[0] : 1,
        .cols = t->shape[t->n_dims - 1]
    };
    return take(r, &to->data, t, false);
}

/* The tokens whose rows the tensor of that name is; NULL: it is none such. */
static struct adapter_tokens *
tokens_of(const struct reader *r, const char *name)
{
    size_t n = strlen(r->layout->prefix);

    return strncmp(name, r->layout->prefix, n) == 0
           ? adapter_tokens_of(r->a, name + n) : NULL;
}

static int
take_tokens(struct reader *r, const struct safetensor *t)
{
    struct adapter_tokens *to = tokens_of(r, t->name);
    const char *module = t->name + strlen(r->layout->prefix);
    const float *rows;
    int rc;

    if (to == NULL)
        return err_set(r->e, ERR_DATA, "tensor %s: trainable_token_indices "
                       "has no ids for it", t->name);
    rc = check_matrix(t, r->e);
    if (rc < 0)
        return rc;
    if (t->shape[0] != to->n)
        return err_set(r->e, ERR_DATA, "tensor %s: %llu rows, expected %u as "
                       "in trainable_token_indices", t->name,
                       (unsigned long long)t->shape[0], to->n);
    to->cols = (uint32_t)t->shape[1];
    to->module = mem_dup(module, strlen(module)
                                 - strlen(ADAPTER_TOKENS_SUFFIX));
    rc = take(r, &rows, t, false);
    to->rows = (float *)rows;
    return rc;
}

/* Every tensor is a part of a module that has an A, or saved whole, or rows of
 * tokens; counts floats and modules. */
static int
survey(const struct reader *r, size_t *n_floats, size_t *n_modules)
{
    const char *const *suffix = r->layout->suffix;

    *n_floats = *n_modules = 0;
    for (size_t i = 0; i < r->s.n; i++) {
        const struct safetensor *t = &r->s.item[i];
        bool is_a;

        if (!is_known(r, t->name, &is_a) && !whole_name(r, t->name)
            && !tokens_of(r, t->name))
            return err_set(r->e, ERR_DATA, "tensor %s: expected %sMODULE%s "
                           "or its %s%s%s", t->name, r->layout->prefix,
                           suffix[ADAPTER_A], suffix[ADAPTER_B] + 1,
                           r->a->dora ? ", its " : "",
                           r->a->dora ? suffix[ADAPTER_MAGNITUDE] + 1 : "");
        if (dtype_is_float(t->dtype))
            *n_floats += (size_t)(t->bytes / dtype_size(t->dtype));
        *n_modules += is_a;
    }
    if (*n_modules == 0)
        return err_set(r->e, ERR_DATA, "holds no adapter matrices");
    return 0;
}

static int
read_modules(struct reader *r)
{
    struct adapter *a = r->a;
    size_t n_floats, n_modules, i;
    int rc;

    rc = survey(r, &n_floats, &n_modules);
    if (rc < 0)
        return rc;
    a->item = mem_array(n_modules, sizeof(*a->item));
    a->whole = mem_array(r->s.n, sizeof(*a->whole));
    a->data = mem_try(n_floats * sizeof(*a->data));
    if (a->data == NULL)
        return err_set(r->e, ERR_IO, "out of memory for %zu floats",
                       n_floats);
    for (i = 0; i < r->s.n && rc == 0; i++) {
        const struct safetensor *t = &r->s.item[i];
        char *module = adapter_module_of(r->layout, t->name, ADAPTER_A);
        bool part;

        if (module == NULL) {
            if (is_known(r, t->name, &part))
                continue;
            rc = whole_name(r, t->name)
                 ? take_whole(r, t, whole_name(r, t->name))
                 : take_tokens(r, t);
            continue;
        }
        a->item[a->n++] = (struct adapter_module){ .name = module };
        rc = take_parts(r, &a->item[a->n - 1], t);
    }
    if (rc == 0)
        qsort(a->item, a->n, sizeof(*a->item), by_name);
    return rc;
}

static int
read_tensors(struct reader *r, const char *dir)
{
    char *path = path_join(dir, r->layout->weights);
    int rc = safetensors_open(&r->s, path, SAFETENSORS_MAX_ADAPTER_HEADER,
                              r->e);

    if (rc == 0) {
        rc = read_modules(r);
        if (rc < 0)
            err_prefix(r->e, "%s", path);
        safetensors_release(&r->s);
    }
    free(path);
    return rc;
}

static int
check_modules(const struct reader *r, const cJSON *config)
{
    int rc = 0;

    for (size_t i = 0; i < r->a->n && rc == 0; i++)
        rc = r->layout->selects(config, r->a->item[i].name, r->e);
    if (rc == 0 && r->layout->settle)
        rc = r->layout->settle(r->a, config, r->e);
    if (rc == 0)
        rc = adapter_check_saved(r->a, r->e);
    if (rc == 0)
        rc = adapter_tokens_check(r->a, r->e);
    return rc < 0 ? rc : adapter_tokens_sort(r->a, r->e);
}

static int
read_config(struct reader *r, const cJSON *config)
{
    if (!cJSON_IsObject(config))
        return err_set(r->e, ERR_DATA, "no JSON object");
    return r->layout->config(r->a, config, r->e);
}

int
adapter_read(struct adapter *a, const char *dir, struct err *e)
{
    char *path = path_join(dir, ADAPTER_CONFIG);
    bool mlx = adapter_is_mlx(dir);
    struct reader r = { .a = a, .e = e,
                        .layout = mlx ? &adapter_mlx : &adapter_peft };
    cJSON *config = NULL;
    int rc;

    memset(a, 0, sizeof(*a));
    rc = json_user_file(&config, path, MAX_CONFIG, e);
    if (rc < 0)
        goto out;
    rc = read_config(&r, config);
    if (rc < 0)
        err_prefix(e, "%s", path);
    else
        rc = read_tensors(&r, dir);
    if (rc < 0)
        goto out;
    rc = check_modules(&r, config);
    if (rc < 0)
        err_prefix(e, "%s", path);
out:
    if (rc < 0)
        adapter_release(a);
    cJSON_Delete(config);
    free(path);
    return rc;
}
