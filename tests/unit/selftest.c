/* selftest.c - a back end that computes as it should passes the self-test, and
 * one that leaves something out does not. */
#include "train/selftest.h"

#include "test.h"

static int (*right_run)(struct memory *m, enum range r, struct err *e);

/* Parameters stay where they were. */
static int
run_without_update(struct memory *m, enum range r, struct err *e)
{
    return r == RANGE_UPDATE ? 0 : right_run(m, r, e);
}

/* The gradient lacks what backward adds. */
static int
run_without_backward(struct memory *m, enum range r, struct err *e)
{
    return r == RANGE_BWD ? 0 : right_run(m, r, e);
}

static struct selftest
done(size_t i, const struct backend *b, uint64_t *kinds)
{
    struct selftest r = { .good = false };
    struct err e;

    if (!CHECK(selftest_do(&r, i, b, SELFTEST_F32, kinds, &e) == 1))
        printf("    %s\n", e.text);
    return r;
}

TEST(a_right_back_end_passes)
{
    uint64_t kinds = 0;
    struct backend b;

    ref_open(&b);
    for (size_t i = 0; i < 6; i++) {
        struct selftest r = done(i, &b, &kinds);

        if (!CHECK(r.good))
            printf("    %s, %s, %s: %g %g %g\n", r.model, r.stored, r.what,
                   r.loss, r.gradient, r.parameters);
    }
    CHECK(kinds >> OP_ATTENTION_BWD & 1);
}

TEST(a_wrong_one_does_not)
{
    uint64_t kinds = 0;
    struct backend b;
    struct selftest r;

    ref_open(&b);
    right_run = b.run;
    b.run = run_without_update;
    r = done(0, &b, &kinds);
    CHECK(!r.good);
    CHECK(r.parameters > SELFTEST_F32);
    b.run = run_without_backward;
    r = done(0, &b, &kinds);
    CHECK(!r.good);
    CHECK(r.gradient > SELFTEST_F32);
}

static const struct test tests[] = {
    RUN(a_right_back_end_passes),
    RUN(a_wrong_one_does_not),
};

TEST_MAIN("selftest", tests)
