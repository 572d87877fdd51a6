/* norm.c - NORM, NORM_BWD and ROPE.
 *
 * The gradients of gain and bias are sums over rows: each block of
 * NORM_BLOCK rows sums into scratch of its own, then the blocks are added
 * in order.
 */
#include <math.h>
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

enum { NORM_BLOCK = 64 };

struct norm {
    struct job job;
    size_t rows, dim, groups; /* groups of dim columns in a row */
    size_t gains;             /* columns of the gain */
    const float *gain, *bias;
    float *wide; /* each worker's wide_floats */
    float *sums; /* of the blocks: gain, bias */
};

/* Scratch that the gain takes: to be widened, and for its offset. */
static size_t
own_gain_floats(const struct op *op)
{
    return weight_row_floats(&op->x[1])
        + (op->u.norm.offset > 0 ? piece(op->x[1].cols) : 0);
}

static size_t
gain_floats(const struct op *op, int bias)
{
    return own_gain_floats(op) + (bias ? weight_row_floats(&op->x[2]) : 0);
}

/* The gain, offset and all; tmp has own_gain_floats of room. */
static const float *
gain_of(const struct job *j, float *tmp)
{
    const struct op *op = j->op;
    const float *gain = weight_row(j, &op->x[1], tmp);

    if (!(op->u.norm.offset > 0))
        return gain;
    tmp += weight_row_floats(&op->x[1]);
    for (size_t c = 0; c < op->x[1].cols; c++)
        tmp[c] = op->u.norm.offset + gain[c];
    return tmp;
}

uint64_t
norm_scratch(const struct op *op, int workers)
{
    (void)workers;
    return gain_floats(op, 1) * sizeof(float);
}

/* A worker's: a row of x, where that has to be widened. */
static size_t
wide_floats(const struct op *op)
{
    return is_f32(&op->x[0]) ? 0 : piece(op->x[0].cols);
}

uint64_t
norm_bwd_scratch(const struct op *op, int workers)
{
    size_t sums = 0;

    if (op->y[1].buf || op->y[2].buf)
        sums = ceil_div(op->x[0].rows, NORM_BLOCK) * 2
            * piece(op->x[1].cols);
    return (gain_floats(op, 0) + sums + wide_floats(op) * (size_t)workers)
        * sizeof(float);
}

static void
norm_shape(struct norm *f)
{
    const struct op *op = f->job.op;

    f->dim = norm_cols(op);
    f->groups = op->x[0].cols / f->dim;
    f->gains = op->x[1].cols;
}

static void
norm_item(void *ctx, size_t i, int worker)
{
    const struct norm *f = ctx;
    const struct job *j = &f->job;
    const struct op *op = j->op;
    size_t r = i * NORM_BLOCK, end = min_size(r + NORM_BLOCK, f->rows);
    float *stats = f32_at(j, &op->y[1]);

    (void)worker;
    for (; r < end; r++)
        for (size_t g = 0, c = 0; g < f->groups; g++, c += f->dim)
            j->vec->norm(f32_at(j, &op->y[0]) + r * op->y[0].ld + c,
                         stats ? stats + r * op->y[1].ld + 2 * g : NULL,
                         f32_at(j, &op->x[0]) + r * op->x[0].ld + c,
                         f->gain + c % f->gains,
                         f->bias ? f->bias + c % f->gains : NULL, f->dim,
                         op->u.norm.eps, op->u.norm.rms, op->acc & 1);
}

void
cpu_norm(const struct job *j)
{
    const struct op *op = j->op;
    struct norm f = { .job = *j, .rows = token_rows(j, &op->x[0]) };
    float *tmp = f32_at(j, &op->scratch);

    norm_shape(&f);
    f.gain = gain_of(j, tmp);
    f.bias = weight_row(j, &op->x[2], tmp ? tmp + own_gain_floats(op) : NULL);
    par_for(ceil_div(f.rows, NORM_BLOCK), norm_item, &f);
}

