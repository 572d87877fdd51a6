/* moe.c - ROUTE, BALANCE, GATHER, COMBINE, GATE and their gradients: see struct
 * route_args in kernels/ops.h. */
#include "kernels/moe.h"

#include <math.h>

#include "kernels/ref/ref.h"

/* softmax's p of element e is exp(x[e] - top) / sum. */
struct softmax {
    const real *x;
    double top, sum;
};

static struct softmax
softmax_of(const real *x, size_t n)
{
    struct softmax s = { x, (double)x[0], 0 };

    for (size_t e = 1; e < n; e++)
        s.top = x[e] > s.top ? (double)x[e] : s.top;
    for (size_t e = 0; e < n; e++)
        s.sum += exp(x[e] - s.top);
    return s;
}

static double
softmax_at(const struct softmax *s, size_t e)
{
    return exp(s->x[e] - s->top) / s->sum;
}

static bool
is_chosen(const real *places, uint32_t j, uint32_t e)
{
    for (uint32_t i = 0; i < j; i++)
        if ((uint32_t)places[2 * i] == e)
            return true;
    return false;
}

/* The j'th largest; something that was not chosen, whatever the logits. */
static uint32_t
choose(const real *places, uint32_t j, const real *x, uint32_t experts)
{
    uint32_t best = experts;

    for (uint32_t e = 0; e < experts; e++)
        if (!is_chosen(places, j, e) && (best == experts || x[e] > x[best]))
            best = e;
    return best;
}

static void
route_row(const struct route_args *a, const real *x, real *weights,
          real *places)
{
    struct softmax s = softmax_of(x, a->experts);
    double sum = 0;

    for (uint32_t j = 0; j < a->top_k; j++) {
        uint32_t e = choose(places, j, x, a->experts);

        places[2 * j] = (real)e;
        weights[j] = (real)softmax_at(&s, e);
        sum += softmax_at(&s, e);
    }
    for (uint32_t j = 0; j < a->top_k && a->norm; j++)
        weights[j] = (real)(softmax_at(&s, (size_t)places[2 * j]) / sum);
}

/* The rows of the places, when all experts are chosen; next[experts]. */
static void
place_rows(const struct route_args *a, struct mat *places, real *counts,
           size_t n, double *next)
{
    size_t at = 0;

    for (uint32_t e = 0; e < a->experts; e++)
        counts[e] = 0;
    for (size_t i = 0; i < n * a->top_k; i++)
        counts[(size_t)row_of(places, i / a->top_k)[i % a->top_k * 2]] += 1;
    for (uint32_t e = 0; e < a->experts; e++) {
        next[e] = (double)at;
        at += group_rows((double)counts[e], a->tile);
    }
    for (size_t i = 0; i < n * a->top_k; i++) {
        real *place = row_of(places, i / a->top_k) + i % a->top_k * 2;

        place[1] = (real)next[(size_t)place[0]]++;
    }
}

/* sums[experts] */
static void
tally_sequence(const struct run *r, const struct op *op, size_t s,
               double *sums)
{
    const struct route_args *a = &op->u.route;
    struct mat x = mat_of(r, &op->x[0]), places = mat_of(r, &op->y[1]);
    struct mat tally = mat_of(r, &op->y[3]);
    size_t rows = tally_rows(r->batch, s, a->seq_len);

    clear_rows(&(struct mat){ row_of(&tally, s), 1, 2 * a->experts, 0 }, 1,
               false);
    for (uint32_t e = 0; e < a->experts; e++)
        sums[e] = 0;
    for (size_t i = s * a->seq_len; i < s * a->seq_len + rows; i++) {
        struct softmax p = softmax_of(row_of(&x, i), a->experts);

        for (uint32_t e = 0; e < a->experts; e++)
            sums[e] += softmax_at(&p, e);
        for (uint32_t j = 0; j < a->top_k; j++)
            row_of(&tally, s)[(size_t)row_of(&places, i)[2 * j]] += 1;
    }
    for (uint32_t e = 0; e < a->experts; e++)
        row_of(&tally, s)[a->experts + e] = (real)sums[e];
}

