/* merges.c - the table of pairs, also of those that were chosen to lie in one
 * place of it. */
#include "text/merges.h"

#include <string.h>
#include <time.h>

#include "base/rng.h"
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

/* Ids that follow their ranks are not kept, others are. */
TEST(what_a_merge_gives_is_any_id)
{
    static const uint32_t gives[2][4] = { { 7, 8, 9, 10 }, { 7, 8, 3, 10 } };
    struct merge_scratch scratch = { 0 };
    struct merges m;
    uint32_t i, k;

    for (k = 0; k < 2; k++) {
        merges_init(&m, 4);
        for (i = 0; i < 4; i++)
            merges_put(&m, i, MERGE_MOST_IDS - 1 - i, i, gives[k][i]);
        CHECK((m.id == NULL) == (k == 0));
        for (i = 0; i < 4; i++) {
            uint32_t id[] = { i, MERGE_MOST_IDS - 1 - i };

            CHECK_EQ_U64(merge_piece(&m, &scratch, id, 2), 1);
            CHECK_EQ_U64(id[0], gives[k][i]);
        }
        merges_release(&m);
    }
    merge_scratch_release(&scratch);
}

/* By the rule as it is written: the lowest rank, the leftmost of equal ones,
 * until none is left. */
static size_t
merge_plainly(const uint32_t rank[8][8], uint32_t *id, size_t n)
{
    size_t i, best;

    for (;; n--) {
        for (best = n, i = 0; i + 1 < n; i++)
            if (rank[id[i]][id[i + 1]] != MERGE_NONE
                && (best == n || rank[id[i]][id[i + 1]] <
                    rank[id[best]][id[best + 1]]))
                best = i;
        if (best == n)
            return n;
        id[best] = rank[id[best]][id[best + 1]] % 8;
        memmove(id + best + 1, id + best + 2,
                (n - best - 2) * sizeof(id[0]));
    }
}

TEST(pieces_of_any_length_merge_by_the_rule)
{
    struct merge_scratch scratch = { 0 };
    uint32_t rank[8][8], id[80], want[80], left, right, r;
    struct merges m;
    struct rng rng;
    size_t n, k, n_want;
    int round;

    rng_init(&rng, 1, 0);
    for (round = 0; round < 2000; round++) {
        merges_init(&m, 64);
        memset(rank, 0xff, sizeof(rank));
        for (r = 0; r < 24; r++) {
            left = (uint32_t)rng_below(&rng, 8);
            right = (uint32_t)rng_below(&rng, 8);
            if (rank[left][right] != MERGE_NONE)
                continue;
            rank[left][right] = r;
            merges_put(&m, left, right, r, r % 8);
        }
        n = 1 + rng_below(&rng, 80);
        for (k = 0; k < n; k++)
            id[k] = want[k] = (uint32_t)rng_below(&rng, 8);
        n_want = merge_plainly(rank, want, n);
        if (!CHECK_EQ_U64(merge_piece(&m, &scratch, id, n), n_want)
            || !CHECK(memcmp(id, want, n_want * sizeof(id[0])) == 0))
            break;
        merges_release(&m);
    }
    merge_scratch_release(&scratch);
}

static const struct test tests[] = {
    RUN(chosen_pairs_take_no_longer_than_others),
    RUN(a_pair_that_is_there_is_replaced),
    RUN(what_a_merge_gives_is_any_id),
    RUN(pieces_of_any_length_merge_by_the_rule),
};

TEST_MAIN("merges", tests)
