/* nf4_nested.c - PyTorch's order of a sum, and the codes. */
#include "tensor/nf4_nested.h"

#include <math.h>
#include <string.h>

#include "tensor/dynamic8.h"

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

static void
encode_block(uint8_t *code, float *nested, const float *absmax, size_t n,
             float offset, const struct dynamic8 *map)
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
            code[i] = dynamic8_code(map, placed(fminf(x, 1)));
    }
}

void
nf4_nested_encode(uint8_t *code, float *nested, const float *absmax, size_t n,
                  float offset)
{
    struct dynamic8 map;

    dynamic8_init(&map, true);
    for (size_t at = 0; at < n; at += NF4_NESTED_BLOCK)
        encode_block(code + at, nested++, absmax + at,
                     n - at < NF4_NESTED_BLOCK ? n - at : NF4_NESTED_BLOCK,
                     offset, &map);
}
