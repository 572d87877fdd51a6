/* linear.c - LINEAR, GROUPED and their backward: see struct part in
 * kernels/ops.h.
 *
 * Both walk the weight once, an output (or, for dx, an input) at a time,
 * widened into scratch.
 */
#include "kernels/dropout.h"
#include "kernels/moe.h"
#include "kernels/ref/ref.h"

/* A part's matrices. */
struct module_mats {
    const struct part *p;
    struct table w, bias, a, b;
    struct mat h, grad_w, grad_bias, grad_a, grad_b;
};

static struct module_mats
module_of(struct run *r, const struct part *p)
{
    return (struct module_mats){
        .p = p,
        .w = REF(table)(r, &p->w),
        .bias = REF(table)(r, &p->bias),
        .a = REF(table)(r, &p->a),
        .b = REF(table)(r, &p->b),
        .h = mat_of(r, &p->h),
        .grad_w = mat_of(r, &p->grad_w),
        .grad_bias = mat_of(r, &p->grad_bias),
        .grad_a = mat_of(r, &p->grad_a),
        .grad_b = mat_of(r, &p->grad_b),
    };
}

/* Weight from input k to output o. */
static double
weight_at(const struct module_mats *m, size_t o, size_t k)
{
    return m->p->in_out ? REF(table_at)(&m->w, k, o)
                        : REF(table_at)(&m->w, o, k);
}

/* What dropout multiplies element (row, col) by: 0 or 1 / (1 - dropout). */
static double
mask_at(const struct run *r, const struct part *p, size_t row, size_t col)
{
    uint32_t key[2], draw[4];

    if (p->dropout <= 0)
        return 1;
    dropout_key(key, r->in->seed, p->site);
    dropout_draw(draw, key, r->in->step,
                 (uint32_t)(r->in->row0 + row), (uint32_t)(col / 4));
    return draw[col % 4] >= dropout_limit(p->dropout)
        ? 1 / (1 - (double)p->dropout) : 0;
}

static double
dot_wide(const real *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

uint64_t
REF(linear_scratch)(const struct op *op)
{
    return op->x[0].cols * sizeof(double);
}

/* h = drop(x) A^T */
static void
adapter_h(struct run *r, struct module_mats *m, const struct mat *x,
          size_t n, double *dropped)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < m->p->in; k++)
            dropped[k] = mask_at(r, m->p, i, k) * row_of(x, i)[k];
        for (size_t j = 0; j < m->p->rank; j++) {
            double sum = 0;

            for (size_t k = 0; k < m->p->in; k++)
                sum += dropped[k] * REF(table_at)(&m->a, j, k);
            row_of(&m->h, i)[j] = (real)sum;
        }
    }
}

/* Row i of the adapter's part of output o: s h B^T. */
static double
adapter_y(const struct module_mats *m, size_t i, size_t o)
{
    double sum = 0;

    if (m->a.p == NULL)
        return 0;
    for (size_t j = 0; j < m->p->rank; j++)
        sum += row_of(&m->h, i)[j] * REF(table_at)(&m->b, o, j);
    return m->p->lora_scale * sum;
}

/* y (+)= what the module makes of n rows x, and residual, if it is there. */
struct rows {
    struct mat x, residual, y;
    size_t n;
};

static void
module_y(const struct rows *f, const struct module_mats *m, double *w,
         bool add)
{
    struct mat x = f->x, residual = f->residual, y = f->y;
    size_t n = f->n, in = m->p->in;

    for (size_t o = 0; o < m->p->out; o++) {
        size_t col = m->p->col + o;
        double bias = m->bias.p ? REF(table_at)(&m->bias, 0, o) : 0;

        for (size_t k = 0; k < in; k++)
            w[k] = weight_at(m, o, k);
        for (size_t i = 0; i < n; i++) {
            double v = dot_wide(row_of(&x, i), w, in) + bias
                + adapter_y(m, i, o);

            if (residual.p)
                v += row_of(&residual, i)[col];
            put(&row_of(&y, i)[col], v, add);
        }
    }
}

