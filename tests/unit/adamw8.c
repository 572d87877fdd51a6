/* adamw8.c - moments in 8 bits: the maps and each step of them against
 * bitsandbytes (tests/golden/adamw8.py), and the way to a code against looking
 * at all of them. */
#include <math.h>

#include "base/par.h"
#include "kernels/host.h"
#include "tensor/dynamic8.h"
#include "tensor/safetensors.h"
#include "tiny_run.h"

#define GOLDEN "tests/golden/adamw8.safetensors"
enum { N = 1100, BLOCKS = 5, STEPS = 4 };

static struct safetensors golden;

static const void *
stored(const char *name)
{
    const struct safetensor *t = safetensors_find(&golden, name);

    if (!CHECK(t != NULL))
        exit(1);
    return safetensors_data(&golden, t);
}

static void
open_golden(void)
{
    struct err e;

    if (!CHECK(safetensors_open(&golden, GOLDEN, 1 << 20, &e) == 0))
        exit(1);
}

TEST(the_maps_are_bitsandbytes)
{
    struct dynamic8 d;

    open_golden();
    dynamic8_init(&d, true);
    CHECK(memcmp(d.value, stored("signed"), sizeof(d.value)) == 0);
    CHECK(d.value[d.zero] == 0);
    dynamic8_init(&d, false);
    CHECK(memcmp(d.value, stored("unsigned"), sizeof(d.value)) == 0);
    CHECK(d.zero == 0 && d.value[0] == 0);
    safetensors_release(&golden);
}

static unsigned
by_looking(const struct dynamic8 *d, double x)
{
    unsigned best = 0;

    for (unsigned c = 1; c < 256; c++)
        if (fabs(x - (double)d->value[c]) < fabs(x - (double)d->value[best]))
            best = c;
    return best;
}

/* Numbers of all sizes, every value, and the floats around every middle; a
 * middle itself is rounded, and either code will do. */
TEST(a_code_is_the_nearest)
{
    struct rng r;

    rng_init(&r, 1, 0);
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        struct dynamic8 d;
        unsigned wrong = 0;

        dynamic8_init(&d, is_signed);
        for (int i = 0; i < 20000; i++) {
            double size = pow(10, -8 * rng_double(&r));
            float x = (float)((is_signed ? 2 * rng_double(&r) - 1
                                         : rng_double(&r)) * size);

            wrong += dynamic8_code(&d, x) != by_looking(&d, (double)x);
        }
        for (unsigned c = 0; c < 256; c++) {
            wrong += dynamic8_code(&d, d.value[c]) != c;
            if (c == 255)
                break;
            wrong += dynamic8_code(&d, nextafterf(d.high[c], -2)) != c;
            wrong += dynamic8_code(&d, nextafterf(d.high[c], 2)) != c + 1;
        }
        CHECK_EQ_U64(wrong, 0);
        CHECK_EQ_U64(dynamic8_code(&d, 1.0f), 255);
        dynamic8_code(&d, NAN);
        dynamic8_code(&d, -INFINITY);
    }
}

/* A step from where theirs stood. */
struct state {
    float g[N], p[N], scale[2][BLOCKS];
    uint8_t code[2][N];
};

static void
load_state(struct state *s, int step)
{
    size_t at = (size_t)step;

    memcpy(s->g, (const float *)stored("g") + (at < STEPS ? at : 0) * N,
           sizeof(s->g));
    memcpy(s->p, (const float *)stored("p") + at * N, sizeof(s->p));
    memcpy(s->code[0], (const uint8_t *)stored("m") + at * N, N);
    memcpy(s->code[1], (const uint8_t *)stored("v") + at * N, N);
    memcpy(s->scale[0], (const float *)stored("m_scale") + at * BLOCKS,
           sizeof(s->scale[0]));
    memcpy(s->scale[1], (const float *)stored("v_scale") + at * BLOCKS,
           sizeof(s->scale[1]));
}

static struct view
vector(uint32_t buf, uint32_t n, uint8_t dtype)
{
    return (struct view){ buf, 1, n, n, 0, dtype, 0 };
}

/* As op ADAMW8 of a back end in floats. */
static void
run_step(struct backend *b, struct state *s, int step)
{
    struct tensor_buf buf[7] = { { 0 } };
    void *const at[] = { s->g, s->p, s->code[0], s->code[1], s->scale[0],
                         s->scale[1] };
    struct inputs in = { .lr = 0.01, .updates = (uint64_t)step };
    struct results out = { .scale = 1 };
    struct batch batch = { .n = 1 };
    struct run run = { .buf = buf, .real_size = sizeof(float), .in = &in,
                       .out = &out, .batch = &batch };
    struct op op = { .kind = OP_ADAMW8, .x = { vector(1, N, DTYPE_REAL) },
                     .u.opt = { 0.9f, 0.99f, 1e-8f, 0.1f, 1 } };
    struct err e;

    for (uint32_t i = 1; i < 7; i++) {
        buf[i].zone = ZONE_BASE; /* found by its address */
        buf[i].source = at[i - 1];
    }
    op.y[0] = vector(2, N, DTYPE_REAL);
    op.y[1] = vector(3, N, DTYPE_U8);
    op.y[2] = vector(4, N, DTYPE_U8);
    op.y[3] = vector(5, BLOCKS, DTYPE_REAL);
    op.y[4] = vector(6, BLOCKS, DTYPE_REAL);
    CHECK(host_run(b, &run, &op, 1, &e) == 0);
}

