/* act.c - ACT and GLU: activation functions, alone and as gates. */
#include <math.h>

#include "kernels/ref/ref.h"

/* gelu tanh: x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)
 * gelu erf:  x/2 (1 + erf(x / sqrt 2)); silu: x / (1 + e^-x) */
static const double sqrt_2_pi = 0.79788456080286535588;
static const double sqrt_half = 0.70710678118654752440;
static const double cubic = 0.044715;

double
REF(act_value)(unsigned kind, double x)
{
    switch (kind) {
    case ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt_2_pi * (x + cubic * x * x * x)));
    case ACT_GELU_ERF:
        return 0.5 * x * (1 + erf(x * sqrt_half));
    case ACT_SILU:
        return x / (1 + exp(-x));
    default: /* ACT_RELU */
        return x > 0 ? x : 0;
    }
}

static double
gelu_tanh_slope(double x)
{
    double t = tanh(sqrt_2_pi * (x + cubic * x * x * x));
    double du = sqrt_2_pi * (1 + 3 * cubic * x * x);

    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du;
}

double
REF(act_slope)(unsigned kind, double x)
{
    double s;

    switch (kind) {
    case ACT_GELU_TANH:
        return gelu_tanh_slope(x);
    case ACT_GELU_ERF: /* the density is sqrt(2/pi) / 2 * e^(-x^2/2) */
        return 0.5 * (1 + erf(x * sqrt_half))
            + x * 0.5 * sqrt_2_pi * exp(-0.5 * x * x);
    case ACT_SILU:
        s = 1 / (1 + exp(-x));
        return s * (1 + x * (1 - s));
    default:
        return x > 0 ? 1 : 0;
    }
}

void
REF(act)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &x);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < x.cols; c++)
            put(&row_of(&y, i)[c],
                REF(act_value)(op->u.act.kind, row_of(&x, i)[c]),
                op->acc & 1);
}

void
REF(act_bwd)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), dy = mat_of(r, &op->x[1]);
    struct mat dx = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &x);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < x.cols; c++)
            put(&row_of(&dx, i)[c],
                row_of(&dy, i)[c]
                    * REF(act_slope)(op->u.act.kind, row_of(&x, i)[c]),
                op->acc & 1);
}

void
REF(glu)(struct run *r, const struct op *op)
{
    struct mat gate = mat_of(r, &op->x[0]), up = mat_of(r, &op->x[1]);
    struct mat y = mat_of(r, &op->y[0]);
    size_t n = op->u.act.all ? gate.rows : token_rows(r, &gate);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < gate.cols; c++)
            put(&row_of(&y, i)[c],
                REF(act_value)(op->u.act.kind, row_of(&gate, i)[c])
                    * row_of(&up, i)[c],
                op->acc & 1);
}

void
REF(glu_bwd)(struct run *r, const struct op *op)
{
    struct mat gate = mat_of(r, &op->x[0]), up = mat_of(r, &op->x[1]);
    struct mat dy = mat_of(r, &op->x[2]);
    struct mat dgate = mat_of(r, &op->y[0]), dup = mat_of(r, &op->y[1]);
    size_t n = op->u.act.all ? gate.rows : token_rows(r, &gate);
    unsigned kind = op->u.act.kind;

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < gate.cols; c++) {
            double g = row_of(&gate, i)[c], u = row_of(&up, i)[c];
            double d = row_of(&dy, i)[c];

            put(&row_of(&dgate, i)[c], d * u * REF(act_slope)(kind, g),
                op->acc & 1);
            put(&row_of(&dup, i)[c], d * REF(act_value)(kind, g),
                op->acc & 2);
        }
}
