/* linear_bf16.c - LINEAR, GROUPED and their backward where products are of
 * bfloat16.
 *
 * Rows of x and dy, which many tiles read, are rounded once for all of them,
 * but for an x that is kept so;
 * h and dh, times the adapter's scale, as they are made. A gradient's sums run
 * over the rows of the batch: h, dh and tiles of dy are turned for it.
 */
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/linear.h"

/* Rows and columns of a worker's matrices. */
enum { TURNED = WEIGHT_COLS };

static bool
has(const struct op *op, bool (*what)(const struct part *p))
{
    size_t i;

    for (i = 0; i < op->u.lin.n && !what(&op->u.lin.part[i]); i++)
        ;
    return i < op->u.lin.n;
}

static bool
has_adapter(const struct part *p)
{
    return p->a.buf != 0;
}

static bool
drops(const struct part *p)
{
    return p->a.buf != 0 && p->dropout > 0;
}

static bool
is_trained(const struct part *p)
{
    return p->grad_w.buf != 0;
}

static bool
is_forward(const struct op *op)
{
    return op->kind == OP_LINEAR || op->kind == OP_GROUPED;
}

/* A worker's: forward, dropped rows; backward, a turned tile of dy, or floats
 * of TURNED x TURNED and rows of as many dropped ones. */
static size_t
worker_floats(const struct op *op)
{
    size_t tile = piece((size_t)TURNED * TURNED);

    if (is_forward(op))
        return has(op, drops) ? narrow_floats(DROP_ROWS, DROP_COLS) : 0;
    if (has(op, is_trained))
        return narrow_floats(TURNED, BF16_DEPTH);
    return has(op, has_adapter) ? tile + narrow_floats(DROP_ROWS, TURNED) : 0;
}

/* What the k'th parts of all groups share. */
static struct narrow_part
part_lay(const struct op *op, size_t k, float *base, size_t *at)
{
    size_t n = op->x[0].rows, most = group_rank(op, k);
    struct narrow_part out = { .h = { NULL, 0 } };

    if (!is_forward(op))
        out.dy = narrow_lay(base, at, n, op->u.lin.part[k].out);
    if (most == 0)
        return out;
    out.h = is_forward(op) ? narrow_lay(base, at, n, most)
                           : narrow_lay(base, at, most, n);
    if (is_forward(op))
        return out;
    out.dh = narrow_lay(base, at, n, most);
    out.dh_by = narrow_lay(base, at, most, n);
    return out;
}

/* Whether x is an operand. */
static bool
takes_x(const struct op *op)
{
    return is_forward(op) || has(op, has_adapter)
        || has(op, is_trained);
}

size_t
narrow_ops_floats(const struct op *op, int workers)
{
    size_t at = worker_floats(op) * (size_t)workers, i;

    if (takes_x(op))
        at += narrow_floats(op->x[0].rows, op->x[0].cols);
    for (i = 0; i < group_parts(op); i++)
        part_lay(op, i, NULL, &at);
    return at;
}

struct narrow_part
narrow_part(const struct narrow_ops *o, const struct part *p)
{
    const struct op *op = o->job->op;
    size_t k = (size_t)(p - op->u.lin.part) % group_parts(op), at = 0, i;

    for (i = 0; i < k; i++)
        part_lay(op, i, NULL, &at);
    return part_lay(op, k, o->parts, &at);
}

/* Whether the products are of bfloat16: not of decoding, if few rows or those
 * of experts, of which each has few; nor where an odd group ends within a
 * pair of what is turned. */
static bool
is_narrow(const struct job *j, size_t rows)
{
    bool groups = j->op->u.lin.groups > 0;

    return j->cpu->bf16 != NULL && !weight_few(j, rows)
        && !(groups && (j->run->batch->seq_n || j->op->u.lin.tile % 2));
}

bool
narrow_ops_init(struct narrow_ops *o, const struct job *j, float *base)
{
    const struct op *op = j->op;
    const struct view *x = &op->x[0], *dy = dy_view(op);
    struct span s = { 0, 0 };
    struct rows_from from;
    size_t at = 0, n, i;

    for (i = 0; i < op->u.lin.n; i++)
        s = span_next(j, i, s);
    n = s.first + s.n;
    if (!is_narrow(j, n))
        return false;
    *o = (struct narrow_ops){ .job = j };
    if (takes_x(op)) {
        o->x = narrow_lay(base, &at, x->rows, x->cols);
        from = rows_from(j, x, 0, 0);
        narrow_fill(j, &o->x, &from, n, x->cols);
    }
    o->worker = base + at;
    o->per_worker = worker_floats(op);
    o->parts = o->worker + o->per_worker * (size_t)par_threads();
    for (i = 0; !is_forward(op) && i < group_parts(op); i++) {
        const struct part *p = &op->u.lin.part[i];
        struct narrow to = narrow_part(o, p).dy;

        from = rows_from(j, dy, 0, p->col);
        narrow_fill(j, &to, &from, n, p->out);
    }
    return true;
}

