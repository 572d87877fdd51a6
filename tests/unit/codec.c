/* codec.c - every instruction set encodes the same bytes: those of the
 * definitions of int8 and of the 16-bit floats, also at ties. */
#include "tensor/codec.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "tensor/dtype.h"
#include "tensor/int8.h"
#include "tensor/nf4.h"
#include "test.h"

#define N 1000 /* with a short last block */

/* Row number `row`: normal numbers of a size, or random bits; zeros in some. */
static void
fill(float x[N], unsigned row)
{
    static const float size[] = { 1, 0.02f, 3e4f, 1e-30f, 1e-39f, 0 };
    struct rng r;

    rng_init(&r, row, 3);
    for (size_t i = 0; i < N; i++) {
        uint32_t u = rng_u32(&r);

        memcpy(&x[i], &u, sizeof(u));
        if (row % 7 < 6)
            x[i] = (float)rng_normal(&r) * size[row % 7];
        else if (!isfinite(x[i]))
            x[i] = 0;
    }
}

TEST(every_table_encodes_as_the_generic_one)
{
    uint8_t code[2][N / 2 + 2];
    int8_t q[2][N], by_row[2][N];
    float x[N], absmax[2][N / NF4_BLOCK + 1], most[2], sums[2][N / 4];
    uint16_t scale[2][N / INT8_GROUP + 1], half[2][N];
    const struct codec *c;

    for (size_t k = 0; (c = codec_at(k)) != NULL; k++)
        for (unsigned row = 0; row < 70; row++) {
            size_t n = N - row, bad[2] = { 0, 0 }, row_bad[2] = { 0, 0 };
            const struct codec *both[2] = { &codec_generic, c };
            size_t added[2], differ[2];
            bool held[2], row_held[2];

            fill(x, row);
            memset(q, 0, sizeof(q));
            memset(by_row, 0, sizeof(by_row));
            memset(scale, 0, sizeof(scale));
            for (int i = 0; i < 2; i++) {
                both[i]->nf4_encode(code[i], absmax[i], x, n);
                held[i] = both[i]->int8_encode(q[i], scale[i], x, n, &bad[i]);
                both[i]->store_bf16(half[i], x, n);
                added[i] = both[i]->lowrank_add(sums[i], x + 700, 0.3f, x, x,
                                                251, 3, n / 4);
                differ[i] = both[i]->differ16(half[0], x, n)
                            + 2000 * both[i]->differ32(x, sums[0], n / 4);
                row_held[i] = both[i]->int8_row_encode(by_row[i], &most[i], x,
                                                       n, &row_bad[i]);
            }
            CHECK(row_held[0] == row_held[1] && row_bad[0] == row_bad[1]);
            CHECK(memcmp(sums[0], sums[1], n / 4 * sizeof(**sums)) == 0);
            CHECK(added[0] == added[1] && differ[0] == differ[1]);
            CHECK(memcmp(by_row[0], by_row[1], n) == 0);
            CHECK(memcmp(&most[0], &most[1], sizeof(most[0])) == 0);
            CHECK(memcmp(code[0], code[1], (n + 1) / 2) == 0);
            CHECK(memcmp(absmax[0], absmax[1], (n + 63) / 64 * 4) == 0);
            CHECK(held[0] == held[1] && bad[0] == bad[1]);
            CHECK(memcmp(q[0], q[1], n) == 0);
            CHECK(memcmp(scale[0], scale[1], sizeof(scale[0])) == 0);
            CHECK(memcmp(half[0], half[1], 2 * n) == 0);
            CHECK_EQ_U64(c->top(x, n), codec_generic.top(x, n));
        }
}

/* The first group's elements are quotients k + 1/2 exactly, and their
 * neighbours, by a scale that every one of 2^11 fractions gives. */
TEST(int8_rounds_quotients_and_their_ties_to_even)
{
    float x[INT8_GROUP];
    int8_t q[INT8_GROUP];
    uint16_t scale;
    size_t bad, wrong = 0;
    const struct codec *c;

    for (size_t k = 0; (c = codec_at(k)) != NULL; k++)
        for (unsigned f = 0; f < 3 * 1024; f++) {
            float s = f16_to_f32((uint16_t)(0x2000 + f));

            for (int i = 0; i < INT8_GROUP; i++) {
                x[i] = ((float)(i / 3) * 3 + 0.5f) * s * (i % 2 ? 1 : -1);
                if (i % 3 > 0)
                    x[i] = nextafterf(x[i], i % 3 == 1 ? 9 : -9);
            }
            x[0] = 127 * s;
            CHECK(c->int8_encode(q, &scale, x, INT8_GROUP, &bad));
            for (int i = 0; i < INT8_GROUP; i++) {
                double v = nearbyint((double)x[i]
                                     / (double)f16_to_f32(scale));

                wrong += fmax(-127, fmin(127, v)) != (double)q[i];
            }
        }
    CHECK_EQ_U64(wrong, 0);
}

/* One element is a tie or near one: from where a product of floats can't tell
 * on which side to where it is sure. */
