/* jsonl_weights.c - lines to assets, tensors and their data. */
#include <string.h>

#include "base/b64.h"
#include "base/mem.h"
#include "record/jsonl_line.h"
#include "record/tensor.h"
#include "tensor/shape.h"

/* The name of an asset or tensor, as a key: it outlives s->bytes. */
static int
read_name(struct jsonl_state *s, const char **name, struct err *e)
{
    size_t at;
    int rc;

    rc = line_only_bytes(s, "name", e);
    if (rc < 0)
        return rc;
    if (memchr(s->bytes.data, 0, s->bytes.len))
        return err_set(e, ERR_DATA, "%s: NUL character in a name",
                       s->line.where);
    at = line_add_name(s, s->bytes.data);
    *name = s->keys.data + at;
    return 0;
}

int
jsonl_read_asset(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    const char *name;
    int rc;

    rc = read_name(s, &name, e);
    if (rc == 0)
        rc = line_only_bytes(s, "data", e);
    if (rc < 0)
        return rc;
    j->kind = JSONL_ASSET;
    if (asset_encode(&j->record, name, s->bytes.data, s->bytes.len, e) < 0)
        return err_prefix(e, "%s", s->line.where);
    return 0;
}

static int
read_shape(struct jsonl_state *s, struct tensor_desc *d, struct err *e)
{
    struct json v, at;
    struct entry *t;
    int rc;

    t = line_need(s, "shape", e);
    if (!t)
        return ERR_DATA;
    v = line_value(s, t);
    rc = json_enter_array(&v, e);
    if (rc < 0)
        return rc;
    for (d->n_dims = 0; json_next_item(&v); d->n_dims++) {
        at = v;
        if (d->n_dims == TENSOR_MAX_DIMS)
            return json_error(&at, e, "over %d dimensions", TENSOR_MAX_DIMS);
        rc = json_u64(&v, &d->shape[d->n_dims], e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int
jsonl_read_tensor(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct tensor_desc d;
    uint64_t bytes;
    uint32_t i;
    int rc;

    memset(&d, 0, sizeof(d));
    rc = read_name(s, &d.name, e);
    if (rc == 0)
        rc = line_only_bytes(s, "dtype", e);
    if (rc == 0)
        rc = read_shape(s, &d, e);
    if (rc < 0)
        return rc;
    line_take(s, "id");
    d.dtype = dtype_parse(s->bytes.data, s->bytes.len);
    bytes = dtype_size(d.dtype);
    for (i = 0; i < d.n_dims; i++)
        if (!size_mul(bytes, shape_units(d.dtype, d.shape, d.n_dims, i),
                      &bytes))
            return err_set(e, ERR_DATA, "%s: tensor too large",
                           s->line.where);
    j->kind = JSONL_TENSOR;
    j->n_data = bytes;
    if (tensor_encode(&j->record, &d, e) < 0)
        return err_prefix(e, "%s", s->line.where);
    return 0;
}

int
jsonl_read_data(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    int rc;

    rc = line_only_bytes(s, "b64", e);
    if (rc < 0)
        return rc;
    j->kind = JSONL_DATA;
    if (!b64_get(&j->record, s->bytes.data, s->bytes.len))
        return err_set(e, ERR_DATA, "%s: bad base64", s->line.where);
    return 0;
}
