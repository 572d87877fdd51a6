/* merges.c - the table of pairs, also of those that were chosen to lie in one
 * place of it. */
#include "text/merges.h"

#include <time.h>

#include "test.h"

#define N 200000

static struct { uint32_t left, right; } pair[N];

/* Pairs whose products with the golden ratio's factor, folded, are alike: all
 * in one part in 128 of a table that has that for a hash. */
static void
choose_pairs(void)
{
    size_t n = 0;

    for (uint64_t i = 0; n < N; i++) {
        uint32_t left = (uint32_t)(i >> 13), right = i & 0x1fff;
        uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;

        h = (h ^ h >> 32) >> 3;
        if ((h & 0x7ffff) >= 0x1000)
            continue;
        pair[n].left = left;
        pair[n++].right = right;
    }
}

/* Half a minute, if each has to pass all before it; else a few ms. */
TEST(chosen_pairs_take_no_longer_than_others)
{
    struct merges m;
    clock_t start;
    size_t found = 0;

    choose_pairs();
    merges_init(&m, N);
    start = clock();
    for (uint32_t i = 0; i < N; i++)
        merges_put(&m, pair[i].left, pair[i].right, i, i + 1);
    for (size_t i = 0; i < N; i++)
        found += merges_has(&m, pair[i].left, pair[i].right);
    CHECK(clock() - start < 5 * CLOCKS_PER_SEC);
    CHECK_EQ_U64(found, N);
    CHECK_EQ_U64(m.n, N);
    merges_release(&m);
}

TEST(a_pair_that_is_there_is_replaced)
{
    struct merge_scratch scratch = { 0 };
    uint32_t id[] = { 1, 2, 1, 2, 3 };
    struct merges m;

    merges_init(&m, 3);
    merges_put(&m, 1, 2, 0, 7);
    merges_put(&m, 2, 3, 1, 8);
    merges_put(&m, 1, 2, 2, 9);
    CHECK_EQ_U64(m.n, 2);
    CHECK(merges_has(&m, 2, 3) && !merges_has(&m, 2, 1));
    /* 2 3 goes before 1 2 now */
    CHECK_EQ_U64(merge_piece(&m, &scratch, id, 5), 3);
    CHECK(id[0] == 9 && id[1] == 1 && id[2] == 8);
    merge_scratch_release(&scratch);
    merges_release(&m);
}

static const struct test tests[] = {
    RUN(chosen_pairs_take_no_longer_than_others),
    RUN(a_pair_that_is_there_is_replaced),
};

TEST_MAIN("merges", tests)
