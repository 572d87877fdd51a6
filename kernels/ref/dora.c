/* dora.c - what DoRA does to a LINEAR's output: see struct part in
 * kernels/ops.h. */
#include <math.h>

#include "kernels/ref/ref.h"

/* (W + s B A) from input k to output o. */
static double
adapted_at(const struct part *p, const struct table *w,
           const struct table *a, const struct table *b, size_t o, size_t k)
{
    double sum = 0;

    for (size_t j = 0; j < p->rank; j++)
        sum += REF(table_at)(b, o, j) * REF(table_at)(a, j, k);
    return p->lora_scale * sum + (p->in_out ? REF(table_at)(w, k, o)
                                            : REF(table_at)(w, o, k));
}

void
REF(dora_norm)(struct run *r, const struct op *op)
{
    const struct part *p = op->u.lin.part;
    struct table w = REF(table)(r, &p->w), a = REF(table)(r, &p->a);
    struct table b = REF(table)(r, &p->b);
    struct mat y = mat_of(r, &op->y[0]);

    for (size_t o = 0; o < p->out; o++) {
        double sum = 0;

        for (size_t k = 0; k < p->in; k++) {
            double v = adapted_at(p, &w, &a, &b, o, k);

            sum += v * v;
        }
        y.p[o] = (real)sqrt(sum);
    }
}

/* c of a column. */
static double
factor(const struct mat *magnitude, const struct mat *norm, size_t c)
{
    if (magnitude->p == NULL)
        return 1;
    return norm->p[c] > 0 ? (double)magnitude->p[c] / norm->p[c] : 0;
}

void
REF(dora)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);
    struct mat magnitude = mat_of(r, &op->x[1]), norm = mat_of(r, &op->x[2]);
    struct table bias = REF(table)(r, &op->x[3]);
    struct mat residual = mat_of(r, &op->x[4]);
    size_t n = token_rows(r, &x);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < x.cols; c++) {
            double v = factor(&magnitude, &norm, c) * row_of(&x, i)[c];

            if (bias.p)
                v += REF(table_at)(&bias, 0, c);
            if (residual.p)
                v += row_of(&residual, i)[c];
            row_of(&y, i)[c] = (real)v;
        }
}

void
REF(dora_bwd)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), dy = mat_of(r, &op->x[3]);
    struct mat magnitude = mat_of(r, &op->x[1]), norm = mat_of(r, &op->x[2]);
    struct mat dx = mat_of(r, &op->y[0]), grad = mat_of(r, &op->y[1]);
    size_t n = token_rows(r, &x);

    for (size_t c = 0; c < x.cols; c++) {
        double scale = factor(&magnitude, &norm, c), sum = 0;

        for (size_t i = 0; i < n; i++) {
            sum += (double)row_of(&dy, i)[c] * row_of(&x, i)[c];
            row_of(&dx, i)[c] = (real)(scale * row_of(&dy, i)[c]);
        }
        if (grad.p && norm.p[c] > 0)
            put(&grad.p[c], sum / norm.p[c], true);
    }
}
