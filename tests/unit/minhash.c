/* minhash.c - shingles are the runs of tokens, sketches tell how alike two
 * sets are within what the theory gives, and bands find those that are. */
#include "text/minhash.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "test.h"
#include "text/shingles.h"

struct taken {
    uint64_t hash[64];
    bool words[64];
    size_t n;
};

static void
take(void *ctx, uint64_t hash, bool words)
{
    struct taken *t = ctx;

    t->words[t->n] = words;
    t->hash[t->n++] = hash;
}

static struct taken
shingles(const char *text, uint64_t seed, size_t n_gram, uint64_t tokens)
{
    struct taken t = { .n = 0 };

    CHECK_EQ_U64(shingles_of(text, strlen(text), seed, n_gram, take, &t),
                 tokens);
    return t;
}

TEST(shingles_are_runs_of_tokens)
{
    struct taken a = shingles("int f(int x_1) { return 22; }", 0, 5, 6);
    struct taken b = shingles("int\tf ( int x_1 )return 22", 0, 5, 6);
    struct taken c = shingles("g int f int x_1 return", 0, 5, 6);

    CHECK_EQ_U64(a.n, 2);
    CHECK_EQ_U64(b.n, 2);
    CHECK(a.hash[0] == b.hash[0] && a.hash[1] == b.hash[1]);
    CHECK(a.hash[0] == c.hash[1] && a.hash[0] != c.hash[0]);
    CHECK(a.hash[0] != a.hash[1]);
    CHECK(shingles("int f(int x_1) { return 22; }", 1, 5, 6).hash[0]
          != a.hash[0]);
    /* of xxhash for Python: XXH3 of the five tokens' hashes. An index holds
     * these, so they are the same for ever. */
    CHECK_EQ_U64(shingles("a b c d e", 0, 5, 5).hash[0],
                 UINT64_C(0x68c5f751d2da9428));
}

TEST(texts_of_few_tokens_are_one_shingle)
{
    CHECK_EQ_U64(shingles("", 0, 5, 0).n, 0);
    CHECK_EQ_U64(shingles(" }; {\n", 0, 5, 0).n, 0);
    CHECK_EQ_U64(shingles("a b", 0, 5, 2).n, 1);
    CHECK(shingles("a b", 0, 5, 2).hash[0] != shingles("a", 0, 5, 1).hash[0]);
    CHECK_EQ_U64(shingles("\xc3\xa9t\xc3\xa9 x", 0, 1, 2).n, 2);
}

TEST(runs_of_numbers_are_told)
{
    struct taken t = shingles("1 2 3 a 4 5 6 7", 0, 3, 8);

    CHECK_EQ_U64(t.n, 6);
    CHECK(!t.words[0] && t.words[1] && t.words[2] && t.words[3]);
    CHECK(!t.words[4] && !t.words[5]);
    CHECK(!shingles("1 2", 0, 3, 2).words[0]);
}

/* More than the window holds: the hash of the last run is that of its own
 * text. */
TEST(runs_go_on_in_a_long_text)
{
    char text[1024] = "";
    struct taken last = shingles("96 97 98 99", 7, 4, 4);
    uint64_t hash[128];
    struct taken t;

    for (int i = 0; i < 60; i++)
        snprintf(text + strlen(text), 16, "%d ", i + 40);
    t = shingles(text, 7, 4, 60);
    CHECK_EQ_U64(t.n, 57);
    memcpy(hash, t.hash, sizeof(t.hash));
    CHECK(hash[56] == last.hash[0]);
}

/* The sketch of `both` numbers that two sets have, and `own` that it alone
 * has. */
static void
make(struct sketch *s, struct banding b, uint64_t seed, size_t both,
     uint64_t site, size_t own)
{
    struct minhash *m = mem_alloc(sizeof(*m));
    struct rng r;

    minhash_begin(m);
    rng_init(&r, seed, 0);
    for (size_t i = 0; i < both; i++)
        minhash_add(m, rng_u64(&r));
    rng_init(&r, seed, site);
    for (size_t i = 0; i < own; i++)
        minhash_add(m, rng_u64(&r));
    minhash_end(m, b, s);
    free(m);
}

static double
similarity(const struct sketch *a, const struct sketch *b)
{
    return minhash_similarity(a->least, a->n_least, a->whole, b->least,
                              b->n_least, b->whole);
}

static bool
share_band(const struct sketch *a, const struct sketch *b, struct banding bands)
{
    for (unsigned i = 0; i < bands.bands; i++)
        if (a->band[i] == b->band[i])
            return true;
    return false;
}

TEST(small_sets_are_compared_exactly)
{
    struct banding bands = minhash_banding(0.7);
    struct sketch a, b;

    make(&a, bands, 1, 70, 1, 10);
    make(&b, bands, 1, 70, 2, 20);
    CHECK(a.whole && a.n_least == 80 && b.n_least == 90);
    CHECK(similarity(&a, &b) == 0.7);
    make(&a, bands, 2, 7, 1, 0);
    make(&b, bands, 2, 7, 2, 3);
    CHECK(similarity(&a, &b) == 0.7);
    make(&a, bands, 2, 0, 1, 9);
    CHECK(similarity(&a, &b) == 0);
    CHECK(similarity(&b, &b) == 1);
}

