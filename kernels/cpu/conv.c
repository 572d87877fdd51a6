/* conv.c - CONV1D and its gradient.
 *
 * Forward, an item is some rows; backward some columns of all rows, one after
 * the other, so that the weights' gradients add up in the order of rows: the
 * gradients of the last `width` outputs make a ring, from which a row of dx is
 * made when the last of those that saw it is there.
 */
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

enum { ROWS = 16, COLUMNS = 64 };

struct conv {
    struct job job;
    struct conv_row row; /* but x: all columns, turned weights */
    size_t rows, seq;
    float *own;          /* of the workers */
};

/* Scratch: the weights as they are stored and turned, and the bias. */
static size_t
weight_floats(const struct op *op)
{
    size_t cols = op->x[1].rows, width = op->x[1].cols;

    return piece(cols * width) + width * piece(cols)
           + weight_row_floats(&op->x[2]);
}

/* Backward: the ring, and sums for the weights and the bias. */
static size_t
worker_floats(const struct op *op)
{
    return (2 * op->x[1].cols + 1) * COLUMNS;
}

uint64_t
conv1d_scratch(const struct op *op, int workers)
{
    (void)workers;
    return weight_floats(op) * sizeof(float);
}

uint64_t
conv1d_bwd_scratch(const struct op *op, int workers)
{
    return (weight_floats(op) + (size_t)workers * worker_floats(op))
           * sizeof(float);
}

static struct conv
open_conv(const struct job *j)
{
    const struct op *op = j->op;
    size_t cols = op->x[1].rows, width = op->x[1].cols;
    float *stored = f32_at(j, &op->scratch);
    float *turned = stored + piece(cols * width);
    float *bias = turned + width * piece(cols);

    weight_widen(j, &op->x[1], 0, 0, cols, width, stored);
    j->vec->transpose(turned, piece(cols), stored, width, cols, width);
    return (struct conv){
        .job = *j, .rows = token_rows(j, &op->x[0]),
        .seq = op->u.conv.seq_len,
        .row = { .weight = turned, .bias = weight_row(j, &op->x[2], bias),
                 .cols = cols, .width = width, .ldw = piece(cols),
                 .act = op->u.conv.act },
        .own = (float *)f32_at(j, &op->scratch) + weight_floats(op)
    };
}

/* The rows that row i meets; NULL for 0. */
static void
find_taps(const struct conv *f, size_t i, size_t c0, const float **x)
{
    const struct job *j = &f->job;
    const struct view *rows = &j->op->x[0], *kept = &j->op->y[1];
    size_t first = first_row(j, i, f->seq), width = f->row.width;

    for (size_t k = 0; k < width; k++) {
        size_t back = width - 1 - k;

        x[k] = i >= first + back ? f32_at(j, rows) + (i - back) * rows->ld + c0
                                 : NULL;
        if (!j->op->u.conv.cached)
            continue;
        if (i % f->seq >= back)
            x[k] = f32_at(j, rows) + (i - back) * rows->ld + c0;
        else if (j->run->batch->cache_at[i / f->seq] > 0)
            x[k] = f32_at(j, kept) + c0
                   + (i / f->seq * (width - 1) + k + i % f->seq) * kept->ld;
        else
            x[k] = NULL;
    }
}

static void
conv_item(void *ctx, size_t item, int worker)
{
    const struct conv *f = ctx;
    const struct job *j = &f->job;
    const struct view *out = &j->op->y[0];
    size_t i = item * ROWS, end = min_size(i + ROWS, f->rows);
    const float *x[CONV_MAX];
    struct conv_row row = f->row;

    (void)worker;
    row.x = x;
    for (; i < end; i++) {
        float *y = f32_at(j, out) + i * out->ld;

        if (j->op->u.conv.cached
            && i % f->seq >= (size_t)j->run->batch->seq_n[i / f->seq]) {
            if (!(j->op->acc & 1))
                memset(y, 0, out->cols * sizeof(*y));
            continue;
        }
        find_taps(f, i, 0, x);
        j->vec->conv(y, &row, j->op->acc & 1);
    }
}

