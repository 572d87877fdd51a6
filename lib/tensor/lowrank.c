/* lowrank.c - see codec_body.inc for the loop. */
#include "tensor/lowrank.h"

#include "tensor/codec.h"

void
lowrank_row(float *out, const float *coef, const float *rows, size_t ld,
            size_t rank, size_t n)
{
    codec_best()->lowrank_row(out, coef, rows, ld, rank, n);
}
