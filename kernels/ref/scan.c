/* scan.c - SCAN: one column and one number of its state at a time. */
#include <math.h>

#include "kernels/ref/ref.h"

struct scan {
    struct run *r;
    const struct op *op;
    struct mat u, d, bc, kept, past; /* kept: of chunks; past: decoding */
    struct table a_log, skip;
    size_t n, seq, state, cols, chunks;
};

static struct scan
scan_of(struct run *r, const struct op *op)
{
    struct scan m = {
        .r = r, .op = op, .u = mat_of(r, &op->x[0]),
        .d = mat_of(r, &op->x[1]), .a_log = REF(table)(r, &op->x[2]),
        .bc = mat_of(r, &op->x[3]), .skip = REF(table)(r, &op->x[4]),
        .seq = op->u.scan.seq_len, .state = op->u.scan.state,
        .cols = op->x[0].cols
    };

    m.n = token_rows(r, &m.u);
    m.chunks = (m.seq + SCAN_CHUNK - 1) / SCAN_CHUNK;
    return m;
}

static double
softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* The decay of (c, s). */
static double
decay_of(const struct scan *m, size_t c, size_t s)
{
    return -exp(REF(table_at)(&m->a_log, c, s));
}

/* h of (c, s) after row i, from that before. */
static double
advance(const struct scan *m, size_t i, size_t c, size_t s, double a,
        double h)
{
    double delta = softplus(row_of(&m->d, i)[c]);

    if (!m->op->u.scan.cached && first_row(m->r, i, m->seq) == i)
        h = 0;
    return exp(delta * a) * h
           + delta * row_of(&m->bc, i)[s] * row_of(&m->u, i)[c];
}

static real *
kept_at(const struct mat *kept, size_t row, const struct scan *m, size_t c,
        size_t s)
{
    return row_of(kept, row) + s * m->cols + c;
}

/* Rows [from, end) of a sequence, for (c, s): y += C h. */
static double
run_rows(const struct scan *m, size_t from, size_t end, size_t c, size_t s,
         double h, struct mat *y)
{
    double a = decay_of(m, c, s);

    for (size_t i = from; i < end; i++) {
        h = advance(m, i, c, s, a, h);
        put(&row_of(y, i)[c], row_of(&m->bc, i)[m->state + s] * h, true);
    }
    return h;
}

static void
scan_sequence(const struct scan *m, size_t q, size_t c, size_t s,
              struct mat *y)
{
    size_t from = q * m->seq, end = from + m->seq;
    bool cached = m->op->u.scan.cached;
    double h = 0;

    if (cached)
        end = from + (size_t)m->r->batch->seq_n[q];
    if (cached && m->r->batch->cache_at[q] > 0)
        h = *kept_at(&m->past, q, m, c, s);
    for (size_t k = 0; from + k * SCAN_CHUNK < end; k++) {
        size_t at = from + k * SCAN_CHUNK, to = at + SCAN_CHUNK;

        to = to < end ? to : end;
        if (at < m->n)
            h = run_rows(m, at, to < m->n ? to : m->n, c, s, h, y);
        if (m->kept.p)
            *kept_at(&m->kept, q * m->chunks + k, m, c, s) = (real)h;
    }
    if (cached && end > from)
        *kept_at(&m->past, q, m, c, s) = (real)h;
}

void
REF(scan)(struct run *r, const struct op *op)
{
    struct scan m = scan_of(r, op);
    struct mat y = mat_of(r, &op->y[0]);

    m.kept = mat_of(r, &op->y[1]);
    m.past = mat_of(r, &op->y[2]);
    for (size_t i = 0; i < m.n; i++)
        for (size_t c = 0; c < m.cols; c++) {
            bool holds = !op->u.scan.cached || holds_token(r, i, m.seq);
            double skip = REF(table_at)(&m.skip, 0, c);

            put(&row_of(&y, i)[c], holds ? skip * row_of(&m.u, i)[c] : 0,
                op->acc & 1);
        }
    for (size_t q = 0; q * m.seq < m.n; q++)
        for (size_t c = 0; c < m.cols; c++)
            for (size_t s = 0; s < m.state; s++)
                scan_sequence(&m, q, c, s, &y);
}

