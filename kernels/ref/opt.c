/* opt.c - SQNORM, CLIP, ADAMW, ADAMW8 and SGD: formulas in kernels/ops.h. */
#include <math.h>

#include "kernels/ref/ref.h"
#include "tensor/dynamic8.h"

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

/* One element. */
static void
adamw(const struct run *r, const struct op *op, real grad, real *p, real *m,
      real *v)
{
    const struct results *s = r->out;
    double b1 = op->u.opt.beta1, b2 = op->u.opt.beta2;
    double t = (double)(r->in->updates + s->updates + 1);
    double bias1 = 1 - pow(b1, t), bias2 = 1 - pow(b2, t);
    double lr = r->in->lr * op->u.opt.lr_ratio, g = s->scale * grad;
    double kept = *p - lr * op->u.opt.decay * *p;

    *m = (real)(b1 * *m + (1 - b1) * g);
    *v = (real)(b2 * *v + (1 - b2) * g * g);
    *p = (real)(kept - lr * (*m / bias1)
                       / (sqrt(*v / bias2) + op->u.opt.eps));
}

void
REF(adamw)(struct run *r, const struct op *op)
{
    struct mat grad = mat_of(r, &op->x[0]), param = mat_of(r, &op->y[0]);
    struct mat mean = mat_of(r, &op->y[1]), square = mat_of(r, &op->y[2]);

    for (size_t i = 0; i < grad.rows && !r->out->skipped; i++)
        for (size_t c = 0; c < grad.cols; c++)
            adamw(r, op, row_of(&grad, i)[c], row_of(&param, i) + c,
                  row_of(&mean, i) + c, row_of(&square, i) + c);
}

static void
decode_block(real *x, const struct dynamic8 *map, const uint8_t *code,
             real scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (real)map->value[code[i]] * scale;
}

static void
encode_block(uint8_t *code, real *scale, const struct dynamic8 *map,
             const real *x, size_t n)
{
    *scale = 0;
    for (size_t i = 0; i < n; i++)
        *scale = x[i] > *scale ? x[i] : -x[i] > *scale ? -x[i] : *scale;
    for (size_t i = 0; i < n; i++)
        code[i] = dynamic8_code(map, *scale > 0 ? (float)(x[i] / *scale)
                                                : 0.0f);
}

void
REF(adamw8)(struct run *r, const struct op *op)
{
    real *grad = view_at(r, &op->x[0]), *p = view_at(r, &op->y[0]);
    uint8_t *mean = view_at(r, &op->y[1]), *square = view_at(r, &op->y[2]);
    real *of_mean = view_at(r, &op->y[3]), *of_square = view_at(r, &op->y[4]);
    real m[DYNAMIC8_BLOCK], v[DYNAMIC8_BLOCK];
    struct dynamic8 with, without;
    size_t n, cols = op->x[0].cols;

    dynamic8_init(&with, true);
    dynamic8_init(&without, false);
    for (size_t c = 0; c < cols && !r->out->skipped; c += n) {
        size_t block = c / DYNAMIC8_BLOCK;

        n = cols - c < DYNAMIC8_BLOCK ? cols - c : DYNAMIC8_BLOCK;
        decode_block(m, &with, mean + c, of_mean[block], n);
        decode_block(v, &without, square + c, of_square[block], n);
        for (size_t i = 0; i < n; i++)
            adamw(r, op, grad[c + i], p + c + i, m + i, v + i);
        encode_block(mean + c, of_mean + block, &with, m, n);
        encode_block(square + c, of_square + block, &without, v, n);
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
