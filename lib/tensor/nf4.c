/* nf4.c - the values of the codes, and what a row of them stands for. */
#include "tensor/nf4.h"

#include "tensor/codec.h"

/* The quantiles of the normal distribution that the paper gives, as
 * bitsandbytes has them. */
const float nf4_value[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
    -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
    0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
    0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
    0.7229568362236023f, 1.0f
};

void
nf4_encode(uint8_t *code, float *absmax, const float *x, size_t n)
{
    codec_best()->nf4_encode(code, absmax, x, n);
}

void
nf4_decode(float *x, const uint8_t *code, const float *absmax, size_t col,
           size_t n)
{
    size_t i = col, end = col + n, next;

    for (; i < end; i = next) {
        float by = absmax[i / NF4_BLOCK];
        size_t k = i;

        next = (i / NF4_BLOCK + 1) * NF4_BLOCK;
        next = next < end ? next : end;
        if (k % 2 == 1)
            x[k++ - col] = nf4_value[code[i / 2] & 15] * by;
        for (; k + 1 < next; k += 2) {
            x[k - col] = nf4_value[code[k / 2] >> 4] * by;
            x[k + 1 - col] = nf4_value[code[k / 2] & 15] * by;
        }
        if (k < next)
            x[k - col] = nf4_value[code[k / 2] >> 4] * by;
    }
}