/* Where the scale is 0 every code means 0. On the CPU bitsandbytes finds codes
 * by a number's place among some 2^16 of [-1, 1]: close to a middle, and where
 * values are that close together, its code may be that beside the nearest. */
static void
check_codes(const struct state *got, const struct state *want, int k)
{
    unsigned apart = 0;
    struct dynamic8 map;

    dynamic8_init(&map, k == 0);
    for (int i = 0; i < N; i++) {
        uint8_t a = got->code[k][i], c = want->code[k][i];

        if (!(want->scale[k][i / DYNAMIC8_BLOCK] > 0) || a == c)
            continue;
        apart++;
        CHECK(abs(a - c) == 1 || fabsf(map.value[a] - map.value[c]) < 0x1p-15f);
    }
    CHECK(apart <= N / 40);
    for (int i = 0; i < BLOCKS; i++) {
        float by = got->scale[k][i], theirs = want->scale[k][i];

        /* 1 - beta2 is of a beta2 in float here */
        if (!CHECK(fabsf(by - theirs) <= 2e-6f * theirs))
            printf("  scale %d of %s: %g, theirs %g\n", i, k ? "v" : "m",
                   (double)by, (double)theirs);
    }
}

static void
check_steps(struct backend *b)
{
    for (int step = 0; step < STEPS; step++) {
        struct state *got = mem_alloc(sizeof(*got));
        struct state *want = mem_alloc(sizeof(*want));
        double worst = 0;

        load_state(got, step);
        load_state(want, step + 1);
        run_step(b, got, step);
        for (int i = 0; i < N; i++)
            worst = fmax(worst, fabs((double)got->p[i] - (double)want->p[i])
                                / (fabs((double)want->p[i]) + 0.1));
        if (!CHECK(worst < 1e-6))
            printf("  step %d of %s: off by %.2e\n", step, b->name, worst);
        check_codes(got, want, 0);
        check_codes(got, want, 1);
        free(got);
        free(want);
    }
}

TEST(a_step_is_bitsandbytes)
{
    struct backend b;

    open_golden();
    open_backend(&b, "ref");
    check_steps(&b);
    open_backend(&b, "cpu");
    check_steps(&b);
    cpu_close(&b);
    safetensors_release(&golden);
}

/* Of a program: large parameters have 8 bits, small ones reals, and the state
 * is as much smaller. */
TEST(small_parameters_keep_their_moments_whole)
{
    static const char wide[] =
        "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 64,"
        " \"intermediate_size\": 96, \"num_hidden_layers\": 1,"
        " \"num_attention_heads\": 2, \"num_key_value_heads\": 1}";
    struct train_opts o = tiny_opts(METHOD_FULL);
    struct tiny_run r;
    const struct prog *p = &r.trainer.prog;

    o.prog.optimizer = OPT_ADAMW8;
    o.prog.decay = 0.1f;
    open_run(&r, wide, "cpu", &o);
    CHECK(p->n_eight > 0 && p->n_eight % DYNAMIC8_BLOCK == 0);
    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];

        CHECK((q->off < p->n_eight) == (q->n >= ADAMW8_LEAST));
        CHECK(q->n < ADAMW8_LEAST || q->off % DYNAMIC8_BLOCK == 0);
    }
    CHECK_EQ_U64(p->m8.cols, p->n_eight);
    CHECK_EQ_U64(p->m_scale.cols * DYNAMIC8_BLOCK, p->n_eight);
    CHECK_EQ_U64(p->m.cols, p->n_flat - p->n_eight);
    close_run(&r);
}

/* Losses fall about as they do with moments of 32 bits. */
TEST(it_learns_as_with_whole_moments)
{
    double last[2];

    for (int eight = 0; eight < 2; eight++) {
        struct train_opts o = tiny_opts(METHOD_LORA);
        struct step_report report = { 0 };
        struct tiny_run r;
        struct err e;

        o.prog.optimizer = eight ? OPT_ADAMW8 : OPT_ADAMW;
        o.prog.rank = 300; /* so that matrices are large */
        open_run(&r, tiny_llama, "cpu", &o);
        CHECK((r.trainer.prog.n_eight > 0) == (eight == 1));
        for (int i = 0; i < 12; i++)
            CHECK(trainer_step(&r.trainer, &e) == 0
                  && trainer_report(&r.trainer, &report, &e) == 1);
        CHECK(trainer_check(&r.trainer, &e) == 0);
        last[eight] = report.loss;
        close_run(&r);
    }
    CHECK(fabs(last[1] - last[0]) < 0.1 * last[0]);
    CHECK(last[1] < last[0] || last[1] > last[0]);
}

static const struct test tests[] = {
    RUN(the_maps_are_bitsandbytes),
    RUN(a_code_is_the_nearest),
    RUN(a_step_is_bitsandbytes),
    RUN(small_parameters_keep_their_moments_whole),
    RUN(it_learns_as_with_whole_moments),
};

TEST_MAIN("adamw8", tests)
