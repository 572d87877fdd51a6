/* cpu_fixed.c - floats in fixed point are as near as fixed.h says, and their
 * products with a weight are the same bits with every instruction set and
 * beside any other rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cpu_isa.h"
#include "kernels/cpu/fixed.h"
#include "stored_fill.h"

#if defined(__x86_64__)

enum { K = 512, N = 40 };

static const struct fixed_ops *
ops_named(const char *name)
{
    if (strcmp(name, "avx2") == 0)
        return isa_here("avx2") ? &fixed_avx2 : NULL;
    return isa_here("avx512") && __builtin_cpu_supports("avx512vnni")
        ? &fixed_avx512vnni : NULL;
}

static const char *const names[] = { "avx2", "avx512vnni" };

/* x[K]: blocks of small and of large values, with one that is much larger, of
 * the smallest, and of nothing. */
static void
fill_x(float *x)
{
    for (int i = 0; i < K; i++) {
        float scale = ldexpf(1, (i / 32 * 13 + 5) % 90 - 40);

        x[i] = scale * (float)((i * 7919 % 2003) - 1001) / 1001;
    }
    x[5] = 1e4f;
    x[64] = 0x1.ffp3f;
    x[65] = -0x1.fdp3f;
    memset(x + 96, 0, 32 * sizeof(*x));
    for (int i = 128; i < 160; i++)
        x[i] = 0x1p-140f * (float)i;
}

static void
check_block(const struct fixed *f, const float *x)
{
    double top = 0, sum[2] = { 0 };

    for (int i = 0; i < FIXED_BLOCK; i++)
        top = fmax(top, fabs((double)x[i]));
    top = fmax(top, 0x1p-100);
    for (int i = 0; i < FIXED_BLOCK; i++) {
        size_t half = (size_t)i / 16, at = FIXED_AGAIN + (size_t)i % 16;
        double n = 65536.0 * f->part[0][half][at]
            + 256.0 * f->part[1][half][at] + f->part[2][half][at];

        sum[half] += n;
        CHECK(fabs(n * (double)f->step - (double)x[i])
              <= top * 0x1p-23 * (1 + 0x1p-7));
    }
    CHECK(sum[0] == f->sum[0] && sum[1] == f->sum[1]);
    CHECK(f->total == (float)(sum[0] + sum[1]) * f->step);
}

TEST(a_block_is_near_its_floats)
{
    struct fixed f[K / FIXED_BLOCK];
    float x[K];

    fill_x(x);
    for (size_t i = 0; i < 2; i++) {
        const struct fixed_ops *ops = ops_named(names[i]);

        if (ops == NULL) {
            SKIP_PART(names[i], "this processor lacks it");
            continue;
        }
        ops->from(f, x, K);
        for (int b = 0; b < K / FIXED_BLOCK; b++)
            check_block(&f[b], x + b * FIXED_BLOCK);
        x[7] = INFINITY;
        x[40] = NAN;
        ops->from(f, x, K);
        CHECK(isnan(f[0].step) && isnan(f[1].step) && !isnan(f[2].step));
        fill_x(x);
    }
}

/* c[rows][N] = 1 + x[rows][k] times N rows of a weight; how many are made. */
static size_t
multiply(const struct fixed_ops *ops, const struct fixed_format *f,
         const struct stored_rows *w, const float *x, size_t rows, size_t k,
         float *c)
{
    struct fixed *fixed = mem_array(rows * K / FIXED_BLOCK, sizeof(*fixed));
    struct stored_mul p = { .trans = true, .m = rows, .n = N, .k = k,
                            .ldc = N, .c = c, .beta = 1 };
    size_t made;

    for (size_t i = 0; i < rows * N; i++)
        c[i] = 1;
    ops->from(fixed, x, rows * k);
    made = f->mul(w, &p, fixed);
    free(fixed);
    return made;
}

