/* quantize.c - which format each tensor gets. */
#include "weights/quantize.h"

#include "record/tensor.h"
#include "tensor/stored.h"
#include "weights/quantize_batch.h"

/* Whether t is converted: floats, and what GGUF has in blocks. */
static bool
has_floats(const struct weight *t)
{
    const struct stored *s = stored_of(t->dtype);

    return dtype_is_float(t->dtype)
           || (s != NULL && s->side_dtype == DTYPE_NONE);
}

/* What t, which has floats, is stored as. */
static const struct stored *
format_of(const struct quantize *q, const struct weight *t, bool linear)
{
    const struct stored *s = stored_of(q->dtype);

    if (dtype_is_float(q->dtype)
        || (t->n_dims == 2 && (linear || !s->linears)))
        return s;
    if (s->linears && stored_of(t->dtype))
        return stored_of(t->dtype);
    return stored_of(DTYPE_F32);
}

int
quantize_tensor(struct quantize *q, const struct weight *t, bool linear,
                struct err *e)
{
    q->n_in += t->bytes;
    if (has_floats(t)) {
        const struct stored *s = format_of(q, t, linear);

        return s->dtype == t->dtype && !dtype_is_float(s->dtype)
               ? quantize_verbatim(q, t, e) : quantize_floats(q, t, s, e);
    }
    if (t->scale)
        return err_set(e, ERR_DATA, "tensor %s is %s already", t->name,
                       stored_of(t->dtype)->name);
    switch (t->dtype) {
    case DTYPE_F8_E4M3: case DTYPE_F8_E5M2: case DTYPE_F8_E8M0:
    case DTYPE_C64:
        return err_set(e, ERR_DATA, "tensor %s: type %s is not supported",
                       t->name, dtype_name(t->dtype));
    }
    return quantize_verbatim(q, t, e);
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
