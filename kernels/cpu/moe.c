/* moe.c - ROUTE, BALANCE, GATHER, COMBINE, GATE and their gradients.
 *
 * Items are rows of tokens, or sequences. Which row of which group a token
 * gets is counted by one thread, in the order of tokens.
 */
#include "kernels/moe.h"

#include <math.h>
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/cpu.h"

enum { ROWS = 16 };

/* Rows of tokens, some at a time; own: scratch, per_worker floats of each. */
struct rows {
    struct job job;
    size_t n, per_worker;
    float *own;
    void (*row)(const struct job *j, size_t row, float *own);
};

static void
rows_item(void *ctx, size_t item, int worker)
{
    const struct rows *f = ctx;
    size_t i = item * ROWS, end = min_size(i + ROWS, f->n);

    for (; i < end; i++)
        f->row(&f->job, i, f->own + (size_t)worker * f->per_worker);
}

static void
walk_rows(const struct job *j, size_t n, float *own, size_t per_worker,
          void (*row)(const struct job *j, size_t row, float *own))
{
    struct rows f = { *j, n, per_worker, own, row };

    par_for(ceil_div(n, ROWS), rows_item, &f);
}

static float *
row_at(const struct job *j, const struct view *v, size_t row)
{
    return f32_at(j, v) + row * v->ld;
}

/* The row of the j'th expert of row i. */
static size_t
place_at(const struct job *j, size_t i, uint32_t k)
{
    return (size_t)row_at(j, &j->op->x[1], i)[2 * k + 1];
}

/* ROUTE */

/* p[n] = softmax(x) */
static void
softmax(const struct job *j, float *p, const float *x, size_t n)
{
    float sum = j->vec->exp_sum(p, x, n, 1.0f, j->vec->max(x, n));

    for (size_t e = 0; e < n; e++)
        p[e] /= sum;
}

static bool
is_chosen(const float *places, uint32_t k, uint32_t e)
{
    for (uint32_t i = 0; i < k; i++)
        if ((uint32_t)places[2 * i] == e)
            return true;
    return false;
}

/* The k'th largest; something that was not chosen, whatever the logits. */
static uint32_t
choose(const float *places, uint32_t k, const float *x, uint32_t experts)
{
    uint32_t best = experts;

    for (uint32_t e = 0; e < experts; e++)
        if ((best == experts || x[e] > x[best]) && !is_chosen(places, k, e))
            best = e;
    return best;
}

static void
route_row(const struct job *j, size_t i, float *p)
{
    const struct route_args *a = &j->op->u.route;
    const float *x = row_at(j, &j->op->x[0], i);
    float *weights = row_at(j, &j->op->y[0], i);
    float *places = row_at(j, &j->op->y[1], i), sum = 0;

    softmax(j, p, x, a->experts);
    for (uint32_t k = 0; k < a->top_k; k++) {
        uint32_t e = choose(places, k, x, a->experts);

        places[2 * k] = (float)e;
        weights[k] = p[e];
        sum += p[e];
    }
    for (uint32_t k = 0; k < a->top_k && a->norm; k++)
        weights[k] /= sum;
}

/* The rows of the places, when all experts are chosen; next[experts]. */
static void
place_rows(const struct job *j, size_t n, double *next)
{
    const struct route_args *a = &j->op->u.route;
    const struct view *places = &j->op->y[1];
    float *counts = f32_at(j, &j->op->y[2]);
    size_t at = 0;

    memset(next, 0, a->experts * sizeof(*next));
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < a->top_k; k++)
            next[(size_t)row_at(j, places, i)[2 * k]]++;
    for (uint32_t e = 0; e < a->experts; e++) {
        counts[e] = (float)next[e];
        next[e] = (double)at;
        at += group_rows((double)counts[e], a->tile);
    }
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < a->top_k; k++) {
            float *place = row_at(j, places, i) + 2 * k;

            place[1] = (float)next[(size_t)place[0]]++;
        }
}

/* Of a worker, or of next: two rows of doubles. */
static size_t
route_floats(const struct op *op)
{
    return piece(4 * op->u.route.experts);
}

/* own: sums of p, then p. */
static void
tally_item(void *ctx, size_t s, int worker)
{
    const struct rows *f = ctx;
    const struct job *j = &f->job;
    const struct route_args *a = &j->op->u.route;
    double *sums = (double *)(void *)(f->own
                                      + (size_t)worker * f->per_worker);
    float *p = (float *)(sums + a->experts);
    float *tally = row_at(j, &j->op->y[3], s);
    size_t i = s * a->seq_len;
    size_t end = i + tally_rows(j->run->batch, s, a->seq_len);

    memset(sums, 0, a->experts * sizeof(*sums));
    memset(tally, 0, 2 * a->experts * sizeof(*tally));
    for (; i < end; i++) {
        softmax(j, p, row_at(j, &j->op->x[0], i), a->experts);
        for (uint32_t e = 0; e < a->experts; e++)
            sums[e] += (double)p[e];
        for (uint32_t k = 0; k < a->top_k; k++)
            tally[(size_t)row_at(j, &j->op->y[1], i)[2 * k]]++;
    }
    for (uint32_t e = 0; e < a->experts; e++)
        tally[a->experts + e] = (float)sums[e];
}

