/* rope.c - ROPE: the first columns of each head turn in pairs. */
#include <math.h>

#include "kernels/ref/ref.h"

/* (a, b) -> (a cos - b sin, b cos + a sin) for pairs (j, j + half). */
static void
rotate_head(const struct op *op, const struct table *freq, const real *x,
            real *y, double pos)
{
    size_t half = op->x[1].cols;
    bool add = op->acc & 1;

    for (size_t j = 0; j < half; j++) {
        double angle = pos * REF(table_at)(freq, 0, j);
        double c = op->u.rope.factor * cos(angle);
        double s = op->u.rope.factor * op->u.rope.sign * sin(angle);
        double a = x[j], b = x[j + half];

        put(&y[j], a * c - b * s, add);
        put(&y[j + half], b * c + a * s, add);
    }
    for (size_t j = 2 * half; j < op->u.rope.head_dim; j++)
        put(&y[j], x[j], add);
}

void
REF(rope)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);
    struct table freq = REF(table)(r, &op->x[1]);
    size_t n = token_rows(r, &x), hd = op->u.rope.head_dim;

    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < op->u.rope.heads; h++)
            rotate_head(op, &freq, row_of(&x, i) + h * hd,
                        row_of(&y, i) + h * hd, r->batch->pos[i]);
}
