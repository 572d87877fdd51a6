/* base_rng.c - Philox against Random123's known answers, and what is built
 * on it. */
#include "base/rng.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"

/* From Random123's kat_vectors, philox4x32 with 10 rounds. */
static const struct {
    uint32_t counter[4], key[2], out[4];
} vectors[] = {
    {{0, 0, 0, 0}, {0, 0},
     {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST(philox_gives_the_known_answers)
{
    uint32_t out[4];
    size_t i, k;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        philox(out, vectors[i].counter, vectors[i].key);
        for (k = 0; k < 4; k++)
            CHECK_EQ_U64(out[k], vectors[i].out[k]);
    }
}

TEST(a_stream_is_philox_of_its_counter)
{
    uint32_t key[2] = {7, 0}, counter[4] = {1, 0, 9, 0}, out[4];
    struct rng r;
    int i;

    rng_init(&r, 7, 9);
    for (i = 0; i < 4; i++)
        rng_u32(&r);
    philox(out, counter, key);
    for (i = 0; i < 4; i++)
        CHECK_EQ_U64(rng_u32(&r), out[i]);
}

TEST(below_is_uniform)
{
    unsigned count[7] = {0};
    struct rng r;
    int i;

    rng_init(&r, 1, rng_site("below"));
    for (i = 0; i < 70000; i++) {
        uint64_t v = rng_below(&r, 7);
        if (!CHECK(v < 7))
            return;
        count[v]++;
    }
    for (i = 0; i < 7; i++) /* six standard deviations */
        CHECK(fabs(count[i] - 10000.0) < 6 * sqrt(10000 * 6.0 / 7));
    CHECK_EQ_U64(rng_below(&r, 1), 0);
}

TEST(normal_has_mean_0_and_variance_1)
{
    double sum = 0, squares = 0, v;
    const int n = 100000;
    struct rng r;
    int i;

    rng_init(&r, 3, 0);
    for (i = 0; i < n; i++) {
        v = rng_normal(&r);
        sum += v;
        squares += v * v;
    }
    CHECK(fabs(sum / n) < 6 / sqrt(n));
    CHECK(fabs(squares / n - 1) < 6 * sqrt(2.0 / n));
}

TEST(permute_is_a_permutation_at_every_size)
{
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 15, 16, 17, 1000, 4097};
    size_t s, i, n, fixed = 0;
    uint8_t *seen;

    for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        n = sizes[s];
        seen = mem_alloc(n);
        for (i = 0; i < n; i++) {
            uint64_t v = rng_permute(i, n, 5, 2);
            if (CHECK(v < n))
                CHECK_EQ_U64(seen[v]++, 0);
            fixed += n > 1000 && v == i;
        }
        free(seen);
    }
    CHECK(fixed < 10); /* one is expected */
    CHECK(rng_permute(0, UINT64_MAX, 1, 1) < UINT64_MAX);
}

TEST(permute_depends_on_seed_and_epoch)
{
    size_t i, same_seed = 0, same_epoch = 0;

    for (i = 0; i < 1000; i++) {
        same_seed += rng_permute(i, 1000, 1, 1) ==
                     rng_permute(i, 1000, 2, 1);
        same_epoch += rng_permute(i, 1000, 1, 1) ==
                      rng_permute(i, 1000, 1, 2);
    }
    CHECK(same_seed < 10);
    CHECK(same_epoch < 10);
}

static const struct test tests[] = {
    RUN(philox_gives_the_known_answers),
    RUN(a_stream_is_philox_of_its_counter),
    RUN(below_is_uniform),
    RUN(normal_has_mean_0_and_variance_1),
    RUN(permute_is_a_permutation_at_every_size),
    RUN(permute_depends_on_seed_and_epoch),
};

TEST_MAIN("base_rng", tests)
