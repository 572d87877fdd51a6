/* int8.c - how many groups a row has, and what they stand for. */
#include "tensor/int8.h"

#include "tensor/codec.h"
#include "tensor/dtype.h"

size_t
int8_groups(size_t n)
{
    return n / INT8_GROUP + (n % INT8_GROUP != 0);
}

bool
int8_encode(int8_t *q, uint16_t *scale, const float *x, size_t n,
            size_t *bad)
{
    return codec_best()->int8_encode(q, scale, x, n, bad);
}

void
int8_decode(float *x, const int8_t *q, const uint16_t *scale, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        x[i] = (float)q[i] * f16_to_f32(scale[i / INT8_GROUP]);
}
