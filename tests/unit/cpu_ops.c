/* cpu_ops.c - every op of the CPU back end against the reference in double,
 * with every instruction set that the machine has, and with 1 and 3 threads
 * against each other bit by bit. Shapes lie around the sizes of tiles. */
#include "cpu_isa.h"
#include "kernels/cpu/vec.h"
#include "kept_case.h"
#include "op_cases.h"

static const char *const isas[] = { "generic", "avx2", "avx512" };

static void
try_isa(struct world *w, const struct outcome *want, const char *isa,
        const char *name)
{
    struct backend cpu;
    struct outcome one, three;

    if (!isa_open(&cpu, isa))
        return;
    one = world_run(w, &cpu, 1);
    three = world_run(w, &cpu, 3);
    world_compare(w, &one, want, name);
    CHECK(near(one.out.z_sum, want->out.z_sum, 1e-5 * want->out.z_sum
               + w->extra * want->out.z_sum));
    world_same(w, &one, &three, name);
    outcome_release(w, &one);
    outcome_release(w, &three);
    cpu_close(&cpu);
}

/* Runs the world's op everywhere. */
void
try_op(struct world *w, const char *name)
{
    struct backend ref;
    struct outcome want;
    size_t i;

    note_case(&w->op);
    ref64_open(&ref);
    want = world_run(w, &ref, 1);
    for (i = 0; i < sizeof(isas) / sizeof(isas[0]); i++)
        try_isa(w, &want, isas[i], name);
    outcome_release(w, &want);
    if (w->rounding > 0)
        try_bf16(w, false, name);
    try_kept(w, name);
}

/* Products of bfloat16. With operands that it can hold nothing but the order
 * of sums differs. Otherwise (an I8 or F16 weight, the head's weights of
 * words) each operand is off by up to 2^-9, so a sum by 2^-8 of its terms'
 * root mean square, of which six cover every element of these shapes. */
void
try_bf16(struct world *w, bool exact, const char *name)
{
    struct backend ref;
    struct outcome want;

    world_round(w);
    w->extra = exact ? 0 : 6 * 0x1p-8;
    if (w->rounding > 0) {
        w->extra = w->rounding;
        w->magnitude = 0;
    }
    ref64_open(&ref);
    want = world_run(w, &ref, 1);
    try_isa(w, &want, "bf16", name);
    outcome_release(w, &want);
}

/* Ties and others round as f32_to_bf16 does: a float operand gives the bits
 * that its rounded twin gives. */
TEST(bf16_operands_round_to_nearest_even)
{
    const struct linear_case c = { 70, 130, 90, 1, 0, DTYPE_F32, 0, 0, 0, 0,
                                   0, 0 };
    struct backend cpu;
    struct outcome plain, rounded;
    struct world w;

    if (!isa_open(&cpu, "bf16"))
        return;
    world_init(&w, 3);
    w.op.kind = OP_LINEAR;
    linear_parts(&w, &c, false);
    w.op.x[0] = world_real(&w, c.n, c.in, 1);
    w.op.y[0] = world_real(&w, c.n, c.out, 1);
    world_batch(&w, c.n, c.n, c.n, 1);
    w.value[w.op.x[0].buf][1] = 1 + 0x1p-8f;
    w.value[w.op.x[0].buf][2] = 1 + 3 * 0x1p-8f;
    plain = world_run(&w, &cpu, 1);
    for (size_t k = 0; k < w.len[w.op.x[0].buf]; k++) {
        float *x = &w.value[w.op.x[0].buf][k];

        *x = bf16_to_f32(f32_to_bf16(*x));
    }
    rounded = world_run(&w, &cpu, 1);
    CHECK(memcmp(plain.value[w.op.y[0].buf], rounded.value[w.op.y[0].buf],
                 w.len[w.op.y[0].buf] * sizeof(double)) == 0);
    outcome_release(&w, &plain);
    outcome_release(&w, &rounded);
    world_release(&w);
    cpu_close(&cpu);
}

/* A weight's row widened from any column on is what its format says, to the
 * bit. */
static void
check_widening(const struct vec *vec, const struct vec_stored *f)
{
    const struct stored *s = stored_of(f->dtype);
    float got[321], want[321];
    struct world w;
    struct view v;
    struct stored_rows rows;

    world_init(&w, f->dtype);
    v = world_base(&w, 2, 321, f->dtype);
    rows = (struct stored_rows){
        .at = w.base[v.buf], .side = w.base[v.side ? v.side : v.buf],
        .row_bytes = stored_row_bytes(s, 321),
        .side_bytes = stored_blocks(s, 321) * dtype_size(s->side_dtype),
        .plain = s->widen
    };
    for (uint32_t col = 0; col < 200; col += col % 64 == 0 ? 31 : 33)
        for (uint32_t n = 1; n <= 321 - col; n += 61) {
            f->widen(got, &rows, 1, col, n);
            s->widen(want, rows.at + rows.row_bytes,
                     rows.side + rows.side_bytes, col, n);
            if (!CHECK(memcmp(got, want, n * sizeof(*got)) == 0))
                printf("    %s: %s from %u on\n", vec->name, s->name, col);
        }
    world_release(&w);
}

