/* dtype.c - the table of element types, and conversion between the floats.
 *
 * Everything works on bit patterns, so neither the rounding mode nor the
 * compiler's notion of a half type has a say in the result.
 */
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "tensor/codec.h"

struct dtype_info {
    const char *name;
    uint8_t size, align;
    uint16_t unit; /* 0: 1 */
    bool is_float;
};

static const struct dtype_info info[DTYPE_COUNT] = {
    [DTYPE_NONE] = { "?", .size = 0, .align = 1 },
    [DTYPE_F64] = { "F64", .size = 8, .align = 8, .is_float = true },
    [DTYPE_F32] = { "F32", .size = 4, .align = 4, .is_float = true },
    [DTYPE_F16] = { "F16", .size = 2, .align = 2, .is_float = true },
    [DTYPE_BF16] = { "BF16", .size = 2, .align = 2, .is_float = true },
    [DTYPE_I64] = { "I64", .size = 8, .align = 8 },
    [DTYPE_I32] = { "I32", .size = 4, .align = 4 },
    [DTYPE_I16] = { "I16", .size = 2, .align = 2 },
    [DTYPE_I8] = { "I8", .size = 1, .align = 1 },
    [DTYPE_U64] = { "U64", .size = 8, .align = 8 },
    [DTYPE_U32] = { "U32", .size = 4, .align = 4 },
    [DTYPE_U16] = { "U16", .size = 2, .align = 2 },
    [DTYPE_U8] = { "U8", .size = 1, .align = 1 },
    [DTYPE_BOOL] = { "BOOL", .size = 1, .align = 1 },
    [DTYPE_F8_E4M3] = { "F8_E4M3", .size = 1, .align = 1 },
    [DTYPE_F8_E5M2] = { "F8_E5M2", .size = 1, .align = 1 },
    [DTYPE_F8_E8M0] = { "F8_E8M0", .size = 1, .align = 1 },
    [DTYPE_C64] = { "C64", .size = 8, .align = 4 },
    [DTYPE_NF4] = { "NF4", .size = 1, .align = 1, .unit = 2 },
    [DTYPE_Q8_0] = { "Q8_0", .size = 34, .align = 2, .unit = 32 },
    [DTYPE_Q4_0] = { "Q4_0", .size = 18, .align = 2, .unit = 32 },
    [DTYPE_Q4_1] = { "Q4_1", .size = 20, .align = 2, .unit = 32 },
    [DTYPE_Q5_0] = { "Q5_0", .size = 22, .align = 2, .unit = 32 },
    [DTYPE_Q5_1] = { "Q5_1", .size = 24, .align = 2, .unit = 32 },
    [DTYPE_Q4_K] = { "Q4_K", .size = 144, .align = 2, .unit = 256 },
    [DTYPE_Q5_K] = { "Q5_K", .size = 176, .align = 2, .unit = 256 },
    [DTYPE_Q6_K] = { "Q6_K", .size = 210, .align = 2, .unit = 256 },
    [DTYPE_I8_ROW] = { "I8_ROW", .size = 1, .align = 1 },
};

size_t
dtype_unit(unsigned dtype)
{
    return dtype < DTYPE_COUNT && info[dtype].unit > 0 ? info[dtype].unit
                                                       : 1;
}

size_t
dtype_size(unsigned dtype)
{
    return dtype < DTYPE_COUNT ? info[dtype].size : 0;
}

uint64_t
dtype_units(unsigned dtype, uint64_t n)
{
    size_t unit = dtype_unit(dtype);

    return n / unit + (n % unit != 0);
}

size_t
dtype_align(unsigned dtype)
{
    return dtype < DTYPE_COUNT ? info[dtype].align : 1;
}

const char *
dtype_name(unsigned dtype)
{
    return dtype < DTYPE_COUNT ? info[dtype].name : "?";
}

bool
dtype_is_float(unsigned dtype)
{
    return dtype < DTYPE_COUNT && info[dtype].is_float;
}

enum dtype
dtype_parse(const char *name, size_t n)
{
    unsigned d;

    for (d = DTYPE_NONE + 1; d < DTYPE_COUNT; d++)
        if (strlen(info[d].name) == n && memcmp(info[d].name, name, n) == 0)
            return (enum dtype)d;
    return DTYPE_NONE;
}

