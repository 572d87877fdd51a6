/* conv.c - CONV1D: each column's last rows, weighed. */
#include "kernels/ref/ref.h"

/* One column, and what its rows are convolved with. */
struct column {
    struct run *r;
    const struct op *op;
    struct mat x, kept; /* kept: decoding, the rows before this pass */
    struct table weight, bias;
    size_t c, seq, width;
};

static struct column
column_of(struct run *r, const struct op *op, size_t c)
{
    return (struct column){
        .r = r, .op = op, .x = mat_of(r, &op->x[0]),
        .kept = mat_of(r, &op->y[1]), .weight = REF(table)(r, &op->x[1]),
        .bias = REF(table)(r, &op->x[2]), .c = c,
        .seq = op->u.conv.seq_len, .width = op->x[1].cols
    };
}

/* The row that weight k meets at row i, if there is one: NULL for 0. */
static const real *
tap(const struct column *m, size_t i, size_t k)
{
    size_t back = m->width - 1 - k, s = i / m->seq;

    if (!m->op->u.conv.cached)
        return i >= first_row(m->r, i, m->seq) + back
               ? row_of(&m->x, i - back) + m->c : NULL;
    if (i % m->seq >= back)
        return row_of(&m->x, i - back) + m->c;
    if (m->r->batch->cache_at[s] == 0)
        return NULL;
    return row_of(&m->kept, s * (m->width - 1) + k + i % m->seq) + m->c;
}

/* What goes through the activation. */
static double
weigh(const struct column *m, size_t i)
{
    double sum = m->bias.p ? REF(table_at)(&m->bias, 0, m->c) : 0;

    for (size_t k = 0; k < m->width; k++) {
        const real *x = tap(m, i, k);

        if (x != NULL)
            sum += REF(table_at)(&m->weight, m->c, k) * *x;
    }
    return sum;
}

/* The last rows of each sequence's tokens: those that are there move up. */
static void
keep_rows(const struct column *m)
{
    size_t width = m->width - 1;

    for (size_t s = 0; s * width < m->kept.rows; s++) {
        size_t n = (size_t)m->r->batch->seq_n[s];
        bool begins = m->r->batch->cache_at[s] == 0;

        for (size_t k = 0; k < width && n > 0; k++) {
            real *to = row_of(&m->kept, s * width + k) + m->c;

            if (k + n >= width)
                *to = row_of(&m->x, s * m->seq + k + n - width)[m->c];
            else
                *to = begins ? 0 : to[n * m->kept.ld];
        }
    }
}

void
REF(conv1d)(struct run *r, const struct op *op)
{
    struct mat y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &y);

    for (size_t c = 0; c < y.cols; c++) {
        struct column m = column_of(r, op, c);

        for (size_t i = 0; i < n; i++) {
            bool holds = !op->u.conv.cached || holds_token(r, i, m.seq);

            put(&row_of(&y, i)[c],
                holds ? REF(act_value)(op->u.conv.act, weigh(&m, i)) : 0,
                op->acc & 1);
        }
        if (op->u.conv.cached)
            keep_rows(&m);
    }
}

/* With d = dy act'(.): dx of the rows that row i met += weight d. */
static void
row_bwd(const struct column *m, size_t i, double d, struct mat *dx,
        struct mat *dw)
{
    for (size_t k = 0; k < m->width; k++) {
        const real *x = tap(m, i, k);

        if (x == NULL)
            continue;
        if (dx->p)
            put(&row_of(dx, i - (m->width - 1 - k))[m->c],
                d * REF(table_at)(&m->weight, m->c, k), true);
        if (dw->p)
            put(&row_of(dw, m->c)[k], d * *x, true);
    }
}

void
REF(conv1d_bwd)(struct run *r, const struct op *op)
{
    struct mat dy = mat_of(r, &op->x[3]), dx = mat_of(r, &op->y[0]);
    struct mat dw = mat_of(r, &op->y[1]), db = mat_of(r, &op->y[2]);
    size_t n = token_rows(r, &dy);

    if (dx.p)
        clear_rows(&dx, n, op->acc & 1);
    for (size_t c = 0; c < dy.cols; c++) {
        struct column m = column_of(r, op, c);

        m.kept = (struct mat){ 0 };
        for (size_t i = 0; i < n; i++) {
            double d = row_of(&dy, i)[c]
                       * REF(act_slope)(op->u.conv.act, weigh(&m, i));

            row_bwd(&m, i, d, &dx, &dw);
            if (db.p)
                put(&db.p[c], d, true);
        }
    }
}
