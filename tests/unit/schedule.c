/* schedule.c - the learning rate of each step, by hand and against
 * transformers and torch (tests/golden/schedules.json, made by schedules.py);
 * what the validation loss decides, and spikes. */
#include "train/schedule.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "test.h"
#include "train/lr_find.h"
#include "train/spike.h"
#include "train/trend.h"
#include "train/validation.h"

#define PEAK 0.5

static bool
is(enum schedule kind, uint64_t step, uint64_t warmup, uint64_t total,
   double want)
{
    struct course c = { .kind = (uint8_t)kind, .peak = PEAK, .floor = 0.1,
                        .warmup = warmup, .decay = 4, .factor = 0.5 };
    double got = schedule_rate(&c, 0, step, total);

    if (fabs(got - want * PEAK) < 1e-12)
        return true;
    printf("    step %llu of %llu: %g of the peak\n",
           (unsigned long long)step, (unsigned long long)total, got / PEAK);
    return false;
}

TEST(the_rate_rises_to_its_peak)
{
    for (int kind = SCHEDULE_CONSTANT; kind <= SCHEDULE_PLATEAU; kind++) {
        CHECK(is(kind, 0, 4, 100, 0.25));
        CHECK(is(kind, 1, 4, 100, 0.5));
        CHECK(is(kind, 3, 4, 100, 1));
        CHECK(is(kind, 0, 1, 100, 1));
        CHECK(is(kind, 1, 2, 2, 1)); /* nothing but warm-up */
        if (kind == SCHEDULE_INVERSE_SQRT)
            continue; /* which begins to fall at once */
        CHECK(is(kind, 4, 4, 100, 1));
        CHECK(is(kind, 0, 0, 100, 1));
        if (kind != SCHEDULE_WSD)
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
    CHECK(is(SCHEDULE_WSD, 6, 2, 11, 1));
    CHECK(is(SCHEDULE_WSD, 7, 2, 11, 0.55)); /* 1 - sqrt(1/4) of the way */
    CHECK(is(SCHEDULE_WSD, 10, 2, 11, 0.1));
    CHECK(is(SCHEDULE_WSD, 2, 2, 3, 0.1)); /* a decay cut by warm-up */
    CHECK(is(SCHEDULE_INVERSE_SQRT, 7, 2, 100, 0.5));
    CHECK(is(SCHEDULE_INVERSE_SQRT, 5000, 2, 9999, 0.1));
    /* a run that goes on beyond its end stays there */
    CHECK(is(SCHEDULE_LINEAR, 50, 4, 14, 0.1));
    CHECK(is(SCHEDULE_COSINE, 50, 4, 15, 0.1));
    CHECK(is(SCHEDULE_WSD, 50, 4, 15, 0.1));
}

/* The rates of each case of that name, after its warm-up. */
static void
compare_with(const cJSON *golden, const char *name, struct course c)
{
    const cJSON *one, *rates, *rate;

    cJSON_ArrayForEach(one, cJSON_GetObjectItem(golden, name)) {
        uint64_t step = 0, total;
        double worst = 0;

        rates = cJSON_GetObjectItem(one, "rates");
        total = (uint64_t)cJSON_GetArraySize(rates);
        c.warmup = (uint64_t)cJSON_GetObjectItem(one, "warmup")->valuedouble;
        CHECK_EQ_U64(total, 60);
        cJSON_ArrayForEach(rate, rates) {
            double got = schedule_rate(&c, 0, step, total);

            if (step++ >= c.warmup)
                worst = fmax(worst, fabs(got - rate->valuedouble));
        }
        CHECK(worst < 1e-12);
    }
}

static void
compare_plateau(const cJSON *golden)
{
    const struct validation_opts o = { .plateau = true,
                                       .plateau_patience = 2 };
    const struct course c = { .kind = SCHEDULE_PLATEAU, .peak = 1,
                              .floor = 0.01, .factor = 0.5 };
    const cJSON *losses = cJSON_GetObjectItem(golden, "losses");
    const cJSON *rates = cJSON_GetObjectItem(golden, "rates");
    struct validation v = { .first = 0 };
    int n = cJSON_GetArraySize(losses);

    CHECK(n == 60 && cJSON_GetArraySize(rates) == n);
    for (int i = 0; i < n; i++) {
        const cJSON *loss = cJSON_GetArrayItem(losses, i);
        double want = cJSON_GetArrayItem(rates, i)->valuedouble;

        validation_take(&v, &o, (uint64_t)i + 1,
                        cJSON_IsNull(loss) ? NAN : loss->valuedouble);
        CHECK(fabs(schedule_rate(&c, v.plateau_cuts, (uint64_t)i, 60) - want)
              < 1e-12);
    }
    CHECK(v.plateau_cuts >= 4);
}

TEST(rates_are_those_of_transformers_and_torch)
{
    cJSON *golden = NULL;
    struct err e;

    if (!CHECK(json_user_file(&golden, "tests/golden/schedules.json", 1 << 20,
                              &e) == 0))
        return;
    compare_with(golden, "inverse_sqrt",
                 (struct course){ .kind = SCHEDULE_INVERSE_SQRT, .peak = 1 });
    compare_with(golden, "wsd",
                 (struct course){ .kind = SCHEDULE_WSD, .peak = 1,
                                  .floor = 0.1, .decay = 15 });
    compare_plateau(cJSON_GetObjectItem(golden, "plateau"));
    cJSON_Delete(golden);
}

TEST(patience_ends_with_so_many_that_are_no_better)
{
    const struct validation_opts o = { .keep_best = true, .patience = 2 };
    struct validation v = { .first = 0 };

    CHECK(!validation_take(&v, &o, 0, 1)); /* of the base: decides nothing */
    CHECK(v.has_first && v.best_step == 0);
    CHECK(!validation_take(&v, &o, 1, NAN) && v.best_step == 0);
    CHECK(validation_take(&v, &o, 2, 5) && v.best_step == 2);
    CHECK(!validation_take(&v, &o, 3, 5) && !v.over);
    CHECK(validation_take(&v, &o, 4, 4));
    CHECK(!validation_take(&v, &o, 5, INFINITY) && !v.over);
    CHECK(!validation_take(&v, &o, 6, 4.5) && v.over);
    CHECK(v.best_step == 4 && v.best == 4 && v.worse == 2);
}

TEST(a_spike_is_far_over_the_mean_of_the_steps_before)
{
    struct spikes s = { .n = 0 };
    int told = 0;

    for (int i = 0; i < 200; i++)
        told += spike_take(&s, 2 + 0.1 * (i % 5), 6) > 0;
    CHECK(told == 0);
    CHECK(spike_take(&s, NAN, 6) == 0 && s.n == SPIKE_MEMORY);
    CHECK(spike_take(&s, 1, 6) == 0); /* far below is none */
    CHECK(spike_take(&s, 9, 0) == 0 && s.count == 0);
    CHECK(spike_take(&s, 90, 6) > 6 && s.count == 1);
    s = (struct spikes){ .n = 0 };
    for (int i = 0; i < SPIKE_FIRST; i++) /* as a run begins */
        CHECK(spike_take(&s, i % 9 ? 1 : 50, 1) == 0);
}

/* A loss that falls by the logarithm of the rate from 1e-4 on, and rises. */
TEST(a_range_test_finds_where_the_loss_falls)
{
    struct lr_curve c = { .n = 100 };
    struct buf b;

    c.point = mem_array(c.n, sizeof(*c.point));
    for (size_t i = 0; i < c.n; i++) {
        double lr = 1e-6 * pow(1e6, (double)i / 99), at = log10(lr);

        c.point[i].lr = lr;
        c.point[i].loss = at < -4 ? 4 : at < -2 ? 4 - 1.5 * (at + 4) : 1;
        if (i >= 90)
            c.point[i].loss = i < 95 ? 500 : NAN;
    }
    lr_curve_read(&c);
    CHECK(c.diverged && c.n == 90);
    CHECK(fabs(c.point[0].smooth - 4) < 1e-12);
    CHECK(fabs(c.point[33].smooth - 4) < 1e-12);
    CHECK(c.steepest > 5e-3 && c.steepest < 2e-2); /* the mean lags */
    CHECK(fabs(c.tenth * 10 / c.point[89].lr - 1) < 1e-12);
    buf_init(&b);
    lr_curve_json(&c, &b);
    CHECK(strstr(b.data, "{\"diverged\": true, \"steepest\": ") != NULL);
    buf_release(&b);
    for (size_t i = 0; i < c.n; i++)
        c.point[i].loss = 1 + (double)i;
    lr_curve_read(&c);
    CHECK(isnan(c.steepest) && isnan(c.tenth) && c.diverged);
    lr_curve_release(&c);
}

/* Steps of unlike sizes, one of which is not finite. */
TEST(a_trend_is_a_power_law_of_the_tokens)
{
    struct trend t = { .n = 0 };
    double tokens = 0, want;

    for (unsigned i = 0; i < TREND_FIRST + 1; i++) {
        uint64_t n = 100 + 37 * i % 90;

        CHECK(isnan(trend_at(&t, 1e6)));
        tokens += (double)n;
        trend_take(&t, n, i == 5 ? NAN : 20 * pow(tokens, -0.25));
    }
    for (want = 1e3; want < 1e9; want *= 10)
        CHECK(fabs(trend_at(&t, want) - 20 * pow(want, -0.25)) < 1e-9);
    CHECK(isnan(trend_at(&t, 0)));
    trend_take(&t, 0, 1);
    trend_take(&t, 9, 0);
    trend_take(&t, 9, -1);
    CHECK(fabs(trend_at(&t, 1e6) - 20 * pow(1e6, -0.25)) < 1e-9);
}

/* By a fit of all points at once with their weights; what was first hardly
 * counts. */
TEST(a_trend_is_of_the_last_half)
{
    double w = 0, x = 0, y = 0, xx = 0, xy = 0, got, want;
    struct trend t = { .n = 0 };

    for (unsigned i = 1; i <= 400; i++) {
        double loss = (i < 40 ? 9 : 3) * pow(i, -0.1) * (1 + 0.1 * sin(i));
        double part = i / 400.0, own = part * part;

        trend_take(&t, 10, loss);
        w += own;
        x += own * log(10.0 * i);
        y += own * log(loss);
        xx += own * log(10.0 * i) * log(10.0 * i);
        xy += own * log(10.0 * i) * log(loss);
    }
    want = (w * xy - x * y) / (w * xx - x * x);
    want = exp(y / w + want * (log(8000) - x / w));
    got = trend_at(&t, 8000);
    CHECK(fabs(got - want) < 1e-9 * want);
    CHECK(fabs(got - 3 * pow(800, -0.1)) < 0.1);
}

static const struct test tests[] = {
    RUN(the_rate_rises_to_its_peak),
    RUN(then_it_falls_to_its_floor_at_the_last_step),
    RUN(rates_are_those_of_transformers_and_torch),
    RUN(patience_ends_with_so_many_that_are_no_better),
    RUN(a_range_test_finds_where_the_loss_falls),
    RUN(a_spike_is_far_over_the_mean_of_the_steps_before),
    RUN(a_trend_is_a_power_law_of_the_tokens),
    RUN(a_trend_is_of_the_last_half),
};

TEST_MAIN("schedule", tests)
