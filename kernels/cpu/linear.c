/* linear.c - LINEAR: a weight, its bias and its adapter, tile by tile; and
 * GROUPED, the same with a span of rows for each group of parts.
 *
 * First h = drop(x) A^T of all parts, in blocks of rows; then the tiles of
 * y: bias and residual are written, the products add to them, the adapter's
 * s h B^T last, while the tile is in cache.
 */
#include "kernels/cpu/linear.h"

#include "base/par.h"
#include "kernels/dropout.h"
#include "kernels/moe.h"

enum { WANT_TILES = 12, TALL_ROWS = 2048 };

/* Rows of a GROUPED that are put in fixed point, at most: those of so many
 * groups that have few. */
enum { FIXED_SPANS = 8 * WEIGHT_FEW };

/* The largest tiles of which there are enough to keep many threads busy. */
static struct tiles
cut(size_t rows, size_t cols, size_t most, size_t least)
{
    struct tiles t = { most, TILE_COLS, 0, ceil_div(cols, TILE_COLS) };

    while (t.rows > least && ceil_div(rows, t.rows) * t.across < WANT_TILES)
        t.rows /= 2;
    t.down = ceil_div(rows, t.rows);
    return t;
}

struct tiles
tiles_cut(size_t rows, size_t cols)
{
    return cut(rows, cols, TILE_ROWS, 128);
}

struct tiles
weight_tiles(const struct job *j, size_t rows, size_t cols)
{
    return j->cpu->bf16 ? cut(rows, cols, TALL_ROWS, 256)
                        : tiles_cut(rows, cols);
}

struct span
span_next(const struct job *j, size_t i, struct span before)
{
    const struct op *op = j->op;
    size_t each = group_parts(op);

    if (op->u.lin.groups == 0)
        return (struct span){ 0, token_rows(j, &op->x[0]) };
    if (i % each > 0)
        return before;
    return (struct span){
        before.first + before.n,
        group_rows((double)f32_at(j, &op->x[1])[i / each], op->u.lin.tile)
    };
}

size_t
group_rank(const struct op *op, size_t k)
{
    size_t most = 0, i;

    for (i = k; i < op->u.lin.n; i += group_parts(op))
        if (op->u.lin.part[i].a.buf && op->u.lin.part[i].rank > most)
            most = op->u.lin.part[i].rank;
    return most;
}

size_t
span_block(const struct op *op)
{
    return op->u.lin.groups > 0 && op->u.lin.tile > 1 ? op->u.lin.tile : 0;
}

struct fwd {
    struct job job;
    size_t block;      /* rows of a product */
    const struct fixed *fixed; /* of all rows, where products are of few; or
                                  NULL */
    float *worker;     /* scratch: floats of worker 0 */
    size_t per_worker;
    bool narrow;       /* products are of bfloat16, of these: */
    struct narrow_ops ops;
};

/* The tiles of a part's y. */
static struct tiles
y_cut(const struct fwd *f, const struct part *p, size_t rows)
{
    size_t cols;

    if (!weight_few(&f->job, rows))
        return weight_tiles(&f->job, rows, p->out);
    cols = weight_few_cols(&f->job, &p->w, p->in_out);
    return (struct tiles){ rows, cols, rows > 0, ceil_div(p->out, cols) };
}

static size_t
fwd_floats(const struct op *op)
{
    size_t most = 0, i;

    for (i = 0; i < op->u.lin.n; i++) {
        const struct part *p = &op->u.lin.part[i];
        size_t need = weight_panel() + WEIGHT_COLS
            + (p->dropout > 0 ? DROP_ROWS * DROP_COLS : 0);

        most = need > most ? need : most;
    }
    return piece(most);
}

/* Before the workers' scratch: so many rows in fixed point. */
static size_t
fixed_rows(const struct op *op)
{
    return min_size(op->x[0].rows,
                    op->u.lin.groups > 0 ? FIXED_SPANS : WEIGHT_FEW);
}

static size_t
fixed_floats(const struct op *op)
{
    return piece(fixed_rows(op) * op->x[0].cols);
}

uint64_t
linear_scratch(const struct op *op, int workers)
{
    return ((uint64_t)fwd_floats(op) * (uint64_t)workers + fixed_floats(op))
        * sizeof(float);
}

uint64_t
linear_bf16_scratch(const struct op *op, int workers)
{
    return (uint64_t)narrow_ops_floats(op, workers) * sizeof(float);
}

