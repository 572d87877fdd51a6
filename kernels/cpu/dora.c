/* dora.c - what DoRA does to a LINEAR's output: see struct part in
 * kernels/ops.h.
 *
 * Where the work is cut depends on the shapes alone, and so do the bits.
 */
#include <math.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

/* The norms: so many outputs a piece, so many inputs at a time. */
enum { OUTPUTS = 64, INPUTS = 512 };

/* The rest: so many columns a piece. */
enum { COLUMNS = 256 };

struct norms {
    struct job job;
    const struct part *p;
    float *y, *worker;
};

uint64_t
dora_norm_scratch(const struct op *op, int workers)
{
    (void)op;
    return (uint64_t)OUTPUTS * INPUTS * (uint64_t)workers * sizeof(float);
}

/* tile = (W + s B A) of outputs o0 .. o0+no and inputs k0 .. k0+nk, as W is
 * stored: an output or, with in_out, an input a row. */
static void
fill_tile(const struct norms *f, size_t o0, size_t no, size_t k0, size_t nk,
          float *tile)
{
    const struct part *p = f->p;
    const float *a = f32_at(&f->job, &p->a) + k0;
    const float *b = f32_at(&f->job, &p->b) + o0 * p->b.ld;
    struct product g = {
        .m = no, .n = nk, .k = p->rank, .a = b, .lda = p->b.ld, .b = a,
        .ldb = p->a.ld, .alpha = p->lora_scale, .beta = 1, .c = tile,
        .ldc = nk
    };

    if (p->in_out) {
        weight_widen(&f->job, &p->w, k0, o0, nk, no, tile);
        g = (struct product){
            .ta = true, .tb = true, .m = nk, .n = no, .k = p->rank, .a = a,
            .lda = p->a.ld, .b = b, .ldb = p->b.ld, .alpha = p->lora_scale,
            .beta = 1, .c = tile, .ldc = no
        };
    } else {
        weight_widen(&f->job, &p->w, o0, k0, no, nk, tile);
    }
    gemm_f32(&f->job.cpu->gemm, &g);
}

static void
add_squares(const struct norms *f, const float *tile, size_t no, size_t nk,
            double *sum)
{
    if (!f->p->in_out) {
        for (size_t o = 0; o < no; o++)
            sum[o] += f->job.vec->sqsum(tile + o * nk, nk);
        return;
    }
    for (size_t k = 0; k < nk; k++)
        for (size_t o = 0; o < no; o++)
            sum[o] += (double)tile[k * no + o] * (double)tile[k * no + o];
}

static void
norm_item(void *ctx, size_t i, int worker)
{
    const struct norms *f = ctx;
    size_t o0 = i * OUTPUTS, no = min_size(OUTPUTS, f->p->out - o0);
    float *tile = f->worker + (size_t)worker * OUTPUTS * INPUTS;
    double sum[OUTPUTS] = { 0 };

    for (size_t k0 = 0; k0 < f->p->in; k0 += INPUTS) {
        size_t nk = min_size(INPUTS, f->p->in - k0);

        fill_tile(f, o0, no, k0, nk, tile);
        add_squares(f, tile, no, nk, sum);
    }
    for (size_t o = 0; o < no; o++)
        f->y[o0 + o] = (float)sqrt(sum[o]);
}

void
cpu_dora_norm(const struct job *j)
{
    struct norms f = { *j, j->op->u.lin.part, f32_at(j, &j->op->y[0]),
                       f32_at(j, &j->op->scratch) };

    par_for(ceil_div(f.p->out, OUTPUTS), norm_item, &f);
}

/* A piece of columns of all rows. */
struct columns {
    struct job job;
    const float *bias; /* NULL: none */
    size_t rows;
};

uint64_t
dora_scratch(const struct op *op, int workers)
{
    (void)workers;
    return weight_row_floats(&op->x[3]) * sizeof(float);
}

/* c of n columns from c0 on. */
static void
factors(const struct job *j, size_t c0, size_t n, float *c)
{
    const float *magnitude = f32_at(j, &j->op->x[1]);
    const float *norm = f32_at(j, &j->op->x[2]);

    for (size_t i = 0; i < n; i++)
        c[i] = magnitude == NULL ? 1
               : norm[c0 + i] > 0 ? magnitude[c0 + i] / norm[c0 + i] : 0;
}

static void
dora_item(void *ctx, size_t i, int worker)
{
    const struct columns *f = ctx;
    const struct op *op = f->job.op;
    size_t c0 = i * COLUMNS, n = min_size(COLUMNS, op->x[0].cols - c0);
    const float *x = f32_at(&f->job, &op->x[0]) + c0;
    const float *residual = f32_at(&f->job, &op->x[4]);
    float *y = f32_at(&f->job, &op->y[0]) + c0;
    float c[COLUMNS], bias[COLUMNS];

    (void)worker;
    factors(&f->job, c0, n, c);
    for (size_t k = 0; k < n; k++)
        bias[k] = f->bias ? f->bias[c0 + k] : 0;
    for (size_t r = 0; r < f->rows; r++) {
        const float *from = x + r * op->x[0].ld;
        float *to = y + r * op->y[0].ld;

        for (size_t k = 0; k < n; k++)
            to[k] = c[k] * from[k] + bias[k];
        if (residual != NULL)
            f->job.vec->axpy(to, residual + r * op->x[4].ld + c0, 1, n, true);
    }
}

void
cpu_dora(const struct job *j)
{
    const struct op *op = j->op;
    struct columns f = { *j,
                         weight_row(j, &op->x[3], f32_at(j, &op->scratch)),
                         token_rows(j, &op->x[0]) };

    par_for(ceil_div(op->x[0].cols, COLUMNS), dora_item, &f);
}

static void
dora_bwd_item(void *ctx, size_t i, int worker)
{
    const struct columns *f = ctx;
    const struct op *op = f->job.op;
    size_t c0 = i * COLUMNS, n = min_size(COLUMNS, op->x[0].cols - c0);
    const float *norm = f32_at(&f->job, &op->x[2]);
    float *grad = f32_at(&f->job, &op->y[1]), c[COLUMNS];
    double sum[COLUMNS] = { 0 };

    (void)worker;
    factors(&f->job, c0, n, c);
    for (size_t r = 0; r < f->rows; r++) {
        const float *x = f32_at(&f->job, &op->x[0]) + r * op->x[0].ld + c0;
        const float *dy = f32_at(&f->job, &op->x[3]) + r * op->x[3].ld + c0;
        float *dx = f32_at(&f->job, &op->y[0]) + r * op->y[0].ld + c0;

        for (size_t k = 0; k < n; k++) {
            sum[k] += (double)(dy[k] * x[k]);
            dx[k] = c[k] * dy[k];
        }
    }
    for (size_t k = 0; k < n && grad != NULL; k++)
        if (norm[c0 + k] > 0)
            grad[c0 + k] += (float)(sum[k] / (double)norm[c0 + k]);
}

void
cpu_dora_bwd(const struct job *j)
{
    struct columns f = { *j, NULL, token_rows(j, &j->op->x[0]) };

    par_for(ceil_div(j->op->x[0].cols, COLUMNS), dora_bwd_item, &f);
}