size_t
narrow_block(const struct op *op)
{
    return has(op, drops) ? DROP_ROWS : 2 * DROP_ROWS;
}

static float *
worker_at(const struct narrow_ops *o, int worker)
{
    return o->worker + (size_t)worker * o->per_worker;
}

/* out[nr][nc] = drop(x) of rows from r0 and columns from c0 on. */
static void
drop_view(const struct job *j, const struct part *p, size_t r0, size_t nr,
          size_t c0, size_t nc, float *out)
{
    const struct view *x = &j->op->x[0];
    size_t ld = is_f32(x) ? x->ld : nc;
    const float *from = out;

    if (is_f32(x))
        from = f32_at(j, x) + r0 * x->ld + c0;
    else
        weight_widen(j, x, r0, c0, nr, nc, out);
    part_drop(j, p, from, ld, r0, nr, c0, nc, out, nc, false);
}

/* One block of columns of h, its rows dropped DROP_COLS at a time. */
static void
dropped_h(const struct narrow_ops *o, const struct part *p, size_t r0,
          struct weight_mul *w, int worker)
{
    const struct job *j = o->job;
    float *drop = w->panel + weight_panel();
    size_t at = 0, c0;
    struct narrow x16 = narrow_lay(worker_at(o, worker), &at, DROP_ROWS,
                                   DROP_COLS);

    w->narrow = x16.at;
    w->ldn = x16.ld;
    for (c0 = 0; c0 < p->in; c0 += w->k) {
        w->k0 = c0;
        w->k = min_size(DROP_COLS, p->in - c0);
        drop_view(j, p, r0, w->m, c0, w->k, drop);
        narrow_put(j, &x16, 0, drop, w->k, w->m, w->k);
        w->beta = c0 > 0;
        weight_mul(j, w);
    }
}

void
narrow_h(const struct narrow_ops *o, const struct part *p, size_t r0,
         size_t nr, int worker, float *tmp)
{
    struct narrow to = narrow_part(o, p).h;
    float *h = f32_at(o->job, &p->h) + r0 * p->h.ld;
    size_t c;

    for (c = 0; c < p->rank; c += WEIGHT_COLS) {
        struct weight_mul w = {
            .w = &p->a, .trans = true, .m = nr, .k = p->in, .n0 = c,
            .n = min_size(WEIGHT_COLS, p->rank - c), .c = h + c,
            .ldc = p->h.ld, .panel = tmp
        };

        if (p->dropout > 0) {
            dropped_h(o, p, r0, &w, worker);
        } else {
            w.narrow = narrow_row_at(&o->x, r0);
            w.ldn = o->x.ld;
            weight_mul(o->job, &w);
        }
    }
    narrow_put_scaled(o->job, &to, r0, h, p->h.ld, nr, p->rank,
                      p->lora_scale);
}

/* to[c][r0 + i] = scale x[i][c], rounded; tmp: a turned block of x. */
static void
put_turned(const struct job *j, const struct narrow *to, size_t r0,
           const float *x, size_t ld, size_t n, size_t cols, float scale,
           float *tmp)
{
    struct narrow from = *to;
    size_t c, nc, i;

    from.at += r0;
    for (c = 0; c < cols; c += nc) {
        nc = min_size(TURNED, cols - c);
        j->vec->transpose(tmp, n, x + c, ld, n, nc);
        for (i = 0; i < nc; i++) {
            uint16_t *row = narrow_row_at(&from, c + i);

            j->vec->axpy(tmp + i * n, tmp + i * n, scale, n, false);
            j->cpu->bf16->narrow(row, tmp + i * n, n);
            if (n % 2)
                row[n] = 0;
        }
    }
}

void
narrow_dh(const struct narrow_ops *o, const struct part *p, size_t r0,
          size_t nr, float *dh, float *tmp)
{
    const struct job *j = o->job;
    struct narrow_part to = narrow_part(o, p);
    size_t c;

    for (c = 0; c < p->rank; c += WEIGHT_COLS) {
        struct weight_mul w = {
            .w = &p->b, .m = nr, .n = min_size(WEIGHT_COLS, p->rank - c),
            .k = p->out, .n0 = c, .c = dh + c, .ldc = p->rank, .panel = tmp,
            .narrow = narrow_row_at(&to.dy, r0), .ldn = to.dy.ld
        };

        weight_mul(j, &w);
    }
    narrow_put_scaled(j, &to.dh, r0, dh, p->rank, nr, p->rank,
                      p->lora_scale);
    put_turned(j, &to.dh_by, r0, dh, p->rank, nr, p->rank, p->lora_scale,
               tmp);
    put_turned(j, &to.h, r0, f32_at(j, &p->h) + r0 * p->h.ld, p->h.ld, nr,
               p->rank, p->lora_scale, tmp);
}

