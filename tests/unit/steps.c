/* steps.c - steps that are launched before anybody reads what came of those
 * before them: as on a card, here on the processor, whose results are kept
 * in a queue. */
#include <math.h>

#include "test.h"
#include "tiny_run.h"

enum { STEPS = 9, MOST_AHEAD = 16, MAX_BAD = 10 };

/* The processor, and results that nobody has read. */
static struct {
    struct backend cpu;
    struct exec *exec;
    uint32_t bad;    /* bit i: UPDATE i has a gradient that is not finite */
    unsigned updates, read;
    struct results queue[MOST_AHEAD];
} late;

static int
late_run(struct memory *m, enum range r, struct err *e)
{
    const float nan = NAN;
    int rc = 0;

    if (r == RANGE_UPDATE && late.bad >> late.updates & 1) {
        struct view first = view_part(late.exec->prog->grads, 0, 1);

        rc = late.cpu.put(m, &first, &nan, e);
    }
    if (rc == 0)
        rc = late.cpu.run(m, r, e);
    if (r == RANGE_UPDATE && rc == 0)
        rc = late.cpu.results(m, &late.queue[late.updates++ % MOST_AHEAD], e);
    return rc;
}

static int
late_results(struct memory *m, struct results *out, struct err *e)
{
    (void)m;
    (void)e;
    CHECK(late.read < late.updates);
    *out = late.queue[late.read++ % MOST_AHEAD];
    return 0;
}

/* A run on it, of which so many steps may be unread. */
static void
open_late(struct tiny_run *r, uint32_t ahead, uint32_t bad)
{
    struct train_opts o = tiny_opts(METHOD_LORA);
    struct backend b;

    o.prog.optimizer = OPT_ADAMW;
    o.prog.dropout = 0.2f;
    o.accum = 2;
    open_backend(&b, "cpu");
    late.cpu = b;
    late.exec = &r->trainer.exec;
    late.bad = bad;
    late.updates = late.read = 0;
    b.ahead = ahead;
    b.run = late_run;
    b.results = late_results;
    open_run_on(r, tiny_llama, &b, &o);
}

/* n steps more, and all their reports. */
static void
take_steps(struct tiny_run *r, unsigned n, struct step_report *report)
{
    unsigned reported = 0;
    struct err e;

    for (unsigned i = 0; i < n; i++) {
        CHECK(!trainer_is_full(&r->trainer));
        CHECK(trainer_step(&r->trainer, &e) == 0);
        while ((trainer_is_full(&r->trainer) || i + 1 == n)
               && trainer_report(&r->trainer, &report[reported], &e) == 1)
            reported++;
    }
    CHECK_EQ_U64(reported, n);
    CHECK(trainer_report(&r->trainer, report, &e) == 0);
}

struct done {
    struct step_report report[STEPS];
    struct train_state state;
    float *params;
    uint64_t n;
};

static void
keep(struct done *d, const struct tiny_run *r)
{
    const struct trainer *t = &r->trainer;

    d->state = t->state;
    d->n = t->prog.n_flat;
    d->params = mem_dup(at_view(t, &t->prog.params), d->n * sizeof(float));
}

static bool
same(const struct done *a, const struct done *b)
{
    for (int i = 0; i < STEPS; i++)
        if (a->report[i].step != b->report[i].step
            || a->report[i].skipped != b->report[i].skipped
            || memcmp(&a->report[i].loss, &b->report[i].loss,
                      sizeof(double)) != 0)
            return false;
    return memcmp(&a->state, &b->state, sizeof(a->state)) == 0
           && memcmp(a->params, b->params, a->n * sizeof(float)) == 0;
}

static struct done
run_ahead(uint32_t ahead, uint32_t bad)
{
    struct done d = { .n = 0 };
    struct tiny_run r;

    open_late(&r, ahead, bad);
    take_steps(&r, STEPS, d.report);
    keep(&d, &r);
    close_run(&r);
    return d;
}

