/* quantize.c - see quantize.h. */
#include "model/quantize.h"

#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/progress.h"
#include "record/tensor.h"
#include "tensor/int8.h"

#define PIECE (128 * INT8_GROUP) /* elements converted at a time */

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

    memcpy(d.shape, t->shape, sizeof d.shape);
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

/* Elements [at, at + n) of t as floats that are to become dtype; all of them
 * finite unless allowed. */
static int
load_piece(const struct quantize *q, float *x, unsigned dtype,
           const struct weight *t, uint64_t at, size_t n, struct err *e)
{
    const uint8_t *p = t->data;
    size_t bad;

    floats_load(x, p + at * dtype_size(t->dtype), t->dtype, n);
    progress_add(n * dtype_size(t->dtype));
    bad = q->allow_bad && dtype != DTYPE_I8 ? n : floats_bad(x, n);
    if (bad == n)
        return 0;
    return err_set(e, ERR_DATA, "tensor %s: element %llu is %g%s", t->name,
                   (unsigned long long)(at + bad), (double)x[bad],
                   q->allow_bad ? ", which int8 can't hold" : "");
}

/* F16 has a smaller range than floats. */
static int
check_range(const struct quantize *q, const uint8_t *raw, const float *x,
            const struct weight *t, uint64_t at, size_t n, struct err *e)
{
    size_t i;

    if (q->dtype == DTYPE_F32 || q->allow_bad)
        return 0;
    for (i = 0; i < n; i++) {
        float back;

        floats_load(&back, raw + 2 * i, q->dtype, 1);
        if (floats_bad(&back, 1) == 0)
            return err_set(e, ERR_DATA, "tensor %s: element %llu is %g, "
                           "which %s can't hold", t->name,
                           (unsigned long long)(at + i), (double)x[i],
                           dtype_name(q->dtype));
    }
    return 0;
}

static int
put_floats(struct quantize *q, struct stream_out *out,
           const struct weight *t, unsigned dtype, struct err *e)
{
    uint64_t n = t->bytes / dtype_size(t->dtype), at;
    uint8_t raw[4 * PIECE];
    float x[PIECE];
    int rc;

    rc = begin_tensor(q, out, t->name, dtype, t,
                      t->n_dims ? t->shape[t->n_dims - 1] : 0,
                      n * dtype_size(dtype), e);
    for (at = 0; at < n && rc == 0; at += PIECE) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;

        rc = load_piece(q, x, dtype, t, at, len, e);
        if (rc < 0)
            break;
        floats_store(raw, dtype, x, len);
        if (dtype != DTYPE_F32)
            rc = check_range(q, raw, x, t, at, len, e);
        if (rc == 0)
            rc = stream_out_data(out, raw, len * dtype_size(dtype), e);
    }
    return rc;
}

/* Row `row` of t, whose scales are added to *scales. */
static int
put_int8_row(struct quantize *q, struct stream_out *out,
             const struct weight *t, uint64_t row, struct buf *scales,
             struct err *e)
{
    uint64_t cols = t->shape[1], at;
    uint16_t scale[PIECE / INT8_GROUP];
    int8_t raw[PIECE];
    float x[PIECE];
    size_t bad = 0, i;
    int rc = 0;

    for (at = 0; at < cols && rc == 0; at += PIECE) {
        size_t len = cols - at < PIECE ? (size_t)(cols - at) : PIECE;

        rc = load_piece(q, x, DTYPE_I8, t, row * cols + at, len, e);
        if (rc < 0)
            break;
        if (!int8_encode(raw, scale, x, len, &bad))
            return err_set(e, ERR_DATA, "tensor %s: the group of element "
                           "%llu is too large for int8", t->name,
                           (unsigned long long)(row * cols + at + bad));
        for (i = 0; i < int8_groups(len); i++) {
            store_u16(buf_room(scales, 2), scale[i]);
            scales->len += 2;
        }
        rc = stream_out_data(out, raw, len, e);
    }
    return rc;
}

static int
put_int8(struct quantize *q, struct stream_out *out, const struct weight *t,
         struct err *e)
{
    uint64_t rows = t->shape[0], cols = t->shape[1], i;
    struct buf scales, name;
    int rc;

    buf_init(&scales);
    buf_init(&name);
    buf_addf(&name, "%s" SCALE_SUFFIX, t->name);
    rc = begin_tensor(q, out, t->name, DTYPE_I8, t, cols, rows * cols, e);
    for (i = 0; i < rows && cols > 0 && rc == 0; i++)
        rc = put_int8_row(q, out, t, i, &scales, e);
    if (rc == 0)
        rc = begin_tensor(q, out, name.data, DTYPE_F16, t,
                          int8_groups((size_t)cols), scales.len, e);
    if (rc == 0)
        rc = stream_out_data(out, scales.data, scales.len, e);
    buf_release(&scales);
    buf_release(&name);
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
    if (dtype_is_float(t->dtype) && q->dtype != DTYPE_I8)
        return put_floats(q, out, t, q->dtype, e);
    if (dtype_is_float(t->dtype) && t->n_dims == 2)
        return put_int8(q, out, t, e);
    if (dtype_is_float(t->dtype))
        return put_floats(q, out, t, DTYPE_F32, e);
    if (t->scale)
        return err_set(e, ERR_DATA, "tensor %s is int8 already", t->name);
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
