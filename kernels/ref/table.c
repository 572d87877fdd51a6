/* table.c - elements of stored weights. */
#include "kernels/ref/ref.h"

struct table
REF(table)(const struct run *r, const struct view *v)
{
    struct table t = { .p = view_at(r, v), .row = v->ld * sizeof(real) };

    if (v->buf == 0 || v->dtype == DTYPE_REAL)
        return t;
    t.stored = stored_of(v->dtype);
    t.row = stored_row_bytes(t.stored, v->ld);
    t.side = view_side(r, v);
    t.side_row = stored_blocks(t.stored, v->ld)
                 * dtype_size(t.stored->side_dtype);
    return t;
}

double
REF(table_at)(const struct table *t, size_t row, size_t col)
{
    const char *p = t->p + row * t->row;
    float v;

    if (t->stored == NULL)
        return ((const real *)(const void *)p)[col];
    t->stored->widen(&v, p, t->side ? t->side + row * t->side_row : NULL, col,
                     1);
    return v;
}
