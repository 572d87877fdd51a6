/* training.c - whole programs: gradients against differences of the loss in
 * double, and what must not change a single bit. */
#include <math.h>
#include <sys/time.h>

#include "base/par.h"
#include "base/signals.h"
#include "eval/evaluate.h"
#include "tiny_run.h"

/* The mean loss over one batch of all records, with the parameters as they
 * are. */
static double
loss_of(struct tiny_run *r)
{
    struct trainer *t = &r->trainer;
    struct record_loss loss[N_RECORDS];
    struct err e;

    CHECK(evaluate(&t->eval_exec, &r->source, loss, NULL, &e) == 0);
    return mean_of(loss, NULL, N_RECORDS).mean;
}

static bool
step(struct trainer *t, struct step_report *report)
{
    struct err e;

    return trainer_step(t, &e) == 0 && trainer_report(t, report, &e) == 1;
}

/* One step of rate 0 leaves the gradient of the same mean loss. */
static void
take_gradient(struct tiny_run *r)
{
    struct step_report report;

    CHECK(step(&r->trainer, &report));
    CHECK(!report.skipped);
}

/* Along a random direction per parameter tensor: derivative against
 * gradient. */
static void
check_param(struct tiny_run *r, const struct param *q, uint64_t seed)
{
    struct trainer *t = &r->trainer;
    double *p = at_param(t, q, &t->prog.params);
    double *g = at_param(t, q, &t->prog.grads);
    double *dir = mem_array(q->n, sizeof(*dir)), dot = 0, up, down, diff;
    const double h = 1e-6;
    struct rng rng;
    char name[128];

    rng_init(&rng, seed, 1);
    for (uint64_t i = 0; i < q->n; i++) {
        dir[i] = rng_normal(&rng);
        dot += dir[i] * g[i];
    }
    for (uint64_t i = 0; i < q->n; i++)
        p[i] += h * dir[i];
    up = loss_of(r);
    for (uint64_t i = 0; i < q->n; i++)
        p[i] -= 2 * h * dir[i];
    down = loss_of(r);
    for (uint64_t i = 0; i < q->n; i++)
        p[i] += h * dir[i];
    diff = (up - down) / (2 * h);
    prog_param_name(q, name);
    if (!CHECK(fabs(diff - dot) <= 1e-6 * (fabs(dot) + 1e-3)))
        printf("  %s: derivative %.10g, gradient %.10g\n", name, diff, dot);
    free(dir);
}

static void
check_gradients(const char *config, int method, int recompute)
{
    struct train_opts o = tiny_opts(method);
    struct tiny_run r;

    o.prog.recompute = (uint8_t)recompute;
    o.prog.batch = 8; /* all records in one step */
    o.course.peak = 0;
    open_run(&r, config, "ref64", &o);
    take_gradient(&r);
    for (size_t i = 0; i < r.trainer.prog.n_params; i++)
        check_param(&r, &r.trainer.prog.param[i], i);
    close_run(&r);
}

TEST(gradients_are_the_losses_derivatives)
{
    for (size_t m = 0; m < N_TINY; m++) {
        check_gradients(tiny_configs[m], METHOD_LORA, RECOMPUTE_NONE);
        check_gradients(tiny_configs[m], METHOD_FULL, RECOMPUTE_BLOCK);
    }
}

/* Three steps of training; the parameters and the losses after them. */
struct outcome {
    float *params;
    uint64_t n;
    double loss[3];
};

static struct outcome
train_three(const char *config, const char *backend,
            const struct train_opts *o)
{
    struct outcome out;
    struct tiny_run r;

    open_run(&r, config, backend, o);
    for (int i = 0; i < 3; i++) {
        struct step_report report;

        CHECK(step(&r.trainer, &report));
        out.loss[i] = report.loss;
    }
    out.n = r.trainer.prog.n_flat;
    out.params = mem_dup(at_view(&r.trainer, &r.trainer.prog.params),
                         out.n * sizeof(float));
    close_run(&r);
    return out;
}

static bool
same_bits(const struct outcome *a, const struct outcome *b)
{
    return a->n == b->n
           && memcmp(a->params, b->params, a->n * sizeof(float)) == 0
           && memcmp(a->loss, b->loss, sizeof(a->loss)) == 0;
}

TEST(threads_recomputation_and_reuse_change_no_bit)
{
    for (size_t m = 0; m < N_TINY; m++) {
        for (int method = METHOD_LORA; method <= METHOD_FULL; method++) {
            struct train_opts o = tiny_opts(method);
            struct outcome a, b;

            o.prog.optimizer = m % 2 ? OPT_ADAMW : OPT_ADAMW8;
            o.prog.rank = 150; /* of large matrices */
            o.prog.dropout = method == METHOD_LORA ? 0.2f : 0;
            par_set_threads(1);
            a = train_three(tiny_configs[m], "cpu", &o);
            for (int i = 0; i < 4; i++) {
                par_set_threads(i == 0 ? 3 : 1);
                o.prog.recompute = i == 1 ? RECOMPUTE_ATTENTION
                                   : i == 2 ? RECOMPUTE_BLOCK : 0;
                o.prog.no_reuse = i == 3;
                b = train_three(tiny_configs[m], "cpu", &o);
                if (!CHECK(same_bits(&a, &b)))
                    printf("  model %zu, method %d, change %d\n", m, method,
                           i);
                free(b.params);
            }
            free(a.params);
        }
    }
}

