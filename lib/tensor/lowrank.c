/* lowrank.c - see codec_body.inc for the loop. */
#include "tensor/lowrank.h"

#include "tensor/codec.h"

size_t
lowrank_add(float *y, const float *x, float scale, const float *coef,
            const float *rows, size_t ld, size_t rank, size_t n)
{
    return codec_best()->lowrank_add(y, x, scale, coef, rows, ld, rank, n);
}
