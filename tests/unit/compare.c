/* compare.c - two bases over the same records: what transformers and PyTorch
 * make of them in double (tests/golden/divergence.json), on each back end,
 * whatever the batch; what it takes; and which bases can't be compared. */
#include "eval/compare.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/par.h"
#include "golden_logits.h"
#include "model/fit.h"

enum { RECORDS = 5, MOST = 32, SEQ_LEN = 16 };

/* The records of the golden file; what is even is not to be learned. */
struct source {
    const cJSON *record[RECORDS];
    uint32_t len[RECORDS], ids[MOST];
    uint8_t learn[MOST];
    uint64_t tokens;
};

static int
get(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    struct source *s = ctx;
    const cJSON *v;
    uint32_t n = 0;

    (void)e;
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(s->record[i], "ids")) {
        s->ids[n] = (uint32_t)v->valueint;
        s->learn[n++] = v->valueint % 2 != 0;
    }
    *out = (struct record_tokens){ s->ids, s->learn, n };
    return 0;
}

static struct token_source
source_of(struct source *s, const cJSON *golden)
{
    const cJSON *records = cJSON_GetObjectItem(golden, "records");

    s->tokens = 0;
    CHECK_EQ_U64(cJSON_GetArraySize(records), RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        s->record[i] = cJSON_GetArrayItem(records, i);
        s->len[i] = (uint32_t)cJSON_GetArraySize(
            cJSON_GetObjectItem(s->record[i], "ids"));
        s->tokens += s->len[i];
    }
    return (struct token_source){ .get = get, .ctx = s,
                                  .n_records = RECORDS, .len = s->len,
                                  .vocab = 96 };
}

