/* linear_bwd.c - LINEAR backward, and that of GROUPED.
 *
 * In order: dh = s dy B of every adapter, in blocks of rows; the tiles of
 * dx, each summing over all parts, so dx is written once; then the tiles of
 * every gradient, whose sums over the rows are one product each (in blocks
 * of rows where dropout has to be drawn again), so they add in row order.
 * LINEAR is one group of parts, whose span is all rows.
 */

#include "base/par.h"
#include "kernels/cpu/linear.h"

struct bwd {
    struct job job;
    size_t groups, each; /* parts of a group */
    size_t block;  /* rows of a product */
    float *dh;     /* of part 0 of a group; parts follow: see dh_floats */
    float *worker; /* scratch of worker 0 */
    size_t per_worker;
    bool narrow;   /* products are of bfloat16, of these: */
    struct narrow_ops ops;
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

/* Of the first parts of a group. */
static size_t
dh_floats(const struct op *op, size_t parts)
{
    size_t sum = 0, k;

    for (k = 0; k < parts; k++)
        sum += piece((size_t)op->x[0].rows * group_rank(op, k));
    return sum;
}

uint64_t
linear_bwd_scratch(const struct op *op, int workers)
{
    return ((uint64_t)dh_floats(op, group_parts(op))
            + (uint64_t)worker_floats(op) * (uint64_t)workers)
        * sizeof(float);
}

/* A part and its rows. */
struct place {
    const struct part *p;
    struct span s;
};

static struct place
place_first(const struct bwd *f)
{
    return (struct place){ f->job.op->u.lin.part,
                           span_next(&f->job, 0, (struct span){ 0, 0 }) };
}

static void
place_next(const struct bwd *f, struct place *at)
{
    at->p++;
    at->s = span_next(&f->job, (size_t)(at->p - f->job.op->u.lin.part),
                      at->s);
}

/* Row 0 of the part's dh, of which a row has its rank. */
static float *
dh_of(const struct bwd *f, const struct place *at)
{
    const struct op *op = f->job.op;
    size_t k = (size_t)(at->p - op->u.lin.part) % f->each;

    return f->dh + dh_floats(op, k) + at->s.first * group_rank(op, k);
}

static const float *
dy_of(const struct bwd *f, const struct place *at, size_t row)
{
    const struct view *dy = dy_view(f->job.op);

    return f32_at(&f->job, dy) + (at->s.first + row) * dy->ld + at->p->col;
}

static const float *
x_of(const struct bwd *f, const struct place *at, size_t row)
{
    const struct view *x = &f->job.op->x[0];

    return f32_at(&f->job, x) + (at->s.first + row) * x->ld;
}

/* Rows of dh that are made at once. */
static size_t
dh_rows(const struct bwd *f)
{
    if (f->narrow)
        return narrow_block(f->job.op);
    return f->block > 0 ? f->block : DROP_ROWS;
}

static size_t
dh_items(const struct bwd *f, const struct place *at)
{
    return at->p->a.buf ? ceil_div(at->s.n, dh_rows(f)) : 0;
}

static void
dh_item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    struct place at = place_first(f);
    struct product g;
    size_t r0;

    while (i >= dh_items(f, &at)) {
        i -= dh_items(f, &at);
        place_next(f, &at);
    }
    r0 = i * dh_rows(f);
    g = (struct product){
        .m = min_size(dh_rows(f), at.s.n - r0), .n = at.p->rank,
        .k = at.p->out, .alpha = at.p->lora_scale,
        .lda = dy_view(f->job.op)->ld, .ldb = at.p->b.ld,
        .ldc = at.p->rank, .a = dy_of(f, &at, r0),
        .b = f32_at(&f->job, &at.p->b),
        .c = dh_of(f, &at) + r0 * at.p->rank
    };
    if (f->narrow)
        narrow_dh(&f->ops, at.p, at.s.first + r0, g.m, g.c,
                  f->worker + (size_t)worker * f->per_worker);
    else
        gemm_f32(&f->job.cpu->gemm, &g);
}

/* dx += drop(dh A) on a tile. */
static void
dx_adapter(const struct bwd *f, const struct place *at, size_t r0,
           size_t nr, size_t c0, size_t nc, float *dx, size_t ld, float *tmp)
{
    const struct part *p = at->p;
    struct product g = {
        .m = nr, .n = nc, .k = p->rank, .alpha = 1.0f, .beta = 1.0f,
        .a = dh_of(f, at) + r0 * p->rank, .lda = p->rank,
        .b = f32_at(&f->job, &p->a) + c0, .ldb = p->a.ld, .c = dx, .ldc = ld
    };

    if (p->dropout > 0) {
        g.beta = 0.0f;
        g.c = tmp;
        g.ldc = nc;
    }
    product_rows(&f->job.cpu->gemm, g, f->block);
    if (p->dropout > 0)
        part_drop(&f->job, p, tmp, nc, r0, nr, c0, nc, dx, ld, true);
}

