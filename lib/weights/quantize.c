/* quantize.c - a tensor's floats in pieces: loaded, checked, stored in the
 * new format and put into the stream; side tensors follow in whole. */
#include "weights/quantize.h"

#include <string.h>

#include "base/buf.h"
#include "base/progress.h"
#include "record/tensor.h"
#include "tensor/stored.h"

#define PIECE ((size_t)1 << 14) /* elements converted at a time: whole blocks */

static int
begin_tensor(struct quantize *q, struct stream_out *out, const char *name,
             unsigned dtype, const struct weight *t, uint64_t last,
             uint64_t bytes, struct err *e)
{
    struct tensor_desc d = {
        .name = name, .dtype = (enum dtype)dtype, .n_dims = t->n_dims,
        .bytes = bytes,
    };
    struct buf b;
    int rc;

    memcpy(d.shape, t->shape, sizeof(d.shape));
    if (d.n_dims > 0)
        d.shape[d.n_dims - 1] = last;
    buf_init(&b);
    rc = tensor_encode(&b, &d, e);
    if (rc == 0)
        rc = stream_out_tensor(out, b.data, b.len, bytes, e);
    if (rc == 0)
        q->n_out += bytes;
    buf_release(&b);
    return rc;
}

/* Elements [at, at + n) of t as floats that are to be stored; all of them
 * finite unless allowed. */
static int
load_piece(const struct quantize *q, float *x, const struct stored *s,
           const struct weight *t, uint64_t at, size_t n, struct err *e)
{
    const uint8_t *p = t->data;
    size_t bad;

    floats_load(x, p + at * dtype_size(t->dtype), t->dtype, n);
    progress_add(n * dtype_size(t->dtype));
    bad = q->allow_bad && dtype_is_float(s->dtype) ? n : floats_bad(x, n);
    if (bad == n)
        return 0;
    return err_set(e, ERR_DATA, "tensor %s: element %llu is %g%s%s%s",
                   t->name, (unsigned long long)(at + bad), (double)x[bad],
                   q->allow_bad ? ", which " : "",
                   q->allow_bad ? s->name : "",
                   q->allow_bad ? " can't hold" : "");
}

/* x[n], elements [at, at + n) of t, as s has them; F16 has a smaller range
 * than floats. */
static int
store_piece(const struct quantize *q, void *raw, const struct stored *s,
            const float *x, const struct weight *t, uint64_t at, size_t n,
            struct err *e)
{
    size_t bad;

    if (q->allow_bad) {
        floats_store(raw, s->dtype, x, n);
        return 0;
    }
    if (s->encode(raw, NULL, x, n, &bad))
        return 0;
    return err_set(e, ERR_DATA, "tensor %s: element %llu is %g, which %s "
                   "can't hold", t->name, (unsigned long long)(at + bad),
                   (double)x[bad], dtype_name(s->dtype));
}

static int
put_floats(struct quantize *q, struct stream_out *out,
           const struct weight *t, unsigned dtype, struct err *e)
{
    const struct stored *s = stored_of(dtype);
    uint64_t n = t->bytes / dtype_size(t->dtype), at;
    uint8_t raw[4 * PIECE];
    float x[PIECE];
    int rc;

    rc = begin_tensor(q, out, t->name, dtype, t,
                      t->n_dims ? t->shape[t->n_dims - 1] : 0,
                      n * dtype_size(dtype), e);
    for (at = 0; at < n && rc == 0; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

        rc = load_piece(q, x, s, t, at, len, e);
        if (rc == 0)
            rc = store_piece(q, raw, s, x, t, at, len, e);
        if (rc == 0)
            rc = stream_out_data(out, raw, len * dtype_size(dtype), e);
    }
    return rc;
}