/* Where the gradients go. */
struct grads {
    struct mat dy, du, dd, da, dbc, dskip;
};

/* Row i of (c, s): h before and after it, g the gradient of the latter, which
 * becomes that of the former. da is A's. */
static double
row_bwd(const struct scan *m, const struct grads *t, size_t i, size_t c,
        size_t s, double a, double before, double h, double g, double *da)
{
    double d = row_of(&m->d, i)[c], delta = softplus(d);
    double u = row_of(&m->u, i)[c], b = row_of(&m->bc, i)[s];
    double dy = row_of(&t->dy, i)[c], decay = exp(delta * a), fade;

    g += dy * row_of(&m->bc, i)[m->state + s];
    fade = g * before * decay;
    *da += fade * delta;
    if (t->du.p)
        put(&row_of(&t->du, i)[c], g * delta * b, true);
    if (t->dd.p)
        put(&row_of(&t->dd, i)[c], (fade * a + g * b * u) / (1 + exp(-d)),
            true);
    if (t->dbc.p) {
        put(&row_of(&t->dbc, i)[s], g * delta * u, true);
        put(&row_of(&t->dbc, i)[m->state + s], dy * h, true);
    }
    return first_row(m->r, i, m->seq) == i ? 0 : g * decay;
}

/* Sequence q of (c, s), its last chunk first. */
static void
sequence_bwd(const struct scan *m, const struct grads *t, size_t q, size_t c,
             size_t s)
{
    double a = decay_of(m, c, s), g = 0, da = 0, h[SCAN_CHUNK + 1];

    for (size_t k = m->chunks; k-- > 0;) {
        size_t from = q * m->seq + k * SCAN_CHUNK, end = from + SCAN_CHUNK;

        if (end > (q + 1) * m->seq)
            end = (q + 1) * m->seq;
        if (end > m->n)
            end = m->n;
        h[0] = k == 0 ? 0
               : *kept_at(&m->kept, q * m->chunks + k - 1, m, c, s);
        for (size_t i = from; i < end; i++)
            h[i - from + 1] = advance(m, i, c, s, a, h[i - from]);
        for (size_t i = end; i-- > from;) {
            bool begins = first_row(m->r, i, m->seq) == i;

            g = row_bwd(m, t, i, c, s, a, begins ? 0 : h[i - from],
                        h[i - from + 1], g, &da);
        }
    }
    if (t->da.p)
        put(&row_of(&t->da, c)[s], da * a, true);
}

void
REF(scan_bwd)(struct run *r, const struct op *op)
{
    struct scan m = scan_of(r, op);
    struct grads t = {
        mat_of(r, &op->x[6]), mat_of(r, &op->y[0]), mat_of(r, &op->y[1]),
        mat_of(r, &op->y[2]), mat_of(r, &op->y[3]), mat_of(r, &op->y[4])
    };
    struct mat *over[3] = { &t.du, &t.dd, &t.dbc };
    static const uint8_t bit[3] = { 1, 2, 8 };

    m.kept = mat_of(r, &op->x[5]);
    for (int k = 0; k < 3; k++)
        if (over[k]->p)
            clear_rows(over[k], m.n, op->acc & bit[k]);
    for (size_t i = 0; i < m.n; i++)
        for (size_t c = 0; c < m.cols; c++) {
            double dy = row_of(&t.dy, i)[c];

            if (t.du.p)
                put(&row_of(&t.du, i)[c], dy * REF(table_at)(&m.skip, 0, c),
                    true);
            if (t.dskip.p)
                put(&t.dskip.p[c], dy * row_of(&m.u, i)[c], true);
        }
    for (size_t q = 0; q * m.seq < m.n; q++)
        for (size_t c = 0; c < m.cols; c++)
            for (size_t s = 0; s < m.state; s++)
                sequence_bwd(&m, &t, q, c, s);
}