/* N rows of K, of magnitudes up to 1. */
static uint8_t *
fill_weight(const struct stored *s, struct stored_rows *w)
{
    size_t bytes = (size_t)stored_row_bytes(s, K);
    uint8_t *data = mem_array(N, bytes);
    float row[K];

    for (size_t r = 0; r < N; r++) {
        for (size_t i = 0; i < K; i++)
            row[i] = (float)((r * K + i) * 7919 % 2003) / 1001 - 1;
        stored_fill(s, data + r * bytes, NULL, row, K);
    }
    *w = (struct stored_rows){ .at = (const char *)data, .row_bytes = bytes };
    return data;
}

static void
check_bits(const struct stored *s, size_t format)
{
    struct stored_rows w;
    uint8_t *data = fill_weight(s, &w);
    float x[FIXED_ROWS * K], all[2][FIXED_ROWS * N], one[N];
    size_t made[2];

    for (int i = 0; i < FIXED_ROWS * K; i++)
        x[i] = (float)(i * 7919 % 2003 - 1001) / 1001;
    for (size_t i = 0; i < 2; i++) {
        const struct fixed_ops *ops = ops_named(names[i]);
        const struct fixed_format *f = ops ? ops->formats + format : NULL;

        made[i] = ops ? multiply(ops, f, &w, x, FIXED_ROWS, K, all[i]) : 0;
        CHECK(ops == NULL || (made[i] <= N && made[i] > N - 16));
        for (size_t r = 0; ops && r < FIXED_ROWS; r++) {
            multiply(ops, f, &w, x + r * K, 1, K, one);
            CHECK(isfinite(one[0]));
            CHECK(memcmp(one, all[i] + r * N, made[i] * sizeof(*one)) == 0);
        }
    }
    for (size_t r = 0; made[1] > 0 && r < FIXED_ROWS; r++)
        CHECK(memcmp(all[0] + r * N, all[1] + r * N,
                     made[1] * sizeof(*one)) == 0);
    free(data);
}

/* A row's last block, of all but zeros, is multiplied alone where there is no
 * other to make a pair with, and comes to the same. */
static void
check_odd(const struct stored *s, const struct fixed_ops *ops, size_t format)
{
    enum { ODD = K - FIXED_BLOCK };
    const struct fixed_format *f = ops->formats + format;
    struct stored_rows w;
    uint8_t *data = fill_weight(s, &w);
    float x[K] = { 0 }, odd[N], even[N];
    size_t made;

    for (int i = 0; i < FIXED_BLOCK; i++)
        x[ODD - FIXED_BLOCK + i] = (float)(i * 7 % 32 - 13);
    made = multiply(ops, f, &w, x, 1, ODD, odd);
    CHECK_EQ_U64(multiply(ops, f, &w, x, 1, K, even), made);
    CHECK(memcmp(odd, even, made * sizeof(*odd)) == 0);
    CHECK(isfinite(odd[0]) && odd[0] != 1);
    free(data);
}

TEST(a_last_block_is_as_in_a_pair)
{
    for (size_t i = 0; i < 2; i++) {
        const struct fixed_ops *ops = ops_named(names[i]);

        for (size_t k = 0; ops && ops->formats[k].dtype != DTYPE_NONE; k++)
            if (ops->formats[k].block == FIXED_BLOCK)
                check_odd(stored_of(ops->formats[k].dtype), ops, k);
    }
    if (ops_named("avx2") == NULL)
        SKIP("this processor lacks AVX2");
}

TEST(bits_are_the_same_everywhere)
{
    const struct fixed_format *f = fixed_avx2.formats;

    if (ops_named("avx2") == NULL)
        SKIP("this processor lacks AVX2");
    for (size_t i = 0; f[i].dtype != DTYPE_NONE; i++) {
        CHECK(fixed_avx512vnni.formats[i].dtype == f[i].dtype);
        check_bits(stored_of(f[i].dtype), i);
    }
}

#else

TEST(a_block_is_near_its_floats)
{
    SKIP("this processor has no such instructions");
}

TEST(a_last_block_is_as_in_a_pair)
{
    SKIP("this processor has no such instructions");
}

TEST(bits_are_the_same_everywhere)
{
    SKIP("this processor has no such instructions");
}

#endif

static const struct test tests[] = {
    RUN(a_block_is_near_its_floats), RUN(a_last_block_is_as_in_a_pair),
    RUN(bits_are_the_same_everywhere),
};

TEST_MAIN("cpu_fixed", tests)