uint64_t
route_scratch(const struct op *op, int workers)
{
    return (uint64_t)(1 + workers) * route_floats(op) * sizeof(float);
}

void
cpu_route(const struct job *j)
{
    const struct op *op = j->op;
    size_t n = token_rows(j, &op->x[0]), each = route_floats(op);
    float *next = f32_at(j, &op->scratch);
    struct rows f = { *j, n, each, next + each, NULL };

    walk_rows(j, n, f.own, each, route_row);
    place_rows(j, n, (double *)(void *)next);
    if (op->y[3].buf != 0)
        par_for(op->y[3].rows, tally_item, &f);
}

/* own: p, then its gradient, then, of all, the rows of each tally. */
static void
route_bwd_row(const struct job *j, size_t i, float *own)
{
    const struct op *op = j->op;
    const struct route_args *a = &op->u.route;
    const float *dw = row_at(j, &op->x[2], i);
    const float *places = row_at(j, &op->x[1], i);
    float *p = own, *dp = own + a->experts, *dx = row_at(j, &op->y[0], i);
    size_t s = i / a->seq_len;
    float chosen = 1, mean = 0;

    softmax(j, p, row_at(j, &op->x[0], i), a->experts);
    memset(dp, 0, a->experts * sizeof(*dp));
    if (op->x[3].buf != 0
        && i % a->seq_len < (size_t)f32_at(j, &op->scratch)[s])
        memcpy(dp, row_at(j, &op->x[3], s), a->experts * sizeof(*dp));
    if (a->norm) {
        chosen = 0;
        for (uint32_t k = 0; k < a->top_k; k++) {
            chosen += p[(size_t)places[2 * k]];
            mean += p[(size_t)places[2 * k]] * dw[k];
        }
        mean /= chosen;
    }
    for (uint32_t k = 0; k < a->top_k; k++)
        dp[(size_t)places[2 * k]] += (dw[k] - mean) / chosen;
    j->vec->softmax_bwd(p, p, dp, a->experts,
                        j->vec->dot(p, dp, a->experts), 1.0f);
    j->vec->axpy(dx, p, 1.0f, a->experts, op->acc & 1);
}

static size_t
route_bwd_floats(const struct op *op)
{
    return piece(2 * op->u.route.experts);
}

static size_t
sequences(const struct op *op)
{
    return ceil_div(op->x[0].rows, op->u.route.seq_len);
}

uint64_t
route_bwd_scratch(const struct op *op, int workers)
{
    return (piece(sequences(op))
            + (uint64_t)workers * route_bwd_floats(op)) * sizeof(float);
}

void
cpu_route_bwd(const struct job *j)
{
    const struct op *op = j->op;
    float *rows = f32_at(j, &op->scratch);

    for (size_t s = 0; s < op->x[3].rows && op->x[3].buf != 0; s++)
        rows[s] = (float)tally_rows(j->run->batch, s, op->u.route.seq_len);
    walk_rows(j, token_rows(j, &op->x[0]), rows + piece(sequences(op)),
              route_bwd_floats(op), route_bwd_row);
}

/* BALANCE */

/* Of column col of sequence s, over all layers. */
static double
tallied(const struct job *j, size_t s, size_t col)
{
    const struct view *tally = &j->op->x[0];
    double sum = 0;

    for (size_t i = s; i < tally->rows; i += j->op->u.balance.seqs)
        sum += (double)row_at(j, tally, i)[col];
    return sum;
}

static void
balance_sequence(const struct job *j, size_t s)
{
    const struct balance_args *a = &j->op->u.balance;
    const float *weight = j->run->batch->weight + s * a->seq_len;
    size_t experts = j->op->y[0].cols;
    float *y = row_at(j, &j->op->y[0], s);
    double rows = 0, w = 0, loss = 0, coef;

    for (size_t i = 0; i < a->seq_len; i++)
        w += (double)weight[i];
    for (size_t e = 0; e < experts; e++)
        rows += tallied(j, s, e) / a->top_k;
    memset(y, 0, experts * sizeof(*y));
    if (!(rows > 0))
        return;
    coef = w * (double)a->coef * (double)experts / rows;
    for (size_t e = 0; e < experts; e++) {
        double f = tallied(j, s, e) / rows;

        y[e] = (float)(coef * j->run->in->inv_tokens * f);
        loss += f * tallied(j, s, experts + e);
    }
    j->run->out->balance_sum += coef * loss;
}

void
cpu_balance(const struct job *j)
{
    for (size_t s = 0; s < j->op->u.balance.seqs; s++)
        balance_sequence(j, s);
}

