/* stored.c - every row of the table of stored formats: what it encodes comes
 * back within its bound, in parts as in one, and sizes add up. */
#include "tensor/stored.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "test.h"

TEST(rows_are_found_by_name_and_by_type)
{
    const struct stored *s;

    for (size_t i = 0; (s = stored_at(i)) != NULL; i++) {
        CHECK(stored_named(s->name) == s);
        CHECK(stored_of(s->dtype) == s);
        CHECK(s->block == STORED_ROW || (1 << 14) % s->block == 0);
        CHECK(s->block != 1 || s->side_dtype == DTYPE_NONE);
        CHECK(s->block != 1 || dtype_is_float(s->dtype));
        CHECK((s->encode == NULL) == (s->bound == NULL));
    }
    CHECK(stored_named("q2_k") == NULL);
    CHECK(stored_of(DTYPE_I64) == NULL);
    CHECK(stored_of(DTYPE_NONE) == NULL);
}

/* A row of n, of numbers in [-range, range]. */
static void
check_row(const struct stored *s, size_t n, double range)
{
    size_t blocks = (size_t)stored_blocks(s, n), bad;
    float *x = mem_array(n, sizeof(*x)), *whole = mem_array(n, sizeof(*x));
    char *data = mem_alloc((size_t)stored_row_bytes(s, n));
    char *side = mem_alloc(blocks * dtype_size(s->side_dtype) + 1);
    struct rng r;

    rng_init(&r, n, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((2 * rng_double(&r) - 1) * range);
    CHECK(s->encode(data, side, x, n, &bad));
    s->widen(whole, data, side, 0, n);
    for (size_t i = 0; i < n; i++) {
        size_t len = s->block == STORED_ROW ? n : s->block;
        size_t from = i / len * len, k;
        double most = 0;
        float one;

        for (k = from; k < n && k < from + len; k++)
            most = fmax(most, fabs((double)x[k]));
        if (!CHECK(fabs((double)x[i] - (double)whole[i]) <= s->bound(most)))
            printf("  %s: %g became %g\n", s->name, (double)x[i],
                   (double)whole[i]);
        s->widen(&one, data, side, i, 1);
        CHECK(memcmp(&one, &whole[i], sizeof(one)) == 0);
    }
    free(x);
    free(whole);
    free(data);
    free(side);
}

TEST(what_is_encoded_comes_back_within_the_bound)
{
    static const size_t lengths[] = { 1, 2, 127, 128, 129, 300, 512 };

    const struct stored *s;

    for (size_t i = 0; (s = stored_at(i)) != NULL; i++)
        for (size_t k = 0; s->encode && k < sizeof(lengths)
                                            / sizeof(lengths[0]); k++) {
            check_row(s, lengths[k], 1);
            check_row(s, lengths[k], 400);
        }
}

TEST(what_a_format_can_not_hold_is_named)
{
    float x[300] = { 0 };
    char data[1200], side[8];
    size_t bad = 0;

    x[200] = 1e30f;
    CHECK(stored_named("f32")->encode(data, side, x, 300, &bad));
    CHECK(stored_named("bf16")->encode(data, side, x, 300, &bad));
    CHECK(!stored_named("f16")->encode(data, side, x, 300, &bad));
    CHECK_EQ_U64(bad, 200);
    CHECK(!stored_named("int8")->encode(data, side, x, 300, &bad));
    CHECK_EQ_U64(bad, 128);
    CHECK(!stored_named("int8_row")->encode(data, side, x, 300, &bad));
    CHECK_EQ_U64(bad, 200);
}

TEST(sizes_of_rows)
{
    CHECK_EQ_U64(stored_row_bytes(stored_named("f32"), 130), 520);
    CHECK_EQ_U64(stored_blocks(stored_named("f32"), 130), 0);
    CHECK_EQ_U64(stored_row_bytes(stored_named("int8"), 130), 130);
    CHECK_EQ_U64(stored_blocks(stored_named("int8"), 130), 2);
    CHECK_EQ_U64(stored_blocks(stored_named("int8"), 128), 1);
    CHECK_EQ_U64(stored_blocks(stored_named("int8"), 0), 0);
    CHECK_EQ_U64(stored_row_bytes(stored_named("int8_row"), 130), 130);
    CHECK_EQ_U64(stored_blocks(stored_named("int8_row"), 130), 1);
    CHECK_EQ_U64(stored_blocks(stored_named("int8_row"), 0), 0);
    CHECK_EQ_U64(stored_row_bytes(stored_named("q8_0"), 64), 68);
    CHECK_EQ_U64(stored_row_bytes(stored_named("q8_0"), 65), 102);
    CHECK_EQ_U64(stored_row_bytes(stored_named("q6_k"), 512), 420);
    CHECK_EQ_U64(stored_blocks(stored_named("q6_k"), 512), 0);
}

static const struct test tests[] = {
    RUN(rows_are_found_by_name_and_by_type),
    RUN(what_is_encoded_comes_back_within_the_bound),
    RUN(what_a_format_can_not_hold_is_named),
    RUN(sizes_of_rows),
};

TEST_MAIN("stored", tests)
