/* weights.c - opens a base.
 *
 * Whatever the container, it ends as one array of items sorted by name, with
 * the scales of int8 tensors moved from items of their own to the tensor.
 */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/par.h"
#include "tensor/safetensors.h"
#include "weights/bitsandbytes.h"
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

struct weight *
weights_beside(const struct weights *w, const char *name, const char *end,
               const char *other)
{
    size_t n = strlen(name), k = strlen(end);
    struct weight *t;
    struct buf b;

    if (n < k || strcmp(name + n - k, end) != 0)
        return NULL;
    buf_init(&b);
    buf_add(&b, name, n - k);
    buf_addstr(&b, other);
    t = (struct weight *)weights_find(w, b.data);
    buf_release(&b);
    return t;
}

void
weights_leave(struct weights *w, const bool *gone)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->n; i++)
        if (!gone[i])
            w->item[kept++] = w->item[i];
    w->n = kept;
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

/* Elements */

static uint64_t
row_length(const struct weight *t)
{
    return t->n_dims ? t->shape[t->n_dims - 1] : 1;
}

uint64_t
weight_elements(const struct weight *t)
{
    uint64_t cols = row_length(t);

    if (t->bytes == 0)
        return 0;
    return t->bytes / (dtype_units(t->dtype, cols) * dtype_size(t->dtype))
           * cols;
}

void
weight_floats(float *x, const struct weight *t, uint64_t at, size_t n)
{
    const struct stored *s = stored_of(t->dtype);
    uint64_t cols = row_length(t), row;
    const char *p = t->data, *side;
    size_t col, len;

    if (dtype_is_float(t->dtype)) {
        floats_load(x, p + at * dtype_size(t->dtype), t->dtype, n);
        return;
    }
    for (; n > 0; x += len, at += len, n -= len) {
        row = at / cols;
        col = (size_t)(at % cols);
        len = cols - col < n ? (size_t)(cols - col) : n;
        side = t->scale;
        if (side != NULL)
            side += row * stored_blocks(s, cols) * dtype_size(s->side_dtype);
        s->widen(x, p + row * stored_row_bytes(s, cols), side, col, len);
    }
}

/* Scales */

uint64_t
weight_side_bytes(const struct weight *t)
{
    const struct stored *s = stored_of(t->dtype);
    uint64_t cols = row_length(t);

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

static int
attach_scales(struct weights *w, struct err *e)
{
    bool *is_scale = mem_array(w->n, sizeof(*is_scale));
    int rc = 0;

    for (size_t i = 0; i < w->n && rc == 0; i++) {
        struct weight *q = weights_beside(w, w->item[i].name, SCALE_SUFFIX,
                                          "");
        char own[SHAPE_TEXT], other[SHAPE_TEXT];

        if (q == NULL || !has_side(q->dtype))
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
    if (rc == 0)
        weights_leave(w, is_scale);
    free(is_scale);
    return rc;
}

/* Copies */

static void
note_copy(struct weights_source *s, void *copy)
{
    s->copy = mem_grow(s->copy, (s->n_copies + 1) * sizeof(*s->copy));
    s->copy[s->n_copies++] = copy;
}

void
weights_own(struct weights *w, void *copy, uint64_t bytes)
{
    note_copy(w->source, copy);
    w->copied += bytes;
}

/* Room for a copy of t's data, noted in the source; NULL with *e set. */
static void *
add_copy(const struct weights *w, const struct weight *t, struct err *e)
{
    void *copy = mem_try((size_t)t->bytes);

    if (copy == NULL) {
        err_set(e, ERR_IO, "%s: tensor %s: out of memory for %llu bytes",
                w->path, t->name, (unsigned long long)t->bytes);
        return NULL;
    }
    note_copy(w->source, copy);
    return copy;
}

const void *
weights_row(const struct weight *t, uint64_t i, size_t *bytes)
{
    const char *p = t->data ? t->data : t->paired;
    uint64_t half, within;

    *bytes = (size_t)(t->bytes / t->shape[0]);
    if (t->data == NULL) {
        half = t->shape[0] / t->heads / 2;
        within = i % (2 * half);
        i += 2 * (within % half) + within / half - within;
    }
    return p + i * *bytes;
}

struct row_copy {
    const struct weight *t;
    char *to;
};

static void
copy_row(void *ctx, size_t i, int worker)
{
    const struct row_copy *c = ctx;
    size_t n;
    const void *row = weights_row(c->t, i, &n);

    (void)worker;
    memcpy(c->to + i * n, row, n);
}

int
weights_ready(const struct weights *w, const struct weight *t, struct err *e)
{
    struct row_copy c = { t, NULL };

    if (t->data != NULL || t->heads == 0)
        return 0;
    c.to = add_copy(w, t, e);
    if (c.to == NULL)
        return e->code;
    par_for((size_t)t->shape[0], copy_row, &c);
    w->item[t - w->item].data = c.to;
    weights_drop(w, t); /* of which there is a copy now */
    return 0;
}

int
weights_all_ready(const struct weights *w, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < w->n && rc == 0; i++)
        rc = weights_ready(w, &w->item[i], e);
    return rc;
}

/* Building, from the sources */

int
weights_add(struct weights *w, struct weight *t, struct err *e)
{
    struct weights_source *s = w->source;
    bool odd = (uintptr_t)t->data % dtype_align(t->dtype) != 0;

    if (t->bytes > 0 && odd) {
        void *copy = add_copy(w, t, e);

        if (copy == NULL)
            return e->code;
        memcpy(copy, t->data, (size_t)t->bytes);
        t->data = copy;
    }
    if (odd || t->heads > 0)
        w->copied += t->bytes;
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

/* A file that is called so is meant as one, whatever it holds. */
static bool
is_gguf(const char *path)
{
    static const char end[] = ".gguf";
    size_t n = strlen(path), k = sizeof(end) - 1;
    struct stat st;

    if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
        return false;
    return (n > k && strcmp(path + n - k, end) == 0) || gguf_is(path);
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
    else if (is_gguf(path))
        rc = weights_open_gguf(w, e);
    else
        rc = open_dir(w, e);
    if (rc == 0 && w->n > 0)
        qsort(w->item, w->n, sizeof(*w->item), by_name);
    if (rc == 0)
        rc = check_names(w, e);
    if (rc == 0)
        rc = bitsandbytes_attach(w, e);
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
        for (i = 0; i < s->n_names; i++)
            free(s->name[i]);
        free(s->name);
        modeldir_release(&s->dir);
        gguf_release(&s->gguf);
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

/* The copy that t's data is, or n_copies. */
static size_t
copy_of(const struct weights *w, const struct weight *t)
{
    const struct weights_source *s = w->source;
    size_t i = 0;

    while (i < s->n_copies && s->copy[i] != t->data)
        i++;
    return i;
}

void
weights_done(const struct weights *w, const struct weight *t)
{
    struct weights_source *s = w->source;
    size_t i = t->heads > 0 && t->data != NULL ? copy_of(w, t)
                                               : s->n_copies;

    if (i < s->n_copies) {
        free(s->copy[i]);
        s->copy[i] = s->copy[--s->n_copies];
        w->item[t - w->item].data = NULL;
    }
    weights_drop(w, t);
}

void
weights_drop(const struct weights *w, const struct weight *t)
{
    const void *p = t->paired ? t->paired : t->data;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)p, to = from + (uintptr_t)t->bytes;

    if (p == t->data && copy_of(w, t) < w->source->n_copies)
        return; /* no mapping: its bytes would be lost */
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}
