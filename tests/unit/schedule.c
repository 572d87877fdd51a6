/* schedule.c - the learning rate of each step, against values by hand. */
#include "train/schedule.h"

#include <math.h>

#include "test.h"

#define PEAK 0.5

static bool
is(enum schedule kind, uint64_t step, uint64_t warmup, uint64_t total,
   double want)
{
    double got = schedule_rate(kind, PEAK, 0.1, step, warmup, total);

    if (fabs(got - want * PEAK) < 1e-12)
        return true;
    printf("    step %llu of %llu: %g of the peak\n",
           (unsigned long long)step, (unsigned long long)total, got / PEAK);
    return false;
}

TEST(the_rate_rises_to_its_peak)
{
    for (int kind = SCHEDULE_CONSTANT; kind <= SCHEDULE_COSINE; kind++) {
        CHECK(is(kind, 0, 4, 100, 0.25));
        CHECK(is(kind, 1, 4, 100, 0.5));
        CHECK(is(kind, 3, 4, 100, 1));
        CHECK(is(kind, 4, 4, 100, 1));
        CHECK(is(kind, 0, 1, 100, 1));
        CHECK(is(kind, 0, 0, 100, 1));
        CHECK(is(kind, 1, 2, 2, 1)); /* nothing but warm-up */
        CHECK(is(kind, 2, 2, 3, 1)); /* one step after it */
    }
}

TEST(then_it_falls_to_its_floor_at_the_last_step)
{
    CHECK(is(SCHEDULE_CONSTANT, 99, 4, 100, 1));
    CHECK(is(SCHEDULE_LINEAR, 3, 0, 10, 0.7));
    CHECK(is(SCHEDULE_LINEAR, 9, 0, 10, 0.1));
    CHECK(is(SCHEDULE_LINEAR, 7, 4, 14, 0.7));
    CHECK(is(SCHEDULE_LINEAR, 13, 4, 14, 0.1));
    CHECK(is(SCHEDULE_COSINE, 5, 0, 11, 0.55));
    CHECK(is(SCHEDULE_COSINE, 3, 0, 10, 0.1 + 0.9 * 0.75));
    CHECK(is(SCHEDULE_COSINE, 10, 0, 11, 0.1));
    CHECK(is(SCHEDULE_COSINE, 14, 4, 15, 0.1));
    /* a run that goes on beyond its end stays there */
    CHECK(is(SCHEDULE_LINEAR, 50, 4, 14, 0.1));
    CHECK(is(SCHEDULE_COSINE, 50, 4, 15, 0.1));
}

static const struct test tests[] = {
    RUN(the_rate_rises_to_its_peak),
    RUN(then_it_falls_to_its_floor_at_the_last_step),
};

TEST_MAIN("schedule", tests)
