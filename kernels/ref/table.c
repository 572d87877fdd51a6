/* table.c - elements of stored weights. */
#include <math.h>

#include "kernels/ref/ref.h"

enum { I8_GROUP = 128 }; /* elements of a row that share a scale */

struct table
REF(table)(const struct run *r, const struct view *v,
           const struct view *scale)
{
    struct table t = { view_at(r, v), NULL, v->ld, 0, v->dtype };

    if (scale && scale->buf) {
        t.scale = view_at(r, scale);
        t.scale_ld = scale->ld;
    }
    return t;
}

double
REF(table_at)(const struct table *t, size_t row, size_t col)
{
    size_t at = row * t->ld + col;

    switch (t->dtype) {
    case DTYPE_REAL:
        return ((const real *)t->p)[at];
    case DTYPE_F32:
        return ((const float *)t->p)[at];
    case DTYPE_F16:
        return f16_to_f32(((const uint16_t *)t->p)[at]);
    case DTYPE_BF16:
        return bf16_to_f32(((const uint16_t *)t->p)[at]);
    case DTYPE_I8:
        return ((const int8_t *)t->p)[at]
            * f16_to_f32(t->scale[row * t->scale_ld + col / I8_GROUP]);
    default:
        return NAN; /* no program holds another type */
    }
}
