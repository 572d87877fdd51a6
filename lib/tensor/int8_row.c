/* int8_row.c - rows of int8, and what they stand for. */
#include "tensor/int8_row.h"

#include "tensor/codec.h"

bool
int8_row_encode(int8_t *q, float *absmax, const float *x, size_t n,
                size_t *bad)
{
    return codec_best()->int8_row_encode(q, absmax, x, n, bad);
}

void
int8_row_decode(float *x, const int8_t *q, float absmax, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)q[i] * absmax * INT8_ROW_STEP;
}
