/* base.c - finds the tensors of a description in an opened base, decides
 * whether a head that is said to be tied is, and names what is left over. */
#include "weights/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/family.h"
#include "tensor/modeldir.h"
#include "weights/bitsandbytes.h"

#define PIECE 4096 /* elements compared at a time */
#define NAMED 3    /* tensors that a warning names */

/* Finding */

const struct weight *
base_find(const struct weights *w, const struct model_desc *d,
          const char *name)
{
    const char *body = d->family->body;
    size_t n = strlen(body);
    const struct weight *t = weights_find(w, name);

    if (t == NULL && strncmp(name, body, n) == 0)
        t = weights_find(w, name + n);
    return t;
}

/* The description's tensor t; ERR_DATA when it is not there or has another
 * shape. */
static int
find_tensor(const struct weight **found, const struct weights *w,
            const struct model_desc *d, const struct model_tensor *t,
            struct err *e)
{
    const struct weight *had = base_find(w, d, t->name);
    const uint64_t shape[3] = { t->n_dims == 1 ? t->cols : t->rows,
                                t->n_dims == 3 ? 1 : t->cols, t->cols };
    char have[SHAPE_TEXT], want[SHAPE_TEXT];

    if (had == NULL)
        return err_set(e, ERR_DATA, "%s: tensor %s is missing", w->path,
                       t->name);
    if (had->n_dims != t->n_dims
        || memcmp(had->shape, shape, t->n_dims * sizeof(*shape)) != 0)
        return err_set(e, ERR_DATA, "%s: tensor %s: bad shape (found %s, "
                       "expected %s)", w->path, had->name,
                       shape_text(have, had->shape, had->n_dims),
                       shape_text(want, shape, t->n_dims));
    *found = had;
    return 0;
}

/* Whether programs compute with weights of t's type. */
static int
check_type(const struct weights *w, const struct weight *t, struct err *e)
{
    const struct stored *s = stored_of(t->dtype);

    if (s == NULL)
        return err_set(e, ERR_DATA, "%s: tensor %s: weights of type %s are "
                       "not supported", w->path, t->name,
                       dtype_name(t->dtype));
    if (dtype_is_float(s->dtype))
        return 0;
    if (s->side_dtype != DTYPE_NONE && t->scale == NULL)
        return err_set(e, ERR_DATA, "%s: tensor %s: %s without scales",
                       w->path, t->name, s->name);
    return t->n_dims == 2 ? 0
           : err_set(e, ERR_DATA, "%s: tensor %s: a vector in %s", w->path,
                     t->name, s->name);
}

/* Binding */

/* Where the values of a tensor are: those of a head that was untied are the
 * embedding's, if the base has no others. */
static const struct model_tensor *
values_of(const struct model_tensor *own, const struct weights *w,
          const struct model_desc *d)
{
    const struct module *m = &d->module[own->module];

    if (m->role != ROLE_HEAD || own != &d->tensor[m->weight]
        || base_find(w, d, own->name) != NULL)
        return own;
    return &d->tensor[desc_module(d, ROLE_EMBED, 0)->weight];
}

static int
bind_tensor(struct frozen_tensor *to, const struct weights *w,
            const struct model_desc *d, const struct model_tensor *own,
            struct err *e)
{
    const struct weight *t;
    int rc = find_tensor(&t, w, d, values_of(own, w, d), e);

    if (rc == 0)
        rc = check_type(w, t, e);
    if (rc == 0)
        *to = (struct frozen_tensor){ t->name, t->data, t->scale, t->dtype };
    return rc;
}

void
base_uses(uint8_t *use, const struct weights *w, const struct model_desc *d)
{
    for (size_t i = 0; i < w->n; i++)
        use[i] = WEIGHT_OTHER;
    for (size_t i = 0; i < d->n_tensors; i++) {
        const struct weight *t = base_find(w, d, d->tensor[i].name);

        if (t == NULL)
            continue;
        if (d->tensor[i].flags & TENSOR_EXACT)
            use[t - w->item] = WEIGHT_EXACT;
        else if (d->tensor[i].flags & TENSOR_LINEAR)
            use[t - w->item] = WEIGHT_LINEAR;
    }
}

