/* scan.c - SCAN and SSD: one column and one number of its state at a time.
 *
 * Both are one scan, whose columns SSD takes in heads, each with a step, a
 * decay and a D of its own, and in groups, each with a B and a C of its own.
 */
#include <math.h>

#include "kernels/ref/ref.h"

struct scan {
    struct run *r;
    const struct op *op;
    struct mat u, d, bc, kept, past; /* kept: of chunks; past: decoding */
    struct table a_log, skip, bias;
    size_t n, seq, state, cols, chunk, chunks;
    size_t head, group; /* columns of one */
    double least, most; /* of a step */
    bool heads, cached; /* heads: a decay is a head's, and no column's */
};

static struct scan
scan_of(struct run *r, const struct op *op)
{
    struct scan m = {
        .r = r, .op = op, .u = mat_of(r, &op->x[0]),
        .d = mat_of(r, &op->x[1]), .a_log = REF(table)(r, &op->x[2]),
        .bc = mat_of(r, &op->x[3]), .skip = REF(table)(r, &op->x[4]),
        .seq = op->u.scan.seq_len, .state = op->u.scan.state,
        .cols = op->x[0].cols, .chunk = SCAN_CHUNK, .head = 1,
        .group = op->x[0].cols, .most = INFINITY,
        .cached = op->u.scan.cached
    };

    if (op->kind == OP_SSD || op->kind == OP_SSD_BWD) {
        m.bias = REF(table)(r, &op->x[5]);
        m.seq = op->u.ssd.seq_len;
        m.state = op->u.ssd.state;
        m.chunk = SSD_CHUNK;
        m.head = m.cols / op->u.ssd.heads;
        m.group = m.cols / op->u.ssd.groups;
        m.least = (double)op->u.ssd.least;
        m.most = (double)op->u.ssd.most;
        m.heads = true;
        m.cached = op->u.ssd.cached;
    }
    m.n = token_rows(r, &m.u);
    m.chunks = (m.seq + m.chunk - 1) / m.chunk;
    return m;
}

static double
softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* What softplus makes the step of (i, c) from. */
static double
step_input(const struct scan *m, size_t i, size_t c)
{
    double bias = m->bias.p ? REF(table_at)(&m->bias, 0, c / m->head) : 0;

    return row_of(&m->d, i)[c / m->head] + bias;
}

static double
step_of(const struct scan *m, size_t i, size_t c)
{
    return fmin(fmax(softplus(step_input(m, i, c)), m->least), m->most);
}

/* The derivative of step_of. */
static double
step_slope(const struct scan *m, size_t i, size_t c)
{
    double x = step_input(m, i, c), step = softplus(x);

    return step < m->least || step > m->most ? 0 : 1 / (1 + exp(-x));
}

/* The decay of (c, s). */
static double
decay_of(const struct scan *m, size_t c, size_t s)
{
    return -exp(m->heads ? REF(table_at)(&m->a_log, 0, c / m->head)
                         : REF(table_at)(&m->a_log, c, s));
}

/* Where B of (i, c, s) stands in a row of bc, and C. */
static size_t
b_at(const struct scan *m, size_t c, size_t s)
{
    return c / m->group * m->state + s;
}

static size_t
c_at(const struct scan *m, size_t c, size_t s)
{
    return m->cols / m->group * m->state + b_at(m, c, s);
}

/* h of (c, s) after row i, from that before. */
static double
advance(const struct scan *m, size_t i, size_t c, size_t s, double a,
        double h)
{
    double delta = step_of(m, i, c);

    if (!m->cached && first_row(m->r, i, m->seq) == i)
        h = 0;
    return exp(delta * a) * h
           + delta * row_of(&m->bc, i)[b_at(m, c, s)] * row_of(&m->u, i)[c];
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
        put(&row_of(y, i)[c], row_of(&m->bc, i)[c_at(m, c, s)] * h, true);
    }
    return h;
}

static void
scan_sequence(const struct scan *m, size_t q, size_t c, size_t s,
              struct mat *y)
{
    size_t from = q * m->seq, end = from + m->seq;
    double h = 0;