void
REF(linear)(struct run *r, const struct op *op)
{
    struct rows f = { mat_of(r, &op->x[0]), mat_of(r, &op->x[1]),
                      mat_of(r, &op->y[0]), 0 };
    double *tmp = view_at(r, &op->scratch);

    f.n = token_rows(r, &f.x);
    for (size_t p = 0; p < op->u.lin.n; p++) {
        struct module_mats m = module_of(r, &op->u.lin.part[p]);

        if (m.a.p)
            adapter_h(r, &m, &f.x, f.n, tmp);
        module_y(&f, &m, tmp, op->acc & 1);
    }
}

/* m without its first rows. */
static void
skip_rows(struct mat *m, size_t rows)
{
    if (m->p)
        m->p += rows * m->ld;
}

/* The group of part p, whose rows begin at *at. */
static size_t
group_of(const struct run *r, const struct op *op, size_t p, size_t *at)
{
    const real *count = view_at(r, &op->x[1]);
    size_t g = p / (op->u.lin.n / op->u.lin.groups);

    *at = 0;
    for (size_t i = 0; i < g; i++)
        *at += group_rows((double)count[i], op->u.lin.tile);
    return group_rows((double)count[g], op->u.lin.tile);
}

void
REF(grouped)(struct run *r, const struct op *op)
{
    double *tmp = view_at(r, &op->scratch);

    for (size_t p = 0; p < op->u.lin.n; p++) {
        struct module_mats m = module_of(r, &op->u.lin.part[p]);
        struct rows f = { mat_of(r, &op->x[0]), { 0 },
                          mat_of(r, &op->y[0]), 0 };
        size_t at;

        f.n = group_of(r, op, p, &at);
        skip_rows(&f.x, at);
        skip_rows(&f.y, at);
        skip_rows(&m.h, at);
        if (m.a.p)
            adapter_h(r, &m, &f.x, f.n, tmp);
        module_y(&f, &m, tmp, op->acc & 1);
    }
}

/* dh of all rows of the widest adapter, then one column. */
static size_t
dh_len(const struct op *op)
{
    size_t most = 0;

    for (size_t p = 0; p < op->u.lin.n; p++)
        if (op->u.lin.part[p].rank > most)
            most = op->u.lin.part[p].rank;
    return most * op->x[0].rows;
}

uint64_t
REF(linear_bwd_scratch)(const struct op *op)
{
    size_t column = op->x[0].rows;

    for (size_t p = 0; p < op->u.lin.n; p++)
        if (op->u.lin.part[p].out > column)
            column = op->u.lin.part[p].out;
    return (dh_len(op) + column) * sizeof(double);
}

/* One part's backward: dy are its columns, n rows. */
struct back {
    struct run *r;
    struct module_mats m;
    struct mat x, dy, dx;
    size_t n;
    double *dh;     /* [n, rank] */
    double *column; /* [n] or [out] */
};

/* dh = s dy B */
static void
adapter_dh(struct back *b)
{
    size_t rank = b->m.p->rank;

    for (size_t i = 0; i < b->n; i++)
        for (size_t j = 0; j < rank; j++) {
            double sum = 0;

            for (size_t o = 0; o < b->m.p->out; o++)
                sum += row_of(&b->dy, i)[o] * REF(table_at)(&b->m.b, o, j);
            b->dh[i * rank + j] = b->m.p->lora_scale * sum;
        }
}

/* dx (+)= dy W + drop(dh A) */
static void
module_dx(struct back *b, bool add)
{
    const struct part *p = b->m.p;

    for (size_t k = 0; k < p->in; k++) {
        for (size_t o = 0; o < p->out; o++)
            b->column[o] = weight_at(&b->m, o, k);
        for (size_t i = 0; i < b->n; i++) {
            double v = dot_wide(row_of(&b->dy, i), b->column, p->out);
            double low = 0;

            for (size_t j = 0; j < p->rank && b->m.a.p; j++)
                low += b->dh[i * p->rank + j]
                    * REF(table_at)(&b->m.a, j, k);
            if (b->m.a.p)
                v += mask_at(b->r, p, i, k) * low;
            put(&row_of(&b->dx, i)[k], v, add);
        }
    }
}