/* One of the golden models, to run on the back end. */
static void
open_model(struct model *m, const cJSON *golden, const char *key,
           const struct backend *b)
{
    const struct model with = { .backend = *b };
    char path[256];
    struct err e;

    snprintf(path, sizeof(path), GOLDEN_DIR "%s",
             cJSON_GetObjectItem(golden, key)->valuestring);
    if (model_open_beside(m, path, &with, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
}

struct sums {
    struct measured target, all;
    struct record_loss of[8][RECORDS];
    double kls[2][RECORDS * MOST];
};

static void
sums_init(struct sums *s)
{
    struct measured *to[] = { &s->target, &s->all };

    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < 2; i++)
        *to[i] = (struct measured){
            .base = s->of[4 * i], .compare = s->of[4 * i + 1],
            .kl = s->of[4 * i + 2], .same_top = s->of[4 * i + 3],
            .kls = s->kls[i]
        };
}

static struct prog_opts
opts_of(uint32_t batch, uint32_t chunk)
{
    return (struct prog_opts){ .mode = PROG_EVAL, .logits = true,
                               .batch = batch, .seq_len = SEQ_LEN,
                               .head_chunk = chunk };
}

static void
check_sum(const struct record_loss *got, double want, uint64_t n,
          double bound)
{
    CHECK_EQ_U64(got->n, n);
    if (!CHECK(fabs(got->sum - want) <= bound * fmax(1, want)))
        printf("    %.17g, expected %.17g\n", got->sum, want);
}

/* What the golden file says of a record's tokens, of all or of those that are
 * to be learned. */
static void
check_record(const struct source *s, int i, const struct measured *m,
             bool all, double bound)
{
    const cJSON *ids = cJSON_GetObjectItem(s->record[i], "ids");
    const cJSON *tokens = cJSON_GetObjectItem(s->record[i], "tokens");
    double loss[2] = { 0, 0 }, kl = 0, top = 0;
    uint64_t n = 0;

    for (int k = 0; k < cJSON_GetArraySize(tokens); k++) {
        const cJSON *t = cJSON_GetArrayItem(tokens, k);
        const cJSON *l = cJSON_GetObjectItem(t, "loss");

        if (!all && cJSON_GetArrayItem(ids, k + 1)->valueint % 2 == 0)
            continue;
        loss[0] += cJSON_GetArrayItem(l, 0)->valuedouble;
        loss[1] += cJSON_GetArrayItem(l, 1)->valuedouble;
        kl += cJSON_GetObjectItem(t, "kl")->valuedouble;
        top += cJSON_IsTrue(cJSON_GetObjectItem(t, "same_top"));
        n++;
    }
    check_sum(&m->base[i], loss[0], n, bound);
    check_sum(&m->compare[i], loss[1], n, bound);
    check_sum(&m->kl[i], kl, n, bound);
    check_sum(&m->same_top[i], top, n, 0);
}

/* kls are the divergences that the records' sums are of. */
static void
check_kls(const struct measured *m)
{
    double sum = 0, kls = 0;
    uint64_t n = 0;

    for (int i = 0; i < RECORDS; i++) {
        sum += m->kl[i].sum;
        n += m->kl[i].n;
    }
    for (uint64_t i = 0; i < m->n_kls; i++)
        kls += m->kls[i];
    CHECK_EQ_U64(m->n_kls, n);
    CHECK(n > 0 && fabs(sum - kls) < 1e-9 * sum);
}

static cJSON *
open_golden(void)
{
    cJSON *golden;
    struct err e;

    if (json_user_file(&golden, "tests/golden/divergence.json", 1 << 20, &e)
        < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    return golden;
}

TEST(two_bases_are_as_far_apart_as_transformers_has_them)
{
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);
    struct prog_opts o = opts_of(2, 5);
    cJSON *golden = open_golden();
    struct source s;
    struct token_source source = source_of(&s, golden);
    struct model m, other;
    struct sums sums;
    struct err e;

    for (size_t i = 0; i < n; i++) {
        open_model(&m, golden, "base", &t[i].backend);
        open_model(&other, golden, "compare", &t[i].backend);
        CHECK(compare_vocab(&m, &other, &e) == 0);
        sums_init(&sums);
        CHECK(compare_models(&m, &other, &o, &source, &sums.target,
                             &sums.all, &e) == 0);
        for (int r = 0; r < RECORDS; r++) {
            check_record(&s, r, &sums.target, false, t[i].bound);
            check_record(&s, r, &sums.all, true, t[i].bound);
        }
        check_kls(&sums.target);
        check_kls(&sums.all);
        model_release(&other);
        model_release(&m);
    }
    targets_close(t, n);
    cJSON_Delete(golden);
}

/* A chunk that is all, some or one of the rows, more or fewer sequences; and
 * in the reference's arithmetic no bit differs. */
TEST(batches_chunks_and_threads_change_nothing)
{
    static const uint32_t how[][3] = { /* batch, chunk, threads */
        { 1, 128, 1 }, { 3, 1, 1 }, { 4, 40, 3 }, { 2, 16, 2 }
    };
    cJSON *golden = open_golden();
    struct source s;
    struct token_source source = source_of(&s, golden);
    struct model m, other;
    struct sums sums, first;
    struct backend b;
    struct err e;

    ref_open(&b);
    open_model(&m, golden, "base", &b);
    open_model(&other, golden, "compare", &b);
    for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
        struct prog_opts o = opts_of(how[i][0], how[i][1]);

        par_set_threads((int)how[i][2]);
        sums_init(&sums);
        CHECK(compare_models(&m, &other, &o, &source, &sums.target,
                             &sums.all, &e) == 0);
        if (i == 0)
            first = sums;
        CHECK(memcmp(first.of, sums.of, sizeof(sums.of)) == 0);
        CHECK(memcmp(first.kls, sums.kls, sizeof(sums.kls)) == 0);
    }
    par_set_threads(0);
    model_release(&other);
    model_release(&m);
    cJSON_Delete(golden);
}