void
narrow_dx(const struct narrow_ops *o, const struct part *p, size_t r0,
          size_t nr, size_t c0, size_t nc, float *dx, size_t ld, int worker,
          float *tmp)
{
    struct narrow dh = narrow_part(o, p).dh;
    size_t rows = p->dropout > 0 ? DROP_ROWS : nr, r;

    for (r = 0; r < nr; r += rows) {
        struct weight_mul w = {
            .w = &p->a, .m = min_size(rows, nr - r), .n = nc, .k = p->rank,
            .n0 = c0, .c = dx + r * ld, .ldc = ld, .beta = 1, .panel = tmp,
            .narrow = narrow_row_at(&dh, r0 + r), .ldn = dh.ld
        };

        if (p->dropout > 0) {
            w.c = worker_at(o, worker);
            w.ldc = nc;
            w.beta = 0;
        }
        weight_mul(o->job, &w);
        if (p->dropout > 0)
            part_drop(o->job, p, w.c, nc, r0 + r, w.m, c0, nc, dx + r * ld,
                      ld, true);
    }
}

void
narrow_grad_a(const struct narrow_ops *o, const struct part *p,
              struct span s, size_t c0, size_t nc, int worker, float *tmp)
{
    const struct job *j = o->job;
    struct narrow dh = narrow_part(o, p).dh_by, x16;
    struct narrow_mul g = {
        .m = p->rank, .n = nc, .k = s.n, .c0 = c0, .row0 = s.first,
        .a = dh.at + s.first, .lda = dh.ld, .b = &o->x,
        .c = f32_at(j, &p->grad_a) + c0, .ldc = p->grad_a.ld,
        .acc = true
    };
    float *drop = worker_at(o, worker);
    size_t at = piece((size_t)TURNED * TURNED), r0;

    if (p->dropout <= 0) {
        narrow_mul(j, &g, tmp);
        return;
    }
    x16 = narrow_lay(drop, &at, DROP_ROWS, TURNED);
    g.b = &x16;
    g.c0 = 0;
    g.row0 = 0;
    for (r0 = s.first; r0 < s.first + s.n; r0 += DROP_ROWS) {
        g.k = min_size(DROP_ROWS, s.first + s.n - r0);
        g.a = dh.at + r0;
        drop_view(j, p, r0, g.k, c0, nc, drop);
        narrow_put(j, &x16, 0, drop, nc, g.k, nc);
        narrow_mul(j, &g, tmp);
    }
}

void
narrow_grad_b(const struct narrow_ops *o, const struct part *p,
              struct span s, size_t c0, size_t nc, int worker, float *tmp)
{
    const struct job *j = o->job;
    struct narrow_part from = narrow_part(o, p);
    float *sum = worker_at(o, worker), *to;
    size_t r, i;

    for (r = 0; r < p->rank; r += TURNED) {
        struct narrow_mul g = {
            .m = min_size(TURNED, p->rank - r), .n = nc, .k = s.n, .c0 = c0,
            .row0 = s.first, .a = narrow_row_at(&from.h, r) + s.first,
            .lda = from.h.ld, .b = &from.dy, .c = sum, .ldc = nc
        };

        narrow_mul(j, &g, tmp);
        j->vec->transpose(tmp, g.m, sum, nc, g.m, nc);
        to = f32_at(j, &p->grad_b) + c0 * p->grad_b.ld + r;
        for (i = 0; i < nc; i++)
            j->vec->axpy(to + i * p->grad_b.ld, tmp + i * g.m, 1.0f, g.m,
                         true);
    }
}

void
narrow_grad_w(const struct narrow_ops *o, const struct part *p,
              struct span s, const struct tiles *t, size_t i, int worker,
              float *tmp)
{
    const struct view *w = &p->grad_w;
    size_t r0 = i % t->down * t->rows, c0 = i / t->down * t->cols;
    size_t c1 = min_size(c0 + t->cols, w->cols), at = 0, k0, c, k;
    size_t m = min_size(t->rows, w->rows - r0);
    struct narrow dy = narrow_part(o, p).dy;
    const struct narrow *a = p->in_out ? &o->x : &dy;
    struct narrow turned = narrow_lay(worker_at(o, worker), &at, TURNED,
                                      BF16_DEPTH);

    for (k0 = s.first; k0 < s.first + s.n; k0 += k) {
        k = min_size(BF16_DEPTH, s.first + s.n - k0);
        narrow_turn(o->job, a, k0, k, r0, m, turned.at, turned.ld, tmp);
        for (c = c0; c < c1; c += WEIGHT_COLS) {
            struct narrow_mul g = {
                .m = m, .n = min_size(WEIGHT_COLS, c1 - c), .k = k, .c0 = c,
                .row0 = k0, .a = turned.at, .lda = turned.ld,
                .b = p->in_out ? &dy : &o->x, .ldc = w->ld, .acc = true,
                .c = f32_at(o->job, w) + r0 * w->ld + c
            };

            narrow_mul(o->job, &g, tmp);
        }
    }
}