/* grad_w += dy^T x (stored layout), grad_bias += column sums of dy,
 * grad_b += s dy^T h */
static void
grads_by_output(struct back *b)
{
    struct module_mats *m = &b->m;

    for (size_t o = 0; o < m->p->out; o++) {
        double sum = 0;

        for (size_t i = 0; i < b->n; i++)
            sum += row_of(&b->dy, i)[o];
        if (m->grad_bias.p)
            put(&m->grad_bias.p[o], sum, true);
        for (size_t k = 0; k < m->p->in && m->grad_w.p; k++) {
            real *to = m->p->in_out ? row_of(&m->grad_w, k) + o
                                    : row_of(&m->grad_w, o) + k;

            sum = 0;
            for (size_t i = 0; i < b->n; i++)
                sum += (double)row_of(&b->dy, i)[o] * row_of(&b->x, i)[k];
            put(to, sum, true);
        }
        for (size_t j = 0; j < m->p->rank && m->grad_b.p; j++) {
            sum = 0;
            for (size_t i = 0; i < b->n; i++)
                sum += (double)row_of(&b->dy, i)[o] * row_of(&m->h, i)[j];
            put(&row_of(&m->grad_b, o)[j], m->p->lora_scale * sum, true);
        }
    }
}

/* grad_a += dh^T drop(x) */
static void
grad_a(struct back *b)
{
    size_t rank = b->m.p->rank;

    for (size_t k = 0; k < b->m.p->in; k++) {
        for (size_t i = 0; i < b->n; i++)
            b->column[i] = mask_at(b->r, b->m.p, i, k) * row_of(&b->x, i)[k];
        for (size_t j = 0; j < rank; j++) {
            double sum = 0;

            for (size_t i = 0; i < b->n; i++)
                sum += b->dh[i * rank + j] * b->column[i];
            put(&row_of(&b->m.grad_a, j)[k], sum, true);
        }
    }
}

static void
module_bwd(struct back *b, bool add)
{
    if (b->m.a.p)
        adapter_dh(b);
    if (b->dx.p)
        module_dx(b, add);
    grads_by_output(b);
    if (b->m.grad_a.p)
        grad_a(b);
}

void
REF(linear_bwd)(struct run *r, const struct op *op)
{
    double *tmp = view_at(r, &op->scratch);
    struct back b = {
        .r = r, .x = mat_of(r, &op->x[0]), .dx = mat_of(r, &op->y[0]),
        .dh = tmp, .column = tmp + dh_len(op)
    };

    b.n = token_rows(r, &b.x);
    for (size_t p = 0; p < op->u.lin.n; p++) {
        b.m = module_of(r, &op->u.lin.part[p]);
        b.dy = mat_of(r, &op->x[1]);
        b.dy.p += b.m.p->col;
        module_bwd(&b, p > 0 || (op->acc & 1));
    }
}

void
REF(grouped_bwd)(struct run *r, const struct op *op)
{
    double *tmp = view_at(r, &op->scratch);
    uint32_t each = op->u.lin.n / op->u.lin.groups;

    for (size_t p = 0; p < op->u.lin.n; p++) {
        struct back b = {
            .r = r, .m = module_of(r, &op->u.lin.part[p]),
            .x = mat_of(r, &op->x[0]), .dy = mat_of(r, &op->x[2]),
            .dx = mat_of(r, &op->y[0]), .dh = tmp,
            .column = tmp + dh_len(op)
        };
        size_t at;

        b.n = group_of(r, op, p, &at);
        b.dy.p += b.m.p->col;
        skip_rows(&b.x, at);
        skip_rows(&b.dy, at);
        skip_rows(&b.dx, at);
        skip_rows(&b.m.h, at);
        module_bwd(&b, p % each > 0 || (op->acc & 1));
    }
}