/* Decoding: the last rows of a sequence take the place of those before. */
static void
keep_rows(const struct conv *f, size_t s)
{
    const struct job *j = &f->job;
    const struct view *rows = &j->op->x[0], *kept = &j->op->y[1];
    size_t n = (size_t)j->run->batch->seq_n[s], width = f->row.width - 1;
    size_t bytes = f->row.cols * sizeof(float);

    for (size_t k = 0; k < width && n > 0; k++) {
        float *to = f32_at(j, kept) + (s * width + k) * kept->ld;

        if (k + n >= width)
            memcpy(to, f32_at(j, rows)
                       + (s * f->seq + k + n - width) * rows->ld, bytes);
        else if (j->run->batch->cache_at[s] > 0)
            memcpy(to, to + n * kept->ld, bytes);
        else
            memset(to, 0, bytes);
    }
}

void
cpu_conv1d(const struct job *j)
{
    struct conv f = open_conv(j);
    size_t seqs = j->op->x[0].rows / f.seq;

    par_for(ceil_div(f.rows, ROWS), conv_item, &f);
    for (size_t s = 0; s < seqs && j->op->u.conv.cached; s++)
        keep_rows(&f, s);
}

/* Row i of dx, from the rows after it that saw it. */
static void
put_dx(const struct conv *f, const struct conv_row *row, const float *ring,
       size_t i, size_t c0)
{
    const struct job *j = &f->job;
    const struct view *dx = &j->op->y[0];
    const float *x[CONV_MAX];
    struct conv_row back = *row;

    back.x = x;
    back.bias = NULL;
    back.act = -1;
    for (size_t k = 0; k < row->width; k++) {
        size_t q = i + row->width - 1 - k;

        x[k] = q < f->rows && first_row(j, q, f->seq) <= i
               ? ring + q % row->width * COLUMNS : NULL;
    }
    j->vec->conv(f32_at(j, dx) + i * dx->ld + c0, &back, j->op->acc & 1);
}

/* What the rows added up to. */
static void
put_weights(const struct conv *f, size_t c0, size_t n, const float *dw,
            const float *dbias)
{
    const struct view *w = &f->job.op->y[1], *b = &f->job.op->y[2];
    float *to = f32_at(&f->job, w);

    for (size_t c = 0; c < n && to != NULL; c++)
        for (size_t k = 0; k < f->row.width; k++)
            to[(c0 + c) * w->ld + k] += dw[k * COLUMNS + c];
    to = f32_at(&f->job, b);
    for (size_t c = 0; c < n && to != NULL; c++)
        to[c0 + c] += dbias[c];
}

/* d of row i goes to its place in the ring. */
static void
put_d(const struct conv *f, struct conv_row *row, float *ring, size_t i,
      size_t c0)
{
    const struct job *j = &f->job;
    const struct view *dy = &j->op->x[3];
    float *dw = ring + row->width * COLUMNS;
    const float *x[CONV_MAX];

    row->x = x;
    find_taps(f, i, c0, x);
    j->vec->conv_bwd(ring + i % row->width * COLUMNS, row,
                     f32_at(j, dy) + i * dy->ld + c0, dw, COLUMNS,
                     dw + row->width * COLUMNS);
}

static void
conv_bwd_item(void *ctx, size_t item, int worker)
{
    const struct conv *f = ctx;
    size_t c0 = item * COLUMNS, width = f->row.width;
    float *ring = f->own + (size_t)worker * worker_floats(f->job.op);
    float *dw = ring + width * COLUMNS;
    struct conv_row row = f->row;

    row.cols = min_size(COLUMNS, f->row.cols - c0);
    row.weight += c0;
    row.bias = row.bias ? row.bias + c0 : NULL;
    memset(dw, 0, (width + 1) * COLUMNS * sizeof(*dw));
    for (size_t i = 0; i < f->rows + width - 1; i++) {
        if (i < f->rows)
            put_d(f, &row, ring, i, c0);
        if (i + 1 >= width && f->job.op->y[0].buf != 0)
            put_dx(f, &row, ring, i + 1 - width, c0);
    }
    put_weights(f, c0, row.cols, dw, dw + width * COLUMNS);
}

void
cpu_conv1d_bwd(const struct job *j)
{
    struct conv f = open_conv(j);

    par_for(ceil_div(f.row.cols, COLUMNS), conv_bwd_item, &f);
}
