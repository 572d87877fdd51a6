/* quantize.c - which format each tensor gets. */
#include "weights/quantize.h"

#include <string.h>

#include "record/tensor.h"
#include "tensor/modeldir.h"
#include "tensor/stored.h"
#include "weights/bitsandbytes.h"
#include "weights/quantize_batch.h"

/* Whether t is converted: floats, and what stands for floats. */
static bool
has_floats(const struct weight *t)
{
    const struct stored *s = stored_of(t->dtype);

    return dtype_is_float(t->dtype)
           || (s != NULL && (s->side_dtype == DTYPE_NONE || t->scale));
}

/* What t, which has floats, is stored as. */
static const struct stored *
format_of(const struct quantize *q, const struct weight *t,
          enum weight_use use)
{
    const struct stored *s = stored_of(q->dtype);

    if (dtype_is_float(q->dtype)
        || (t->n_dims == 2 && use != WEIGHT_EXACT
            && (use == WEIGHT_LINEAR || !s->linears)))
        return s;
    if (s->linears && stored_of(t->dtype))
        return stored_of(t->dtype);
    return stored_of(DTYPE_F32);
}

int
quantize_tensor(struct quantize *q, const struct weight *t,
                enum weight_use use, struct err *e)
{
    q->n_in += t->bytes;
    if (has_floats(t)) {
        const struct stored *s = format_of(q, t, use);

        return s->dtype == t->dtype && !dtype_is_float(s->dtype)
               ? quantize_verbatim(q, t, e) : quantize_floats(q, t, s, e);
    }
    switch (t->dtype) {
    case DTYPE_F8_E4M3: case DTYPE_F8_E5M2: case DTYPE_F8_E8M0:
    case DTYPE_C64:
        return err_set(e, ERR_DATA, "tensor %s: type %s is not supported",
                       t->name, dtype_name(t->dtype));
    }
    return quantize_verbatim(q, t, e);
}

int
quantize_asset(struct stream_out *out, const struct weights *w,
               const struct weight_asset *a, struct err *e)
{
    char *text = NULL;
    struct buf b;
    int rc = 0;

    buf_init(&b);
    if (w->bitsandbytes && strcmp(a->name, MODELDIR_CONFIG) == 0)
        rc = bitsandbytes_config(&text, w, a->data, a->n, a->name, e);
    if (rc == 0)
        rc = asset_encode(&b, a->name, text ? text : a->data,
                          text ? strlen(text) : a->n, e);
    if (rc == 0)
        rc = stream_out_record(out, b.data, b.len, e);
    cJSON_free(text);
    buf_release(&b);
    return rc;
}