TEST(a_base_is_no_distance_from_itself)
{
    struct prog_opts o = opts_of(2, 16);
    cJSON *golden = open_golden();
    struct source s;
    struct token_source source = source_of(&s, golden);
    struct model m, other;
    struct sums sums;
    struct backend b;
    struct err e;

    ref_open(&b);
    open_model(&m, golden, "compare", &b);
    open_model(&other, golden, "compare", &b);
    sums_init(&sums);
    CHECK(compare_models(&m, &other, &o, &source, &sums.target, &sums.all,
                         &e) == 0);
    for (int i = 0; i < RECORDS; i++) {
        CHECK(sums.all.kl[i].sum <= 0 && sums.all.kl[i].sum >= 0);
        CHECK(sums.all.same_top[i].sum >= (double)sums.all.base[i].n);
    }
    CHECK(memcmp(sums.all.base, sums.all.compare, sizeof(sums.of[0])) == 0);
    model_release(&other);
    model_release(&m);
    cJSON_Delete(golden);
}

/* Of either, by its path. */
TEST(an_output_that_is_not_finite_is_whose_it_is)
{
    struct prog_opts o = opts_of(2, 16);
    cJSON *golden = open_golden();
    struct source s;
    struct token_source source = source_of(&s, golden);
    struct model m[2];
    struct sums sums;
    struct backend b;
    struct err e;

    ref_open(&b);
    open_model(&m[0], golden, "base", &b);
    open_model(&m[1], golden, "compare", &b);
    for (int i = 0; i < 2; i++) {
        uint32_t norm = desc_module(&m[i].desc, ROLE_NORM_F, 0)->weight;
        struct frozen_tensor *t = &m[i].base.tensor[norm];
        const void *was = t->data;
        float *bad = mem_array(m[i].desc.dim, sizeof(*bad));

        for (uint32_t k = 0; k < m[i].desc.dim; k++)
            bad[k] = NAN;
        t->data = bad;
        CHECK(t->dtype == DTYPE_F32);
        sums_init(&sums);
        CHECK(compare_models(&m[0], &m[1], &o, &source, &sums.target,
                             &sums.all, &e) == ERR_DATA);
        CHECK(strstr(e.text, m[i].weights.path) == e.text
              && strstr(e.text, "not finite") != NULL);
        t->data = was;
        free(bad);
    }
    model_release(&m[1]);
    model_release(&m[0]);
    cJSON_Delete(golden);
}

/* Both programs and what is beside them are what has to fit. */
TEST(memory_is_that_of_both)
{
    uint64_t beside = compare_bytes(96, 1000), total[2];
    struct prog_opts o = opts_of(2, 16);
    cJSON *golden = open_golden();
    struct model m[2];
    struct backend b;
    struct prog p;
    struct err e;

    CHECK(beside >= 2 * (uint64_t)96 * sizeof(double) + 1000 * sizeof(double));
    ref_open(&b);
    open_model(&m[0], golden, "base", &b);
    open_model(&m[1], golden, "compare", &b);
    for (int i = 0; i < 2; i++) {
        CHECK(prog_build(&p, &m[i].desc, &o, &m[i].base, &b, &e) == 0);
        CHECK_EQ_U64(p.logits.rows, 16);
        total[i] = prog_memory(&p, &b).total;
        prog_release(&p);
    }
    CHECK(model_fit_both(&m[0], &m[1], &o, beside, "x", false, &e) == 0);
    beside = ((uint64_t)1 << 50) + 1 - total[0] - total[1];
    CHECK(model_fit_both(&m[0], &m[1], &o, beside, "x", false, &e)
          == ERR_LIMIT);
    CHECK(strstr(e.text, "x takes 1073741825 MiB") != NULL); /* 2^30 + 1 */
    CHECK(strstr(e.text, "no smaller batch or shorter sequence would fit"));
    model_release(&m[1]);
    model_release(&m[0]);
    cJSON_Delete(golden);
}

static const struct test tests[] = {
    RUN(two_bases_are_as_far_apart_as_transformers_has_them),
    RUN(batches_chunks_and_threads_change_nothing),
    RUN(a_base_is_no_distance_from_itself),
    RUN(an_output_that_is_not_finite_is_whose_it_is),
    RUN(memory_is_that_of_both),
};

TEST_MAIN("compare", tests)
