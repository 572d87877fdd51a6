/* muon.c - MUON: the formulas of kernels/ops.h, whose products are cut into
 * tiles of TILE rows.
 *
 * X is laid out as the parameter is. Where that has more rows than columns,
 * its transpose is meant: then X^T X takes the place of X X^T, and
 * X (bA + cA^2) that of (bA + cA^2) X. A and the polynomial are symmetric: the
 * tiles over the diagonal are made, and copied below it.
 */
#include <math.h>
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/cpu.h"
#include "kernels/muon.h"

enum { TILE = 128, COLS = 512 };

struct muon {
    struct job job;
    size_t rows, cols, small; /* the lesser of them */
    size_t blocks;            /* of TILE, in small */
    bool tall;
    double *sums;             /* of squares, by row */
    float *x, *next, *gram, *poly;
    float part;               /* of X, that has a norm of 1 */
};

/* Places in scratch from base on; returns its bytes. */
static uint64_t
muon_lay(struct muon *m, const struct op *op, char *base)
{
    const struct view *v = &op->y[0];
    size_t all, square, sums;

    m->rows = v->rows;
    m->cols = v->cols;
    m->tall = m->rows > m->cols;
    m->small = min_size(m->rows, m->cols);
    m->blocks = ceil_div(m->small, TILE);
    all = piece(m->rows * m->cols) * sizeof(float);
    square = piece(m->small * m->small) * sizeof(float);
    sums = piece(m->rows) * sizeof(double);
    if (base != NULL) {
        m->sums = (double *)(void *)base;
        m->x = (float *)(void *)(base + sums);
        m->next = (float *)(void *)(base + sums + all);
        m->gram = (float *)(void *)(base + sums + 2 * all);
        m->poly = (float *)(void *)(base + sums + 2 * all + square);
    }
    return sums + 2 * all + 2 * square;
}

uint64_t
muon_scratch(const struct op *op, int workers)
{
    struct muon m;

    (void)workers;
    return muon_lay(&m, op, NULL);
}

static float *
row_at(const struct muon *m, const struct view *v, size_t i)
{
    return f32_at(&m->job, v) + i * v->ld;
}

/* A row of the gradient into the mean, and of X. */
static void
take_item(void *ctx, size_t i, int worker)
{
    const struct muon *m = ctx;
    const struct op *op = m->job.op;
    const float *g = row_at(m, &op->x[0], i);
    float *mean = row_at(m, &op->y[1], i), *x = m->x + i * m->cols;
    float scale = (float)m->job.run->out->scale, keep = op->u.muon.momentum;

    (void)worker;
    for (size_t c = 0; c < m->cols; c++) {
        float own = (1 - keep) * (scale * g[c]);

        mean[c] = keep * mean[c] + own;
        x[c] = own + keep * mean[c];
    }
    m->sums[i] = m->job.vec->sqsum(x, m->cols);
}

static void
scale_item(void *ctx, size_t i, int worker)
{
    const struct muon *m = ctx;
    float *x = m->x + i * m->cols;

    (void)worker;
    m->job.vec->axpy(x, x, m->part, m->cols, false);
}

/* A tile of a symmetric matrix that is not under the diagonal. */
struct tile {
    size_t i, j, rows, cols;
};

static struct tile
tile_of(const struct muon *m, size_t n)
{
    size_t row = 0;
    struct tile t;

    for (; n >= m->blocks - row; row++)
        n -= m->blocks - row;
    t.i = row * TILE;
    t.j = (row + n) * TILE;
    t.rows = min_size(TILE, m->small - t.i);
    t.cols = min_size(TILE, m->small - t.j);
    return t;
}

static void
mirror(const struct muon *m, float *s, const struct tile *t)
{
    if (t->i != t->j)
        m->job.vec->transpose(s + t->j * m->small + t->i, m->small,
                              s + t->i * m->small + t->j, m->small, t->rows,
                              t->cols);
}