/* GATHER and COMBINE */

/* Zeroes what the groups round up to. */
static void
clear_ends(const struct job *j, const struct view *y,
           const struct view *counts)
{
    const float *count = f32_at(j, counts);
    size_t at = 0;

    for (uint32_t e = 0; e < counts->cols; e++) {
        size_t rows = group_rows((double)count[e], j->op->u.route.tile);

        for (size_t i = (size_t)count[e]; i < rows; i++)
            memset(row_at(j, y, at + i), 0, y->cols * sizeof(float));
        at += rows;
    }
}

static void
gather_row(const struct job *j, size_t i, float *own)
{
    const struct op *op = j->op;

    (void)own;
    for (uint32_t k = 0; k < op->u.route.top_k; k++)
        memcpy(row_at(j, &op->y[0], place_at(j, i, k)),
               row_at(j, &op->x[0], i), op->x[0].cols * sizeof(float));
}

void
cpu_gather(const struct job *j)
{
    clear_ends(j, &j->op->y[0], &j->op->x[2]);
    walk_rows(j, token_rows(j, &j->op->x[0]), NULL, 0, gather_row);
}

static void
combine_row(const struct job *j, size_t i, float *own)
{
    const struct op *op = j->op;
    float *y = row_at(j, &op->y[0], i);
    bool add = op->acc & 1;

    (void)own;
    if (op->x[3].buf != 0) {
        j->vec->axpy(y, row_at(j, &op->x[3], i), 1.0f, op->y[0].cols, add);
        add = true;
    }
    for (uint32_t k = 0; k < op->u.route.top_k; k++) {
        float w = op->x[2].buf != 0 ? row_at(j, &op->x[2], i)[k] : 1.0f;

        j->vec->axpy(y, row_at(j, &op->x[0], place_at(j, i, k)), w,
                     op->y[0].cols, add);
        add = true;
    }
}

void
cpu_combine(const struct job *j)
{
    walk_rows(j, token_rows(j, &j->op->y[0]), NULL, 0, combine_row);
}

static void
combine_bwd_row(const struct job *j, size_t i, float *own)
{
    const struct op *op = j->op;
    const float *dy = row_at(j, &op->x[3], i);

    (void)own;
    for (uint32_t k = 0; k < op->u.route.top_k; k++) {
        size_t at = place_at(j, i, k), cols = op->x[3].cols;
        float dw;

        if (op->y[0].buf != 0)
            j->vec->axpy(row_at(j, &op->y[0], at), dy,
                         row_at(j, &op->x[2], i)[k], cols, false);
        if (op->y[1].buf == 0)
            continue;
        dw = j->vec->dot(dy, row_at(j, &op->x[0], at), cols);
        if (op->acc & 2)
            dw += row_at(j, &op->y[1], i)[k];
        row_at(j, &op->y[1], i)[k] = dw;
    }
}

void
cpu_combine_bwd(const struct job *j)
{
    if (j->op->y[0].buf != 0)
        clear_ends(j, &j->op->y[0], &j->op->x[4]);
    walk_rows(j, token_rows(j, &j->op->x[3]), NULL, 0, combine_bwd_row);
}

/* GATE */

static float
sigmoid(float x)
{
    return (float)(1 / (1 + exp(-(double)x)));
}

static void
gate_row(const struct job *j, size_t i, float *own)
{
    const struct op *op = j->op;
    float *y = row_at(j, &op->y[0], i);
    size_t n = op->y[0].cols;
    bool add = op->acc & 1;

    (void)own;
    if (op->x[2].buf != 0) {
        j->vec->axpy(y, row_at(j, &op->x[2], i), 1.0f, n, add);
        add = true;
    }
    j->vec->axpy(y, row_at(j, &op->x[1], i),
                 sigmoid(*row_at(j, &op->x[0], i)), n, add);
}

void
cpu_gate(const struct job *j)
{
    walk_rows(j, token_rows(j, &j->op->x[1]), NULL, 0, gate_row);
}

static void
gate_bwd_row(const struct job *j, size_t i, float *own)
{
    const struct op *op = j->op;
    const float *x = row_at(j, &op->x[1], i), *dy = row_at(j, &op->x[2], i);
    float s = sigmoid(*row_at(j, &op->x[0], i)), d;
    size_t n = op->x[1].cols;

    (void)own;
    if (op->y[0].buf != 0) {
        d = s * (1 - s) * j->vec->dot(dy, x, n);
        *row_at(j, &op->y[0], i) = op->acc & 1
                                   ? *row_at(j, &op->y[0], i) + d : d;
    }
    if (op->y[1].buf != 0)
        j->vec->axpy(row_at(j, &op->y[1], i), dy, s, n, op->acc & 2);
}

void
cpu_gate_bwd(const struct job *j)
{
    walk_rows(j, token_rows(j, &j->op->x[1]), NULL, 0, gate_bwd_row);
}