int
base_bind(struct frozen *f, const struct weights *w,
          const struct model_desc *d, struct err *e)
{
    int rc = 0;

    *f = (struct frozen){ w->path, w->mapped,
                          mem_array(d->n_tensors, sizeof(*f->tensor)) };
    for (size_t i = 0; i < d->n_tensors && rc == 0; i++)
        rc = bind_tensor(&f->tensor[i], w, d, &d->tensor[i], e);
    if (rc < 0)
        base_unbind(f);
    return rc;
}

void
base_unbind(struct frozen *f)
{
    free(f->tensor);
    memset(f, 0, sizeof(*f));
}

/* A tied head with a weight in the file */

static bool
same_floats(const struct weight *a, const struct weight *b)
{
    size_t size_a = dtype_size(a->dtype), size_b = dtype_size(b->dtype);
    uint64_t n = a->bytes / size_a, at;
    float x[PIECE], y[PIECE];

    for (at = 0; at < n; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

        floats_load(x, (const char *)a->data + at * size_a, a->dtype, len);
        floats_load(y, (const char *)b->data + at * size_b, b->dtype, len);
        if (memcmp(x, y, len * sizeof(*x)) != 0)
            return false;
    }
    return true;
}

/* The same values, whatever types hold them. */
static bool
same_values(const struct weight *a, const struct weight *b)
{
    const struct stored *s = stored_of(a->dtype);

    if (a->n_dims != b->n_dims
        || memcmp(a->shape, b->shape, a->n_dims * sizeof(*a->shape)) != 0)
        return false;
    if (dtype_is_float(a->dtype) && dtype_is_float(b->dtype))
        return same_floats(a, b);
    if (s == NULL || a->dtype != b->dtype
        || memcmp(a->data, b->data, (size_t)a->bytes) != 0)
        return false;
    return s->side_dtype == DTYPE_NONE
           || (a->scale && b->scale && a->n_dims == 2
               && memcmp(a->scale, b->scale,
                         (size_t)weight_side_bytes(a)) == 0);
}

/* The weight of a tied head that the base has all the same, or NULL. */
static const struct weight *
spare_head(const struct weights *w, const struct model_desc *d)
{
    char name[128];

    snprintf(name, sizeof(name), "%s.weight",
             desc_module(d, ROLE_HEAD, 0)->name);
    return d->tied ? base_find(w, d, name) : NULL;
}

/* Whether the head turns out not to be tied. */
static bool
settle_head(struct model_desc *d, const struct weights *w)
{
    const struct module *embed = desc_module(d, ROLE_EMBED, 0);
    const struct weight *head = spare_head(w, d);
    const struct weight *table = base_find(w, d,
                                           d->tensor[embed->weight].name);

    if (head == NULL || table == NULL || same_values(head, table))
        return false;
    desc_untie(d);
    return true;
}

/* What is left over */

static void
warn_unused(const struct weights *w, const bool *used, size_t unused)
{
    size_t named = 0;
    struct buf names;

    buf_init(&names);
    for (size_t i = 0; i < w->n && named < NAMED; i++)
        if (!used[i])
            buf_addf(&names, "%s%s", named++ ? ", " : "", w->item[i].name);
    log_warn("%s: the model that config.json describes does not use %zu of "
             "%zu tensors: %s%s", w->path, unused, w->n, names.data,
             unused > named ? ", ..." : "");
    buf_release(&names);
}

/* A buffer of old files. */
static bool
is_buffer(const struct model_desc *d, const char *name)
{
    return d->family->buffer != NULL
           && strstr(name, d->family->buffer) != NULL;
}

static int
find_all(bool *used, const struct model_desc *d, const struct weights *w,
         struct err *e)
{
    const struct weight *spare = spare_head(w, d);

    for (size_t i = 0; i < d->n_tensors; i++) {
        const struct weight *t;
        int rc = find_tensor(&t, w, d, &d->tensor[i], e);

        if (rc < 0)
            return rc;
        used[t - w->item] = true;
    }
    if (spare != NULL)
        used[spare - w->item] = true;
    return 0;
}

/* Describing */