/* Steps 2, 3 and 7 are left out. */
TEST(results_that_are_read_late_change_no_bit)
{
    const uint32_t bad = 1 << 1 | 1 << 2 | 1 << 6;
    struct done at_once = run_ahead(1, bad);

    CHECK_EQ_U64(at_once.state.skipped, 3);
    CHECK_EQ_U64(at_once.state.updates, STEPS - 3);
    CHECK(at_once.report[6].skipped && !at_once.report[7].skipped);
    for (uint32_t ahead = 2; ahead <= MOST_AHEAD; ahead *= 2) {
        struct done late_read = run_ahead(ahead, bad);

        CHECK(same(&at_once, &late_read));
        free(late_read.params);
    }
    free(at_once.params);
}

/* Parameters, moments and state go to another run. */
static void
hand_over(struct trainer *to, const struct trainer *from)
{
    const struct prog *p = &from->prog;
    const struct view *all[] = { &p->params, &p->m, &p->v };

    for (size_t i = 0; i < 3; i++)
        memcpy(at_view(to, all[i]), at_view(from, all[i]),
               p->n_flat * sizeof(float));
    to->state = from->state;
    trainer_resume(to);
}

TEST(a_run_that_is_taken_up_counts_updates_on)
{
    const uint32_t bad = 1 << 1 | 1 << 2 | 1 << 6;
    struct done whole = run_ahead(4, bad), halves = { .n = 0 };
    struct tiny_run first, second;

    open_late(&first, 4, bad);
    take_steps(&first, 5, halves.report);
    open_late(&second, 4, bad >> 5);
    hand_over(&second.trainer, &first.trainer);
    take_steps(&second, STEPS - 5, halves.report + 5);
    keep(&halves, &second);
    CHECK(same(&whole, &halves));
    close_run(&second);
    close_run(&first);
    free(whole.params);
    free(halves.params);
}

TEST(too_many_bad_steps_are_noticed_when_they_are_read)
{
    struct step_report r;
    struct tiny_run run;
    struct err e;

    open_late(&run, MOST_AHEAD, ~0u);
    for (int i = 0; i < MAX_BAD + 3; i++)
        CHECK(trainer_step(&run.trainer, &e) == 0);
    for (int i = 1; i < MAX_BAD; i++)
        CHECK(trainer_report(&run.trainer, &r, &e) == 1 && r.skipped);
    CHECK(trainer_report(&run.trainer, &r, &e) == ERR_IO);
    CHECK(strstr(e.text, "step 10: loss or gradient not finite") != NULL);
    close_run(&run);
}

TEST(each_bad_step_takes_its_part_of_the_rate)
{
    struct step_report r[STEPS];
    struct tiny_run run;

    open_late(&run, 4, 1 << 1 | 1 << 2 | 1 << 6);
    run.trainer.opts.back_off = 0.5;
    for (int i = 0; i < STEPS; i++)
        take_steps(&run, 1, &r[i]);
    CHECK(r[0].lr == 0.01 && r[1].lr == 0.01 && r[2].lr == 0.005);
    CHECK(r[3].lr == 0.0025 && r[6].lr == 0.0025 && r[8].lr == 0.00125);
    CHECK_EQ_U64(run.trainer.state.bad, 3);
    close_run(&run);
}

TEST(a_state_that_is_not_finite_is_noticed)
{
    const float nan = NAN, one = 1;
    struct tiny_run run;
    struct err e;

    open_late(&run, 1, 0);
    for (int i = 0; i < 3; i++) {
        const struct prog *p = &run.trainer.prog;
        const struct view all[] = { p->params, p->m, p->v };
        struct view last = view_part(all[i], p->n_flat - 1, 1);

        CHECK(trainer_check(&run.trainer, &e) == 0);
        CHECK(exec_put(&run.trainer.exec, &last, &nan, &e) == 0);
        CHECK(trainer_check(&run.trainer, &e) == ERR_IO);
        CHECK(exec_put(&run.trainer.exec, &last, &one, &e) == 0);
    }
    close_run(&run);
}

static const struct test tests[] = {
    RUN(results_that_are_read_late_change_no_bit),
    RUN(a_run_that_is_taken_up_counts_updates_on),
    RUN(too_many_bad_steps_are_noticed_when_they_are_read),
    RUN(each_bad_step_takes_its_part_of_the_rate),
    RUN(a_state_that_is_not_finite_is_noticed),
};

TEST_MAIN("steps", tests)
