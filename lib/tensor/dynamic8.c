/* dynamic8.c - the values of the codes, and the way from a number to its code.
 *
 * Between 10^-7 and 1 each power of ten has a part of the codes, twice as many
 * as the one below it: the middles of as many equal parts of [0.1, 1] times
 * the power. 0 and 1 are beside them. All of it is done in floats as PyTorch
 * does it, so that the values are bitsandbytes' to the bit.
 */
#include "tensor/dynamic8.h"

#include <stdlib.h>

enum { DECADES = 7 };

/* Element i of torch.linspace(0.1, 1, n). */
static float
part_end(int i, int n)
{
    float step = (1.0f - 0.1f) / (float)(n - 1);

    return i < n / 2 ? fmaf(step, (float)i, 0.1f)
                     : fmaf(-step, (float)(n - 1 - i), 1.0f);
}

static int
by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

void
dynamic8_values(float value[256], bool is_signed)
{
    int n = 0;

    for (int i = 0; i < DECADES; i++) {
        int parts = 1 << (is_signed ? i : i + 1);
        float power = (float)pow(10, i - (DECADES - 1));

        for (int k = 0; k < parts; k++) {
            float middle = (part_end(k, parts + 1)
                            + part_end(k + 1, parts + 1)) / 2.0f;

            value[n++] = power * middle;
            if (is_signed)
                value[n++] = -power * middle;
        }
    }
    value[n++] = 0;
    value[n++] = 1;
    qsort(value, 256, sizeof(*value), by_value);
}

static uint8_t
nearest(const struct dynamic8 *d, float x)
{
    unsigned low = 0, high = 255;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (x > d->high[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return (uint8_t)low;
}

void
dynamic8_init(struct dynamic8 *d, bool is_signed)
{
    dynamic8_values(d->value, is_signed);
    for (int i = 0; i < 256; i++) {
        d->low[i] = i == 0 ? -INFINITY
                           : (d->value[i - 1] + d->value[i]) / 2;
        d->high[i] = i == 255 ? INFINITY
                              : (d->value[i] + d->value[i + 1]) / 2;
    }
    d->zero = nearest(d, 0);
    for (uint32_t k = 0; k < DYNAMIC8_STEPS; k++) {
        uint32_t bits = (DYNAMIC8_LEAST + k) << 16;
        float x;

        memcpy(&x, &bits, sizeof(x));
        d->near[0][k] = nearest(d, x);
        d->near[1][k] = nearest(d, -x);
    }
}