TEST(int8_rounds_a_quotient_at_a_tie)
{
    float x[INT8_GROUP] = { 0 }, s, y;
    int8_t q[INT8_GROUP];
    uint16_t scale;
    size_t bad, wrong = 0;
    const struct codec *c;

    for (size_t k = 0; (c = codec_at(k)) != NULL; k++)
        for (unsigned f = 0; f < 1024; f += 3)
            for (int i = 1; i < INT8_GROUP; i++) {
                s = f16_to_f32((uint16_t)(0x2000 + f));
                y = ((float)i - 0.5f) * s;
                x[0] = -127 * s;
                x[i - 1] = i > 1 ? 0 : x[0];
                x[i] = y;
                if (f % 8 > 0)
                    x[i] += ldexpf(i % 2 ? y : -y, -25 + (int)(f % 8));
                CHECK(c->int8_encode(q, &scale, x, INT8_GROUP, &bad));
                wrong += nearbyint((double)x[i] / (double)f16_to_f32(scale))
                         != (double)q[i];
            }
    CHECK_EQ_U64(wrong, 0);
}

/* As many middles between values as an element is above, at and around each
 * and where a table of them may be divided. */
TEST(nf4_takes_the_nearest_value)
{
    float x[NF4_BLOCK] = { 1 }, absmax;
    uint8_t code[NF4_BLOCK / 2];
    size_t wrong = 0;
    const struct codec *c;

    for (size_t k = 0; (c = codec_at(k)) != NULL; k++)
        for (int at = -2000; at < 1985; at++) {
            for (int i = 1; i < NF4_BLOCK; i++) {
                int m = i % 15;
                float middle = (nf4_value[m] + nf4_value[m + 1]) / 2;

                x[i] = i < 16 ? middle : i < 31 ? nextafterf(middle, 2) :
                       i < 46 ? nextafterf(middle, -2)
                              : ldexpf((float)(at + i), -11);
            }
            c->nf4_encode(code, &absmax, x, NF4_BLOCK);
            for (int i = 0; i < NF4_BLOCK; i++) {
                int above = 0, found = code[i / 2] >> (i % 2 ? 0 : 4) & 15;

                for (int m = 0; m < 15; m++)
                    above += x[i] > (nf4_value[m] + nf4_value[m + 1]) / 2;
                wrong += above != found;
            }
        }
    CHECK_EQ_U64(wrong, 0);
}

/* By the definition, one by one: an F16 of each, and the product rounded. */
TEST(int8_by_row_rounds_to_f16_and_then_to_whole_numbers)
{
    float x[N], absmax;
    int8_t q[N];
    size_t bad, wrong = 0;
    const struct codec *c;

    for (size_t k = 0; (c = codec_at(k)) != NULL; k++)
        for (unsigned row = 0; row < 42; row++) {
            float most = 0;

            fill(x, row);
            for (size_t i = 0; i < N; i++) {
                x[i] = row % 7 == 6 ? f16_to_f32((uint16_t)(i * 31)) : x[i];
                x[i] = fabsf(x[i]) < 65520 ? x[i] : 0;
                most = fmaxf(most, fabsf(f16_to_f32(f32_to_f16(x[i]))));
            }
            CHECK(c->int8_row_encode(q, &absmax, x, N, &bad));
            CHECK(absmax == most);
            for (size_t i = 0; i < N; i++) {
                volatile float by = most > 0 ? 1 / most : 0, v;

                by *= 127;
                v = f16_to_f32(f32_to_f16(x[i])) * by;
                wrong += nearbyintf(v) != (float)q[i];
            }
        }
    CHECK_EQ_U64(wrong, 0);
}

TEST(what_is_too_large_for_f16_is_named)
{
    const struct codec *c;
    float x[40] = { [7] = 65519, [21] = -65520, [30] = 1e30f };
    float absmax;
    int8_t q[40];
    size_t bad = 0;

    for (size_t k = 0; (c = codec_at(k)) != NULL; k++) {
        CHECK(!c->int8_row_encode(q, &absmax, x, 40, &bad));
        CHECK_EQ_U64(bad, 21);
        CHECK(c->int8_row_encode(q, &absmax, x, 21, &bad));
        CHECK(absmax == 65504 && q[7] == 127);
    }
}

TEST(sixteen_bits_are_read_and_written_as_one_by_one)
{
    static uint16_t in[65536], out[65536];
    static float x[65536], y[65536];
    const struct codec *c;
    size_t wrong = 0;

    for (size_t i = 0; i < 65536; i++)
        in[i] = (uint16_t)i;
    for (size_t k = 0; (c = codec_at(k)) != NULL; k++) {
        c->load_bf16(x, in, 65536);
        c->load_f16(y, in, 65536);
        for (size_t i = 0; i < 65536; i++) {
            float a = bf16_to_f32(in[i]), b = f16_to_f32(in[i]);

            wrong += memcmp(&a, &x[i], 4) != 0 || memcmp(&b, &y[i], 4) != 0;
        }
        c->store_bf16(out, y, 65536);
        for (size_t i = 0; i < 65536; i++)
            wrong += out[i] != f32_to_bf16(y[i]);
    }
    CHECK_EQ_U64(wrong, 0);
}

static const struct test tests[] = {
    RUN(every_table_encodes_as_the_generic_one),
    RUN(int8_rounds_quotients_and_their_ties_to_even),
    RUN(int8_rounds_a_quotient_at_a_tie),
    RUN(nf4_takes_the_nearest_value),
    RUN(int8_by_row_rounds_to_f16_and_then_to_whole_numbers),
    RUN(what_is_too_large_for_f16_is_named),
    RUN(sixteen_bits_are_read_and_written_as_one_by_one),
};

TEST_MAIN("codec", tests)