void
part_drop(const struct job *j, const struct part *p, const float *x,
          size_t ld, size_t r0, size_t nr, size_t c0, size_t nc, float *out,
          size_t ld_out, bool acc)
{
    const struct inputs *in = j->run->in;
    float keep = 1.0f / (1.0f - p->dropout);
    uint32_t key[2];
    size_t i;

    dropout_key(key, in->seed, p->site);
    for (i = 0; i < nr; i++)
        j->vec->drop(out + i * ld_out, x + i * ld, c0, nc, key, in->step,
                     (uint32_t)(in->row0 + r0 + i),
                     dropout_limit(p->dropout), keep, acc);
}

/* h of rows r0 .. r0+nr of a part. */
static void
part_h(const struct fwd *f, const struct part *p, size_t r0, size_t nr,
       float *tmp)
{
    const struct view *x = &f->job.op->x[0];
    const float *from = f32_at(&f->job, x) + r0 * x->ld;
    struct product g = {
        .tb = true, .m = nr, .n = p->rank, .k = p->in, .alpha = 1.0f,
        .a = from, .lda = x->ld, .b = f32_at(&f->job, &p->a), .ldb = p->a.ld,
        .c = f32_at(&f->job, &p->h) + r0 * p->h.ld, .ldc = p->h.ld
    };
    size_t c0;

    if (p->dropout <= 0) {
        gemm_f32(&f->job.cpu->gemm, &g);
        return;
    }
    g.a = tmp;
    for (c0 = 0; c0 < p->in; c0 += DROP_COLS) {
        g.k = min_size(DROP_COLS, p->in - c0);
        g.lda = g.k;
        g.b = f32_at(&f->job, &p->a) + c0;
        part_drop(&f->job, p, from + c0, x->ld, r0, nr, c0, g.k, tmp, g.k,
                  false);
        gemm_f32(&f->job.cpu->gemm, &g);
        g.beta = 1.0f;
    }
}

/* Rows of h that are made at once. */
static size_t
h_rows(const struct fwd *f)
{
    if (f->narrow)
        return narrow_block(f->job.op);
    return f->block > 0 ? f->block : DROP_ROWS;
}

static size_t
h_items(const struct fwd *f, const struct part *p, struct span s)
{
    return p->a.buf ? ceil_div(s.n, h_rows(f)) : 0;
}

static void
h_item(void *ctx, size_t i, int worker)
{
    const struct fwd *f = ctx;
    const struct part *p = f->job.op->u.lin.part;
    struct span s = span_next(&f->job, 0, (struct span){ 0, 0 });
    float *tmp = f->worker + (size_t)worker * f->per_worker;
    size_t k = 0, r0, nr;

    while (i >= h_items(f, &p[k], s)) {
        i -= h_items(f, &p[k], s);
        k++;
        s = span_next(&f->job, k, s);
    }
    r0 = i * h_rows(f);
    nr = min_size(h_rows(f), s.n - r0);
    if (f->narrow)
        narrow_h(&f->ops, &p[k], s.first + r0, nr, worker, tmp);
    else
        part_h(f, &p[k], s.first + r0, nr, tmp);
}

/* What the products add to: bias, residual, what was there, of at most
 * WEIGHT_COLS columns. Returns the beta of the first product. */
static float
tile_start(const struct fwd *f, const struct part *p, float *y, size_t r0,
           size_t nr, size_t c0, size_t nc, float *tmp)
{
    const struct op *op = f->job.op;
    const struct view none = { 0 }, bias_at = p->bias;
    const struct view *vx = op->u.lin.groups > 0 ? &none : &op->x[1];
    const struct vec *vec = f->job.vec;
    struct view part_bias = bias_at;
    const float *bias, *x = f32_at(&f->job, vx);
    bool acc = op->acc & 1;
    size_t i;

    part_bias.off += c0;
    part_bias.cols = (uint32_t)nc;
    bias = weight_row(&f->job, &part_bias, tmp);
    if (bias == NULL && x == NULL)
        return acc ? 1.0f : 0.0f;
    for (i = 0; i < nr; i++) {
        float *to = y + i * op->y[0].ld;

        if (x)
            vec->axpy(to, x + (r0 + i) * vx->ld + p->col + c0, 1.0f, nc,
                      acc);
        if (bias)
            vec->axpy(to, bias, 1.0f, nc, acc || x);
    }
    return 1.0f;
}