static void
norm_bwd_item(void *ctx, size_t i, int worker)
{
    const struct norm *f = ctx;
    const struct job *j = &f->job;
    const struct op *op = j->op;
    size_t r = i * NORM_BLOCK, end = min_size(r + NORM_BLOCK, f->rows);
    float *dgain = NULL, *dbias = NULL, *dx = f32_at(j, &op->y[0]);
    float *wide = f->wide + (size_t)worker * wide_floats(op);

    if (op->y[1].buf)
        dgain = f->sums + 2 * i * piece(f->gains);
    if (op->y[2].buf)
        dbias = f->sums + (2 * i + 1) * piece(f->gains);
    if (dgain)
        memset(dgain, 0, f->gains * sizeof(*dgain));
    if (dbias)
        memset(dbias, 0, f->gains * sizeof(*dbias));
    for (; r < end; r++) {
        const float *x = row_floats(j, &op->x[0], r, 0, op->x[0].cols, wide);

        for (size_t g = 0, c = 0; g < f->groups; g++, c += f->dim)
            j->vec->norm_bwd(dx ? dx + r * op->y[0].ld + c : NULL,
                             dgain ? dgain + c % f->gains : NULL,
                             dbias ? dbias + c % f->gains : NULL, x + c,
                             f->gain + c % f->gains,
                             f32_at(j, &op->x[2]) + r * op->x[2].ld + 2 * g,
                             f32_at(j, &op->x[3]) + r * op->x[3].ld + c,
                             f->dim, op->u.norm.rms, op->acc & 1);
    }
}

void
cpu_norm_bwd(const struct job *j)
{
    const struct op *op = j->op;
    struct norm f = { .job = *j, .rows = token_rows(j, &op->x[0]) };
    float *tmp = f32_at(j, &op->scratch);
    size_t blocks = ceil_div(f.rows, NORM_BLOCK), i;
    int which;

    norm_shape(&f);
    f.gain = gain_of(j, tmp);
    f.wide = tmp ? tmp + own_gain_floats(op) : NULL;
    f.sums = tmp ? f.wide + (size_t)par_threads() * wide_floats(op) : NULL;
    par_for(blocks, norm_bwd_item, &f);
    for (which = 0; which < 2; which++)
        for (i = 0; op->y[1 + which].buf && i < blocks; i++)
            j->vec->axpy(f32_at(j, &op->y[1 + which]),
                         f.sums + (2 * i + (size_t)which) * piece(f.gains),
                         1.0f, f.gains, true);
}

/* ROPE: a row's angles are computed once, for all of its heads, in double,
 * so that positions of any length keep their precision. */
struct rope {
    struct job job;
    size_t rows, half;
    const float *freq;
};

enum { ROPE_BLOCK = 16 };

uint64_t
rope_scratch(const struct op *op, int workers)
{
    return (uint64_t)workers * 2 * piece(op->x[1].cols) * sizeof(float);
}

static void
rope_row(const struct rope *f, size_t r, float *cosine, float *sine)
{
    const struct job *j = &f->job;
    const struct op *op = j->op;
    const float *x = f32_at(j, &op->x[0]) + r * op->x[0].ld;
    float *y = f32_at(j, &op->y[0]) + r * op->y[0].ld;
    size_t hd = op->u.rope.head_dim, dim = 2 * f->half, i;

    for (i = 0; i < f->half; i++) {
        double angle = j->run->batch->pos[r] * (double)f->freq[i];

        cosine[i] = (float)(cos(angle) * op->u.rope.factor);
        sine[i] = (float)(sin(angle) * op->u.rope.factor * op->u.rope.sign);
    }
    for (i = 0; i < op->u.rope.heads; i++, x += hd, y += hd) {
        j->vec->rotate(y, y + f->half, x, x + f->half, cosine, sine,
                       f->half, op->acc & 1);
        if (hd > dim && (x != y || op->acc & 1))
            j->vec->axpy(y + dim, x + dim, 1.0f, hd - dim, op->acc & 1);
    }
}

static void
rope_item(void *ctx, size_t i, int worker)
{
    const struct rope *f = ctx;
    size_t r = i * ROPE_BLOCK, end = min_size(r + ROPE_BLOCK, f->rows);
    float *tmp = f32_at(&f->job, &f->job.op->scratch)
        + (size_t)worker * 2 * piece(f->half);

    for (; r < end; r++)
        rope_row(f, r, tmp, tmp + piece(f->half));
}

void
cpu_rope(const struct job *j)
{
    const struct op *op = j->op;
    struct rope f = { .job = *j, .rows = token_rows(j, &op->x[0]) };

    f.half = op->x[1].cols;
    f.freq = f32_at(j, &op->x[1]);
    par_for(ceil_div(f.rows, ROPE_BLOCK), rope_item, &f);
}