/* What is read of generation_config.json has the types that it should. */
static int
check_generation(const struct weights *w, struct err *e)
{
    static const char name[] = "generation_config.json";
    static const struct key keys[] = {
        { "bos_token_id", KEY_IDS, KEY_NULL },
        { "eos_token_id", KEY_IDS, KEY_NULL },
        { "pad_token_id", KEY_IDS, KEY_NULL },
        { .name = NULL }
    };
    const struct weight_asset *a = weights_asset(w, name);
    char *where = path_join(w->path, name);
    cJSON *root = NULL;
    int rc = a ? json_user(&root, a->data, a->n, where, e) : 0;

    if (root != NULL && !cJSON_IsObject(root))
        rc = err_set(e, ERR_DATA, "%s: no JSON object", where);
    else if (root != NULL && keys_read(NULL, keys, root, e) < 0)
        rc = err_prefix(e, "%s", where);
    cJSON_Delete(root);
    free(where);
    return rc;
}

static int
check_tensors(const struct model_desc *d, size_t *unused,
              const struct weights *w, struct err *e)
{
    bool *used = mem_array(w->n + 1, sizeof(*used));
    size_t strangers = 0;
    int rc = find_all(used, d, w, e);

    *unused = 0;
    for (size_t i = 0; i < w->n && rc == 0; i++) {
        *unused += !used[i];
        used[i] |= is_buffer(d, w->item[i].name);
        strangers += !used[i];
    }
    if (strangers > 0)
        warn_unused(w, used, strangers);
    free(used);
    return rc;
}

/* A router of anything else chooses nothing. */
static int
check_routers(const struct model_desc *d, const struct weights *w,
              struct err *e)
{
    float x[PIECE];

    for (size_t i = 0; i < d->n_tensors; i++) {
        const struct weight *t;
        uint64_t at, n;
        size_t len;

        if (d->module[d->tensor[i].module].role != ROLE_ROUTER)
            continue;
        t = base_find(w, d, d->tensor[i].name);
        n = dtype_is_float(t->dtype) ? weight_elements(t) : 0;
        for (at = 0; at < n; at += len) {
            len = n - at < PIECE ? (size_t)(n - at) : PIECE;
            weight_floats(x, t, at, len);
            if (floats_bad(x, len) < len)
                return err_set(e, ERR_DATA, "%s: tensor %s: a router with a "
                               "value that is not finite", w->path, t->name);
        }
    }
    return 0;
}

/* Of the matrices that transformers turns for bitsandbytes, those that it left
 * as they were are the other way round. */
static int
check_turned(const struct model_desc *d, const struct weights *w,
             struct err *e)
{
    for (size_t i = 0; i < d->n_tensors && d->turned && w->bitsandbytes; i++) {
        const struct weight *t = base_find(w, d, d->tensor[i].name);

        if (d->tensor[i].flags & TENSOR_LINEAR && dtype_is_float(t->dtype))
            return err_set(e, ERR_DATA, "%s: tensor %s: is not turned as "
                           "those that bitsandbytes converted", w->path,
                           t->name);
    }
    return 0;
}

/* Reads the config, without what it says of weights that were found to be as
 * it says. */
static int
read_config(struct model_desc *d, const struct weights *w, struct err *e)
{
    const char *text;
    char *where, *rest = NULL;
    size_t n;
    int rc = weights_config(w, &text, &n, e);

    if (rc < 0)
        return rc;
    where = path_join(w->path, MODELDIR_CONFIG);
    if (w->bitsandbytes)
        rc = bitsandbytes_config(&rest, w, text, n, where, e);
    if (rc == 0)
        rc = desc_read(d, rest ? rest : text, rest ? strlen(rest) : n, where,
                       e);
    cJSON_free(rest);
    free(where);
    return rc;
}

int
base_describe(struct model_desc *d, size_t *unused, const struct weights *w,
              struct err *e)
{
    bool untied;
    int rc = read_config(d, w, e);

    if (rc < 0)
        return rc;
    rc = check_generation(w, e);
    untied = rc == 0 && settle_head(d, w);
    if (rc == 0)
        rc = check_tensors(d, unused, w, e);
    if (rc == 0)
        rc = check_turned(d, w, e);
    if (rc == 0)
        rc = check_routers(d, w, e);
    if (rc < 0)
        desc_release(d);
    else if (untied)
        log_warn("%s: tie_word_embeddings is set, but the head's weight "
                 "differs from the embedding's: both are used, as "
                 "transformers 5 does it (4 ties them)", w->path);
    return rc;
}