uint64_t
REF(route_scratch)(const struct op *op)
{
    return op->u.route.experts * sizeof(double);
}

void
REF(route)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), weights = mat_of(r, &op->y[0]);
    struct mat places = mat_of(r, &op->y[1]);
    size_t n = token_rows(r, &x);
    double *tmp = view_at(r, &op->scratch);

    for (size_t i = 0; i < n; i++)
        route_row(&op->u.route, row_of(&x, i), row_of(&weights, i),
                  row_of(&places, i));
    place_rows(&op->u.route, &places, view_at(r, &op->y[2]), n, tmp);
    for (size_t s = 0; s < op->y[3].rows && op->y[3].buf != 0; s++)
        tally_sequence(r, op, s, tmp);
}

/* dL/dp[e] of row i: through the weights, whose own gradients are dw, and
 * what the balance adds. */
static double
slope_at(const struct route_args *a, const struct softmax *p,
         const real *places, const real *dw, const real *balance, uint32_t e)
{
    double chosen = 0, mean = 0, own = balance ? (double)balance[e] : 0;

    for (uint32_t j = 0; j < a->top_k; j++) {
        double pj = softmax_at(p, (size_t)places[2 * j]);

        chosen += pj;
        mean += (double)dw[j] * pj;
    }
    for (uint32_t j = 0; j < a->top_k; j++)
        if ((uint32_t)places[2 * j] == e)
            own += a->norm ? ((double)dw[j] - mean / chosen) / chosen
                           : (double)dw[j];
    return own;
}

void
REF(route_bwd)(struct run *r, const struct op *op)
{
    const struct route_args *a = &op->u.route;
    struct mat x = mat_of(r, &op->x[0]), places = mat_of(r, &op->x[1]);
    struct mat dw = mat_of(r, &op->x[2]), balance = mat_of(r, &op->x[3]);
    struct mat dx = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &x), rows = 0;

    for (size_t i = 0; i < n; i++) {
        struct softmax p = softmax_of(row_of(&x, i), a->experts);
        size_t s = i / a->seq_len;
        const real *more;
        double mean = 0;

        if (balance.p && i % a->seq_len == 0)
            rows = tally_rows(r->batch, s, a->seq_len);
        more = i % a->seq_len < rows ? row_of(&balance, s) : NULL;
        for (uint32_t e = 0; e < a->experts; e++)
            mean += softmax_at(&p, e) * slope_at(a, &p, row_of(&places, i),
                                                 row_of(&dw, i), more, e);
        for (uint32_t e = 0; e < a->experts; e++)
            put(&row_of(&dx, i)[e],
                softmax_at(&p, e)
                    * (slope_at(a, &p, row_of(&places, i), row_of(&dw, i),
                                more, e) - mean),
                op->acc & 1);
    }
}

/* Of expert e of sequence s, over all layers: chosen, or sum of p. */
static double
tallied(const struct mat *tally, size_t s, size_t seqs, size_t col)
{
    double sum = 0;

    for (size_t i = s; i < tally->rows; i += seqs)
        sum += (double)row_of(tally, i)[col];
    return sum;
}

void
REF(balance)(struct run *r, const struct op *op)
{
    struct mat tally = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);
    size_t seqs = op->u.balance.seqs, experts = y.cols;
    size_t seq_len = op->u.balance.seq_len;
    double coef = (double)op->u.balance.coef * (double)experts;

    for (size_t s = 0; s < seqs; s++) {
        double rows = 0, w = 0, loss = 0;

        for (size_t i = 0; i < seq_len; i++)
            w += (double)r->batch->weight[s * seq_len + i];
        for (size_t e = 0; e < experts; e++)
            rows += tallied(&tally, s, seqs, e) / op->u.balance.top_k;
        for (size_t e = 0; e < experts; e++) {
            double f = rows > 0 ? tallied(&tally, s, seqs, e) / rows : 0;
            double p = tallied(&tally, s, seqs, experts + e);

            row_of(&y, s)[e] = (real)(rows > 0 ? w * r->in->inv_tokens * coef
                                                 * f / rows : 0);
            loss += rows > 0 ? f * p / rows : 0;
        }
        r->out->balance_sum += w * coef * loss;
    }
}

