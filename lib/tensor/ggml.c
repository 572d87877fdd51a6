/* ggml.c - blocks are decoded 32 elements at a time, which no scale of a block
 * of 32 and no pair of scales of one of 256 goes beyond. */
#include "tensor/ggml.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "tensor/dtype.h"

#define GROUP 32

/* x[32] = group g of a block. */
typedef void group_decode(float *x, const uint8_t *block, unsigned g);

static void
widen(float *out, const uint8_t *row, size_t col, size_t n, unsigned dtype,
      group_decode *decode)
{
    size_t unit = dtype_unit(dtype), size = dtype_size(dtype);
    float part[GROUP];

    while (n > 0) {
        const uint8_t *block = row + col / unit * size;
        unsigned g = (unsigned)(col % unit / GROUP);
        size_t from = col % GROUP;
        size_t len = n < GROUP - from ? n : GROUP - from;

        if (len == GROUP) {
            decode(out, block, g);
        } else {
            decode(part, block, g);
            memcpy(out, part + from, len * sizeof(*out));
        }
        out += len;
        col += len;
        n -= len;
    }
}

static float
half_at(const uint8_t *p)
{
    return f16_to_f32(load_u16(p));
}

static void
q8_0(float *x, const uint8_t *block, unsigned g)
{
    const int8_t *q = (const int8_t *)block + 2;
    float d = half_at(block);

    (void)g;
    for (int i = 0; i < GROUP; i++)
        x[i] = (float)q[i] * d;
}

/* One block of x[n], n <= 32, padded by zeros; false for a scale that is no
 * F16. */
static bool
q8_0_block(uint8_t *block, const float *x, size_t n)
{
    float d = floats_top(x, n) / 127, scale = d > 0 ? 1 / d : 0;
    uint16_t half = f32_to_f16(d);

    store_u16(block, half);
    memset(block + 2, 0, GROUP);
    for (size_t i = 0; i < n && isfinite(scale); i++)
        block[2 + i] = (uint8_t)(int8_t)roundf(x[i] * scale);
    return isfinite(f16_to_f32(half));
}

bool
q8_0_encode(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    uint8_t *block = data;

    (void)side;
    for (size_t i = 0; i < n; i += GROUP, block += GROUP + 2)
        if (!q8_0_block(block, x + i, n - i < GROUP ? n - i : GROUP)) {
            *bad = i;
            return false;
        }
    return true;
}

static void
q4_0(float *x, const uint8_t *block, unsigned g)
{
    const uint8_t *q = block + 2;
    float d = half_at(block);

    (void)g;
    for (int i = 0; i < 16; i++) {
        x[i] = (float)((q[i] & 15) - 8) * d;
        x[i + 16] = (float)((q[i] >> 4) - 8) * d;
    }
}

static void
q4_1(float *x, const uint8_t *block, unsigned g)
{
    const uint8_t *q = block + 4;
    float d = half_at(block), m = half_at(block + 2);

    (void)g;
    for (int i = 0; i < 16; i++) {
        x[i] = (float)(q[i] & 15) * d + m;
        x[i + 16] = (float)(q[i] >> 4) * d + m;
    }
}

/* q[32] of 5 bits: the fifth ones, then the others. */
static void
five_bits(uint8_t *q, const uint8_t *from)
{
    uint32_t fifth = load_u32(from);

    from += 4;
    for (int i = 0; i < 16; i++) {
        q[i] = (uint8_t)((from[i] & 15) | (fifth >> i & 1) << 4);
        q[i + 16] = (uint8_t)(from[i] >> 4 | (fifth >> (i + 16) & 1) << 4);
    }
}

static void
q5_0(float *x, const uint8_t *block, unsigned g)
{
    float d = half_at(block);
    uint8_t q[GROUP];

    (void)g;
    five_bits(q, block + 2);
    for (int i = 0; i < GROUP; i++)
        x[i] = (float)(q[i] - 16) * d;
}

static void
q5_1(float *x, const uint8_t *block, unsigned g)
{
    float d = half_at(block), m = half_at(block + 2);
    uint8_t q[GROUP];

    (void)g;
    five_bits(q, block + 4);
    for (int i = 0; i < GROUP; i++)
        x[i] = (float)q[i] * d + m;
}

/* What q is multiplied with in group g, and what is taken off. */
static void
scales_of(float *d, float *m, const uint8_t *block, unsigned g)
{
    unsigned s, t;

    ggml_pair(block + 4, g, &s, &t);
    *d = half_at(block) * (float)s;
    *m = half_at(block + 2) * (float)t;
}

static void
q4_k(float *x, const uint8_t *block, unsigned g)
{
    const uint8_t *q = block + 16 + g / 2 * 32;
    unsigned shift = g % 2 * 4;
    float d, m;

    scales_of(&d, &m, block, g);
    for (int i = 0; i < GROUP; i++)
        x[i] = (float)(q[i] >> shift & 15) * d - m;
}

static void
q5_k(float *x, const uint8_t *block, unsigned g)
{
    const uint8_t *fifth = block + 16, *q = fifth + 32 + g / 2 * 32;
    unsigned shift = g % 2 * 4;
    float d, m;

    scales_of(&d, &m, block, g);
    for (int i = 0; i < GROUP; i++)
        x[i] = (float)((q[i] >> shift & 15) | (fifth[i] >> g & 1) << 4) * d
               - m;
}

static void
q6_k(float *x, const uint8_t *block, unsigned g)
{
    const uint8_t *low = block + g / 4 * 64 + g % 2 * 32;
    const uint8_t *high = block + 128 + g / 4 * 32;
    const int8_t *scale = (const int8_t *)block + 192 + g * 2;
    unsigned four = g % 4 / 2 * 4, two = g % 4 * 2;
    float d = half_at(block + 208), by = d * (float)scale[0];
    float next = d * (float)scale[1];

    for (int i = 0; i < GROUP; i++) {
        int q = (low[i] >> four & 15) | (high[i] >> two & 3) << 4;

        x[i] = (float)(q - 32) * (i < 16 ? by : next);
    }
}

#define WIDEN(name, type)                                                   \
    void                                                                    \
    name##_widen(float *out, const void *row, const void *side, size_t col, \
                 size_t n)                                                  \
    {                                                                       \
        (void)side;                                                         \
        widen(out, row, col, n, type, name);                                \
    }

WIDEN(q8_0, DTYPE_Q8_0)
WIDEN(q4_0, DTYPE_Q4_0)
WIDEN(q4_1, DTYPE_Q4_1)
WIDEN(q5_0, DTYPE_Q5_0)
WIDEN(q5_1, DTYPE_Q5_1)
WIDEN(q4_k, DTYPE_Q4_K)
WIDEN(q5_k, DTYPE_Q5_K)
WIDEN(q6_k, DTYPE_Q6_K)
