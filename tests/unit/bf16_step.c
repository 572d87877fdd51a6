/* bf16_step.c - what a step of a golden model makes of activations that the CPU
 * back end keeps in bfloat16. */
#include "cpu_isa.h"
#include "golden_model.h"

/* A step's loss and gradients. */
struct made {
    double loss, *grad;
    uint64_t n, rounded; /* elements of grad; copies */
};

static struct made
make(const struct golden *g, enum method method, const struct backend *b)
{
    struct prog_opts o = golden_opts(g, PROG_TRAIN, method);
    struct made m = { 0 };
    struct session s;

    session_open(&s, g, &o, b);
    session_gradients(&s);
    m.loss = s.out.loss_sum;
    m.n = s.prog.n_flat;
    m.grad = mem_array((size_t)m.n, sizeof(*m.grad));
    for (uint64_t i = 0; i < m.n; i++)
        m.grad[i] = session_at(&s, view_at(s.run, &s.prog.grads), (size_t)i);
    for (size_t i = 0; i < s.prog.n_ops; i++)
        m.rounded += s.prog.op[i].kind == OP_COPY;
    session_close(&s);
    return m;
}

/* Each copy's numbers are off by up to 2^-9 of themselves, so a gradient that
 * comes of one is so about as much; what all copies add up to is the bound. */
static void
compare(const struct golden *g, enum method method, struct backend *b)
{
    double diff = 0, norm = 0, bound;
    struct made kept = make(g, method, b), whole;

    b->kept = b->activation;
    whole = make(g, method, b);
    b->kept = DTYPE_BF16;
    CHECK(kept.rounded > 0 && whole.rounded == 0);
    CHECK(memcmp(&kept.loss, &whole.loss, sizeof(double)) == 0);
    for (uint64_t i = 0; i < kept.n; i++) {
        double d = kept.grad[i] - whole.grad[i];

        diff += d * d;
        norm += whole.grad[i] * whole.grad[i];
    }
    bound = 0x1p-9 * (double)kept.rounded;
    if (!CHECK(diff > 0 && diff <= bound * bound * norm))
        printf("    %s: gradients are off by %.2e, bound %.2e\n", g->name,
               sqrt(diff / norm), bound);
    free(kept.grad);
    free(whole.grad);
}

TEST(a_step_has_the_same_loss_and_near_gradients)
{
    struct backend b;

    if (!isa_open(&b, "bf16"))
        return;
    par_set_threads(2);
    for (size_t i = 0; i < N_GOLDEN; i++) {
        struct golden g;

        golden_open(&g, golden_names[i]);
        compare(&g, METHOD_LORA, &b);
        compare(&g, METHOD_FULL, &b);
        golden_close(&g);
    }
    cpu_close(&b);
}

static const struct test tests[] = {
    RUN(a_step_has_the_same_loss_and_near_gradients),
};

TEST_MAIN("bf16_step", tests)
