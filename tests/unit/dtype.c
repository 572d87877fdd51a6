/* dtype.c - conversions between float formats, over all halves and at ties. */
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

#include "test.h"

static float
f32_of(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* The value of a finite half by its definition. */
static double
half_value(unsigned h)
{
    unsigned exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent ? ldexp(1024 + fraction, (int)exponent - 25)
                        : ldexp(fraction, -24);

    return h & 0x8000 ? -v : v;
}

TEST(every_half_widens_exactly)
{
    for (unsigned h = 0; h < 65536; h++) {
        float x = f16_to_f32((uint16_t)h);

        if ((h & 0x7c00) == 0x7c00 && (h & 1023))
            CHECK(isnan(x) && (signbit(x) != 0) == (h >> 15));
        else if ((h & 0x7c00) == 0x7c00)
            CHECK(isinf(x) && (signbit(x) != 0) == (h >> 15));
        else
            CHECK((double)x == half_value(h)
                  && (signbit(x) != 0) == (h >> 15));
    }
}

TEST(every_half_comes_back)
{
    for (unsigned h = 0; h < 65536; h++) {
        uint16_t f = f32_to_f16(f16_to_f32((uint16_t)h));
        uint16_t b = f32_to_bf16(bf16_to_f32((uint16_t)h));
        bool nan_f = (h & 0x7c00) == 0x7c00 && (h & 1023);
        bool nan_b = (h & 0x7f80) == 0x7f80 && (h & 127);

        CHECK_EQ_U64(f, nan_f ? h | 0x200 : h);
        CHECK_EQ_U64(b, nan_b ? h | 0x40 : h);
    }
}

/* Between neighbours lo and hi the middle goes to the even one, and a float
 * just below or above it to its own side. */
static void
check_middle(uint16_t (*narrow)(float), float middle, unsigned lo)
{
    unsigned even = lo & 1 ? lo + 1 : lo;

    CHECK_EQ_U64(narrow(middle), even);
    CHECK_EQ_U64(narrow(nextafterf(middle, 0)), lo);
    CHECK_EQ_U64(narrow(nextafterf(middle, INFINITY)), lo + 1);
    CHECK_EQ_U64(narrow(-middle), even | 0x8000);
}

TEST(every_tie_goes_to_even)
{
    /* The last neighbours are the largest finite value and infinity, whose
     * middle is where the next value would have its own. */
    for (unsigned h = 0; h < 0x7c00; h++) {
        double hi = h + 1 == 0x7c00 ? 65536 : half_value(h + 1);
        check_middle(f32_to_f16, (float)((half_value(h) + hi) / 2), h);
    }
    for (unsigned h = 0; h < 0x7f80; h++)
        check_middle(f32_to_bf16, f32_of(h << 16 | 0x8000), h);
}

/* What numpy 2.4 (float16) and torch 2.15 (bfloat16) make of a float. */
static const struct {
    uint32_t f32;
    uint16_t f16, bf16;
} peers[] = {
    { 0x00000000, 0x0000, 0x0000 }, { 0x80000000, 0x8000, 0x8000 },
    { 0x3f800000, 0x3c00, 0x3f80 }, { 0xbf800000, 0xbc00, 0xbf80 },
    { 0x7f800000, 0x7c00, 0x7f80 }, { 0xff800000, 0xfc00, 0xff80 },
    { 0x33000000, 0x0000, 0x3300 }, { 0x33000001, 0x0001, 0x3300 },
    { 0x32ffffff, 0x0000, 0x3300 }, { 0x33800000, 0x0001, 0x3380 },
    { 0x33c00000, 0x0002, 0x33c0 }, { 0x33bfffff, 0x0001, 0x33c0 },
    { 0x33c00001, 0x0002, 0x33c0 }, { 0x387fc000, 0x03ff, 0x3880 },
    { 0x387fe000, 0x0400, 0x3880 }, { 0x387fdfff, 0x03ff, 0x3880 },
    { 0x387fe001, 0x0400, 0x3880 }, { 0x38800000, 0x0400, 0x3880 },
    { 0x38801000, 0x0400, 0x3880 }, { 0x38803000, 0x0402, 0x3880 },
    { 0x38802fff, 0x0401, 0x3880 }, { 0x477fe000, 0x7bff, 0x4780 },
    { 0x477fefff, 0x7bff, 0x4780 }, { 0x477ff000, 0x7c00, 0x4780 },
    { 0x47800000, 0x7c00, 0x4780 }, { 0x7f7fffff, 0x7c00, 0x7f80 },
    { 0xff7fffff, 0xfc00, 0xff80 }, { 0x3f801000, 0x3c00, 0x3f80 },
    { 0x3f803000, 0x3c02, 0x3f80 }, { 0x3f801001, 0x3c01, 0x3f80 },
    { 0x3f800fff, 0x3c00, 0x3f80 }, { 0x3f808000, 0x3c04, 0x3f80 },
    { 0x3f818000, 0x3c0c, 0x3f82 }, { 0x3f808001, 0x3c04, 0x3f81 },
    { 0x3f817fff, 0x3c0c, 0x3f81 }, { 0x7f7f7fff, 0x7c00, 0x7f7f },
    { 0x7f7f8000, 0x7c00, 0x7f80 }, { 0x00000001, 0x0000, 0x0000 },
    { 0x00008000, 0x0000, 0x0000 }, { 0x00018000, 0x0000, 0x0002 },
    { 0x00008001, 0x0000, 0x0001 }, { 0x40490fdb, 0x4248, 0x4049 },
    { 0xc02df854, 0xc170, 0xc02e },
};

TEST(narrowing_agrees_with_numpy_and_torch)
{
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        CHECK_EQ_U64(f32_to_f16(f32_of(peers[i].f32)), peers[i].f16);
        CHECK_EQ_U64(f32_to_bf16(f32_of(peers[i].f32)), peers[i].bf16);
    }
}

