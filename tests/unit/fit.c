/* fit.c - plans against made-up rooms: what is refused, and what is advised
 * instead. */
#include "model/fit.h"

#include "test.h"

#define MIB ((uint64_t)1 << 20)

/* A model whose activations are a MiB a token, a quarter of that recomputed,
 * and an eighth of it in the arena when the rest is offloaded, and whose base
 * is 400 MiB, or 100 in int8. */
static int
plan_made_up(void *ctx, const struct fit_way *way, struct plan_memory *m,
             struct err *e)
{
    const struct prog_opts *o = &way->prog;
    uint32_t length = o->mode == PROG_DECODE ? o->cache_len : o->seq_len;
    const struct frozen_tensor *t = way->base->tensor;
    uint64_t kept = (uint64_t)o->batch * length * MIB
                    / (o->recompute == RECOMPUTE_BLOCK ? 4 : 1);
    bool offload = o->offload == OFFLOAD_ACTIVATIONS;

    (void)ctx;
    (void)e;
    CHECK((t[0].dtype == DTYPE_I8) == way->int8);
    CHECK(t[1].dtype == (way->int8 ? DTYPE_F32 : DTYPE_BF16));
    *m = (struct plan_memory){
        .base = 100 * dtype_size(t->dtype) * MIB, .state = 10 * MIB,
        .arena = offload ? kept / 8 : kept,
        .batch = 2 * MIB,
        .host = offload ? kept : 0,
    };
    m->total = m->base + m->state + m->arena + m->batch;
    return 0;
}

static struct model_tensor tensors[] = {
    { .name = "matrix", .n_dims = 2 }, { .name = "vector", .n_dims = 1 },
};
static const struct model_desc desc = { .tensor = tensors, .n_tensors = 2 };
static struct frozen_tensor items[] = {
    { .name = "matrix", .dtype = DTYPE_F32 },
    { .name = "vector", .dtype = DTYPE_BF16 },
};
static const struct frozen base = { .path = "base", .tensor = items };
static const struct backend backend = { .reserve = 200 * MIB };
static const struct backend card = { .apart = true };

static struct fit
made_up(uint8_t mode, uint32_t batch, uint32_t accum)
{
    return (struct fit){ .what = "training", .plan = plan_made_up,
                         .desc = &desc,
                         .way = { { .mode = mode, .method = METHOD_LORA,
                                    .batch = batch, .seq_len = 256,
                                    .cache_len = 512 },
                                  accum, &base, false },
                         .backend = &backend };
}

/* Room for so many MiB of the plan: 24 of the margin are held. */
static struct room
room_of(uint64_t resident, uint64_t mapped)
{
    struct room r = { { (resident + 40) * MIB, "the machine" },
                      { (mapped + 240) * MIB, "the limit" }, 24 * MIB };

    return r;
}

static void
check_advice(const struct fit *f, uint64_t resident, const char *advice)
{
    struct room room = room_of(resident, 100000);
    struct err e = { 0 };
    const char *at;

    CHECK(fit_check(f, &room, &e) == ERR_LIMIT);
    at = strstr(e.text, "):");
    CHECK_STR(at ? at + 2 : e.text, advice);
}

TEST(what_fits_to_the_byte_passes)
{
    struct fit f = made_up(PROG_TRAIN, 4, 1);
    struct room room = room_of(1436, 1036);
    struct err e;

    CHECK(fit_check(&f, &room, &e) == 0);
    room.resident.bytes--;
    CHECK(fit_check(&f, &room, &e) == ERR_LIMIT);
    room.resident.bytes++;
    room.mapped.bytes--;
    CHECK(fit_check(&f, &room, &e) == ERR_LIMIT);
    room.resident.bytes = room.mapped.bytes = UINT64_MAX;
    CHECK(fit_check(&f, &room, &e) == 0);
}

