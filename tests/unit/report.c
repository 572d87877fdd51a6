/* report.c - thinning of curves, scales, text of anybody's in a page. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/io.h"
#include "report/html.h"
#include "report/metrics.h"
#include "report/scale.h"
#include "report/text_plot.h"
#include "test.h"

/* What a curve must keep of all points, counted apart from it. */
static void
check_curve(uint64_t n, uint64_t stride)
{
    struct curve *c = calloc(1, sizeof(*c));
    double sum = 0, min = DBL_MAX, max = -DBL_MAX, got_sum = 0;
    double got_min = DBL_MAX, got_max = -DBL_MAX;
    uint64_t points = 0;

    for (uint64_t i = 0; i < n; i++) {
        double v = (double)(i * 2654435761u % 1000);

        curve_add(c, 1 + i * stride, v);
        sum += v;
        min = fmin(min, v);
        max = fmax(max, v);
    }
    CHECK(c->n <= CURVE_BUCKETS && c->n > 0);
    CHECK(n < CURVE_BUCKETS ? c->n == n : c->n >= CURVE_BUCKETS / 2);
    for (size_t i = 0; i < c->n; i++) {
        const struct curve_bucket *k = &c->bucket[i];

        got_sum += k->sum;
        points += k->n;
        got_min = fmin(got_min, k->min);
        got_max = fmax(got_max, k->max);
        CHECK(k->first <= k->last && k->min <= k->max);
        CHECK(k->first >> c->shift == k->last >> c->shift);
        CHECK(i == 0 || c->bucket[i - 1].last < k->first);
    }
    CHECK_EQ_U64(points, n);
    CHECK(got_sum == sum && got_min == min && got_max == max);
    CHECK(c->least.value == min && c->most.value == max);
    CHECK_EQ_U64(c->last.step, 1 + (n - 1) * stride);
    free(c);
}

TEST(a_thinned_curve_keeps_sums_and_peaks)
{
    check_curve(1, 1);
    check_curve(CURVE_BUCKETS - 1, 1);
    check_curve(CURVE_BUCKETS + 1, 1);
    check_curve(100000, 1);
    check_curve(100000, 10);
    check_curve(5000, UINT64_C(1) << 50);
}

TEST(what_is_not_finite_breaks_the_line_and_is_counted)
{
    struct curve *c = calloc(1, sizeof(*c));

    curve_add(c, 1, 5);
    curve_add(c, 2, NAN);
    curve_add(c, 3, INFINITY);
    curve_add(c, 4, 1e300);
    curve_add(c, 5, 4);
    curve_add(c, 3, 9); /* back in time */
    CHECK_EQ_U64(c->points, 2);
    CHECK_EQ_U64(c->lost, 3);
    CHECK_EQ_U64(c->lost_first.step, 2);
    CHECK_EQ_U64(c->behind, 1);
    CHECK_EQ_U64(c->n, 2);
    CHECK(!c->bucket[0].gap && c->bucket[1].gap);
    free(c);
}

TEST(ticks_are_round_and_inside)
{
    static const struct {
        double low, high, first;
        size_t n;
        int decimals;
    } row[] = {
        { 0, 80, 0, 5, .decimals = 0 },
        { 5.66, 6.41, 5.8, 4, .decimals = 1 },
        { 0, 1755, 0, 4, .decimals = 0 },
        { -0.4, 0, -0.4, 5, .decimals = 1 },
        { 3, 3, 2.9, 3, .decimals = 1 },
        { 0, 0, 0, 1, .decimals = 7 },
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        struct scale s;

        scale_set(&s, row[i].low, row[i].high, 4);
        CHECK(s.n >= 1 && s.n <= SCALE_TICKS && s.low < s.high);
        if (i < 4)
            CHECK_EQ_U64(s.n, row[i].n);
        if (i < 4)
            CHECK(fabs(s.tick[0] - row[i].first) < 1e-12);
        if (i < 4)
            CHECK(s.decimals == row[i].decimals);
        for (size_t k = 0; k < s.n; k++)
            CHECK(s.tick[k] >= s.low - 1e-12 && s.tick[k] <= s.high + 1e-12);
    }
}

TEST(a_spike_does_not_take_the_height)
{
    struct curve *c = calloc(1, sizeof(*c));
    const struct curve *one[] = { c, NULL };
    double low, high;

    CHECK(!scale_range(one, 2, &low, &high));
    for (uint64_t i = 0; i < 100; i++)
        curve_add(c, i, 2 + (double)(i % 7) / 10);
    curve_add(c, 100, 1e6);
    CHECK(scale_range(one, 2, &low, &high));
    CHECK(low == 2 && high == 2.6);
    free(c);
}