TEST(a_nan_stays_a_nan)
{
    /* The payload sits in bits that narrowing drops. */
    CHECK_EQ_U64(f32_to_f16(f32_of(0x7f800001)), 0x7e00);
    CHECK_EQ_U64(f32_to_bf16(f32_of(0xff800001)), 0xffc0);
    CHECK_EQ_U64(f32_to_bf16(f32_of(0x7fffffff)), 0x7fff);
}

TEST(arrays_convert_unaligned)
{
    static const unsigned types[] = {
        DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16
    };
    const float in[5] = { 0, 1, -2.5f, 0.15625f, 1024 };
    char raw[8 * 5 + 1];
    float out[5];

    for (size_t i = 0; i < 4; i++) {
        floats_store(raw + 1, types[i], in, 5);
        memset(out, 0, sizeof(out));
        floats_load(out, raw + 1, types[i], 5);
        CHECK(memcmp(in, out, sizeof(in)) == 0);
    }
}

TEST(a_bad_float_is_found_at_its_index)
{
    float x[4] = { 1, 2, 3, 4 };

    CHECK_EQ_U64(floats_bad(x, 4), 4);
    x[3] = INFINITY;
    CHECK_EQ_U64(floats_bad(x, 4), 3);
    x[1] = NAN;
    CHECK_EQ_U64(floats_bad(x, 4), 1);
}

TEST(names_and_sizes)
{
    for (unsigned d = DTYPE_NONE + 1; d < DTYPE_COUNT; d++) {
        const char *name = dtype_name(d);

        CHECK_EQ_U64(dtype_parse(name, strlen(name)), d);
        CHECK(dtype_size(d) > 0 && dtype_size(d) % dtype_align(d) == 0);
    }
    CHECK_EQ_U64(dtype_parse("F3", 2), DTYPE_NONE);
    CHECK_EQ_U64(dtype_parse("F4", 2), DTYPE_NONE);
    CHECK_EQ_U64(dtype_parse("", 0), DTYPE_NONE);
    CHECK_EQ_U64(dtype_size(DTYPE_BF16), 2);
    CHECK_EQ_U64(dtype_size(DTYPE_COUNT), 0);
    CHECK_STR(dtype_name(99), "?");
}

static const struct test tests[] = {
    RUN(every_half_widens_exactly),
    RUN(every_half_comes_back),
    RUN(every_tie_goes_to_even),
    RUN(narrowing_agrees_with_numpy_and_torch),
    RUN(a_nan_stays_a_nan),
    RUN(arrays_convert_unaligned),
    RUN(a_bad_float_is_found_at_its_index),
    RUN(names_and_sizes),
};

TEST_MAIN("dtype", tests)
