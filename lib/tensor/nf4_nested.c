/* nf4_nested.c - the map, PyTorch's order of a sum, and the codes. */
#include "tensor/nf4_nested.h"

#include <math.h>
#include <string.h>

/* The values above 0 and below 1; those below 0 are the same. */
static const float positive[127] = {
    5.5000004e-07f, 3.2500002e-06f, 7.75e-06f, 2.1249998e-05f, 4.375e-05f,
    6.625e-05f, 8.875e-05f, 0.00015625001f, 0.00026875004f, 0.00038125002f,
    0.00049375003f, 0.0006062501f, 0.00071875006f, 0.00083125f, 0.0009437501f,
    0.0012812499f, 0.00184375f, 0.00240625f, 0.00296875f, 0.0035312497f,
    0.00409375f, 0.0046562497f, 0.0052187503f, 0.00578125f, 0.00634375f,
    0.00690625f, 0.00746875f, 0.00803125f, 0.00859375f, 0.009156249f,
    0.00971875f, 0.01140625f, 0.01421875f, 0.01703125f, 0.019843752f,
    0.02265625f, 0.02546875f, 0.028281251f, 0.03109375f, 0.03390625f,
    0.036718752f, 0.03953125f, 0.042343747f, 0.04515625f, 0.04796875f,
    0.05078125f, 0.05359375f, 0.05640625f, 0.059218753f, 0.06203125f,
    0.06484375f, 0.067656256f, 0.070468746f, 0.07328125f, 0.07609375f,
    0.07890625f, 0.08171876f, 0.08453125f, 0.08734375f, 0.09015625f,
    0.092968754f, 0.09578126f, 0.09859375f, 0.107031256f, 0.12109375f,
    0.13515624f, 0.14921875f, 0.16328125f, 0.17734376f, 0.19140625f,
    0.20546874f, 0.21953125f, 0.23359375f, 0.24765624f, 0.26171875f,
    0.27578127f, 0.28984374f, 0.30390626f, 0.31796873f, 0.33203125f,
    0.34609374f, 0.36015624f, 0.37421876f, 0.38828123f, 0.40234375f,
    0.41640624f, 0.43046874f, 0.44453126f, 0.45859373f, 0.47265625f,
    0.4867187f, 0.50078124f, 0.5148437f, 0.5289062f, 0.54296875f, 0.5570313f,
    0.5710938f, 0.58515626f, 0.5992187f, 0.61328125f, 0.6273438f, 0.6414063f,
    0.65546876f, 0.6695312f, 0.68359375f, 0.6976563f, 0.7117188f, 0.72578126f,
    0.7398437f, 0.75390625f, 0.7679688f, 0.78203124f, 0.79609376f, 0.8101562f,
    0.82421875f, 0.8382813f, 0.85234374f, 0.86640626f, 0.8804687f, 0.89453125f,
    0.9085938f, 0.92265624f, 0.93671876f, 0.9507812f, 0.96484375f, 0.9789063f,
    0.99296874f
};

void
nf4_nested_map(float map[256])
{
    for (size_t i = 0; i < 127; i++) {
        map[126 - i] = -positive[i];
        map[128 + i] = positive[i];
    }
    map[127] = 0;
    map[255] = 1;
}

/* The sum. PyTorch has 8 lanes of an AVX2 register (one, where there are no 8
 * elements), and 4 of these at a time for a row; rows are added up in groups
 * of a power of two, those in groups again. */

enum { LANES = 8, TOGETHER = 4, LEVELS = 4, MOST = LANES * TOGETHER };

static void
add(float *sum, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

/* The logarithm of a group's size. */
static unsigned
group_power(size_t rows)
{
    unsigned n = 0;

    while (n < 63 && ((size_t)1 << n) < rows)
        n++;
    return n / LEVELS > 4 ? n / LEVELS : 4;
}

/* sum[width] = the sum of that many rows of x. */
static void
sum_rows(float *sum, const float *x, size_t rows, size_t width)
{
    unsigned power = group_power(rows);
    size_t mask = ((size_t)1 << power) - 1;
    float level[LEVELS][MOST];

    memset(level, 0, sizeof(level));
    for (size_t i = 1; i <= rows; i++) {
        add(level[0], x + (i - 1) * width, width);
        for (unsigned j = 1; j < LEVELS; j++) {
            if ((i & (mask << ((j - 1) * power))) != 0)
                break;
            add(level[j], level[j - 1], width);
            memset(level[j - 1], 0, sizeof(level[j - 1]));
        }
    }
    for (unsigned j = 1; j < LEVELS; j++)
        add(level[0], level[j], width);
    memcpy(sum, level[0], width * sizeof(*sum));
}

float
nf4_nested_offset(const float *absmax, size_t n)
{
    size_t lanes = n < LANES ? 1 : LANES, width = lanes * TOGETHER;
    size_t i = n / width * width;
    float part[MOST], sum = 0;

    sum_rows(part, absmax, n / width, width);
    for (; i + lanes <= n; i += lanes)
        add(part, absmax + i, lanes);
    for (size_t k = 1; k < TOGETHER; k++)
        add(part, part + k * lanes, lanes);
    for (; i < n; i++)
        sum += absmax[i];
    for (size_t k = 0; k < lanes; k++)
        sum += part[k];
    return sum / (float)n;
}

/* Codes */

/* x in [-1, 1] as the middle of its place, of which there are 65536. */
static float
placed(float x)
{
    float last = 65535;
    uint32_t place = (uint32_t)((x + 1) * 0.5f * last + 0.5f);

    return -1 + 2 * (float)place / last;
}

/* How many of middle[255], ascending, are less than x. */
static uint8_t
code_of(const float *middle, float x)
{
    size_t at = 0;

    for (size_t step = 128; step > 0; step /= 2)
        if (middle[at + step - 1] < x)
            at += step;
    return (uint8_t)at;
}

static void
encode_block(uint8_t *code, float *nested, const float *absmax, size_t n,
             float offset, const float *middle)
{
    float top = 0, by;

    for (size_t i = 0; i < n; i++)
        top = fmaxf(top, fabsf(absmax[i] - offset));
    *nested = top;
    memset(code, 0, n);
    if (top == 0)
        return;
    by = 1 / top;
    for (size_t i = 0; i < n; i++) {
        float x = (absmax[i] - offset) * by;

        /* 0 by an infinity is no number, and has code 0. */
        if (x > -1)
            code[i] = code_of(middle, placed(fminf(x, 1)));
    }
}

void
nf4_nested_encode(uint8_t *code, float *nested, const float *absmax, size_t n,
                  float offset)
{
    float map[256], middle[255];

    nf4_nested_map(map);
    for (size_t i = 0; i < 255; i++)
        middle[i] = 0.5f * (map[i] + map[i + 1]);
    for (size_t at = 0; at < n; at += NF4_NESTED_BLOCK)
        encode_block(code + at, nested++, absmax + at,
                     n - at < NF4_NESTED_BLOCK ? n - at : NF4_NESTED_BLOCK,
                     offset, middle);
}