static uint32_t
bits_of(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof(u));
    return u;
}

static float
float_of(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof(x));
    return x;
}

float
bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t
f32_to_bf16(float x)
{
    uint32_t u = bits_of(x);

    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40); /* quiet, never an infinity */
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* Half: 1 sign, 5 exponent (bias 15), 10 fraction. */
float
f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 31, fraction = h & 0x3ff;

    if (exponent == 31)
        return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) {
        /* fraction * 2^-24, exact in a float. */
        float x = (float)fraction * 0x1p-24f;
        return float_of(sign | bits_of(x));
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

/* v / 2^shift to nearest, ties to even; 0 < shift < 32. */
static uint32_t
shift_round(uint32_t v, unsigned shift)
{
    uint32_t kept = v >> shift, rest = v & ((1u << shift) - 1);
    uint32_t half = 1u << (shift - 1);

    if (rest > half || (rest == half && (kept & 1)))
        kept++;
    return kept;
}

uint16_t
f32_to_f16(float x)
{
    uint32_t u = bits_of(x), sign = u >> 16 & 0x8000;
    uint32_t exponent = u >> 23 & 255, fraction = u & 0x7fffff;

    if (exponent == 255 && fraction)
        return (uint16_t)(sign | 0x7e00 | fraction >> 13);
    if (exponent > 142) /* 2^16 and up, infinity */
        return (uint16_t)(sign | 0x7c00);
    if (exponent > 112) {
        /* Normal; a carry out of the fraction raises the exponent, and out
         * of the largest gives infinity, as it should. */
        return (uint16_t)(sign + ((exponent - 112) << 10)
                          + shift_round(fraction, 13));
    }
    if (exponent < 102) /* below 2^-25: zero */
        return (uint16_t)sign;
    return (uint16_t)(sign + shift_round(fraction | 0x800000,
                                         126 - exponent));
}

void
floats_load(float *out, const void *in, unsigned dtype, size_t n)
{
    const uint8_t *p = in;
    size_t i;

    switch (dtype) {
    case DTYPE_F32:
        memcpy(out, in, n * sizeof(*out));
        break;
    case DTYPE_F64:
        for (i = 0; i < n; i++) {
            double d;
            memcpy(&d, p + 8 * i, sizeof(d));
            out[i] = (float)d;
        }
        break;
    case DTYPE_F16:
        codec_best()->load_f16(out, in, n);
        break;
    case DTYPE_BF16:
        codec_best()->load_bf16(out, in, n);
        break;
    }
}

void
floats_store(void *out, unsigned dtype, const float *in, size_t n)
{
    uint8_t *p = out;
    size_t i;

    switch (dtype) {
    case DTYPE_F32:
        memcpy(out, in, n * sizeof(*in));
        break;
    case DTYPE_F64:
        for (i = 0; i < n; i++) {
            double d = in[i];
            memcpy(p + 8 * i, &d, sizeof(d));
        }
        break;
    case DTYPE_F16:
        for (i = 0; i < n; i++)
            store_u16(p + 2 * i, f32_to_f16(in[i]));
        break;
    case DTYPE_BF16:
        codec_best()->store_bf16(out, in, n);
        break;
    }
}

size_t
floats_differ(const void *a, const void *b, unsigned dtype, size_t n)
{
    const uint8_t *p = a, *q = b;
    size_t different = 0;

    switch (dtype_size(dtype)) {
    case 2:
        return codec_best()->differ16(a, b, n);
    case 4:
        return codec_best()->differ32(a, b, n);
    default:
        for (size_t i = 0; i < n; i++)
            different += memcmp(p + 8 * i, q + 8 * i, 8) != 0;
        return different;
    }
}

size_t
floats_bad(const float *in, size_t n)
{
    size_t i;

    if (codec_best()->top(in, n) < FLOAT_INF)
        return n;
    for (i = 0; i < n; i++)
        if (!isfinite(in[i]))
            break;
    return i;
}

float
floats_top(const float *in, size_t n)
{
    return float_of(codec_best()->top(in, n));
}
