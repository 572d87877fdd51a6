/* linear_bwd.c - LINEAR backward.
 *
 * In order: dh = s dy B of every adapter, in blocks of rows; the tiles of
 * dx, each summing over all parts, so dx is written once; then the tiles of
 * every gradient, whose sums over the rows are one product each (in blocks
 * of rows where dropout has to be drawn again), so they add in row order.
 */

#include "base/par.h"
#include "kernels/cpu/linear.h"

struct bwd {
    struct job job;
    size_t n;      /* rows */
    float *dh;     /* of part 0; parts follow, n x rank each */
    float *worker; /* scratch of worker 0 */
    size_t per_worker;
};

/* The kinds of gradient of a part, in the order of their items. */
enum grad { GRAD_W, GRAD_BIAS, GRAD_A, GRAD_B, GRADS };

static size_t
worker_floats(const struct op *op)
{
    size_t most = 0, tile = (size_t)TILE_ROWS * TILE_COLS, i;

    for (i = 0; i < op->u.lin.n; i++) {
        const struct part *p = &op->u.lin.part[i];
        size_t need = weight_panel();

        if (p->a.buf && p->dropout > 0 && need < tile)
            need = tile;
        most = need > most ? need : most;
    }
    return piece(most);
}

static size_t
dh_floats(const struct op *op, size_t parts)
{
    size_t sum = 0, i;

    for (i = 0; i < parts; i++) {
        const struct part *p = &op->u.lin.part[i];

        if (p->a.buf)
            sum += piece((size_t)op->x[0].rows * p->rank);
    }
    return sum;
}

uint64_t
linear_bwd_scratch(const struct op *op, int workers)
{
    return ((uint64_t)dh_floats(op, op->u.lin.n)
            + (uint64_t)worker_floats(op) * (uint64_t)workers)
        * sizeof(float);
}

static float *
dh_of(const struct bwd *f, const struct part *p)
{
    const struct op *op = f->job.op;

    return f->dh + dh_floats(op, (size_t)(p - op->u.lin.part));
}

static const float *
dy_of(const struct bwd *f, const struct part *p, size_t row)
{
    const struct view *dy = &f->job.op->x[1];

    return f32_at(&f->job, dy) + row * dy->ld + p->col;
}

static void
dh_item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    size_t blocks = ceil_div(f->n, DROP_ROWS), r0 = i % blocks * DROP_ROWS;
    const struct part *p = &f->job.op->u.lin.part[i / blocks];
    struct product g = {
        .m = min_size(DROP_ROWS, f->n - r0), .n = p->rank, .k = p->out,
        .alpha = p->lora_scale, .lda = f->job.op->x[1].ld, .ldb = p->b.ld,
        .ldc = p->rank
    };

    (void)worker;
    if (p->a.buf == 0)
        return;
    g.a = dy_of(f, p, r0);
    g.b = f32_at(&f->job, &p->b);
    g.c = dh_of(f, p) + r0 * p->rank;
    gemm_f32(&f->job.cpu->gemm, &g);
}

/* dx += drop(dh A) on a tile. */
static void
dx_adapter(const struct bwd *f, const struct part *p, size_t r0, size_t nr,
           size_t c0, size_t nc, float *dx, size_t ld, float *tmp)
{
    struct product g = {
        .m = nr, .n = nc, .k = p->rank, .alpha = 1.0f, .beta = 1.0f,
        .a = dh_of(f, p) + r0 * p->rank, .lda = p->rank,
        .b = f32_at(&f->job, &p->a) + c0, .ldb = p->a.ld, .c = dx, .ldc = ld
    };

    if (p->dropout > 0) {
        g.beta = 0.0f;
        g.c = tmp;
        g.ldc = nc;
    }
    gemm_f32(&f->job.cpu->gemm, &g);
    if (p->dropout > 0)
        part_drop(&f->job, p, tmp, nc, r0, nr, c0, nc, dx, ld, true);
}

static void
dx_item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    const struct job *j = &f->job;
    const struct op *op = j->op;
    const struct view *dx = &op->y[0];
    struct tiles t = tiles_cut(f->n, op->x[0].cols);
    size_t r0 = i % t.down * t.rows, c0 = i / t.down * t.cols;
    float *tmp = f->worker + (size_t)worker * f->per_worker;
    struct weight_mul w = {
        .m = min_size(t.rows, f->n - r0),
        .n = min_size(t.cols, op->x[0].cols - c0), .n0 = c0,
        .lda = op->x[1].ld, .c = f32_at(j, dx) + r0 * dx->ld + c0,
        .ldc = dx->ld, .beta = op->acc & 1 ? 1.0f : 0.0f, .panel = tmp
    };
    const struct part *p, *end = op->u.lin.part + op->u.lin.n;

    for (p = op->u.lin.part; p < end; p++) {
        w.w = &p->w;
        w.trans = p->in_out;
        w.k = p->out;
        w.a = dy_of(f, p, r0);
        weight_mul(j, &w);
        w.beta = 1.0f;
        if (p->a.buf)
            dx_adapter(f, p, r0, w.m, c0, w.n, w.c, dx->ld, tmp);
    }
}

/* grad += alpha * a^T b over all rows, on tile i of grad. */
static void
grad_tile(const struct bwd *f, float alpha, const float *a, size_t lda,
          const float *b, size_t ldb, const struct view *grad,
          const struct tiles *t, size_t i)
{
    size_t r0 = i % t->down * t->rows, c0 = i / t->down * t->cols;
    struct product g = {
        .ta = true, .m = min_size(t->rows, grad->rows - r0),
        .n = min_size(t->cols, grad->cols - c0), .k = f->n, .alpha = alpha,
        .beta = 1.0f, .a = a + r0, .lda = lda, .b = b + c0, .ldb = ldb,
        .c = f32_at(&f->job, grad) + r0 * grad->ld + c0, .ldc = grad->ld
    };

    gemm_f32(&f->job.cpu->gemm, &g);
}

