/* trial.h - an op of the reference and its backward, as the derivative of it.
 *
 * In double: <u, J v> by central difference against <J^T u, v>, to 1e-7 of the
 * larger, for random u and, input by input, random v. The difference is the one
 * of fourth order,
 *   (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h,
 * at h = 1e-3: its error, h^4 and the rounding of f over h, is far below.
 * ROUNDING allows for the latter where a gradient is 0.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include "model/op_info.h"
#include "ref_lab.h"

enum { MAX_VARS = 16 };

#define ROUNDING 1e-11

/* An input, and where its gradient goes. adds: to what was there. */
struct var {
    struct view x, grad;
    bool adds;
};

struct trial {
    const char *name;
    struct lab lab;
    struct op fwd, bwd;
    struct view y, dy; /* of fwd; bwd's dy, the same shape */
    double *u;         /* [y.rows, y.cols] */
    struct var var[MAX_VARS];
    size_t n_vars;
    double (*value)(struct trial *t); /* <u, y>; runs fwd */
    void (*back)(struct trial *t);    /* runs bwd */
};

static bool tried[OP_KINDS];

static double
dot_output(struct trial *t)
{
    double sum = 0;

    lab_run(&t->lab, &t->fwd);
    for (size_t i = 0; i < t->y.rows; i++)
        for (size_t c = 0; c < t->y.cols; c++)
            sum += t->u[i * t->y.cols + c] * lab_row(&t->lab, &t->y, i)[c];
    return sum;
}

static void
run_backward(struct trial *t)
{
    for (size_t i = 0; i < t->y.rows; i++)
        for (size_t c = 0; c < t->y.cols; c++)
            lab_row(&t->lab, &t->dy, i)[c] = t->u[i * t->y.cols + c];
    lab_run(&t->lab, &t->bwd);
}

static void
trial_init(struct trial *t, const char *name, uint64_t seed)
{
    memset(t, 0, sizeof(*t));
    t->name = name;
    t->value = dot_output;
    t->back = run_backward;
    lab_init(&t->lab, seed);
}

/* y and dy, with cols columns. */
static void
trial_output(struct trial *t, uint32_t rows, uint32_t cols)
{
    t->y = lab_real(&t->lab, rows, cols);
    t->dy = lab_real(&t->lab, rows, cols);
    t->u = mem_array((size_t)rows * cols, sizeof(*t->u));
    for (size_t i = 0; i < (size_t)rows * cols; i++)
        t->u[i] = lab_draw(&t->lab);
}

static void
trial_release(struct trial *t)
{
    lab_release(&t->lab);
    free(t->u);
}

static void
add_var(struct trial *t, struct view x, struct view grad, bool adds)
{
    t->var[t->n_vars++] = (struct var){ x, grad, adds };
}

static double *
copy_view(const struct lab *l, const struct view *v)
{
    double *to = mem_array((size_t)v->rows * v->cols, sizeof(*to));

    for (size_t i = 0; i < v->rows; i++)
        memcpy(to + i * v->cols, lab_row(l, v, i), v->cols * sizeof(*to));
    return to;
}

/* x += step * dir */
static void
move(const struct lab *l, const struct view *x, const double *dir,
     double step)
{
    for (size_t i = 0; i < x->rows; i++)
        for (size_t c = 0; c < x->cols; c++)
            lab_row(l, x, i)[c] += step * dir[i * x->cols + c];
}

static double
difference(struct trial *t, const struct view *x, const double *dir)
{
    static const double at[] = { -2, -1, 1, 2 }, factor[] = { 1, -8, 8, -1 };
    const double h = 1e-3;
    double sum = 0, *keep = copy_view(&t->lab, x);

    for (int i = 0; i < 4; i++) {
        move(&t->lab, x, dir, at[i] * h);
        sum += factor[i] * t->value(t);
        for (size_t r = 0; r < x->rows; r++)
            memcpy(lab_row(&t->lab, x, r), keep + r * x->cols,
                   x->cols * sizeof(double));
    }
    free(keep);
    return sum / (12 * h);
}