TEST(nothing_of_a_text_is_markup)
{
    static const struct {
        const char *text, *want;
    } row[] = {
        { "a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;" },
        { "</pre><script>x</script>", "&lt;/pre&gt;&lt;script&gt;x&lt;/"
                                      "script&gt;" },
        { "\x01\xff\xe2\x80\xae", "\\x01\\xff\\u{202e}" },
        { "a\nb", "a\\x0ab" },
    };
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        buf_reset(&b);
        html_text(&b, row[i].text);
        CHECK_STR(b.data, row[i].want);
    }
    buf_reset(&b);
    html_pre(&b, "a\n\t<\r", 5);
    CHECK_STR(b.data, "a\n\t&lt;\\x0d");
    buf_release(&b);
}

TEST(numbers_are_written_for_people)
{
    static const struct {
        double v;
        int decimals;
        const char *want;
    } row[] = {
        { 1234567, 0, "1,234,567" }, { 999, 0, "999" },
        { -0.38607, 3, "\u2212" "0.386" }, { 0, 2, "0.00" },
        { NAN, 2, "\u2013" }, { 5.68655, 3, "5.687" },
        { 2.5e15, 1, "2.50\u00b7" "10<sup>15</sup>" },
        { 2e-7, 3, "2.00\u00b7" "10<sup>\u2212" "7</sup>" },
    };
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        buf_reset(&b);
        html_number(&b, row[i].v, row[i].decimals);
        CHECK_STR(b.data, row[i].want);
    }
    buf_reset(&b);
    html_time(&b, 59.7);
    html_time(&b, 3599.4);
    html_time(&b, 7260);
    CHECK_STR(b.data, "1 min 00 s" "59 min 59 s" "2 h 01 min");
    buf_release(&b);
}

TEST(damaged_lines_of_metrics_are_left_out)
{
    static const char text[] =
        "{\"step\": 0, \"val_loss\": 3.5}\n"
        "{\"step\": 1, \"loss\": 3, \"tokens\": 100, \"tok_s\": 50}\n"
        "no json\n[1]\n{\"loss\": 1}\n{\"step\": -1}\n\n"
        "{\"step\": 2, \"loss\": null, \"hw\": {\"load\": 0.5}, \"x\": [1]}\n"
        "{\"step\": 3, \"loss\": 2";
    struct metrics m;
    struct err e;

    CHECK(file_write("metrics.test", text, sizeof(text) - 1, &e) == 0);
    CHECK(metrics_read(&m, "metrics.test", &e) == 0);
    CHECK_EQ_U64(m.lines, 3);
    CHECK_EQ_U64(m.bad, 5);
    CHECK_EQ_U64(m.first_bad, 3);
    CHECK(m.cut && !m.missing);
    CHECK_EQ_U64(m.step, 2);
    CHECK(m.seconds == 2);
    CHECK(metrics_last(&m, "loss", 0) == 3);
    CHECK(metrics_last(&m, "hw.load", 0) == 0.5);
    CHECK(metrics_curve(&m, "x") == NULL);
    CHECK_EQ_U64(metrics_curve(&m, "loss")->lost, 1);
    metrics_release(&m);
    CHECK(path_remove("metrics.test", &e) == 0);
    CHECK(metrics_read(&m, "metrics.test", &e) == 0 && m.missing);
    metrics_release(&m);
}

TEST(a_curve_in_characters_is_as_wide_as_it_may_be)
{
    struct curve *c = calloc(1, sizeof(*c));
    struct buf b;
    size_t line = 0;

    buf_init(&b);
    text_plot(&b, c, NULL, 10, 60, 9);
    CHECK_EQ_U64(b.len, 0);
    for (uint64_t i = 1; i <= 10; i++)
        curve_add(c, i, 10.0 / (double)i);
    text_plot(&b, c, NULL, 10, 60, 9);
    for (size_t i = 0; i < b.len; i++) {
        CHECK(b.data[i] == '\n' || (b.data[i] >= ' ' && b.data[i] <= '~'));
        line = b.data[i] == '\n' ? 0 : line + 1;
        CHECK(line <= 60);
    }
    buf_release(&b);
    free(c);
}

static const struct test tests[] = {
    RUN(a_thinned_curve_keeps_sums_and_peaks),
    RUN(what_is_not_finite_breaks_the_line_and_is_counted),
    RUN(ticks_are_round_and_inside),
    RUN(a_spike_does_not_take_the_height),
    RUN(nothing_of_a_text_is_markup),
    RUN(numbers_are_written_for_people),
    RUN(damaged_lines_of_metrics_are_left_out),
    RUN(a_curve_in_characters_is_as_wide_as_it_may_be),
};

TEST_MAIN("report", tests)