/* Every position once, and the mean over them: nothing of a second epoch, and
 * no divisor but the tokens that are there. */
TEST(the_last_step_holds_what_is_left)
{
    struct train_opts o = tiny_opts(METHOD_FULL);
    struct train_length epoch = { .epochs = 1, .seq_len = 16, .seed = 3 };
    struct step_report report;
    struct tiny_run r;

    o.prog.batch = 3;
    o.accum = 3;
    o.course.peak = 0;
    r.source = memory_source(&r.memory);
    o.rows = train_rows(&r.source, &epoch);
    CHECK_EQ_U64(o.rows, 4);
    open_run(&r, tiny_llama, "ref64", &o);
    CHECK(step(&r.trainer, &report));
    CHECK_EQ_U64(report.tokens, 49);
    CHECK(fabs(report.loss - loss_of(&r)) < 1e-12);
    for (size_t i = 0; i < r.trainer.prog.n_params; i++)
        check_param(&r, &r.trainer.prog.param[i], i);
    close_run(&r);
}

static volatile sig_atomic_t n_signals;

static void
count_signal(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
    (void)context;
    n_signals++;
}

/* Large enough for products whose code has a stack of its own. */
static const char wide_llama[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 256,"
    " \"intermediate_size\": 512, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 4,"
    " \"max_position_embeddings\": 128}";

TEST(a_thousand_signals_change_no_bit)
{
    static char stack[SIGNAL_STACK];
    const struct itimerval none = {{0}}, often = {{0, 200}, {0, 200}};
    struct train_opts o = tiny_opts(METHOD_FULL);
    struct outcome a, b;

    o.prog.seq_len = 96;
    o.prog.optimizer = OPT_ADAMW;
    a = train_three(wide_llama, "cpu", &o);
    signal_stack(stack);
    signal_catch(SIGALRM, count_signal);
    while (n_signals < 1000) {
        setitimer(ITIMER_REAL, &often, NULL);
        b = train_three(wide_llama, "cpu", &o);
        setitimer(ITIMER_REAL, &none, NULL);
        CHECK(same_bits(&a, &b));
        free(b.params);
    }
    signal_default(SIGALRM);
    free(a.params);
}

TEST(accumulation_is_a_larger_batch)
{
    struct train_opts o = tiny_opts(METHOD_LORA);
    struct outcome a, b;
    double worst = 0;

    o.prog.dropout = 0.3f;
    o.prog.batch = 4;
    a = train_three(tiny_llama, "ref", &o);
    o.prog.batch = 1;
    o.accum = 4;
    b = train_three(tiny_llama, "ref", &o);
    for (int i = 0; i < 3; i++)
        CHECK(fabs(a.loss[i] - b.loss[i]) < 1e-5);
    for (uint64_t i = 0; i < a.n; i++)
        worst = fmax(worst, fabs(a.params[i] - b.params[i]));
    CHECK(worst < 1e-5);
    free(a.params);
    free(b.params);
}

TEST(sgd_moves_by_rate_times_gradient)
{
    struct train_opts o = tiny_opts(METHOD_LORA);
    struct step_report report;
    const float *p, *g;
    float *before;
    struct tiny_run r;

    open_run(&r, tiny_gpt2, "cpu", &o);
    p = at_view(&r.trainer, &r.trainer.prog.params);
    g = at_view(&r.trainer, &r.trainer.prog.grads);
    before = mem_dup(p, r.trainer.prog.n_flat * sizeof(float));
    CHECK(step(&r.trainer, &report));
    CHECK(report.grad_norm > 0);
    for (uint64_t i = 0; i < r.trainer.prog.n_flat; i++)
        CHECK(fabsf(before[i] - 0.01f * g[i] - p[i])
              <= 1e-6f * (fabsf(before[i]) + 1e-3f));
    free(before);
    close_run(&r);
}

TEST(losses_fall)
{
    for (size_t m = 0; m < N_TINY; m++) {
        struct train_opts o = tiny_opts(METHOD_FULL);
        struct step_report report;
        double first, last;
        struct tiny_run r;

        o.prog.optimizer = OPT_ADAMW;
        open_run(&r, tiny_configs[m], "cpu", &o);
        first = loss_of(&r);
        for (int i = 0; i < 30; i++)
            CHECK(step(&r.trainer, &report));
        last = loss_of(&r);
        CHECK(last < first / 2);
        close_run(&r);
    }
}

static const struct test tests[] = {
    RUN(gradients_are_the_losses_derivatives),
    RUN(threads_recomputation_and_reuse_change_no_bit),
    RUN(a_thousand_signals_change_no_bit),
    RUN(the_last_step_holds_what_is_left),
    RUN(accumulation_is_a_larger_batch),
    RUN(sgd_moves_by_rate_times_gradient),
    RUN(losses_fall),
};

TEST_MAIN("training", tests)