static void
check_var(struct trial *t, size_t i, const double *grad)
{
    const struct view *x = &t->var[i].x;
    size_t n = (size_t)x->rows * x->cols;
    double *dir = mem_array(n, sizeof(*dir)), got = 0, want;

    for (size_t k = 0; k < n; k++) {
        dir[k] = lab_draw(&t->lab);
        got += grad[k] * dir[k];
    }
    want = difference(t, x, dir);
    if (!CHECK(fabs(got - want)
               <= 1e-7 * fmax(fabs(got), fabs(want)) + ROUNDING))
        printf("    %s: input %zu: %.12g, by difference %.12g\n", t->name,
               i, got, want);
    free(dir);
}

/* Runs forward and backward, and checks every gradient. Releases t. */
static void
check_trial(struct trial *t)
{
    double *start[MAX_VARS], *grad[MAX_VARS];

    tried[t->fwd.kind] = true;
    for (size_t i = 0; i < t->n_vars; i++) {
        const struct var *v = &t->var[i];

        start[i] = copy_view(&t->lab, &v->grad);
        for (size_t r = 0; r < v->grad.rows && !v->adds; r++)
            for (size_t c = 0; c < v->grad.cols; c++)
                lab_row(&t->lab, &v->grad, r)[c] = NAN;
    }
    t->value(t);
    t->back(t);
    for (size_t i = 0; i < t->n_vars; i++) {
        const struct var *v = &t->var[i];
        size_t n = (size_t)v->grad.rows * v->grad.cols;

        grad[i] = copy_view(&t->lab, &v->grad);
        for (size_t k = 0; k < n && v->adds; k++)
            grad[i][k] -= start[i][k];
        free(start[i]);
    }
    for (size_t i = 0; i < t->n_vars; i++) {
        check_var(t, i, grad[i]);
        free(grad[i]);
    }
    lab_check_pads(&t->lab, t->name);
    trial_release(t);
}

/* What a LINEAR is made of. */
struct linear_case {
    const char *name;
    uint32_t n, in, parts, out[LAB_PARTS];
    uint8_t dtype; /* DTYPE_REAL: trained */
    bool in_out, bias, lora, residual;
    float dropout;
    uint8_t acc;
};

static void
linear_part(struct trial *t, const struct linear_case *c, uint32_t i,
            uint32_t col)
{
    struct lab *l = &t->lab;
    struct part *p = &l->part[i];
    uint32_t rows = c->in_out ? c->in : c->out[i];
    uint32_t cols = c->in_out ? c->out[i] : c->in;
    bool train = c->dtype == DTYPE_REAL;

    p->col = col;
    p->in = c->in;
    p->out = c->out[i];
    p->in_out = c->in_out;
    p->w = lab_weight(l, rows, cols, c->dtype);
    if (c->bias)
        p->bias = lab_weight(l, 1, p->out, train ? DTYPE_REAL : DTYPE_BF16);
    if (train) {
        p->grad_w = lab_real(l, rows, cols);
        add_var(t, p->w, p->grad_w, true);
    }
    if (train && c->bias) {
        p->grad_bias = lab_real(l, 1, p->out);
        add_var(t, p->bias, p->grad_bias, true);
    }
    if (!c->lora)
        return;
    p->rank = 2 + i;
    p->a = lab_real(l, p->rank, p->in);
    p->b = lab_real(l, p->out, p->rank);
    p->h = lab_real(l, c->n, p->rank);
    p->grad_a = lab_real(l, p->rank, p->in);
    p->grad_b = lab_real(l, p->out, p->rank);
    p->lora_scale = 1.5f;
    p->dropout = c->dropout;
    p->site = 100 + i;
    add_var(t, p->a, p->grad_a, true);
    add_var(t, p->b, p->grad_b, true);
}

#endif
