/* fsck.c - see fsck.h. */
#include "model/fsck.h"

#include <stdio.h>
#include <string.h>

#include "model/desc.h"
#include "model/family.h"
#include "model/prog.h"
#include "tensor/int8.h"
#include "tensor/safetensors.h"

#define PIECE 4096

/* As weight_bad, of n floats in a row. */
static bool
floats_find_bad(const void *data, unsigned dtype, uint64_t n,
                uint64_t *index, float *value)
{
    const uint8_t *p = data;
    float x[PIECE];
    uint64_t at;

    for (at = 0; at < n; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE, bad;

        floats_load(x, p + at * dtype_size(dtype), dtype, len);
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
    uint64_t cols, groups, at;

    if (dtype_is_float(t->dtype))
        return floats_find_bad(t->data, t->dtype,
                               t->bytes / dtype_size(t->dtype), index,
                               value);
    if (t->scale == NULL || t->bytes == 0)
        return false;
    cols = t->shape[t->n_dims - 1];
    groups = int8_groups((size_t)cols);
    if (!floats_find_bad(t->scale, DTYPE_F16, t->bytes / cols * groups, &at,
                         value))
        return false;
    *index = at / groups * cols + at % groups * INT8_GROUP;
    return true;
}

static bool
has_shape(const struct weight *t, uint64_t rows, uint64_t cols)
{
    if (rows == 0)
        return t->n_dims == 1 && t->shape[0] == cols;
    return t->n_dims == 2 && t->shape[0] == rows && t->shape[1] == cols;
}

/* rows 0: a vector of cols. */
static int
check_tensor(const struct weights *w, const struct weight *t, uint64_t rows,
             uint64_t cols, struct err *e)
{
    const uint64_t shape[2] = { rows, cols };
    char found[SHAPE_TEXT], expected[SHAPE_TEXT];

    if (!has_shape(t, rows, cols))
        return err_set(e, ERR_DATA, "%s: tensor %s: bad shape (found %s, "
                       "expected %s)", w->path, t->name,
                       shape_text(found, t->shape, t->n_dims),
                       rows ? shape_text(expected, shape, 2)
                            : shape_text(expected, shape + 1, 1));
    if (!dtype_is_float(t->dtype) && !(t->scale && rows > 0))
        return err_set(e, ERR_DATA, "%s: tensor %s: type %s is no weight",
                       w->path, t->name, dtype_name(t->dtype));
    return 0;
}

static int
check_module(const struct weights *w, const struct model_desc *d,
             const struct module *m, size_t *used, struct err *e)
{
    const struct weight *weight = base_tensor(w, d, m, ".weight");
    const struct weight *bias = base_tensor(w, d, m, ".bias");
    int rc;

    if ((weight == NULL && !m->shared) || (m->bias && bias == NULL))
        return err_set(e, ERR_DATA, "%s: tensor %s.%s is missing", w->path,
                       m->name, weight ? "bias" : "weight");
    *used += !m->shared + m->bias;
    if (m->shared)
        rc = 0;
    else if (m->in == 0)
        rc = check_tensor(w, weight, 0, m->out, e);
    else
        rc = check_tensor(w, weight, m->in_out ? m->in : m->out,
                          m->in_out ? m->out : m->in, e);
    if (rc == 0 && m->bias)
        rc = check_tensor(w, bias, 0, m->out, e);
    return rc;
}

static int
check_model(struct base_report *r, const struct weights *w, struct err *e)
{
    struct model_desc d;
    const char *text;
    size_t n, i, used = 0;
    int rc;

    rc = weights_config(w, &text, &n, e);
    if (rc == 0)
        rc = desc_read(&d, text, n, w->path, e);
    if (rc < 0)
        return rc;
    for (i = 0; i < d.n_modules && rc == 0; i++)
        rc = check_module(w, &d, &d.module[i], &used, e);
    snprintf(r->model_type, sizeof r->model_type, "%s",
             d.family->model_type);
    r->params = desc_params(&d);
    r->unused = w->n - used;
    desc_release(&d);
    return rc;
}

static int
check_data(struct base_report *r, const struct weights *w, struct err *e)
{
    uint64_t index;
    float value;
    size_t i;

    for (i = 0; i < w->n; i++) {
        const struct weight *t = &w->item[i];

        if (weight_bad(t, &index, &value))
            return err_set(e, ERR_DATA, "%s: tensor %s: element %llu is %g",
                           w->path, t->name, (unsigned long long)index,
                           (double)value);
        weights_drop(w, t);
        r->bytes += t->bytes;
        if (t->scale && t->bytes > 0) {
            uint64_t cols = t->shape[t->n_dims - 1];

            r->bytes += 2 * (t->bytes / cols) * int8_groups((size_t)cols);
        }
    }
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