/* Zeroes what the groups round up to. */
static void
clear_ends(const struct run *r, struct mat *y, const struct view *counts,
           uint32_t tile)
{
    const real *count = view_at(r, counts);
    size_t at = 0;

    for (uint32_t e = 0; e < counts->cols; e++) {
        size_t rows = group_rows((double)count[e], tile);

        for (size_t i = (size_t)count[e]; i < rows; i++)
            for (size_t c = 0; c < y->cols; c++)
                row_of(y, at + i)[c] = 0;
        at += rows;
    }
}

void
REF(gather)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), places = mat_of(r, &op->x[1]);
    struct mat y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &x);

    clear_ends(r, &y, &op->x[2], op->u.route.tile);
    for (size_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < op->u.route.top_k; j++) {
            real *to = row_of(&y, (size_t)row_of(&places, i)[2 * j + 1]);

            for (size_t c = 0; c < x.cols; c++)
                to[c] = row_of(&x, i)[c];
        }
}

void
REF(combine)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), places = mat_of(r, &op->x[1]);
    struct mat weights = mat_of(r, &op->x[2]);
    struct mat residual = mat_of(r, &op->x[3]), y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &y);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < y.cols; c++) {
            double sum = residual.p ? (double)row_of(&residual, i)[c] : 0;

            for (uint32_t j = 0; j < op->u.route.top_k; j++) {
                size_t at = (size_t)row_of(&places, i)[2 * j + 1];

                sum += (weights.p ? (double)row_of(&weights, i)[j] : 1)
                       * (double)row_of(&x, at)[c];
            }
            put(&row_of(&y, i)[c], sum, op->acc & 1);
        }
}

void
REF(combine_bwd)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), places = mat_of(r, &op->x[1]);
    struct mat weights = mat_of(r, &op->x[2]), dy = mat_of(r, &op->x[3]);
    struct mat dx = mat_of(r, &op->y[0]), dw = mat_of(r, &op->y[1]);
    size_t n = token_rows(r, &dy);

    if (dx.p)
        clear_ends(r, &dx, &op->x[4], op->u.route.tile);
    for (size_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < op->u.route.top_k; j++) {
            size_t at = (size_t)row_of(&places, i)[2 * j + 1];

            for (size_t c = 0; c < dy.cols && dx.p; c++)
                row_of(&dx, at)[c] = row_of(&weights, i)[j]
                                     * row_of(&dy, i)[c];
            if (dw.p)
                put(&row_of(&dw, i)[j],
                    dot(row_of(&dy, i), row_of(&x, at), dy.cols),
                    op->acc & 2);
        }
}

static double
sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

void
REF(gate)(struct run *r, const struct op *op)
{
    struct mat gate = mat_of(r, &op->x[0]), x = mat_of(r, &op->x[1]);
    struct mat residual = mat_of(r, &op->x[2]), y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &x);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < x.cols; c++)
            put(&row_of(&y, i)[c],
                sigmoid((double)row_of(&gate, i)[0]) * row_of(&x, i)[c]
                    + (residual.p ? (double)row_of(&residual, i)[c] : 0),
                op->acc & 1);
}

void
REF(gate_bwd)(struct run *r, const struct op *op)
{
    struct mat gate = mat_of(r, &op->x[0]), x = mat_of(r, &op->x[1]);
    struct mat dy = mat_of(r, &op->x[2]);
    struct mat dgate = mat_of(r, &op->y[0]), dx = mat_of(r, &op->y[1]);
    size_t n = token_rows(r, &x);

    for (size_t i = 0; i < n; i++) {
        double s = sigmoid((double)row_of(&gate, i)[0]);

        if (dgate.p)
            put(row_of(&dgate, i),
                s * (1 - s) * dot(row_of(&dy, i), row_of(&x, i), x.cols),
                op->acc & 1);
        for (size_t c = 0; c < x.cols && dx.p; c++)
            put(&row_of(&dx, i)[c], s * row_of(&dy, i)[c], op->acc & 2);
    }
}