TEST(the_line_tells_the_plan_what_is_free_and_what_bounds_it)
{
    struct fit f = made_up(PROG_TRAIN, 4, 1);
    struct room room = room_of(1000, 5000);
    struct err e;

    CHECK(fit_check(&f, &room, &e) == ERR_LIMIT);
    CHECK_STR(e.text, "base: training takes 1436 MiB (base 400, state 10, "
              "arena 1024, batch 2) and 40 for programs and libraries; 1040 "
              "MiB are free (the machine): --batch 2 --accum 2 would fit; "
              "--force goes on as it is");
    room = room_of(5000, 1000);
    CHECK(fit_check(&f, &room, &e) == ERR_LIMIT);
    CHECK_STR(e.text, "base: training takes 1436 MiB (base 400, state 10, "
              "arena 1024, batch 2) and 240 for programs and libraries; 1240 "
              "MiB of address space are free (the limit): --batch 2 --accum "
              "2 would fit; --force goes on as it is");
}

TEST(of_two_bounds_the_narrower_is_told)
{
    struct fit f = made_up(PROG_TRAIN, 4, 1);
    struct room room = room_of(900, 300);
    struct err e;

    CHECK(fit_check(&f, &room, &e) == ERR_LIMIT);
    CHECK(strstr(e.text, " 540 MiB of address space are free (the limit): ")
          != NULL);
    room = room_of(500, 800);
    CHECK(fit_check(&f, &room, &e) == ERR_LIMIT);
    CHECK(strstr(e.text, " 540 MiB are free (the machine): ") != NULL);
}

TEST(what_costs_least_is_advised_first)
{
    struct fit f = made_up(PROG_TRAIN, 4, 3);

    check_advice(&f, 1435, " --batch 3 --accum 4 would fit; --force goes on "
                 "as it is");
    check_advice(&f, 1000, " --batch 2 --accum 6 would fit; --force goes on "
                 "as it is");
    /* all of the batch at a quarter is what one sequence is */
    f.way.prog.batch = 1;
    f.way.accum = 1;
    check_advice(&f, 500, " --recompute block would fit; --force goes on as "
                 "it is");
    f.way.prog.batch = 8;
    check_advice(&f, 500, " --batch 1 --accum 8 --recompute block would fit; "
                 "--force goes on as it is");
    check_advice(&f, 450, " --batch 1 --accum 8 --recompute block --seq-len "
                 "128 would fit; --force goes on as it is");
    check_advice(&f, 400, " --batch 1 --accum 8 with a base in int8 (quantize "
                 "--format int8) would fit; --force goes on as it is");
    check_advice(&f, 150, " --batch 1 --accum 8 --recompute block --seq-len "
                 "128 with a base in int8 (quantize --format int8) would "
                 "fit; --force goes on as it is");
    check_advice(&f, 112, " no smaller batch, recomputation, shorter "
                 "sequence or base in int8 would fit; --force goes on as it "
                 "is");
}

TEST(on_a_card_offloading_comes_after_recomputation)
{
    struct fit f = made_up(PROG_TRAIN, 4, 1);

    f.backend = &card;
    f.host = (struct room_bound){ 1000 * MIB, "the machine" };
    check_advice(&f, 500, " --batch 1 --accum 4 --recompute block would fit; "
                 "--force goes on as it is");
    check_advice(&f, 450, " --recompute block --offload activations would "
                 "fit; --force goes on as it is");
    f.host.bytes = 240 * MIB;
    check_advice(&f, 450, " --batch 2 --accum 2 --recompute block --offload "
                 "activations would fit; --force goes on as it is");
    check_advice(&f, 100, " no smaller batch, recomputation, offloading, "
                 "shorter sequence or base in int8 would fit; --force goes "
                 "on as it is");
}

TEST(what_waits_in_the_machines_memory_has_to_fit_there)
{
    struct fit f = made_up(PROG_TRAIN, 4, 1);
    struct room room = room_of(5000, 5000);
    struct err e;

    f.backend = &card;
    f.way.prog.offload = OFFLOAD_ACTIVATIONS;
    f.host = (struct room_bound){ (1024 + 40) * MIB, "the machine" };
    CHECK(fit_check(&f, &room, &e) == 0);
    f.host.bytes--;
    CHECK(fit_check(&f, &room, &e) == ERR_LIMIT);
    CHECK_STR(e.text, "base: training takes 1024 MiB of the machine's memory "
              "and 40 for programs and libraries; 1063 MiB are free (the "
              "machine): --batch 2 --accum 2 would fit; --force goes on as "
              "it is");
}

