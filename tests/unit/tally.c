/* tally.c - pass@k against its definition, and the shares of completions with
 * what their intervals take for independent. */
#include "eval/tally.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "test.h"

static double
choose(uint32_t n, uint32_t k)
{
    double c = 1;

    for (uint32_t i = 1; i <= k; i++)
        c *= (double)(n - k + i) / i;
    return k > n ? 0 : c;
}

TEST(pass_at_k_is_what_k_of_n_draw)
{
    for (uint32_t n = 1; n <= 30; n++) {
        for (uint32_t c = 0; c <= n; c++) {
            for (uint32_t k = 1; k <= n; k++) {
                double want = 1 - choose(n - c, k) / choose(n, k);

                CHECK(fabs(pass_at(n, c, k) - want) < 1e-12);
            }
        }
    }
}

#define N 6

/* Prompts with a check each but the last, and their clusters. */
struct some {
    struct prompt prompt[N];
    struct check_item item;
    struct prompts all;
};

static void
make(struct some *s, const char *const cluster[N])
{
    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < N; i++) {
        s->prompt[i].cluster = (char *)cluster[i];
        s->prompt[i].checks.n[CHECK_JSON] = i < N - 1;
        s->prompt[i].checks.item[CHECK_JSON] = &s->item;
    }
    s->all = (struct prompts){ .item = s->prompt, .n = N };
}

/* Each prompt passes so often of so many. */
static void
fill(struct tally *t, const struct some *s, const int pass[N], int samples)
{
    tally_init(t, &s->all);
    for (size_t i = 0; i < N; i++) {
        for (int j = 0; j < samples; j++) {
            struct check_result r = { .passed = j < pass[i] };

            r.held[CHECK_JSON] = r.passed;
            tally_add(t, &s->all, i, &r);
        }
    }
}

static cJSON *
put(const struct some *s, const int base[N], const int with[N], int samples)
{
    struct tally a, b;
    struct buf out;
    cJSON *o;

    fill(&a, s, base, samples);
    fill(&b, s, with, samples);
    buf_init(&out);
    buf_addstr(&out, "{\"x\": 0");
    tally_put(&out, &s->all, (uint32_t)samples, &a, &b, NULL);
    buf_addc(&out, '}');
    o = cJSON_Parse(out.data);
    CHECK(o != NULL);
    buf_release(&out);
    tally_release(&a);
    tally_release(&b);
    return o;
}

/* A number by the names that lead to it; NAN for null. */
static double
at(const cJSON *o, const char *a, const char *b)
{
    const cJSON *v = cJSON_GetObjectItem(o, "prompts");

    v = cJSON_GetObjectItem(v, a);
    v = b != NULL ? cJSON_GetObjectItem(v, b) : v;
    CHECK(v != NULL);
    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

/* Half of the interval by its definition, from the means without each of k
 * clusters, of which the last are not seen; t is Student's of k - 1. */
static double
half_of(const double *sum, const double *n, int k, double t, double seen)
{
    double all = 0, size = 0, var = 0, mean, half;

    for (int g = 0; g < k; g++) {
        all += sum[g];
        size += n[g];
    }
    mean = all / size;
    for (int g = 0; g < k; g++) {
        double without = (all - sum[g]) / (size - n[g]);

        var += (without - mean) * (without - mean);
    }
    half = t * sqrt((k - 1.0) / k * var);
    return fmax(seen - fmax(mean - half, -1), fmin(mean + half, 1) - seen);
}

TEST(prompts_of_one_cluster_count_as_one)
{
    static const int base[N] = { 0, 1, 0, 1, 0, 0 };
    static const int with[N] = { 1, 1, 1, 0, 0, 0 };
    static const char *const none[N] = { NULL };
    static const char *const two[N] = { "a", "a", "b", "b", "b", "c" };
    struct some s;
    cJSON *o;

    make(&s, none);
    o = put(&s, base, with, 1);
    CHECK(at(o, "checked", NULL) == 5 && at(o, "clusters", NULL) == 5);
    CHECK(fabs(at(o, "base", "share") - 0.4) < 1e-12);
    CHECK(fabs(at(o, "base", "share_low") - 0.117621) < 1e-6); /* Wilson */
    CHECK(fabs(at(o, "difference", "share") - 0.2) < 1e-12);
    /* 1, 0, 1, -1 and 0; gained and lost */
    CHECK(fabs(at(o, "difference", "half_width")
               - half_of((double[]){ 1, 0, 1, -1, 0, 1, -1 },
                         (double[]){ 1, 1, 1, 1, 1, 1, 1 }, 7,
                         2.4469118511449692, 0.2)) < 1e-9);
    CHECK(at(o, "gained", NULL) == 2 && at(o, "lost", NULL) == 1);
    cJSON_Delete(o);
    make(&s, two);
    o = put(&s, base, with, 1);
    CHECK(at(o, "clusters", NULL) == 2);
    CHECK(fabs(at(o, "difference", "half_width")
               - half_of((double[]){ 1, 0, 3, -3 },
                         (double[]){ 2, 3, 3, 3 }, 4,
                         3.182446305284263, 0.2)) < 1e-9);
    CHECK(at(o, "base", "share_low") == 0);
    cJSON_Delete(o);
}

TEST(samples_of_one_prompt_count_as_one)
{
    static const int base[N] = { 0, 1, 3, 4, 0, 4 };
    static const char *const none[N] = { NULL };
    struct some s;
    cJSON *o;

    make(&s, none);
    o = put(&s, base, base, 4);
    CHECK(at(o, "samples", NULL) == 4);
    CHECK(at(o, "base", "passed") == 8);
    CHECK(fabs(at(o, "base", "share") - 0.4) < 1e-12);
    CHECK(at(o, "base", "share_low") > 0.05);
    CHECK(fabs(at(o, "base", "share_high") - 0.4
               - half_of((double[]){ 0, 1, 3, 4, 0, 0, 0, 4, 4 },
                         (double[]){ 4, 4, 4, 4, 4, 4, 4, 4, 4 }, 9,
                         2.3060041350333704, 0.4)) < 1e-9);
    CHECK(at(o, "difference", "share") == 0);
    CHECK(at(o, "gained", NULL) == 0 && at(o, "lost", NULL) == 0);
    cJSON_Delete(o);
}

/* Three prompts, and the adapter passes all of them: it may be better, but
 * nothing is sure. */
TEST(a_few_prompts_are_not_sure)
{
    static const int none[N] = { 0 }, all[N] = { 4, 4, 4, 4, 4, 4 };
    static const char *const two[N] = { "a", "a", "b", "b", "b", "c" };
    struct some s;
    cJSON *o;

    make(&s, two);
    o = put(&s, none, all, 4);
    CHECK(at(o, "base", "share") == 0 && at(o, "adapter", "share") == 1);
    CHECK(at(o, "base", "share_low") == 0);
    CHECK(at(o, "base", "share_high") > 0.5);
    CHECK(at(o, "adapter", "share_low") < 0.5);
    CHECK(at(o, "adapter", "share_high") == 1);
    CHECK(at(o, "difference", "share") == 1);
    CHECK(at(o, "difference", "half_width") > 1);
    cJSON_Delete(o);
}

static const struct test tests[] = {
    RUN(pass_at_k_is_what_k_of_n_draw),
    RUN(prompts_of_one_cluster_count_as_one),
    RUN(samples_of_one_prompt_count_as_one),
    RUN(a_few_prompts_are_not_sure),
};

TEST_MAIN("tally", tests)