    if (m->cached)
        end = from + (size_t)m->r->batch->seq_n[q];
    if (m->cached && m->r->batch->cache_at[q] > 0)
        h = *kept_at(&m->past, q, m, c, s);
    for (size_t k = 0; from + k * m->chunk < end; k++) {
        size_t at = from + k * m->chunk, to = at + m->chunk;

        to = to < end ? to : end;
        if (at < m->n)
            h = run_rows(m, at, to < m->n ? to : m->n, c, s, h, y);
        if (m->kept.p)
            *kept_at(&m->kept, q * m->chunks + k, m, c, s) = (real)h;
    }
    if (m->cached && end > from)
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
            bool holds = !m.cached || holds_token(r, i, m.seq);
            double skip = REF(table_at)(&m.skip, 0, c / m.head);

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
    struct mat dy, du, dd, da, dbc, dskip, dbias;
};

/* Row i of (c, s): h before and after it, g the gradient of the latter, which
 * becomes that of the former. da is A's. */
static double
row_bwd(const struct scan *m, const struct grads *t, size_t i, size_t c,
        size_t s, double a, double before, double h, double g, double *da)
{
    double delta = step_of(m, i, c), decay = exp(delta * a);
    double u = row_of(&m->u, i)[c], b = row_of(&m->bc, i)[b_at(m, c, s)];
    double dy = row_of(&t->dy, i)[c], fade, dd;

    g += dy * row_of(&m->bc, i)[c_at(m, c, s)];
    fade = g * before * decay;
    dd = (fade * a + g * b * u) * step_slope(m, i, c);
    *da += fade * delta;
    if (t->du.p)
        put(&row_of(&t->du, i)[c], g * delta * b, true);
    if (t->dd.p)
        put(&row_of(&t->dd, i)[c / m->head], dd, true);
    if (t->dbias.p)
        put(&t->dbias.p[c / m->head], dd, true);
    if (t->dbc.p) {
        put(&row_of(&t->dbc, i)[b_at(m, c, s)], g * delta * u, true);
        put(&row_of(&t->dbc, i)[c_at(m, c, s)], dy * h, true);
    }
    return first_row(m->r, i, m->seq) == i ? 0 : g * decay;
}

/* Sequence q of (c, s), its last chunk first. */
static void
sequence_bwd(const struct scan *m, const struct grads *t, size_t q, size_t c,
             size_t s)
{
    double h[(SCAN_CHUNK > SSD_CHUNK ? SCAN_CHUNK : SSD_CHUNK) + 1];
    double a = decay_of(m, c, s), g = 0, da = 0;

    for (size_t k = m->chunks; k-- > 0;) {
        size_t from = q * m->seq + k * m->chunk, end = from + m->chunk;

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
        put(m->heads ? &t->da.p[c / m->head] : &row_of(&t->da, c)[s], da * a,
            true);
}

void
REF(scan_bwd)(struct run *r, const struct op *op)
{
    struct scan m = scan_of(r, op);
    int at = m.heads ? 6 : 5; /* of the states, behind the operands */
    struct grads t = {
        .dy = mat_of(r, &op->x[at + 1]), .du = mat_of(r, &op->y[0]),
        .dd = mat_of(r, &op->y[1]), .da = mat_of(r, &op->y[2]),
        .dbc = mat_of(r, &op->y[3]), .dskip = mat_of(r, &op->y[4]),
        .dbias = mat_of(r, &op->y[5])
    };
    struct mat *over[3] = { &t.du, &t.dd, &t.dbc };
    static const uint8_t bit[3] = { 1, 2, 8 };

    m.kept = mat_of(r, &op->x[at]);
    for (int k = 0; k < 3; k++)
        if (over[k]->p)
            clear_rows(over[k], m.n, op->acc & bit[k]);
    for (size_t i = 0; i < m.n; i++)
        for (size_t c = 0; c < m.cols; c++) {
            double dy = row_of(&t.dy, i)[c];

            if (t.du.p)
                put(&row_of(&t.du, i)[c],
                    dy * REF(table_at)(&m.skip, 0, c / m.head), true);
            if (t.dskip.p)
                put(&t.dskip.p[c / m.head], dy * row_of(&m.u, i)[c], true);
        }
    for (size_t q = 0; q * m.seq < m.n; q++)
        for (size_t c = 0; c < m.cols; c++)
            for (size_t s = 0; s < m.state; s++)
                sequence_bwd(&m, &t, q, c, s);
}
