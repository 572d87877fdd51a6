/* divergence.c - losses, divergence and the likeliest token of two rows of
 * logits: as PyTorch and numpy have them (tests/golden/divergence.json, made
 * by the script beside it). */
#include "eval/divergence.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "test.h"

enum { MOST = 64 };

static double
number(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return v != NULL ? v->valuedouble : NAN;
}

static uint32_t
read_row(const cJSON *o, const char *key, double *out)
{
    const cJSON *v;
    uint32_t n = 0;

    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(o, key))
        if (CHECK(n < MOST))
            out[n++] = v->valuedouble;
    return n;
}

/* Sums of some tens of roundings of 1e-16, of numbers up to thousands. */
static bool
near(double got, double want)
{
    return fabs(got - want) <= 1e-12 * fmax(1, fabs(want));
}

static void
check_row(const cJSON *r)
{
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(r, "loss");
    double p[MOST], q[MOST];
    uint32_t n = read_row(r, "p", p);
    struct divergence d, same;

    CHECK_EQ_U64(read_row(r, "q", q), n);
    d = divergence_of(p, q, n, (uint32_t)number(r, "target"));
    if (!CHECK(near(d.kl, number(r, "kl")) && d.kl >= 0))
        printf("  %.17g, expected %.17g\n", d.kl, number(r, "kl"));
    for (int i = 0; i < 2; i++)
        CHECK(near(d.loss[i], cJSON_GetArrayItem(loss, i)->valuedouble));
    CHECK_EQ_U64(d.same_top, cJSON_IsTrue(
        cJSON_GetObjectItemCaseSensitive(r, "same_top")));
    CHECK_EQ_U64(d.bad, 0);
    same = divergence_of(q, q, n, 0);
    CHECK(same.kl <= 0 && same.same_top
          && memcmp(&same.loss[0], &same.loss[1], sizeof(double)) == 0);
}

static cJSON *
open_golden(void)
{
    cJSON *golden = NULL;
    struct err e;

    CHECK(json_user_file(&golden, "tests/golden/divergence.json", 1 << 20,
                         &e) == 0);
    return golden;
}

TEST(divergences_are_those_of_pytorch)
{
    cJSON *golden = open_golden();
    const cJSON *r, *rows = cJSON_GetObjectItemCaseSensitive(golden, "rows");

    cJSON_ArrayForEach(r, rows)
        check_row(r);
    CHECK(cJSON_GetArraySize(rows) > 30);
    cJSON_Delete(golden);
}

TEST(quantiles_are_those_of_numpy)
{
    cJSON *golden = open_golden();
    const cJSON *q;
    double v[MOST];
    uint64_t n = read_row(golden, "values", v);

    cJSON_ArrayForEach(q, cJSON_GetObjectItemCaseSensitive(golden,
                                                           "quantiles"))
        CHECK(near(quantile(v, n, strtod(q->string, NULL)), q->valuedouble));
    CHECK(near(quantile(v, 1, 0.999), v[0]));
    CHECK(isnan(quantile(v, 0, 0.5)));
    cJSON_Delete(golden);
}

/* The largest floats there are, of which the difference is no float. */
TEST(nothing_overflows)
{
    double p[] = { 3e38, -3e38, 0 }, q[] = { -3e38, 3e38, 0 };
    struct divergence d = divergence_of(p, q, 3, 1);

    CHECK(d.bad == 0 && !d.same_top);
    CHECK(near(d.kl, 6e38) && near(d.loss[0], 6e38) && d.loss[1] <= 0);
}

TEST(logits_that_are_not_finite_are_told)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };

    for (size_t i = 0; i < 3; i++) {
        double fine[] = { 1, 2, 3 }, p[] = { 1, 2, bad[i] };

        CHECK_EQ_U64(divergence_of(p, fine, 3, 0).bad, 1);
        CHECK_EQ_U64(divergence_of(fine, p, 3, 0).bad, 2);
        CHECK_EQ_U64(divergence_of(p, p, 3, 0).bad, 1);
    }
}

static const struct test tests[] = {
    RUN(divergences_are_those_of_pytorch), RUN(quantiles_are_those_of_numpy),
    RUN(nothing_overflows), RUN(logits_that_are_not_finite_are_told),
};

TEST_MAIN("divergence", tests)