/* Large ones: the error is within 4.5 standard errors of a binomial of 256,
 * and over 60 pairs its mean within 4 of its own. */
TEST(large_sets_are_estimated_within_the_bound)
{
    static const double want[] = { 0.3, 0.7, 0.9 };
    struct banding bands = minhash_banding(0.7);
    struct sketch a, b;

    for (size_t w = 0; w < 3; w++) {
        double j = want[w], sum = 0, error = sqrt(j * (1 - j) / 256);
        size_t both = (size_t)(6000 * j + 0.5), own = (6000 - both) / 2;

        for (uint64_t seed = 0; seed < 60; seed++) {
            make(&a, bands, seed, both, 1, own);
            make(&b, bands, seed, both, 2, own);
            CHECK(!a.whole && a.n_least == MINHASH_LEAST);
            CHECK(fabs(similarity(&a, &b) - j) < 4.5 * error);
            sum += similarity(&a, &b) - j;
        }
        CHECK(fabs(sum / 60) < 4 * error / sqrt(60));
    }
}

/* A set of whom all is known, beside one of whom not. */
TEST(a_small_set_beside_a_large_one)
{
    struct banding bands = minhash_banding(0.7);
    struct sketch a, b;

    make(&a, bands, 3, 240, 1, 0);
    make(&b, bands, 3, 240, 2, 80);
    CHECK(a.whole && !b.whole);
    CHECK(fabs(similarity(&a, &b) - 0.75) < 0.12);
    CHECK(similarity(&a, &b) == similarity(&b, &a));
}

TEST(the_order_and_repetition_of_shingles_mean_nothing)
{
    struct banding bands = minhash_banding(0.7);
    struct minhash *m = mem_alloc(sizeof(*m));
    struct sketch a, b;

    for (uint64_t n = 3; n < 20000; n = 3 * n + 1) {
        minhash_begin(m);
        for (uint64_t i = 0; i < n; i++)
            minhash_add(m, (i + 1) * 0x9e3779b97f4a7c15u);
        minhash_end(m, bands, &a);
        minhash_begin(m);
        for (uint64_t i = 2 * n; i > 0; i--)
            minhash_add(m, ((i - 1) % n + 1) * 0x9e3779b97f4a7c15u);
        minhash_end(m, bands, &b);
        CHECK_EQ_U64(a.n_least, b.n_least);
        CHECK(a.whole == b.whole && a.whole == (n <= MINHASH_LEAST));
        CHECK(memcmp(a.least, b.least, 4 * a.n_least) == 0);
        CHECK(memcmp(a.band, b.band, 4 * bands.bands) == 0);
    }
    free(m);
}

TEST(the_banding_follows_from_the_threshold)
{
    struct banding b = minhash_banding(0.7);

    CHECK(b.rows == 4 && b.bands == 32);
    CHECK(fabs(minhash_miss(b, 0.7) - 0.000153) < 0.000001);
    b = minhash_banding(1);
    CHECK(b.rows == 128 && b.bands == 1);
    for (double t = 0.3; t < 1; t += 0.05) {
        b = minhash_banding(t);
        CHECK(b.rows * b.bands <= MINHASH_BINS);
        CHECK(minhash_miss(b, t) < 1e-3);
    }
}

/* Pairs that share a band, of sets so small that most bins are empty after
 * the first round, and of large ones: their part is what the formula gives,
 * within 4.5 standard errors. */
TEST(bands_find_what_the_formula_says)
{
    static const size_t total[] = { 20, 100, 1000 };
    struct banding bands = { 8, 16 };
    struct sketch a, b;

    for (size_t i = 0; i < 3; i++) {
        size_t n = 600, found = 0, both = total[i] * 7 / 10;
        double p = 1 - minhash_miss(bands, 0.7), got;

        for (uint64_t seed = 0; seed < n; seed++) {
            make(&a, bands, seed, both, 1, total[i] / 10);
            make(&b, bands, seed, both, 2, total[i] / 5);
            found += share_band(&a, &b, bands);
        }
        got = (double)found / (double)n;
        CHECK(fabs(got - p) < 4.5 * sqrt(p * (1 - p) / (double)n));
    }
}

static const struct test tests[] = {
    RUN(shingles_are_runs_of_tokens),
    RUN(texts_of_few_tokens_are_one_shingle),
    RUN(runs_of_numbers_are_told),
    RUN(runs_go_on_in_a_long_text),
    RUN(small_sets_are_compared_exactly),
    RUN(large_sets_are_estimated_within_the_bound),
    RUN(a_small_set_beside_a_large_one),
    RUN(the_order_and_repetition_of_shingles_mean_nothing),
    RUN(the_banding_follows_from_the_threshold),
    RUN(bands_find_what_the_formula_says),
};

TEST_MAIN("minhash", tests)