/* A tile of dx, from all parts of the group that begins at `at`. */
static void
dx_tile(const struct bwd *f, struct place at, const struct tiles *t,
        size_t i, int worker)
{
    float *tmp = f->worker + (size_t)worker * f->per_worker;
    const struct job *j = &f->job;
    const struct op *op = j->op;
    const struct view *dx = &op->y[0];
    size_t r0 = i % t->down * t->rows, c0 = i / t->down * t->cols;
    struct weight_mul w = {
        .m = min_size(t->rows, at.s.n - r0),
        .n = min_size(t->cols, op->x[0].cols - c0), .n0 = c0,
        .lda = dy_view(op)->ld,
        .c = f32_at(j, dx) + (at.s.first + r0) * dx->ld + c0,
        .ldc = dx->ld, .rows = f->block,
        .beta = op->acc & 1 ? 1.0f : 0.0f, .panel = tmp
    };
    const struct part *end = at.p + f->each;

    for (; at.p < end; at.p++) {
        w.w = &at.p->w;
        w.trans = at.p->in_out;
        w.k = at.p->out;
        w.a = dy_of(f, &at, r0);
        if (f->narrow) {
            struct narrow dy = narrow_part(&f->ops, at.p).dy;

            w.narrow = narrow_row_at(&dy, at.s.first + r0);
            w.ldn = dy.ld;
        }
        weight_mul(j, &w);
        w.beta = 1.0f;
        if (at.p->a.buf && f->narrow)
            narrow_dx(&f->ops, at.p, at.s.first + r0, w.m, c0, w.n, w.c,
                      dx->ld, worker, tmp);
        else if (at.p->a.buf)
            dx_adapter(f, &at, r0, w.m, c0, w.n, w.c, dx->ld, tmp);
    }
}

/* To the next group. */
static void
place_skip(const struct bwd *f, struct place *at)
{
    for (size_t k = 0; k < f->each; k++)
        place_next(f, at);
}

static struct tiles
dx_cut(const struct bwd *f, const struct place *at)
{
    return weight_tiles(&f->job, at->s.n, f->job.op->x[0].cols);
}

static void
dx_item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    struct place at = place_first(f);
    struct tiles t = dx_cut(f, &at);

    while (i >= t.down * t.across) {
        i -= t.down * t.across;
        place_skip(f, &at);
        t = dx_cut(f, &at);
    }
    dx_tile(f, at, &t, i, worker);
}

static size_t
dx_items(const struct bwd *f)
{
    struct place at = place_first(f);
    size_t items = 0, g;

    for (g = 0; g < f->groups; g++) {
        struct tiles t = dx_cut(f, &at);

        items += t.down * t.across;
        if (g + 1 < f->groups)
            place_skip(f, &at);
    }
    return items;
}

/* grad += alpha * a^T b over n rows, on tile i of grad. */
static void
grad_tile(const struct bwd *f, float alpha, const float *a, size_t lda,
          const float *b, size_t ldb, size_t n, const struct view *grad,
          const struct tiles *t, size_t i)
{
    size_t r0 = i % t->down * t->rows, c0 = i / t->down * t->cols;
    struct product g = {
        .ta = true, .m = min_size(t->rows, grad->rows - r0),
        .n = min_size(t->cols, grad->cols - c0), .k = n, .alpha = alpha,
        .beta = 1.0f, .a = a + r0, .lda = lda, .b = b + c0, .ldb = ldb,
        .c = f32_at(&f->job, grad) + r0 * grad->ld + c0, .ldc = grad->ld
    };

    gemm_f32(&f->job.cpu->gemm, &g);
}

/* grad_a += dh^T drop(x) on columns c0 .. c0+nc, the mask drawn again a
 * block of rows at a time. */
static void
grad_a_drop(const struct bwd *f, const struct place *at, size_t c0,
            size_t nc, float *tmp)
{
    const struct view *x = &f->job.op->x[0];
    const struct part *p = at->p;
    struct product g = {
        .ta = true, .m = p->rank, .n = nc, .alpha = 1.0f, .beta = 1.0f,
        .lda = p->rank, .b = tmp, .ldb = nc,
        .c = f32_at(&f->job, &p->grad_a) + c0, .ldc = p->grad_a.ld
    };
    size_t r0;

    for (r0 = 0; r0 < at->s.n; r0 += DROP_ROWS) {
        g.k = min_size(DROP_ROWS, at->s.n - r0);
        g.a = dh_of(f, at) + r0 * p->rank;
        part_drop(&f->job, p, x_of(f, at, r0) + c0, x->ld, r0, g.k, c0, nc,
                  tmp, nc, false);
        gemm_f32(&f->job.cpu->gemm, &g);
    }
}

static void
grad_bias(const struct bwd *f, const struct place *at, size_t c0, size_t nc)
{
    float *to = f32_at(&f->job, &at->p->grad_bias) + c0;
    size_t r;

    for (r = 0; r < at->s.n; r++)
        f->job.vec->axpy(to, dy_of(f, at, r) + c0, 1.0f, nc, true);
}

