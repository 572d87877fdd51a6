/* norm.c - NORM: LayerNorm, and RMSNorm, where the mean counts as zero.
 *
 *   y = xhat * gain + bias, gain = offset + x1, xhat = (x - mean) * rstd,
 *   rstd = 1 / sqrt(mean of (x - mean)^2 + eps)
 */
#include <math.h>

#include "kernels/ref/ref.h"

static double
row_mean(const real *x, size_t n)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += x[c];
    return sum / (double)n;
}

static double
row_rstd(const real *x, size_t n, double mean, double eps)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += (x[c] - mean) * (x[c] - mean);
    return 1 / sqrt(sum / (double)n + eps);
}

void
REF(norm)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);
    struct mat stats = mat_of(r, &op->y[1]);
    struct table gain = REF(table)(r, &op->x[1]);
    struct table bias = REF(table)(r, &op->x[2]);
    size_t n = token_rows(r, &x), dim = norm_cols(op);

    for (size_t k = 0; k < n * (x.cols / dim); k++) {
        size_t i = k / (x.cols / dim), h = k % (x.cols / dim);
        size_t at = h * dim % op->x[1].cols; /* of the gain */
        const real *xi = row_of(&x, i) + h * dim;
        double mean = op->u.norm.rms ? 0 : row_mean(xi, dim);
        double rstd = row_rstd(xi, dim, mean, op->u.norm.eps);

        for (size_t c = 0; c < dim; c++) {
            double v = (xi[c] - mean) * rstd
                       * (op->u.norm.offset
                          + REF(table_at)(&gain, 0, at + c));

            if (bias.p)
                v += REF(table_at)(&bias, 0, at + c);
            put(&row_of(&y, i)[h * dim + c], v, op->acc & 1);
        }
        if (stats.p) {
            row_of(&stats, i)[2 * h] = (real)mean;
            row_of(&stats, i)[2 * h + 1] = (real)rstd;
        }
    }
}

/* With g = dy * gain: dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),
 * mean(g) only where the mean was taken off. at: of the gain. */
static void
norm_dx(const struct op *op, const struct table *gain, size_t at,
        const real *x, const real *stats, const real *dy, real *dx)
{
    size_t n = norm_cols(op);
    double mean = stats[0], rstd = stats[1], sum = 0, sum_xhat = 0;

    for (size_t c = 0; c < n; c++) {
        double g = dy[c] * (op->u.norm.offset
                            + REF(table_at)(gain, 0, at + c));

        sum += g;
        sum_xhat += g * (x[c] - mean) * rstd;
    }
    if (op->u.norm.rms)
        sum = 0;
    for (size_t c = 0; c < n; c++) {
        double g = dy[c] * (op->u.norm.offset
                            + REF(table_at)(gain, 0, at + c));
        double xhat = (x[c] - mean) * rstd;

        put(&dx[c], rstd * (g - (sum + xhat * sum_xhat) / (double)n),
            op->acc & 1);
    }
}

/* Adds what column c of the gain and bias gets from rows, and from each place
 * of a row that they go to. */
static void
norm_dgain(const struct op *op, size_t n, const struct mat *x,
           const struct mat *stats, const struct mat *dy, size_t c,
           double sum[2])
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = c; k < x->cols; k += op->x[1].cols) {
            const real *s = row_of(stats, i) + 2 * (k / norm_cols(op));
            double d = row_of(dy, i)[k];

            sum[0] += d * ((double)row_of(x, i)[k] - s[0]) * s[1];
            sum[1] += d;
        }
}

void
REF(norm_bwd)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), stats = mat_of(r, &op->x[2]);
    struct mat dy = mat_of(r, &op->x[3]), dx = mat_of(r, &op->y[0]);
    struct mat dgain = mat_of(r, &op->y[1]), dbias = mat_of(r, &op->y[2]);
    struct table gain = REF(table)(r, &op->x[1]);
    size_t n = token_rows(r, &x), dim = norm_cols(op);

    for (size_t c = 0; c < op->x[1].cols; c++) {
        double sum[2] = { 0, 0 };

        norm_dgain(op, n, &x, &stats, &dy, c, sum);
        if (dgain.p)
            put(&dgain.p[c], sum[0], true);
        if (dbias.p)
            put(&dbias.p[c], sum[1], true);
    }
    for (size_t i = 0; i < n && dx.p; i++)
        for (size_t h = 0; h < x.cols / dim; h++)
            norm_dx(op, &gain, h * dim % op->x[1].cols,
                    row_of(&x, i) + h * dim,
                    row_of(&stats, i) + 2 * h, row_of(&dy, i) + h * dim,
                    row_of(&dx, i) + h * dim);
}