/* grad_a += dh^T drop(x) on columns c0 .. c0+nc, the mask drawn again a
 * block of rows at a time. */
static void
grad_a_drop(const struct bwd *f, const struct part *p, size_t c0, size_t nc,
            float *tmp)
{
    const struct view *x = &f->job.op->x[0];
    struct product g = {
        .ta = true, .m = p->rank, .n = nc, .alpha = 1.0f, .beta = 1.0f,
        .lda = p->rank, .b = tmp, .ldb = nc,
        .c = f32_at(&f->job, &p->grad_a) + c0, .ldc = p->grad_a.ld
    };
    size_t r0;

    for (r0 = 0; r0 < f->n; r0 += DROP_ROWS) {
        g.k = min_size(DROP_ROWS, f->n - r0);
        g.a = dh_of(f, p) + r0 * p->rank;
        part_drop(&f->job, p, f32_at(&f->job, x) + r0 * x->ld + c0, x->ld,
                  r0, g.k, c0, nc, tmp, nc, false);
        gemm_f32(&f->job.cpu->gemm, &g);
    }
}

static void
grad_bias(const struct bwd *f, const struct part *p, size_t c0, size_t nc)
{
    float *to = f32_at(&f->job, &p->grad_bias) + c0;
    size_t r;

    for (r = 0; r < f->n; r++)
        f->job.vec->axpy(to, dy_of(f, p, r) + c0, 1.0f, nc, true);
}

/* The tiles of one gradient of a part; none when it is not wanted. */
static struct tiles
grad_cut(const struct part *p, enum grad which)
{
    static const struct tiles none = { 0, 0, 0, 0 };
    struct tiles t = { 1, TILE_COLS, 1, 0 };

    switch (which) {
    case GRAD_W:
        return p->grad_w.buf ? tiles_cut(p->grad_w.rows, p->grad_w.cols)
                             : none;
    case GRAD_BIAS:
        t.across = ceil_div(p->out, t.cols);
        return p->grad_bias.buf ? t : none;
    case GRAD_A:
        t.rows = p->rank;
        t.across = ceil_div(p->in, t.cols);
        return p->grad_a.buf ? t : none;
    default:
        t.rows = TILE_COLS;
        t.cols = p->rank;
        t.down = ceil_div(p->out, t.rows);
        t.across = 1;
        return p->grad_b.buf ? t : none;
    }
}

static void
grad_part(const struct bwd *f, const struct part *p, enum grad which,
          const struct tiles *t, size_t i, float *tmp)
{
    const struct view *vx = &f->job.op->x[0], *vdy = &f->job.op->x[1];
    const float *x = f32_at(&f->job, vx), *dy = dy_of(f, p, 0);
    size_t c0 = i * t->cols;

    if (which == GRAD_W && p->in_out)
        grad_tile(f, 1.0f, x, vx->ld, dy, vdy->ld, &p->grad_w, t, i);
    else if (which == GRAD_W)
        grad_tile(f, 1.0f, dy, vdy->ld, x, vx->ld, &p->grad_w, t, i);
    else if (which == GRAD_BIAS)
        grad_bias(f, p, c0, min_size(t->cols, p->out - c0));
    else if (which == GRAD_A && p->dropout > 0)
        grad_a_drop(f, p, c0, min_size(t->cols, p->in - c0), tmp);
    else if (which == GRAD_A)
        grad_tile(f, 1.0f, dh_of(f, p), p->rank, x, vx->ld, &p->grad_a, t,
                  i);
    else
        grad_tile(f, p->lora_scale, dy, vdy->ld, f32_at(&f->job, &p->h),
                  p->h.ld, &p->grad_b, t, i);
}

static void
grad_item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    const struct part *p = f->job.op->u.lin.part;
    enum grad which = GRAD_W;
    struct tiles t = grad_cut(p, which);

    while (i >= t.down * t.across) {
        i -= t.down * t.across;
        if (++which == GRADS) {
            which = GRAD_W;
            p++;
        }
        t = grad_cut(p, which);
    }
    grad_part(f, p, which, &t, i,
              f->worker + (size_t)worker * f->per_worker);
}

static size_t
grad_items(const struct op *op)
{
    size_t items = 0, i;
    int which;

    for (i = 0; i < op->u.lin.n; i++)
        for (which = 0; which < GRADS; which++) {
            struct tiles t = grad_cut(&op->u.lin.part[i], which);

            items += t.down * t.across;
        }
    return items;
}

void
cpu_linear_bwd(const struct job *j)
{
    const struct op *op = j->op;
    struct bwd f = { .job = *j, .n = token_rows(j, &op->x[0]) };
    struct tiles t = tiles_cut(f.n, op->x[0].cols);
    size_t dh = dh_floats(op, op->u.lin.n);

    f.dh = f32_at(j, &op->scratch);
    f.worker = f.dh + dh;
    f.per_worker = worker_floats(op);
    if (dh)
        par_for(op->u.lin.n * ceil_div(f.n, DROP_ROWS), dh_item, &f);
    if (op->y[0].buf)
        par_for(t.down * t.across, dx_item, &f);
    par_for(grad_items(op), grad_item, &f);
}
