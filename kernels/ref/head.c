/* head.c - HEAD_CE and LOGITS: a row's logits in double, then its loss and
 * gradients; struct head_args in kernels/ops.h says of which rows. */
#include <math.h>

#include "kernels/ref/ref.h"

struct head {
    const struct part *p;
    struct table w, bias;
    struct mat x, loss, dx, grad_w, grad_bias, rows, grad_rows;
    const struct run *run;
};

static struct head
head_of(struct run *r, const struct op *op)
{
    const struct part *p = op->u.head.part;

    return (struct head){
        .p = p,
        .w = REF(table)(r, &p->w),
        .bias = REF(table)(r, &p->bias),
        .x = mat_of(r, &op->x[0]),
        .loss = mat_of(r, &op->y[0]),
        .dx = mat_of(r, &op->y[1]),
        .grad_w = mat_of(r, &p->grad_w),
        .grad_bias = mat_of(r, &p->grad_bias),
        .rows = mat_of(r, &p->rows),
        .grad_rows = mat_of(r, &p->grad_rows),
        .run = r,
    };
}

/* The place of word o among those that have rows of their own; -1: none. */
static int64_t
own_row(const struct head *h, size_t o)
{
    return token_at(h->run, &h->p->tokens, (int32_t)o);
}

/* W of word o, whose own row is k. */
static double
weight(const struct head *h, size_t o, int64_t k, size_t c)
{
    return k < 0 ? REF(table_at)(&h->w, o, c)
                 : (double)row_of(&h->rows, (size_t)k)[c];
}

static double
logit(const struct head *h, const real *x, size_t o)
{
    double sum = h->bias.p ? REF(table_at)(&h->bias, 0, o) : 0;
    int64_t k = own_row(h, o);

    for (size_t c = 0; c < h->x.cols; c++)
        sum += x[c] * weight(h, o, k, c);
    return sum;
}

uint64_t
REF(head_scratch)(const struct op *op)
{
    return op->u.head.part->w.rows * sizeof(double);
}

/* Logits of a row into d[vocab], which become exp(logit - logsumexp); lse
 * becomes that. Returns the row's loss. */
static double
softmax_loss(const struct head *h, const real *x, size_t target, double *d,
             double *lse)
{
    size_t vocab = h->p->w.rows;
    double top = -INFINITY, sum = 0, loss;

    for (size_t o = 0; o < vocab; o++) {
        d[o] = logit(h, x, o);
        top = fmax(top, d[o]);
    }
    for (size_t o = 0; o < vocab; o++)
        sum += exp(d[o] - top);
    *lse = top + log(sum);
    loss = *lse - d[target];
    for (size_t o = 0; o < vocab; o++)
        d[o] = exp(d[o] - top) / sum;
    return loss;
}

/* From d = the loss's gradient by the logits of one row. */
static void
row_grads(struct head *h, const struct op *op, size_t row, const double *d)
{
    size_t vocab = h->p->w.rows;
    const real *x = row_of(&h->x, row);

    for (size_t c = 0; c < h->x.cols && h->dx.p; c++) {
        double sum = 0;

        for (size_t o = 0; o < vocab; o++)
            sum += d[o] * weight(h, o, own_row(h, o), c);
        put(&row_of(&h->dx, row)[c], sum, op->acc & 2);
    }
    for (size_t o = 0; o < vocab; o++) {
        int64_t k = h->grad_rows.p ? own_row(h, o) : -1;

        for (size_t c = 0; c < h->x.cols && k >= 0; c++)
            put(&row_of(&h->grad_rows, (size_t)k)[c], d[o] * x[c], true);
        for (size_t c = 0; c < h->x.cols && h->grad_w.p; c++)
            put(&row_of(&h->grad_w, o)[c], d[o] * x[c], true);
        if (h->grad_bias.p)
            put(&h->grad_bias.p[o], d[o], true);
    }
}

void
REF(head_ce)(struct run *r, const struct op *op)
{
    struct head h = head_of(r, op);
    double *d = view_at(r, &op->scratch);
    size_t end = (size_t)r->head_at + op->u.head.chunk;

    if (end > r->in->n_head)
        end = r->in->n_head;
    for (size_t k = r->head_at; k < end; k++) {
        size_t row = (size_t)r->batch->head_row[k];
        size_t target = (size_t)r->batch->target[row];
        double weight = r->batch->weight[row], z = op->u.head.z, lse;
        double loss = softmax_loss(&h, row_of(&h.x, row), target, d, &lse);

        r->out->loss_sum += weight * loss;
        if (h.loss.p)
            put(row_of(&h.loss, row), loss, op->acc & 1);
        if (z > 0) {
            r->out->z_sum += weight * z * lse * lse;
            for (size_t o = 0; o < h.p->w.rows; o++)
                d[o] *= 1 + 2 * z * lse;
        }
        d[target] -= 1;
        for (size_t o = 0; o < h.p->w.rows; o++)
            d[o] *= weight * r->in->inv_tokens;
        row_grads(&h, op, row, d);
    }
}

void
REF(logits)(struct run *r, const struct op *op)
{
    struct head h = head_of(r, op);
    struct mat y = mat_of(r, &op->y[0]);

    for (size_t k = 0; k < r->in->n_head; k++) {
        size_t row = (size_t)r->batch->head_row[k];

        for (size_t o = 0; o < h.p->w.rows; o++)
            put(&row_of(&y, k)[o], logit(&h, row_of(&h.x, row), o),
                op->acc & 1);
    }
}