/* A tile += h B^T, both of bfloat16. */
static void
narrow_y(const struct fwd *f, const struct part *p, struct weight_mul *w,
         size_t r0)
{
    struct narrow h = narrow_part(&f->ops, p).h;

    w->w = &p->b;
    w->trans = true;
    w->k = p->rank;
    w->narrow = narrow_row_at(&h, r0);
    w->ldn = h.ld;
    w->beta = 1.0f;
    weight_mul(&f->job, w);
}

static void
y_tile(const struct fwd *f, const struct part *p, size_t r0, size_t nr,
       size_t c0, size_t nc, float *tmp)
{
    const struct job *j = &f->job;
    const struct view *x = &j->op->x[0], *y = &j->op->y[0];
    struct weight_mul w = {
        .w = &p->w, .trans = !p->in_out, .m = nr,
        .n = nc, .k = p->in, .n0 = c0, .a = f32_at(j, x) + r0 * x->ld,
        .lda = x->ld, .c = f32_at(j, y) + r0 * y->ld + p->col + c0,
        .ldc = y->ld, .rows = f->block, .panel = tmp + WEIGHT_COLS,
        .fixed = f->fixed ? f->fixed + r0 * (x->cols / FIXED_BLOCK) : NULL
    };
    struct product g = {
        .tb = true, .m = nr, .n = nc, .k = p->rank, .alpha = p->lora_scale,
        .beta = 1.0f, .c = w.c, .ldc = w.ldc
    };

    for (size_t c = 0; c < nc; c += WEIGHT_COLS)
        w.beta = tile_start(f, p, w.c + c, r0, nr, c0 + c,
                            min_size(WEIGHT_COLS, nc - c), tmp);
    if (f->narrow) {
        w.narrow = narrow_row_at(&f->ops.x, r0);
        w.ldn = f->ops.x.ld;
    }
    weight_mul(j, &w);
    if (p->a.buf && f->narrow)
        narrow_y(f, p, &w, r0);
    if (p->a.buf == 0 || f->narrow)
        return;
    g.a = f32_at(j, &p->h) + r0 * p->h.ld;
    g.lda = p->h.ld;
    g.b = f32_at(j, &p->b) + c0 * p->b.ld;
    g.ldb = p->b.ld;
    product_rows(&j->cpu->gemm, g, f->block);
}

static void
y_item(void *ctx, size_t i, int worker)
{
    const struct fwd *f = ctx;
    const struct part *p = f->job.op->u.lin.part;
    struct span s = span_next(&f->job, 0, (struct span){ 0, 0 });
    struct tiles t = y_cut(f, p, s.n);
    size_t k = 0, r0, c0;

    while (i >= t.down * t.across) {
        i -= t.down * t.across;
        k++;
        s = span_next(&f->job, k, s);
        t = y_cut(f, &p[k], s.n);
    }
    if (weight_few(&f->job, s.n))
        i = weight_few_tile(i, t.across);
    r0 = i % t.down * t.rows;
    c0 = i / t.down * t.cols;
    y_tile(f, &p[k], s.first + r0, min_size(t.rows, s.n - r0), c0,
           min_size(t.cols, p[k].out - c0),
           f->worker + (size_t)worker * f->per_worker);
}

static const struct fixed *
all_fixed(const struct job *j, size_t rows)
{
    const struct view *x = &j->op->x[0];

    return weight_fixed(j, f32_at(j, x), x->ld, rows, x->cols,
                        f32_at(j, &j->op->scratch));
}

void
cpu_linear(const struct job *j)
{
    const struct op *op = j->op;
    struct fwd f = { .job = *j, .block = span_block(op) };
    size_t items = 0, adapters = 0, i;
    struct span s = { 0, 0 };
    bool few = false;

    f.worker = f32_at(j, &op->scratch) + fixed_floats(op);
    f.per_worker = fwd_floats(op);
    f.narrow = narrow_ops_init(&f.ops, &f.job, f.worker
                               + f.per_worker * (size_t)par_threads());
    for (i = 0; i < op->u.lin.n; i++) {
        const struct part *p = &op->u.lin.part[i];
        struct tiles t;

        s = span_next(j, i, s);
        t = y_cut(&f, p, s.n);
        items += t.down * t.across;
        adapters += h_items(&f, p, s);
        few |= s.n > 0 && !p->in_out && weight_in_fixed(j, &p->w, s.n);
    }
    if (few && s.first + s.n <= fixed_rows(op))
        f.fixed = all_fixed(j, s.first + s.n);
    par_for(adapters, h_item, &f);
    par_for(items, y_item, &f);
}
