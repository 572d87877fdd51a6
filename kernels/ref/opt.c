/* opt.c - SQNORM, CLIP, ADAMW and SGD: formulas in kernels/ops.h. */
#include <math.h>

#include "kernels/ref/ref.h"

void
REF(sqnorm)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]);
    double sum = 0;

    for (size_t i = 0; i < x.rows; i++)
        sum += dot(row_of(&x, i), row_of(&x, i), x.cols);
    r->out->gnorm2 = sum;
}

void
REF(clip)(struct run *r, const struct op *op)
{
    struct results *s = r->out;
    double most = op->u.clip.max_norm;

    s->skipped = !isfinite(s->gnorm2);
    s->scale = s->skipped ? 0 : 1;
    if (!s->skipped && most > 0)
        s->scale = fmin(1, most / (sqrt(s->gnorm2) + 1e-6));
}

void
REF(adamw)(struct run *r, const struct op *op)
{
    struct mat grad = mat_of(r, &op->x[0]), param = mat_of(r, &op->y[0]);
    struct mat mean = mat_of(r, &op->y[1]), square = mat_of(r, &op->y[2]);
    const struct inputs *in = r->in;
    const struct results *s = r->out;
    double b1 = op->u.opt.beta1, b2 = op->u.opt.beta2;
    double t = (double)(in->updates + s->updates + 1);
    double bias1 = 1 - pow(b1, t), bias2 = 1 - pow(b2, t);
    double lr = in->lr * op->u.opt.lr_ratio;

    for (size_t i = 0; i < grad.rows && !s->skipped; i++)
        for (size_t c = 0; c < grad.cols; c++) {
            double g = s->scale * row_of(&grad, i)[c];
            real *p = row_of(&param, i) + c;
            real *m = row_of(&mean, i) + c, *v = row_of(&square, i) + c;
            double kept = *p - lr * op->u.opt.decay * *p;

            *m = (real)(b1 * *m + (1 - b1) * g);
            *v = (real)(b2 * *v + (1 - b2) * g * g);
            *p = (real)(kept - lr * (*m / bias1)
                               / (sqrt(*v / bias2) + op->u.opt.eps));
        }
}

void
REF(sgd)(struct run *r, const struct op *op)
{
    struct mat grad = mat_of(r, &op->x[0]), param = mat_of(r, &op->y[0]);
    const struct inputs *in = r->in;
    const struct results *s = r->out;
    double lr = in->lr * op->u.opt.lr_ratio;

    for (size_t i = 0; i < grad.rows && !s->skipped; i++)
        for (size_t c = 0; c < grad.cols; c++) {
            real *p = row_of(&param, i) + c;

            *p = (real)(*p - lr * (s->scale * row_of(&grad, i)[c]
                                   + op->u.opt.decay * *p));
        }
}