TEST(widening_is_exact)
{
    const struct vec *vecs[] = {
        &vec_generic,
#if defined(__x86_64__)
        isa_here("avx2") ? &vec_avx2 : NULL,
        isa_here("avx512") ? &vec_avx512 : NULL,
#endif
    };

    for (size_t i = 0; i < sizeof(vecs) / sizeof(vecs[0]); i++)
        for (const struct vec_stored *f = vecs[i] ? vecs[i]->stored : NULL;
             f != NULL && f->dtype != DTYPE_NONE; f++)
            check_widening(vecs[i], f);
}

TEST(what_the_machine_lacks_is_refused)
{
    struct backend b;
    struct err e;

    CHECK(cpu_open(&b, "mmx", "f32", &e) == ERR_USAGE);
    CHECK(cpu_open(&b, NULL, "f8", &e) == ERR_USAGE);
}

/* What expert 0, whose weights are drawn first, makes of a row, y or dx: it is
 * its k'th of n, beside other rows of expert 1. */
static void
row_of_expert(const char *isa, uint8_t dtype, bool bwd, uint32_t n,
              uint32_t k, uint32_t other, double out[500])
{
    const struct grouped_case c = {
        .groups = 2, .each = 1, .tile = ROUTE_TILE, .in = 500, .out = 390,
        .rank = 5, .count = { (uint16_t)n, (uint16_t)other }, .dtype = dtype
    };
    const struct view *x, *y;
    struct backend cpu;
    struct outcome made;
    struct world w;

    if (!isa_open(&cpu, isa))
        return;
    grouped_world(&w, &c, 1, bwd);
    x = &w.op.x[bwd ? 2 : 0];
    y = &w.op.y[0];
    for (uint32_t i = 0; i < x->cols; i++)
        w.value[x->buf][x->off + k * x->ld + i] = sinf((float)i);
    made = world_run(&w, &cpu, 2);
    memcpy(out, made.value[y->buf] + y->off + k * y->ld,
           y->cols * sizeof(*out));
    outcome_release(&w, &made);
    world_release(&w);
    cpu_close(&cpu);
}

/* Whatever other rows there are, and wherever it stands. */
TEST(a_row_of_an_expert_keeps_its_bits)
{
    static const struct { uint32_t n, k, other; } beside[] = {
        { 33, 32, 70 }, { 600, 17, 5 }, { 300, 299, 33 }
    };
    static const char *const how[] = { "avx2", "avx512", "bf16" };

    for (uint32_t i = 0; i < 12; i++) {
        uint8_t dtype = i % 4 < 2 ? DTYPE_BF16 : DTYPE_F32;
        double first[500] = { 0 }, now[500] = { 0 };

        row_of_expert(how[i / 4], dtype, i & 1, 1, 0, 0, first);
        for (size_t j = 0; j < 3; j++) {
            row_of_expert(how[i / 4], dtype, i & 1, beside[j].n,
                          beside[j].k, beside[j].other, now);
            if (!CHECK(memcmp(first, now, sizeof(first)) == 0))
                printf("    %s, case %u %zu\n", how[i / 4], i, j);
        }
    }
}

/* Around blocks, and rows that are longer than one. */
TEST(a_copy_rounds_to_nearest_even)
{
    static const uint32_t cols[] = { 1, 15, 33, 16384, 16385 };

    for (uint32_t i = 0; i < 5; i++) {
        struct backend b;
        struct outcome got;
        struct world w;

        if (!isa_open(&b, "bf16"))
            return;
        world_init(&w, i);
        w.op.kind = OP_COPY;
        w.op.x[0] = world_real(&w, 3, cols[i], 2);
        w.value[w.op.x[0].buf][w.op.x[0].off] = 1 + 0x1p-8f;
        w.op.y[0] = narrow_copy(&w, w.op.x[0]);
        memset(w.value[w.op.y[0].buf], 0,
               w.len[w.op.y[0].buf] * sizeof(float));
        world_batch(&w, 3, 3, 3, 1);
        got = world_run(&w, &b, 2);
        for (uint32_t r = 0; r < 3; r++)
            for (uint32_t c = 0; c < cols[i]; c++) {
                size_t at = w.op.x[0].off + r * w.op.x[0].ld + c;
                float pair = (float)got.value[w.op.y[0].buf][at / 2];
                uint16_t bits[2];

                memcpy(bits, &pair, sizeof(bits));
                CHECK_EQ_U64(bits[at % 2],
                             f32_to_bf16(w.value[w.op.x[0].buf][at]));
            }
        outcome_release(&w, &got);
        world_release(&w);
        cpu_close(&b);
    }
}

static const struct test tests[] = {
    RUN_OP_CASES, RUN(a_copy_rounds_to_nearest_even),
    RUN(a_row_of_an_expert_keeps_its_bits),
    RUN(bf16_operands_round_to_nearest_even),
    RUN(widening_is_exact),
    RUN(what_the_machine_lacks_is_refused),
    RUN(every_kind_was_compared),
};

TEST_MAIN("cpu_ops", tests)