/* Row `row` of t, whose side elements are added to *sides. */
static int
put_row(struct quantize *q, struct stream_out *out, const struct weight *t,
        uint64_t row, struct buf *sides, struct err *e)
{
    const struct stored *s = stored_of(q->dtype);
    size_t size = dtype_size(s->side_dtype), bad = 0;
    uint64_t cols = t->shape[1], at;
    uint32_t raw[PIECE / 4]; /* no format has more than a byte an element */
    float x[PIECE];
    int rc = 0;

    for (at = 0; at < cols && rc == 0; at += PIECE) {
        size_t len = cols - at < PIECE ? (size_t)(cols - at) : PIECE;
        size_t n_side = (size_t)stored_blocks(s, len) * size;

        rc = load_piece(q, x, s, t, row * cols + at, len, e);
        if (rc < 0)
            break;
        if (!s->encode(raw, buf_room(sides, n_side), x, len, &bad))
            return err_set(e, ERR_DATA, "tensor %s: the group of element "
                           "%llu is too large for %s", t->name,
                           (unsigned long long)(row * cols + at + bad),
                           s->name);
        sides->len += n_side;
        rc = stream_out_data(out, raw, (size_t)stored_row_bytes(s, len), e);
    }
    return rc;
}

static int
put_sides(struct quantize *q, struct stream_out *out, const struct weight *t,
          const struct buf *sides, struct err *e)
{
    const struct stored *s = stored_of(q->dtype);
    struct buf name;
    int rc;

    buf_init(&name);
    buf_addf(&name, "%s" SCALE_SUFFIX, t->name);
    rc = begin_tensor(q, out, name.data, s->side_dtype, t,
                      stored_blocks(s, t->shape[1]), sides->len, e);
    if (rc == 0)
        rc = stream_out_data(out, sides->data, sides->len, e);
    buf_release(&name);
    return rc;
}

/* A matrix in blocks, and its side tensor if the format has one. */
static int
put_blocks(struct quantize *q, struct stream_out *out,
           const struct weight *t, struct err *e)
{
    const struct stored *s = stored_of(q->dtype);
    uint64_t rows = t->shape[0], cols = t->shape[1], i;
    struct buf sides;
    int rc;

    buf_init(&sides);
    rc = begin_tensor(q, out, t->name, s->dtype, t, cols,
                      rows * stored_row_bytes(s, cols), e);
    for (i = 0; i < rows && cols > 0 && rc == 0; i++)
        rc = put_row(q, out, t, i, &sides, e);
    if (rc == 0 && s->side_dtype != DTYPE_NONE)
        rc = put_sides(q, out, t, &sides, e);
    buf_release(&sides);
    return rc;
}

static int
put_verbatim(struct quantize *q, struct stream_out *out,
             const struct weight *t, struct err *e)
{
    int rc;

    rc = begin_tensor(q, out, t->name, t->dtype, t,
                      t->n_dims ? t->shape[t->n_dims - 1] : 0, t->bytes, e);
    if (rc == 0)
        rc = stream_out_data(out, t->data, (size_t)t->bytes, e);
    progress_add(t->bytes);
    return rc;
}

int
quantize_tensor(struct quantize *q, struct stream_out *out,
                const struct weight *t, struct err *e)
{
    q->n_in += t->bytes;
    if (dtype_is_float(t->dtype) && dtype_is_float(q->dtype))
        return put_floats(q, out, t, q->dtype, e);
    if (dtype_is_float(t->dtype) && t->n_dims == 2)
        return put_blocks(q, out, t, e);
    if (dtype_is_float(t->dtype))
        return put_floats(q, out, t, DTYPE_F32, e);
    if (t->scale)
        return err_set(e, ERR_DATA, "tensor %s is %s already", t->name,
                       stored_of(t->dtype)->name);
    switch (t->dtype) {
    case DTYPE_F8_E4M3: case DTYPE_F8_E5M2: case DTYPE_F8_E8M0:
    case DTYPE_C64:
        return err_set(e, ERR_DATA, "tensor %s: type %s is not supported",
                       t->name, dtype_name(t->dtype));
    }
    return put_verbatim(q, out, t, e);
}

int
quantize_asset(struct stream_out *out, const struct weight_asset *a,
               struct err *e)
{
    struct buf b;
    int rc;

    buf_init(&b);
    rc = asset_encode(&b, a->name, a->data, a->n, e);
    if (rc == 0)
        rc = stream_out_record(out, b.data, b.len, e);
    buf_release(&b);
    return rc;
}