/* The room would hold three, were it the same a moment later. */
TEST(what_is_advised_leaves_something_free)
{
    struct fit f = made_up(PROG_EVAL, 4, 1);

    check_advice(&f, 1180 + 5, " --batch 2 would fit; --force goes on as it "
                 "is");
    check_advice(&f, 1180 + 15, " --batch 3 would fit; --force goes on as it "
                 "is");
}

TEST(full_training_is_not_told_to_take_an_int8_base)
{
    struct fit f = made_up(PROG_TRAIN, 1, 1);

    f.way.prog.method = METHOD_FULL;
    check_advice(&f, 400, " no smaller batch, recomputation, shorter "
                 "sequence or base in int8 would fit; --force goes on as it "
                 "is");
}

TEST(without_training_there_is_nothing_to_accumulate_or_recompute)
{
    struct fit f = made_up(PROG_EVAL, 4, 1);

    check_advice(&f, 1300, " --batch 3 would fit; --force goes on as it is");
    check_advice(&f, 550, " --batch 1 --seq-len 128 would fit; --force goes "
                 "on as it is");
    f = made_up(PROG_DECODE, 1, 1);
    check_advice(&f, 700, " --context 256 would fit; --force goes on as it "
                 "is");
}

/* The way that keeps to so many MiB beside the margin: batch, accum and
 * whether it recomputes. */
static void
check_within(uint64_t mib, bool recompute, uint32_t batch, uint32_t accum,
             bool block)
{
    struct fit f = made_up(PROG_TRAIN, 4, 3);
    struct fit_way way;
    struct err e;

    CHECK(fit_within(&f, mib * MIB + FIT_MARGIN, recompute, &way, &e) == 0);
    CHECK_EQ_U64(way.prog.batch, batch);
    CHECK_EQ_U64(way.accum, accum);
    CHECK(way.prog.recompute == (block ? RECOMPUTE_BLOCK : RECOMPUTE_NONE));
    CHECK(way.prog.seq_len == f.way.prog.seq_len && way.base == &base);
}

TEST(a_limit_chooses_the_largest_way_with_as_many_sequences)
{
    struct fit f = made_up(PROG_TRAIN, 4, 3);
    struct fit_way way;
    struct err e;

    check_within(1436, true, 4, 3, false);
    check_within(1435, true, 3, 4, false);
    check_within(924, true, 2, 6, false);
    check_within(668, true, 1, 12, false);
    check_within(667, true, 3, 4, true);
    check_within(476, true, 1, 12, true);
    CHECK(fit_within(&f, 475 * MIB + FIT_MARGIN, true, &way, &e)
          == ERR_LIMIT);
    CHECK_STR(e.text, "base: training takes 476 MiB and 64 for programs and "
              "libraries with one sequence at a time and recomputation "
              "(found a limit of 539 MiB)");
    CHECK(fit_within(&f, 667 * MIB + FIT_MARGIN, false, &way, &e)
          == ERR_LIMIT);
}

static const struct test tests[] = {
    RUN(what_fits_to_the_byte_passes),
    RUN(the_line_tells_the_plan_what_is_free_and_what_bounds_it),
    RUN(of_two_bounds_the_narrower_is_told),
    RUN(what_costs_least_is_advised_first),
    RUN(on_a_card_offloading_comes_after_recomputation),
    RUN(what_waits_in_the_machines_memory_has_to_fit_there),
    RUN(what_is_advised_leaves_something_free),
    RUN(full_training_is_not_told_to_take_an_int8_base),
    RUN(a_limit_chooses_the_largest_way_with_as_many_sequences),
    RUN(without_training_there_is_nothing_to_accumulate_or_recompute),
};

TEST_MAIN("fit", tests)
