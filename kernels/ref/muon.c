/* muon.c - MUON: formulas in kernels/ops.h. */
#include <math.h>

#include "kernels/muon.h"
#include "kernels/ref/ref.h"

/* X, what it becomes, and the two small matrices. */
struct muon {
    size_t rows, cols, small; /* the lesser of them */
    double *x, *next, *gram, *poly;
};

static size_t
lesser(const struct view *v)
{
    return v->rows < v->cols ? v->rows : v->cols;
}

uint64_t
REF(muon_scratch)(const struct op *op)
{
    const struct view *v = &op->y[0];
    size_t small = lesser(v);

    return 2 * ((size_t)v->rows * v->cols + small * small) * sizeof(double);
}

/* sum over k of a(i, k) b(k, j), of n terms whose places are steps apart. */
static double
product(const double *a, size_t step_a, const double *b, size_t step_b,
        size_t n)
{
    double sum = 0;

    for (size_t k = 0; k < n; k++)
        sum += a[k * step_a] * b[k * step_b];
    return sum;
}

/* Of the matrix, or its transpose where that has fewer rows. */
static void
iterate(struct muon *m)
{
    size_t n = m->small, cols = m->cols;
    bool tall = m->rows > cols;
    double *was = m->x;

    for (size_t i = 0; i < n * n; i++)
        m->gram[i] = tall
            ? product(m->x + i / n, cols, m->x + i % n, cols, m->rows)
            : product(m->x + i / n * cols, 1, m->x + i % n * cols, 1, cols);
    for (size_t i = 0; i < n * n; i++)
        m->poly[i] = MUON_B * m->gram[i]
            + MUON_C * product(m->gram + i / n * n, 1, m->gram + i % n, n, n);
    for (size_t i = 0; i < m->rows * cols; i++) {
        size_t r = i / cols, c = i % cols;

        m->next[i] = MUON_A * m->x[i]
            + (tall ? product(m->x + r * cols, 1, m->poly + c, n, n)
                    : product(m->poly + r * n, 1, m->x + c, cols, n));
    }
    m->x = m->next;
    m->next = was;
}

/* The mean of gradients moves on; X becomes what is made orthogonal. */
static void
take_gradient(struct run *r, const struct op *op, struct muon *m)
{
    struct mat grad = mat_of(r, &op->x[0]), mean = mat_of(r, &op->y[1]);
    double keep = op->u.muon.momentum, sum = 0, norm;

    for (size_t i = 0; i < m->rows; i++)
        for (size_t c = 0; c < m->cols; c++) {
            double g = r->out->scale * row_of(&grad, i)[c];
            real *b = row_of(&mean, i) + c;
            double x;

            *b = (real)(keep * *b + (1 - keep) * g);
            x = (1 - keep) * g + keep * *b;
            m->x[i * m->cols + c] = x;
            sum += x * x;
        }
    norm = fmax(sqrt(sum), MUON_EPS);
    for (size_t i = 0; i < m->rows * m->cols; i++)
        m->x[i] /= norm;
}

void
REF(muon)(struct run *r, const struct op *op)
{
    struct mat param = mat_of(r, &op->y[0]);
    struct muon m = { param.rows, param.cols, lesser(&op->y[0]),
                      view_at(r, &op->scratch), NULL, NULL, NULL };
    double lr = r->in->lr * op->u.muon.lr_ratio;

    if (r->out->skipped)
        return;
    m.next = m.x + m.rows * m.cols;
    m.gram = m.next + m.rows * m.cols;
    m.poly = m.gram + m.small * m.small;
    take_gradient(r, op, &m);
    for (int i = 0; i < MUON_STEPS; i++)
        iterate(&m);
    for (size_t i = 0; i < m.rows; i++)
        for (size_t c = 0; c < m.cols; c++) {
            real *p = row_of(&param, i) + c;

            *p = (real)(*p - lr * op->u.muon.decay * *p
                        - lr * op->u.muon.adjust * m.x[i * m.cols + c]);
        }
}
