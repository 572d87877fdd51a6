/* muon.c - Muon against torch.optim.Muon in double (tests/golden/muon.py), and
 * what of a program it moves. */
#include "ref_lab.h"
#include "tensor/safetensors.h"
#include "tiny_run.h"

#define GOLDEN "tests/golden/muon.safetensors"

static struct safetensors golden;

static const double *
stored(const char *name, const char *what, uint64_t shape[2])
{
    const struct safetensor *t;
    char full[32];

    snprintf(full, sizeof(full), "%s.%s", name, what);
    t = safetensors_find(&golden, full);
    if (!CHECK(t != NULL && t->dtype == DTYPE_F64))
        exit(1);
    for (int i = 0; shape != NULL && i < 2; i++)
        shape[i] = t->shape[i];
    return (const double *)safetensors_data(&golden, t);
}

static void
open_golden(void)
{
    struct err e;

    if (!CHECK(safetensors_open(&golden, GOLDEN, 1 << 20, &e) == 0))
        exit(1);
}

static void
fill(struct lab *l, const struct view *v, const double *from)
{
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < v->cols; c++)
            lab_row(l, v, i)[c] = from != NULL ? from[i * v->cols + c] : 0;
}

static double
apart(struct lab *l, const struct view *v, const double *want)
{
    double worst = 0;

    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < v->cols; c++)
            worst = fmax(worst, fabs(lab_row(l, v, i)[c]
                                     - want[i * v->cols + c]));
    return worst;
}

/* Three steps; adjust is the rate's factor of that matrix. */
static void
check_case(const char *name, float adjust)
{
    uint64_t shape[2];
    const double *start = stored(name, "start", shape);
    const double *grads = stored(name, "grads", NULL);
    const double *after = stored(name, "after", NULL);
    uint32_t rows = (uint32_t)shape[0], cols = (uint32_t)shape[1];
    struct lab l;
    struct op op = { .kind = OP_MUON,
                     .u.muon = { .momentum = 0.9375f, .decay = 0.25f,
                                 .lr_ratio = 0.5f, .adjust = adjust } };

    lab_init(&l, 1);
    op.x[0] = lab_real(&l, rows, cols);
    op.y[0] = lab_real(&l, rows, cols);
    op.y[1] = lab_real(&l, rows, cols);
    fill(&l, &op.y[0], start);
    fill(&l, &op.y[1], NULL);
    l.in.lr = 0.02;
    for (size_t step = 0; step < 3; step++) {
        fill(&l, &op.x[0], grads + step * rows * cols);
        lab_run(&l, &op);
        if (!CHECK(apart(&l, &op.y[0], after + step * rows * cols) < 1e-12))
            printf("  %s: step %zu is off\n", name, step);
    }
    CHECK(apart(&l, &op.y[1], stored(name, "mean", NULL)) < 1e-12);
    lab_check_pads(&l, name);
    lab_release(&l);
}

TEST(steps_are_those_of_torch)
{
    open_golden();
    check_case("wide", 1);
    check_case("tall", 2);
    check_case("square", 1);
    safetensors_release(&golden);
}

/* What torch multiplies the rate by, of a matrix whose outputs are its rows. */
TEST(rates_are_adjusted_as_by_torch)
{
    static const struct { const char *name; double out, in; } shape[] = {
        { "wide", 10, 25 }, { "tall", 36, 9 }, { "square", 16, 16 }
    };

    open_golden();
    for (size_t i = 0; i < 3; i++) {
        const double *want = stored(shape[i].name, "adjust", NULL);

        for (uint8_t kind = MUON_MATCH_RMS; kind <= MUON_ORIGINAL; kind++)
            CHECK(fabs(muon_adjusted(kind, shape[i].out, shape[i].in)
                       - want[kind]) < 1e-12);
    }
    safetensors_release(&golden);
}

static struct train_opts
muon_opts(void)
{
    struct train_opts o = tiny_opts(METHOD_FULL);

    o.prog.optimizer = OPT_MUON;
    o.prog.momentum = 0.95f;
    o.prog.muon_lr_ratio = 1.5f;
    o.prog.decay = 0.1f;
    return o;
}

static const struct op *
op_of(const struct prog *p, const struct param *q)
{
    for (size_t i = p->range[RANGE_UPDATE]; i < p->n_ops; i++)
        if (p->op[i].kind == OP_MUON && p->op[i].y[0].off == q->off)
            return &p->op[i];
    return NULL;
}

/* The layers' matrices, whichever way they are stored, and no others. */
TEST(it_moves_the_matrices_of_layers)
{
    for (int i = 0; i < 2; i++) {
        struct train_opts o = muon_opts();
        struct tiny_run r;
        const struct prog *p = &r.trainer.prog;
        uint64_t n = 0;

        o.prog.muon_adjust = MUON_ORIGINAL;
        open_run(&r, i ? tiny_gpt2 : tiny_llama, "ref", &o);
        for (size_t k = 0; k < p->n_params; k++) {
            const struct param *q = &p->param[k];
            const struct op *op = op_of(p, q);
            bool is = q->tensor->n_dims == 2
                      && module_is_linear(&r.model.desc, q->module);

            CHECK((op != NULL) == is);
            CHECK((q->off < p->n_muon) == is);
            n += is ? q->n : 0;
            if (op == NULL)
                continue;
            CHECK(op->y[0].rows == q->rows && op->y[0].cols == q->cols
                  && op->y[1].off == q->off && op->y[1].buf == p->m.buf);
            CHECK(fabs((double)op->u.muon.adjust
                       - muon_adjusted(MUON_ORIGINAL, q->module->out,
                                       q->module->in)) < 1e-6);
        }
        CHECK(n > 0 && p->n_muon >= n);
        CHECK_EQ_U64(p->m.cols, p->n_flat);
        CHECK_EQ_U64(p->v.cols, p->n_flat - p->n_muon);
        CHECK_EQ_U64(p->n_eight, 0);
        close_run(&r);
    }
}

/* The same steps on the processor as on the reference, and losses fall. */
TEST(it_learns)
{
    double loss[2][12];

    for (int i = 0; i < 2; i++) {
        struct train_opts o = muon_opts();
        struct step_report report = { 0 };
        struct tiny_run r;
        struct err e;

        open_run(&r, tiny_llama, i ? "cpu" : "ref64", &o);
        for (int k = 0; k < 12; k++) {
            CHECK(trainer_step(&r.trainer, &e) == 0
                  && trainer_report(&r.trainer, &report, &e) == 1);
            loss[i][k] = report.loss;
        }
        close_run(&r);
    }
    for (int k = 0; k < 12; k++)
        CHECK(fabs(loss[1][k] - loss[0][k]) < 1e-4 * loss[0][k]);
    CHECK(loss[0][11] < 0.95 * loss[0][0]);
}

static const struct test tests[] = {
    RUN(steps_are_those_of_torch), RUN(rates_are_adjusted_as_by_torch),
    RUN(it_moves_the_matrices_of_layers), RUN(it_learns)
};

TEST_MAIN("muon", tests)
