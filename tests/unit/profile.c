/* profile.c - where the time of steps goes: every op that ran is in a row, the
 * rows add up to the steps, and watching changes no bit. */
#include <math.h>

#include "tiny_run.h"
#include "train/profile.h"

enum { STEPS = 3 };

/* Steps of two micro-batches, with recomputation. */
static void
open_steps(struct tiny_run *r, bool profiled)
{
    struct train_opts o = tiny_opts(METHOD_LORA);
    struct step_report report;
    struct err e;

    o.accum = 2;
    o.prog.recompute = RECOMPUTE_BLOCK;
    open_run(r, tiny_configs[0], "cpu", &o);
    if (profiled) {
        CHECK(profile_open(&r->trainer, &e) == 0);
        profile_watch(&r->trainer);
    }
    for (int i = 0; i < STEPS; i++)
        CHECK(trainer_step(&r->trainer, &e) == 0
              && trainer_report(&r->trainer, &report, &e) == 1);
}

static struct profile_row
row_of(const struct profile_row *rows, size_t n, const char *phase,
       const char *op)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].phase, phase) == 0 && strcmp(rows[i].op, op) == 0)
            return rows[i];
    return (struct profile_row){ .runs = 0 };
}

static uint64_t
ops_of(const struct prog *p, enum range r, unsigned kind)
{
    uint64_t n = 0;

    for (size_t i = p->range[r]; i < p->range[r + 1]; i++)
        n += p->op[i].kind == kind;
    return n;
}

TEST(rows_have_every_run_and_add_up)
{
    const struct prog *p;
    struct profile_row *rows, row;
    struct tiny_run r;
    double sum = 0, all;
    size_t n;

    open_steps(&r, true);
    p = &r.trainer.prog;
    n = profile_rows(&rows, &r.trainer);
    all = 1e-9 * (double)r.trainer.profile->all;
    for (size_t i = 0; i < n; i++) {
        sum += rows[i].seconds;
        CHECK(rows[i].runs > 0 && rows[i].seconds >= 0);
        CHECK(i == 0 || i + 2 >= n || rows[i].seconds <= rows[i - 1].seconds);
        CHECK(isnan(rows[i].share) || rows[i].share > 0);
    }
    CHECK(all > 0 && fabs(sum - all) <= 1e-9 * all);
    CHECK(strcmp(rows[n - 2].phase, "data") == 0);
    CHECK(strcmp(rows[n - 1].phase, "other") == 0);
    CHECK_EQ_U64(rows[n - 1].runs, STEPS);
    CHECK_EQ_U64(row_of(rows, n, "forward", "linear").runs,
                 2 * STEPS * ops_of(p, RANGE_FWD, OP_LINEAR));
    CHECK(ops_of(p, RANGE_BWD, OP_LINEAR) > 0);
    CHECK_EQ_U64(row_of(rows, n, "backward", "linear").runs,
                 2 * STEPS * ops_of(p, RANGE_BWD, OP_LINEAR));
    CHECK_EQ_U64(row_of(rows, n, "update", "sgd").runs, STEPS);
    CHECK_EQ_U64(row_of(rows, n, "forward", "widen").runs, 0);
    row = row_of(rows, n, "backward", "linear_bwd");
    CHECK(row.flops > 0 && row.bytes > 0 && row.share > 0);
    CHECK(row_of(rows, n, "head", "head_ce").flops > 0);
    free(rows);
    close_run(&r);
}

TEST(watching_changes_no_bit)
{
    struct tiny_run plain, watched;

    open_steps(&plain, false);
    open_steps(&watched, true);
    CHECK(memcmp(at_view(&plain.trainer, &plain.trainer.prog.params),
                 at_view(&watched.trainer, &watched.trainer.prog.params),
                 plain.trainer.prog.n_flat * sizeof(float)) == 0);
    close_run(&plain);
    close_run(&watched);
}

TEST(a_machine_has_a_peak_that_ops_take_their_time_by)
{
    struct peak peak = { .flops = 100, .bytes = 10 };
    struct op_cost work = { .flops = 300, .bytes = 10 };
    struct op_cost moved = { .flops = 300, .bytes = 50 };
    struct backend b;
    struct err e;

    CHECK(fabs(peak_floor(&peak, &work) - 3) < 1e-12);
    CHECK(fabs(peak_floor(&peak, &moved) - 5) < 1e-12);
    open_backend(&b, "cpu");
    CHECK(peak_measure(&peak, &b, 0, &e) == 0);
    CHECK(peak.flops > 1e6 && peak.flops < 1e16);
    CHECK(peak.bytes > 1e6 && peak.bytes < 1e14);
    cpu_close(&b);
}

static const struct test tests[] = {
    RUN(rows_have_every_run_and_add_up),
    RUN(watching_changes_no_bit),
    RUN(a_machine_has_a_peak_that_ops_take_their_time_by),
};

TEST_MAIN("profile", tests)