/* The tiles of one gradient of a part; none when it is not wanted. */
static struct tiles
grad_cut(const struct bwd *f, const struct part *p, enum grad which)
{
    static const struct tiles none = { 0, 0, 0, 0 };
    struct tiles t = { 1, TILE_COLS, 1, 0 }, w;

    switch (which) {
    case GRAD_W:
        if (p->grad_w.buf == 0)
            return none;
        if (!f->narrow)
            return tiles_cut(p->grad_w.rows, p->grad_w.cols);
        w = tiles_cut(p->grad_w.cols, p->grad_w.rows); /* wide ones */
        return (struct tiles){ w.cols, w.rows, w.across, w.down };
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
grad_part(const struct bwd *f, const struct place *at, enum grad which,
          const struct tiles *t, size_t i, float *tmp)
{
    const struct part *p = at->p;
    size_t ldx = f->job.op->x[0].ld, ldy = dy_view(f->job.op)->ld;
    const float *x = x_of(f, at, 0), *dy = dy_of(f, at, 0);
    size_t c0 = i * t->cols, n = at->s.n;

    if (which == GRAD_W && p->in_out)
        grad_tile(f, 1.0f, x, ldx, dy, ldy, n, &p->grad_w, t, i);
    else if (which == GRAD_W)
        grad_tile(f, 1.0f, dy, ldy, x, ldx, n, &p->grad_w, t, i);
    else if (which == GRAD_BIAS)
        grad_bias(f, at, c0, min_size(t->cols, p->out - c0));
    else if (which == GRAD_A && p->dropout > 0)
        grad_a_drop(f, at, c0, min_size(t->cols, p->in - c0), tmp);
    else if (which == GRAD_A)
        grad_tile(f, 1.0f, dh_of(f, at), p->rank, x, ldx, n, &p->grad_a, t,
                  i);
    else
        grad_tile(f, p->lora_scale, dy, ldy,
                  f32_at(&f->job, &p->h) + at->s.first * p->h.ld, p->h.ld, n,
                  &p->grad_b, t, i);
}

/* The same with products of bfloat16. */
static void
narrow_grad(const struct bwd *f, const struct place *at, enum grad which,
            const struct tiles *t, size_t i, int worker)
{
    const struct part *p = at->p;
    size_t c0 = i * t->cols, r0 = i * t->rows;
    float *tmp = f->worker + (size_t)worker * f->per_worker;

    if (which == GRAD_W)
        narrow_grad_w(&f->ops, p, at->s, t, i, worker, tmp);
    else if (which == GRAD_BIAS)
        grad_bias(f, at, c0, min_size(t->cols, p->out - c0));
    else if (which == GRAD_A)
        narrow_grad_a(&f->ops, p, at->s, c0, min_size(t->cols, p->in - c0),
                      worker, tmp);
    else
        narrow_grad_b(&f->ops, p, at->s, r0, min_size(t->rows, p->out - r0),
                      worker, tmp);
}

static void
grad_item(void *ctx, size_t i, int worker)
{
    const struct bwd *f = ctx;
    struct place at = place_first(f);
    enum grad which = GRAD_W;
    struct tiles t = grad_cut(f, at.p, which);

    while (i >= t.down * t.across) {
        i -= t.down * t.across;
        if (++which == GRADS) {
            which = GRAD_W;
            place_next(f, &at);
        }
        t = grad_cut(f, at.p, which);
    }
    if (at.s.n > 0 && f->narrow)
        narrow_grad(f, &at, which, &t, i, worker);
    else if (at.s.n > 0)
        grad_part(f, &at, which, &t, i,
                  f->worker + (size_t)worker * f->per_worker);
}

static size_t
grad_items(const struct bwd *f)
{
    const struct op *op = f->job.op;
    size_t items = 0, i;
    int which;

    for (i = 0; i < op->u.lin.n; i++)
        for (which = 0; which < GRADS; which++) {
            struct tiles t = grad_cut(f, &op->u.lin.part[i], which);

            items += t.down * t.across;
        }
    return items;
}

void
cpu_linear_bwd(const struct job *j)
{
    const struct op *op = j->op;
    struct bwd f = { .job = *j, .each = group_parts(op),
                     .block = span_block(op) };
    struct place at = place_first(&f);
    size_t rows = 0, i;

    f.groups = op->u.lin.n / f.each;
    f.dh = f32_at(j, &op->scratch);
    f.worker = f.dh + dh_floats(op, f.each);
    f.per_worker = worker_floats(op);
    f.narrow = narrow_ops_init(&f.ops, &f.job, f.worker
                               + f.per_worker * (size_t)par_threads());
    for (i = 0; i < op->u.lin.n; i++) {
        rows += dh_items(&f, &at);
        if (i + 1 < op->u.lin.n)
            place_next(&f, &at);
    }
    par_for(rows, dh_item, &f);
    if (op->y[0].buf)
        par_for(dx_items(&f), dx_item, &f);
    par_for(grad_items(&f), grad_item, &f);
}
