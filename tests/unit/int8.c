/* int8.c - the group-128 codec and its error bound. */
#include "tensor/int8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/dtype.h"
#include "test.h"

/* |x - q s| <= s / 2 in real numbers: every term is exact in a double. */
static void
check_row(const float *x, size_t n)
{
    int8_t *q = mem_alloc(n);
    uint16_t *scale = mem_array(int8_groups(n), sizeof(*scale));
    float *back = mem_array(n, sizeof(*back));
    size_t bad, wrong = 0, i;

    CHECK(int8_encode(q, scale, x, n, &bad));
    int8_decode(back, q, scale, n);
    for (i = 0; i < n; i++) {
        double s = f16_to_f32(scale[i / INT8_GROUP]);

        wrong += !(fabs((double)x[i] - (double)back[i]) <= s / 2)
                 || q[i] == -128 || (double)back[i] != q[i] * s;
    }
    CHECK_EQ_U64(wrong, 0);
    free(q);
    free(scale);
    free(back);
}

TEST(the_error_bound_holds)
{
    static const double size[] = {
        1, 0.02, 1e-3, 1e-5, 1e-6, 4e-7, 1e-7, 1e-8, 1e-12, 3e4, 8e6 / 6
    };
    static const size_t length[] = { 1, 127, 128, 129, 255, 256, 257, 1000 };
    float x[1000];
    struct rng r;

    rng_init(&r, 1, 2);
    for (size_t k = 0; k < sizeof(size) / sizeof(size[0]); k++)
        for (size_t l = 0; l < sizeof(length) / sizeof(length[0]); l++) {
            for (size_t i = 0; i < length[l]; i++)
                x[i] = (float)(size[k] * fmax(-6, fmin(6, rng_normal(&r))));
            check_row(x, length[l]);
        }
}

/* Rows whose largest element walks over a whole binade of scales, normal and
 * subnormal. */
TEST(the_bound_holds_for_every_scale)
{
    float x[3];

    for (int exponent = -26; exponent < 16; exponent++)
        for (int i = 0; i < 1024; i++) {
            x[0] = (float)(127 * ldexp(1 + i / 1024.0, exponent));
            x[1] = x[0] * 0.4960629f;
            x[2] = -x[0] * 0.0039370f;
            check_row(x, 3);
        }
}

TEST(the_scale_is_close_to_absmax_over_127)
{
    float x[128];
    int8_t q[128];
    uint16_t s;
    size_t bad;
    struct rng r;

    rng_init(&r, 3, 4);
    for (int k = 0; k < 1000; k++) {
        for (int i = 0; i < 128; i++)
            x[i] = (float)(rng_double(&r) - 0.5);
        x[k % 128] = 0.75f + (float)k / 1024;
        CHECK(int8_encode(q, &s, x, 128, &bad));
        double want = x[k % 128] / 127.0;
        CHECK(fabs(f16_to_f32(s) - want) <= want * 0x1p-11 * 1.001);
        CHECK_EQ_U64(q[k % 128], 127);
    }
}

TEST(zeros_have_scale_zero)
{
    float x[200] = { 0 };
    int8_t q[200];
    uint16_t s[2] = { 7, 7 };
    size_t bad;

    memset(q, 1, sizeof(q));
    x[130] = 1;
    CHECK(int8_encode(q, s, x, 200, &bad));
    CHECK_EQ_U64(s[0], 0);
    CHECK_EQ_U64(q[0], 0);
    CHECK_EQ_U64(q[130], 127);
    CHECK_EQ_U64(q[199], 0);
}

TEST(a_scale_beyond_f16_is_refused)
{
    float x[300] = { 0 };
    int8_t q[300];
    uint16_t s[3];
    size_t bad = 0;

    x[140] = 8.3e6f;
    CHECK(int8_encode(q, s, x, 300, &bad));
    x[140] = -8.4e6f;
    CHECK(!int8_encode(q, s, x, 300, &bad));
    CHECK_EQ_U64(bad, 128);
}

TEST(groups_of_a_row)
{
    CHECK_EQ_U64(int8_groups(0), 0);
    CHECK_EQ_U64(int8_groups(1), 1);
    CHECK_EQ_U64(int8_groups(128), 1);
    CHECK_EQ_U64(int8_groups(129), 2);
}

static const struct test tests[] = {
    RUN(the_error_bound_holds),
    RUN(the_bound_holds_for_every_scale),
    RUN(the_scale_is_close_to_absmax_over_127),
    RUN(zeros_have_scale_zero),
    RUN(a_scale_beyond_f16_is_refused),
    RUN(groups_of_a_row),
};

TEST_MAIN("int8", tests)
