/* optim.c - ops over the elements of a matrix: COPY, ZERO, and the
 * optimiser's SQNORM, CLIP, ADAMW, ADAMW8 and SGD, whose views are flat.
 *
 * The sum of squares is taken in double over fixed blocks, whose sums are
 * then added in order.
 */
#include <math.h>
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/cpu.h"

enum { BLOCK = 16384 };

/* A view cut into blocks of at most BLOCK elements of one row. */
struct flat {
    struct job job;
    size_t per_row, items;
    double *sums;
    struct adamw adamw;
};

static void
flat_cut(struct flat *f, const struct view *v)
{
    f->per_row = ceil_div(v->cols, BLOCK);
    f->items = f->per_row * v->rows;
}

static size_t
flat_len(const struct flat *f, const struct view *v, size_t i)
{
    return min_size(BLOCK, v->cols - i % f->per_row * BLOCK);
}

static float *
flat_at(const struct flat *f, const struct view *v, size_t i)
{
    return f32_at(&f->job, v) + i / f->per_row * v->ld
        + i % f->per_row * BLOCK;
}

static void
copy_item(void *ctx, size_t i, int worker)
{
    const struct flat *f = ctx;
    const struct op *op = f->job.op;
    const struct view *y = &op->y[0];
    uint16_t *to;

    (void)worker;
    if (y->dtype == DTYPE_BF16) {
        to = (uint16_t *)view_at(f->job.run, y) + i / f->per_row * y->ld
            + i % f->per_row * BLOCK;
        f->job.cpu->bf16->narrow(to, flat_at(f, &op->x[0], i),
                                 flat_len(f, &op->x[0], i));
        return;
    }
    f->job.vec->axpy(flat_at(f, &op->y[0], i), flat_at(f, &op->x[0], i),
                     1.0f, flat_len(f, &op->x[0], i), op->acc & 1);
}

void
cpu_copy(const struct job *j)
{
    struct flat f = { .job = *j };

    flat_cut(&f, &j->op->x[0]);
    par_for(f.items, copy_item, &f);
}

static void
zero_item(void *ctx, size_t i, int worker)
{
    const struct flat *f = ctx;
    const struct view *y = &f->job.op->y[0];

    (void)worker;
    memset(flat_at(f, y, i), 0, flat_len(f, y, i) * sizeof(float));
}

void
cpu_zero(const struct job *j)
{
    struct flat f = { .job = *j };

    flat_cut(&f, &j->op->y[0]);
    par_for(f.items, zero_item, &f);
}

uint64_t
sqnorm_scratch(const struct op *op, int workers)
{
    struct flat f;

    (void)workers;
    flat_cut(&f, &op->x[0]);
    return f.items * sizeof(double);
}

static void
sqnorm_item(void *ctx, size_t i, int worker)
{
    const struct flat *f = ctx;
    const struct view *x = &f->job.op->x[0];

    (void)worker;
    f->sums[i] = f->job.vec->sqsum(flat_at(f, x, i), flat_len(f, x, i));
}

void
cpu_sqnorm(const struct job *j)
{
    struct flat f = { .job = *j };
    double sum = 0;
    size_t i;

    flat_cut(&f, &j->op->x[0]);
    f.sums = view_at(j->run, &j->op->scratch);
    par_for(f.items, sqnorm_item, &f);
    for (i = 0; i < f.items; i++)
        sum += f.sums[i];
    j->run->out->gnorm2 = sum;
}

void
cpu_clip(const struct job *j)
{
    struct results *s = j->run->out;
    double max = (double)j->op->u.clip.max_norm;
    double norm = sqrt(s->gnorm2);

    s->skipped = !isfinite(s->gnorm2);
    s->scale = s->skipped ? 0.0 : 1.0;
    if (!s->skipped && max > 0 && max / (norm + 1e-6) < 1.0)
        s->scale = max / (norm + 1e-6);
}

