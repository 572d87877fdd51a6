/* fsck.c - the model that config.json describes, every value, and the
 * hashes of a set, each by the functions that programs open a base with. */
#include "weights/fsck.h"

#include <stdio.h>

#include "base/progress.h"
#include "model/family.h"
#include "weights/base.h"

#define PIECE 4096

/* As weight_bad, of every element of t. */
static bool
element_bad(const struct weight *t, uint64_t *index, float *value)
{
    uint64_t n = weight_elements(t), at;
    float x[PIECE];

    for (at = 0; at < n; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE, bad;

        weight_floats(x, t, at, len);
        bad = floats_bad(x, len);
        if (bad < len) {
            *index = at + bad;
            *value = x[bad];
            return true;
        }
    }
    return false;
}

bool
weight_bad(const struct weight *t, uint64_t *index, float *value)
{
    const struct stored *s = stored_of(t->dtype);
    uint64_t cols, blocks, at;
    struct weight side;

    if (dtype_is_float(t->dtype)
        || (s != NULL && s->side_dtype == DTYPE_NONE))
        return element_bad(t, index, value);
    if (t->scale == NULL || t->bytes == 0)
        return false;
    side = (struct weight){ .dtype = s->side_dtype, .data = t->scale,
                            .bytes = weight_side_bytes(t) };
    if (!element_bad(&side, &at, value))
        return false;
    cols = t->shape[t->n_dims - 1];
    blocks = stored_blocks(s, cols);
    *index = at / blocks * cols + at % blocks * s->block;
    return true;
}

static int
check_model(struct base_report *r, const struct weights *w, struct err *e)
{
    struct model_desc d;
    struct frozen frozen;
    int rc = base_describe(&d, &r->unused, w, e);

    if (rc < 0)
        return rc;
    rc = base_bind(&frozen, w, &d, e);
    base_unbind(&frozen);
    snprintf(r->model_type, sizeof(r->model_type), "%s",
             d.family->model_type);
    r->params = desc_params(&d);
    desc_release(&d);
    return rc;
}

static int
check_data(struct base_report *r, const struct weights *w, struct err *e)
{
    uint64_t index, bytes = 0;
    float value;
    size_t i;
    int rc;

    for (i = 0; i < w->n; i++)
        bytes += w->item[i].bytes;
    progress_begin("bytes", 0, bytes);
    for (i = 0; i < w->n; i++) {
        const struct weight *t = &w->item[i];

        rc = weights_ready(w, t, e);
        if (rc < 0)
            return rc;
        if (weight_bad(t, &index, &value))
            return err_set(e, ERR_DATA, "%s: tensor %s: element %llu is %g",
                           w->path, t->name, (unsigned long long)index,
                           (double)value);
        weights_done(w, t);
        progress_add(t->bytes);
        r->bytes += t->bytes + weight_side_bytes(t);
    }
    progress_end();
    return 0;
}

int
base_check(struct base_report *r, const char *path, bool hashes,
           struct err *e)
{
    struct base_report found = { 0 };
    struct weights w;
    int rc;

    rc = weights_open(&w, path, e);
    if (rc < 0)
        return rc;
    found.tensors = w.n;
    rc = hashes ? weights_check(&w, e) : 0;
    if (rc == 0)
        rc = check_model(&found, &w, e);
    if (rc == 0)
        rc = check_data(&found, &w, e);
    weights_release(&w);
    if (rc == 0)
        *r = found;
    return rc;
}
