/* cuda_adamw8.c - moments in 8 bits on a card: step by step the codes and
 * scales of the processor, to the bit, and its parameters but for the last
 * bits of what is the same for all elements. */
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cuda_device.h"
#include "kernels/host.h"
#include "tensor/dynamic8.h"

/* Elements of more than a block of threads' codes; in the last block of codes
 * there are fewer, and one has no gradient. */
enum { N = 3100, BLOCKS = 13, STILL = 2, STEPS = 6, STATE_BUFS = 6, BUFS = 9 };

struct state {
    float g[N], p[N], scale[2][BLOCKS];
    uint8_t code[2][N];
};

struct program {
    struct op_list list;
    struct op op[3];
    struct tensor_buf buf[BUFS];
    struct view view[BUFS];
};

static void
add_buffer(struct program *p, uint64_t n, uint8_t dtype)
{
    size_t i = ++p->list.n_bufs;

    p->view[i] = (struct view){ (uint32_t)i, 1, (uint32_t)n, (uint32_t)n, 0,
                                dtype, 0 };
    p->buf[i] = (struct tensor_buf){ .zone = ZONE_STATE,
                                     .bytes = n * element_size(dtype, 4) };
}

/* ADAMW8 and, for the scale of its gradient, what comes before it: the buffers
 * are g, p, both codes, both scales and what SQNORM takes. */
static void
make_program(struct program *p, const struct backend *b)
{
    struct op *op = p->op;

    *p = (struct program){ .list.op = op };
    add_buffer(p, N, DTYPE_REAL);
    add_buffer(p, N, DTYPE_REAL);
    add_buffer(p, N, DTYPE_U8);
    add_buffer(p, N, DTYPE_U8);
    add_buffer(p, BLOCKS, DTYPE_REAL);
    add_buffer(p, BLOCKS, DTYPE_REAL);
    op[0] = (struct op){ .kind = OP_SQNORM, .x = { p->view[1] } };
    add_buffer(p, b->scratch(b, &op[0]), DTYPE_U8);
    op[0].scratch = p->view[STATE_BUFS + 1];
    op[1] = (struct op){ .kind = OP_CLIP };
    op[2] = (struct op){ .kind = OP_ADAMW8, .x = { p->view[1] },
                         .u.opt = { 0.9f, 0.99f, 1e-8f, 0.1f, 1.5f } };
    memcpy(op[2].y, p->view + 2, 5 * sizeof(*op[2].y));
    p->list.n = 3;
    p->list.range[RANGE_COUNT] = 3;
    p->list.rows = p->list.seqs = p->list.head_chunk = 1;
    p->list.buf = p->buf;
    p->list.n_bufs++;
}

/* The places of the buffers' values in a state. */
static void
places_of(struct state *s, void *at[STATE_BUFS])
{
    void *all[] = { s->g, s->p, s->code[0], s->code[1], s->scale[0],
                    s->scale[1] };

    memcpy(at, all, sizeof(all));
}

static void
host_step(struct backend *b, struct state *s, const struct inputs *in,
          struct results *out)
{
    struct batch batch = { .n = 1 };
    struct program p;
    struct run run = { .buf = p.buf, .real_size = sizeof(float), .in = in,
                       .out = out, .batch = &batch };
    void *at[STATE_BUFS], *scratch;
    struct err e;

    make_program(&p, b);
    places_of(s, at);
    for (int i = 0; i < STATE_BUFS; i++) {
        p.buf[i + 1].zone = ZONE_BASE; /* found by its address */
        p.buf[i + 1].source = at[i];
    }
    scratch = mem_alloc(p.buf[STATE_BUFS + 1].bytes + 1);
    p.buf[STATE_BUFS + 1].zone = ZONE_BASE;
    p.buf[STATE_BUFS + 1].source = scratch;
    CHECK(host_run(b, &run, p.op, 3, &e) == 0);
    out->updates++;
    free(scratch);
}

static void
lay_buffers(struct program *p)
{
    for (size_t i = 1; i < p->list.n_bufs; i++) {
        p->buf[i].at = p->list.zone_bytes[ZONE_STATE];
        p->list.zone_bytes[ZONE_STATE] += size_round(p->buf[i].bytes, 256);
    }
}

static void
draw_gradient(struct state *s, struct rng *r)
{
    for (int i = 0; i < N; i++) {
        double size = pow(10, -6 * rng_double(r));

        s->g[i] = (float)((2 * rng_double(r) - 1) * size);
        if (i / DYNAMIC8_BLOCK == STILL)
            s->g[i] = 0;
    }
}

static void
check_same(const struct state *got, const struct state *want, int step)
{
    double worst = 0;

    if (!CHECK(memcmp(got->code, want->code, sizeof(got->code)) == 0
               && memcmp(got->scale, want->scale, sizeof(got->scale)) == 0))
        printf("    step %d\n", step);
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)got->p[i] - (double)want->p[i]));
    if (!CHECK(worst < 1e-6))
        printf("    step %d: off by %.2e\n", step, worst);
}

/* The processor's state goes on the card once, what it computes comes back
 * after each step. */
static void
compare_steps(struct backend *card, struct backend *cpu, struct memory *m,
              const struct program *p)
{
    struct inputs in = { .lr = 0.01, .updates = 3 };
    struct batch batch = { .n = 1 };
    struct results out = { 0 };
    struct state *got = mem_array(1, sizeof(*got));
    struct state *want = mem_array(1, sizeof(*want));
    void *to[STATE_BUFS], *from[STATE_BUFS];
    int32_t none[2] = { 0, 0 };
    float weight = 1;
    struct rng r;
    struct err e;

    batch.ids = batch.target = batch.pos = none;
    batch.doc_first = batch.head_row = none;
    batch.weight = &weight;
    rng_init(&r, 1, 0);
    places_of(want, from);
    places_of(got, to);
    for (int step = 0; step < STEPS; step++) {
        draw_gradient(want, &r);
        for (int i = 0; i < (step == 0 ? STATE_BUFS : 1); i++)
            CHECK(card->put(m, &p->view[i + 1], from[i], &e) == 0);
        CHECK(card->run(m, RANGE_START, &e) == 0
              && card->batch(m, &batch, &in, &e) == 0
              && card->run(m, RANGE_UPDATE, &e) == 0);
        host_step(cpu, want, &in, &out);
        for (int i = 1; i < STATE_BUFS; i++)
            CHECK(card->get(m, &p->view[i + 1], to[i], &e) == 0);
        check_same(got, want, step);
    }
    free(got);
    free(want);
}

TEST(steps_are_those_of_the_processor)
{
    struct backend card, cpu;
    struct memory *m = NULL;
    struct program p;
    struct err e;

    if (!device_here(&card, "f32"))
        return;
    if (!CHECK(cpu_open(&cpu, NULL, "f32", &e) == 0))
        return;
    if (strstr(cpu.detail, "generic") != NULL)
        SKIP("the processor has no fused products");
    make_program(&p, &card);
    lay_buffers(&p);
    if (CHECK(card.prepare(&card, &m, &p.list, NULL, &e) == 0)) {
        compare_steps(&card, &cpu, m, &p);
        card.release(m);
    }
    cpu_close(&cpu);
    device_done(&card);
}

static const struct test tests[] = {
    RUN(steps_are_those_of_the_processor),
};

TEST_MAIN("cuda_adamw8", tests)
