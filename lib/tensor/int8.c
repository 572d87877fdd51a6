/* int8.c - groups of 128: the scale first, then the elements by it. */
#include "tensor/int8.h"

#include <math.h>

#include "tensor/dtype.h"

size_t
int8_groups(size_t n)
{
    return n / INT8_GROUP + (n % INT8_GROUP != 0);
}

static float
absmax_of(const float *x, size_t n)
{
    float max = 0;
    size_t i;

    for (i = 0; i < n; i++)
        max = fmaxf(max, fabsf(x[i]));
    return max;
}

/* The F16 scale; its infinity when there is none. */
static uint16_t
scale_of(float absmax)
{
    uint16_t s = f32_to_f16(absmax / 127);

    /* Rounded down too far (only a subnormal can be): the largest element
     * would not fit 127. Bit patterns of positive halves are in order. */
    if ((double)absmax > 127.5 * (double)f16_to_f32(s))
        s++;
    return s;
}

static void
encode_group(int8_t *q, float scale, const float *x, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        /* In double no quotient is rounded onto a tie it does not have. */
        double v = nearbyint((double)x[i] / (double)scale);

        q[i] = (int8_t)fmax(-127, fmin(127, v));
    }
}

bool
int8_encode(int8_t *q, uint16_t *scale, const float *x, size_t n,
            size_t *bad)
{
    size_t at, i;

    for (at = 0; at < n; at += INT8_GROUP) {
        size_t len = n - at < INT8_GROUP ? n - at : INT8_GROUP;
        float absmax = absmax_of(x + at, len);
        uint16_t s = scale_of(absmax);

        if (!isfinite(f16_to_f32(s))) {
            *bad = at;
            return false;
        }
        scale[at / INT8_GROUP] = s;
        if (absmax > 0)
            encode_group(q + at, f16_to_f32(s), x + at, len);
        else
            for (i = 0; i < len; i++)
                q[at + i] = 0;
    }
    return true;
}

void
int8_decode(float *x, const int8_t *q, const uint16_t *scale, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        x[i] = (float)q[i] * f16_to_f32(scale[i / INT8_GROUP]);
}
