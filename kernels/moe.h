/* moe.h - where the rows of experts are: see struct route_args in ops.h. */
#ifndef KERNELS_MOE_H
#define KERNELS_MOE_H

#include "kernels/ops.h"

/* Rows of experts that n token rows may take. */
static inline uint64_t
route_rows(uint64_t n, uint32_t top_k, uint32_t experts, uint32_t tile)
{
    return n * top_k + (uint64_t)experts * (tile - 1);
}

/* A group's rows. */
static inline size_t
group_rows(double count, uint32_t tile)
{
    return ((size_t)count + tile - 1) / tile * tile;
}

/* Rows of sequence s that are in its tally: up to the last with a loss. */
static inline size_t
tally_rows(const struct batch *b, size_t s, size_t seq_len)
{
    const float *weight = b->weight + s * seq_len;
    size_t n = seq_len;

    while (n > 0 && !(weight[n - 1] > 0))
        n--;
    return n;
}

#endif