/* A tile of A = X X^T. */
static void
gram_item(void *ctx, size_t n, int worker)
{
    const struct muon *m = ctx;
    struct tile t = tile_of(m, n);
    size_t step = m->tall ? 1 : m->cols;
    struct product p = {
        .ta = m->tall, .tb = !m->tall, .m = t.rows, .n = t.cols,
        .k = m->tall ? m->rows : m->cols, .a = m->x + t.i * step,
        .lda = m->cols, .b = m->x + t.j * step, .ldb = m->cols,
        .alpha = 1.0f, .c = m->gram + t.i * m->small + t.j, .ldc = m->small
    };

    (void)worker;
    gemm_f32(&m->job.cpu->gemm, &p);
    mirror(m, m->gram, &t);
}

/* A tile of b A + c A^2. */
static void
poly_item(void *ctx, size_t n, int worker)
{
    const struct muon *m = ctx;
    struct tile t = tile_of(m, n);
    size_t at = t.i * m->small + t.j;
    struct product p = {
        .m = t.rows, .n = t.cols, .k = m->small,
        .a = m->gram + t.i * m->small, .lda = m->small, .b = m->gram + t.j,
        .ldb = m->small, .alpha = (float)MUON_C, .beta = (float)MUON_B,
        .c = m->poly + at, .ldc = m->small
    };

    (void)worker;
    for (size_t i = 0; i < t.rows; i++)
        memcpy(p.c + i * m->small, m->gram + at + i * m->small,
               t.cols * sizeof(float));
    gemm_f32(&m->job.cpu->gemm, &p);
    mirror(m, m->poly, &t);
}

/* Rows and columns of a X + (b A + c A^2) X. */
static void
next_item(void *ctx, size_t n, int worker)
{
    const struct muon *m = ctx;
    size_t across = ceil_div(m->cols, COLS);
    size_t i = n / across * TILE, j = n % across * COLS;
    size_t rows = min_size(TILE, m->rows - i);
    size_t cols = min_size(COLS, m->cols - j), at = i * m->cols + j;
    const float *x = m->x;
    struct product p = {
        .m = rows, .n = cols, .k = m->small, .alpha = 1.0f,
        .beta = (float)MUON_A,
        .a = m->tall ? x + i * m->cols : m->poly + i * m->small,
        .lda = m->small, .b = m->tall ? m->poly + j : x + j, .ldb = m->cols,
        .c = m->next + at, .ldc = m->cols
    };

    (void)worker;
    for (size_t r = 0; r < rows; r++)
        memcpy(p.c + r * m->cols, x + at + r * m->cols, cols * sizeof(*x));
    gemm_f32(&m->job.cpu->gemm, &p);
}

static void
move_item(void *ctx, size_t i, int worker)
{
    const struct muon *m = ctx;
    const struct op *op = m->job.op;
    double lr = m->job.run->in->lr * (double)op->u.muon.lr_ratio;
    float *p = row_at(m, &op->y[0], i);

    (void)worker;
    m->job.vec->axpy(p, p, (float)(1 - lr * (double)op->u.muon.decay),
                     m->cols, false);
    m->job.vec->axpy(p, m->x + i * m->cols,
                     (float)(-lr * (double)op->u.muon.adjust), m->cols, true);
}

void
cpu_muon(const struct job *j)
{
    struct muon m = { .job = *j };
    size_t tiles, items;
    double sum = 0;

    if (j->run->out->skipped)
        return;
    muon_lay(&m, j->op, view_at(j->run, &j->op->scratch));
    tiles = m.blocks * (m.blocks + 1) / 2;
    items = ceil_div(m.rows, TILE) * ceil_div(m.cols, COLS);
    par_for(m.rows, take_item, &m);
    for (size_t i = 0; i < m.rows; i++)
        sum += m.sums[i];
    m.part = (float)(1 / fmax(sqrt(sum), MUON_EPS));
    par_for(m.rows, scale_item, &m);
    for (int i = 0; i < MUON_STEPS; i++) {
        float *was = m.x;

        par_for(tiles, gram_item, &m);
        par_for(tiles, poly_item, &m);
        par_for(items, next_item, &m);
        m.x = m.next;
        m.next = was;
    }
    par_for(m.rows, move_item, &m);
}
