/* sample.c - which tokens may be drawn, and how likely: as transformers'
 * logits processors have it (tests/golden/sample.json, made by the script
 * beside it). */
#include "eval/sample.h"

#include <math.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "test.h"

enum { MAX_VOCAB = 64 };

static double
number(const cJSON *o, const char *key, double missing)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return v != NULL ? v->valuedouble : missing;
}

/* The logits of a row, with the penalty of its text. */
static uint32_t
read_row(const cJSON *golden, int row, double *logits, int32_t *text,
         size_t *n_text)
{
    const cJSON *l = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(golden, "logits"), row);
    const cJSON *t = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(golden, "text"), row);
    const cJSON *v;
    uint32_t n = 0;

    cJSON_ArrayForEach(v, l)
        logits[n++] = v->valuedouble;
    *n_text = 0;
    cJSON_ArrayForEach(v, t)
        text[(*n_text)++] = (int32_t)v->valuedouble;
    return n;
}

/* The tokens kept are those of probs, each as likely. */
static void
compare(const struct sampler *s, const cJSON *probs, const char *name)
{
    const cJSON *p;
    double sum = 0;

    if (!CHECK_EQ_U64(s->n, (unsigned)cJSON_GetArraySize(probs)))
        printf("    %s\n", name);
    cJSON_ArrayForEach(p, probs) {
        double got = s->weight[strtoul(p->string, NULL, 10)] / s->sum;

        sum += got;
        if (!CHECK(fabs(got - p->valuedouble) < 1e-9))
            printf("    %s: token %s: %g, expected %g\n", name, p->string,
                   got, p->valuedouble);
    }
    CHECK(fabs(sum - 1) < 1e-9);
}

static void
check_case(const cJSON *golden, const cJSON *c)
{
    const cJSON *o = cJSON_GetObjectItemCaseSensitive(c, "options");
    struct sampling how = {
        .temperature = number(o, "temperature", 1),
        .top_k = (uint32_t)number(o, "top_k", 0),
        .top_p = number(o, "top_p", 1), .min_p = number(o, "min_p", 0),
        .repetition_penalty = number(o, "repetition_penalty", 1)
    };
    char *name = cJSON_PrintUnformatted(o);
    double logits[MAX_VOCAB];
    int32_t text[MAX_VOCAB];
    struct sampler s;
    size_t n_text;

    sampler_init(&s, read_row(golden, (int)number(c, "row", 0), logits, text,
                              &n_text));
    sampler_penalize(&s, &how, logits, text, n_text);
    sampler_keep(&s, &how, logits);
    compare(&s, cJSON_GetObjectItemCaseSensitive(c, "probs"), name);
    sampler_release(&s);
    cJSON_free(name);
}

TEST(tokens_are_as_likely_as_transformers_has_them)
{
    cJSON *golden = NULL;
    const cJSON *c;
    struct err e;

    if (!CHECK(json_user_file(&golden, "tests/golden/sample.json", 1 << 20,
                              &e) == 0))
        return;
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(golden, "cases"))
        check_case(golden, c);
    CHECK(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(
        golden, "cases")) > 40);
    cJSON_Delete(golden);
}

TEST(the_likeliest_is_taken_after_the_penalty)
{
    struct sampling how = { .repetition_penalty = 2 };
    double logits[] = { -1, 4, 3, -0.5 };
    const int32_t text[] = { 1, 3, 1 };
    struct sampler s;

    sampler_init(&s, 4);
    CHECK_EQ_U64(sampler_next(&s, &how, logits, text, 3), 2);
    CHECK(logits[1] == 2 && logits[3] == -1 && logits[0] == -1);
    logits[1] = logits[2]; /* of two the lower id */
    CHECK_EQ_U64(sampler_next(&s, &how, logits, text, 0), 1);
    sampler_release(&s);
}

/* Every token that may be drawn is, and no other. */
/* Wherever they stand, also among negative ones. */
TEST(of_the_likeliest_the_lowest_id_is_taken)
{
    enum { VOCAB = 21 };
    const struct sampling how = { .temperature = 0 };
    double logits[VOCAB];
    struct sampler s;

    sampler_init(&s, VOCAB);
    for (uint32_t a = 0; a < VOCAB; a++) {
        for (uint32_t b = a; b < VOCAB; b++) {
            for (uint32_t i = 0; i < VOCAB; i++)
                logits[i] = -3 - (double)i;
            logits[a] = logits[b] = -2;
            CHECK_EQ_U64(sampler_next(&s, &how, logits, NULL, 0), a);
        }
    }
    sampler_release(&s);
}

TEST(what_is_drawn_is_among_what_is_kept)
{
    struct sampling how = { .temperature = 2, .top_p = 1, .top_k = 3 };
    const double logits[] = { 0.5, 3, 2, -8, 2.5, 1 };
    uint32_t drawn[6] = { 0 };
    double given[6];
    int32_t text[1000] = { 0 };
    struct sampler s;

    sampler_init(&s, 6);
    for (size_t i = 0; i < 1000; i++) {
        memcpy(given, logits, sizeof(given));
        drawn[sampler_next(&s, &how, given, text, i)]++;
    }
    CHECK(drawn[0] == 0 && drawn[3] == 0 && drawn[5] == 0);
    CHECK(drawn[2] > 100 && drawn[4] > drawn[2] && drawn[1] > drawn[4]);
    sampler_release(&s);
}

static const struct test tests[] = {
    RUN(tokens_are_as_likely_as_transformers_has_them),
    RUN(the_likeliest_is_taken_after_the_penalty),
    RUN(of_the_likeliest_the_lowest_id_is_taken),
    RUN(what_is_drawn_is_among_what_is_kept),
};

TEST_MAIN("sample", tests)
