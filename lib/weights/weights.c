/* weights.c - opens a base.
 *
 * Whatever the container, it ends as one array of items sorted by name, with
 * the scales of int8 tensors moved from items of their own to the tensor.
 */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"
#include "tensor/safetensors.h"
#include "weights/weights_source.h"

static int
by_name(const void *a, const void *b)
{
    const struct weight *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int
key_compare(const void *key, const void *item)
{
    return strcmp(key, ((const struct weight *)item)->name);
}

const struct weight *
weights_find(const struct weights *w, const char *name)
{
    if (w->n == 0)
        return NULL;
    return bsearch(name, w->item, w->n, sizeof(*w->item), key_compare);
}

const struct weight_asset *
weights_asset(const struct weights *w, const char *name)
{
    size_t i;

    for (i = 0; i < w->n_assets; i++)
        if (strcmp(w->asset[i].name, name) == 0)
            return &w->asset[i];
    return NULL;
}

int
weights_config(const struct weights *w, const char **text, size_t *n,
               struct err *e)
{
    const struct weight_asset *a = weights_asset(w, MODELDIR_CONFIG);

    if (a == NULL)
        return err_set(e, ERR_DATA, "%s: has no " MODELDIR_CONFIG, w->path);
    *text = a->data;
    *n = a->n;
    return 0;
}

/* Scales */

uint64_t
weight_side_bytes(const struct weight *t)
{
    const struct stored *s = stored_of(t->dtype);
    uint64_t cols = t->n_dims ? t->shape[t->n_dims - 1] : 0;

    if (t->scale == NULL || cols == 0)
        return 0;
    return t->bytes / stored_row_bytes(s, cols) * stored_blocks(s, cols)
           * dtype_size(s->side_dtype);
}

static bool
has_side(unsigned dtype)
{
    const struct stored *s = stored_of(dtype);

    return s != NULL && s->side_dtype != DTYPE_NONE;
}

static bool
scale_fits(const struct weight *q, const struct weight *s)
{
    const struct stored *stored = stored_of(q->dtype);
    uint32_t i;

    if (s->dtype != stored->side_dtype || s->n_dims != q->n_dims
        || q->n_dims == 0)
        return false;
    for (i = 0; i + 1 < q->n_dims; i++)
        if (s->shape[i] != q->shape[i])
            return false;
    return s->shape[i] == stored_blocks(stored, q->shape[i]);
}

/* The quantised tensor that item i is the scale of, or NULL. */
static struct weight *
scaled_by(struct weights *w, size_t i)
{
    const char *name = w->item[i].name;
    size_t n = strlen(name), end = strlen(SCALE_SUFFIX);
    struct weight *q;
    char *stem;

    if (n <= end || strcmp(name + n - end, SCALE_SUFFIX) != 0)
        return NULL;
    stem = mem_dup(name, n - end);
    q = (struct weight *)weights_find(w, stem);
    free(stem);
    return q && has_side(q->dtype) ? q : NULL;
}

static int
attach_scales(struct weights *w, struct err *e)
{
    bool *is_scale = mem_array(w->n, sizeof(*is_scale));
    size_t i, kept = 0;
    int rc = 0;

    for (i = 0; i < w->n && rc == 0; i++) {
        struct weight *q = scaled_by(w, i);
        char own[SHAPE_TEXT], other[SHAPE_TEXT];

        if (q == NULL)
            continue;
        is_scale[i] = true;
        q->scale = w->item[i].data;
        if (!scale_fits(q, &w->item[i]))
            rc = err_set(e, ERR_DATA, "%s: tensor %s: %s %s does not fit an "
                         "%s tensor of %s", w->path, w->item[i].name,
                         dtype_name(w->item[i].dtype),
                         shape_text(own, w->item[i].shape,
                                    w->item[i].n_dims),
                         dtype_name(q->dtype),
                         shape_text(other, q->shape, q->n_dims));
    }
    for (i = 0; i < w->n && rc == 0; i++)
        if (!is_scale[i])
            w->item[kept++] = w->item[i];
    if (rc == 0)
        w->n = kept;
    free(is_scale);
    return rc;
}

/* Building, from the sources */

int
weights_add(struct weights *w, struct weight *t, struct err *e)
{
    struct weights_source *s = w->source;

    if (t->bytes > 0 && (uintptr_t)t->data % dtype_align(t->dtype) != 0) {
        void *copy = mem_try((size_t)t->bytes);

        if (copy == NULL)
            return err_set(e, ERR_IO, "%s: tensor %s: out of memory for "
                           "%llu bytes", w->path, t->name,
                           (unsigned long long)t->bytes);
        memcpy(copy, t->data, (size_t)t->bytes);
        s->copy = mem_grow(s->copy, (s->n_copies + 1) * sizeof(*s->copy));
        s->copy[s->n_copies++] = copy;
        t->data = copy;
        w->copied += t->bytes;
    }
    if (w->n == s->cap) {
        s->cap = 2 * s->cap + 64;
        w->item = mem_grow(w->item, s->cap * sizeof(*w->item));
    }
    w->item[w->n++] = *t;
    return 0;
}

void
weights_add_asset(struct weights *w, const char *name, const void *data,
                  size_t n)
{
    w->asset = mem_grow(w->asset, (w->n_assets + 1) * sizeof(*w->asset));
    w->asset[w->n_assets++] = (struct weight_asset){
        mem_strdup(name), mem_dup(data, n), n
    };
}

/* From a model directory */

static int
add_assets(struct weights *w, struct err *e)
{
    const char *name;
    struct buf text;
    bool found;
    size_t i;
    int rc = 0;

    buf_init(&text);
    for (i = 0; (name = modeldir_asset_name(i)) && rc == 0; i++) {
        buf_reset(&text);
        rc = modeldir_asset(w->path, name, &text, &found, e);
        if (rc == 0 && found)
            weights_add_asset(w, name, text.data, text.len);
    }
    buf_release(&text);
    return rc;
}

static int
open_dir(struct weights *w, struct err *e)
{
    struct modeldir *d = &w->source->dir;
    size_t i;
    int rc;

    rc = modeldir_open(d, w->path, e);
    if (rc < 0)
        return rc;
    for (i = 0; i < d->n_files; i++)
        w->mapped += d->file[i].map.n;
    for (i = 0; i < d->n && rc == 0; i++) {
        const struct safetensor *t = d->item[i].t;
        struct weight x = {
            .name = t->name, .dtype = t->dtype, .n_dims = t->n_dims,
            .data = safetensors_data(d->item[i].file, t),
            .bytes = t->bytes,
        };

        memcpy(x.shape, t->shape, sizeof(x.shape));
        rc = weights_add(w, &x, e);
    }
    if (rc == 0)
        rc = add_assets(w, e);
    return rc;
}

/* Opening */

static int
check_names(const struct weights *w, struct err *e)
{
    size_t i;

    for (i = 1; i < w->n; i++)
        if (strcmp(w->item[i - 1].name, w->item[i].name) == 0)
            return err_set(e, ERR_DATA, "%s: two tensors are named %s",
                           w->path, w->item[i].name);
    return 0;
}

int
weights_open(struct weights *w, const char *path, struct err *e)
{
    int rc;

    memset(w, 0, sizeof(*w));
    w->path = mem_strdup(path);
    w->source = mem_alloc(sizeof(*w->source));
    if (set_is(path))
        rc = weights_open_set(w, e);
    else
        rc = open_dir(w, e);
    if (rc == 0 && w->n > 0)
        qsort(w->item, w->n, sizeof(*w->item), by_name);
    if (rc == 0)
        rc = check_names(w, e);
    if (rc == 0)
        rc = attach_scales(w, e);
    if (rc < 0)
        weights_release(w);
    return rc;
}

void
weights_release(struct weights *w)
{
    struct weights_source *s = w->source;
    size_t i;

    for (i = 0; i < w->n_assets; i++) {
        free((char *)w->asset[i].name);
        free((char *)w->asset[i].data);
    }
    if (s) {
        for (i = 0; i < s->n_copies; i++)
            free(s->copy[i]);
        free(s->copy);
        modeldir_release(&s->dir);
        if (s->set)
            set_release(s->set);
        free(s->set);
    }
    free(s);
    free(w->asset);
    free(w->item);
    free(w->path);
    memset(w, 0, sizeof(*w));
}

/* Identity */

void
weights_drop(const struct weights *w, const struct weight *t)
{
    const struct weights_source *s = w->source;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)t->data, to = from + (uintptr_t)t->bytes;
    size_t i;

    for (i = 0; i < s->n_copies; i++)
        if (s->copy[i] == t->data)
            return; /* no mapping: its bytes would be lost */
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

static void
hash_weight(struct hash *h, const struct weight *t)
{
    uint32_t i;

    hash_field(h, t->name, strlen(t->name));
    hash_field(h, dtype_name(t->dtype), strlen(dtype_name(t->dtype)));
    hash_u64(h, t->n_dims);
    for (i = 0; i < t->n_dims; i++)
        hash_u64(h, t->shape[i]);
    hash_field(h, t->data, (size_t)t->bytes);
}

struct id
weights_id(const struct weights *w)
{
    uint64_t bytes = 0;
    struct hash h;
    size_t i;

    if (w->source->set)
        return w->source->set->manifest.content;
    hash_init(&h);
    hash_u64(&h, w->n_assets);
    for (i = 0; i < w->n_assets; i++) {
        hash_field(&h, w->asset[i].name, strlen(w->asset[i].name));
        hash_field(&h, w->asset[i].data, w->asset[i].n);
    }
    hash_u64(&h, w->n);
    for (i = 0; i < w->n; i++)
        bytes += w->item[i].bytes;
    progress_begin("bytes", 0, bytes);
    for (i = 0; i < w->n; i++) {
        hash_weight(&h, &w->item[i]);
        weights_drop(w, &w->item[i]);
        progress_add(w->item[i].bytes);
    }
    progress_end();
    return hash_id(&h);
}