static void
adamw_item(void *ctx, size_t i, int worker)
{
    const struct flat *f = ctx;
    const struct op *op = f->job.op;

    (void)worker;
    f->job.vec->adamw(flat_at(f, &op->y[0], i), flat_at(f, &op->y[1], i),
                      flat_at(f, &op->y[2], i), flat_at(f, &op->x[0], i),
                      flat_len(f, &op->x[0], i), &f->adamw);
}

/* x of a block's codes. */
static void
decode_block(float *x, const struct dynamic8 *map, const uint8_t *code,
             float scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = map->value[code[i]] * scale;
}

static void
encode_block(uint8_t *code, float *scale, const struct dynamic8 *map,
             const float *x, size_t n)
{
    float most = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        float a = fabsf(x[i]);

        most = a > most ? a : most;
    }
    *scale = most;
    for (i = 0; i < n; i++)
        code[i] = dynamic8_code(map, most > 0 ? x[i] / most : 0.0f);
}

/* Whole blocks, but for the last. */
static void
adamw8_item(void *ctx, size_t i, int worker)
{
    const struct flat *f = ctx;
    const struct op *op = f->job.op;
    const struct dynamic8 *map = f->job.cpu->eight;
    uint8_t *code[2] = { view_at(f->job.run, &op->y[1]),
                         view_at(f->job.run, &op->y[2]) };
    float *scale[2] = { f32_at(&f->job, &op->y[3]),
                        f32_at(&f->job, &op->y[4]) };
    float *p = f32_at(&f->job, &op->y[0]);
    const float *g = f32_at(&f->job, &op->x[0]);
    size_t at = i * BLOCK, end = at + flat_len(f, &op->x[0], i), n;
    float x[2][DYNAMIC8_BLOCK];

    (void)worker;
    for (; at < end; at += n) {
        n = min_size(DYNAMIC8_BLOCK, end - at);
        for (int k = 0; k < 2; k++)
            decode_block(x[k], &map[k], code[k] + at,
                         scale[k][at / DYNAMIC8_BLOCK], n);
        f->job.vec->adamw(p + at, x[0], x[1], g + at, n, &f->adamw);
        for (int k = 0; k < 2; k++)
            encode_block(code[k] + at, &scale[k][at / DYNAMIC8_BLOCK],
                         &map[k], x[k], n);
    }
}

static void
run_adamw(const struct job *j, void (*item)(void *ctx, size_t i, int worker))
{
    const struct op *op = j->op;
    const struct inputs *in = j->run->in;
    const struct results *s = j->run->out;
    double t = (double)(in->updates + s->updates + 1);
    double bias1 = 1 - pow(op->u.opt.beta1, t);
    double bias2 = 1 - pow(op->u.opt.beta2, t);
    double lr = in->lr * (double)op->u.opt.lr_ratio;
    struct flat f = { .job = *j };

    if (s->skipped)
        return;
    flat_cut(&f, &op->x[0]);
    f.adamw = (struct adamw){
        .beta1 = op->u.opt.beta1, .beta2 = op->u.opt.beta2,
        .eps = op->u.opt.eps,
        .keep = (float)(1.0 - lr * (double)op->u.opt.decay),
        .scale = (float)s->scale, .rate = (float)(lr / bias1),
        .root = (float)(1.0 / sqrt(bias2))
    };
    par_for(f.items, item, &f);
}

void
cpu_adamw(const struct job *j)
{
    run_adamw(j, adamw_item);
}

void
cpu_adamw8(const struct job *j)
{
    run_adamw(j, adamw8_item);
}

static void
sgd_item(void *ctx, size_t i, int worker)
{
    const struct flat *f = ctx;
    const struct op *op = f->job.op;
    const struct run *run = f->job.run;

    (void)worker;
    f->job.vec->sgd(flat_at(f, &op->y[0], i), flat_at(f, &op->x[0], i),
                    flat_len(f, &op->x[0], i),
                    (float)(run->in->lr * (double)op->u.opt.lr_ratio),
                    (float)run->out->scale, op->u.opt.decay);
}

void
cpu_sgd(const struct job *j)
{
    struct flat f = { .job = *j };

    if (j->run->out->skipped)
        return;
    flat_cut(&f, &j->op->x[0]);
    par_for(f.items, sgd_item, &f);
}
