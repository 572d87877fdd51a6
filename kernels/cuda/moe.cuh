/* moe.cuh - where rows of experts are, for kernels: see struct route_args in
 * kernels/ops.h. */
#ifndef KERNELS_CUDA_MOE_CUH
#define KERNELS_CUDA_MOE_CUH

#include "reduce.cuh"
#include "view.cuh"

/* Rows that the group of an expert takes. */
__device__ __forceinline__ uint32_t
group_size(const mat<float> &counts, uint32_t e, uint32_t tile)
{
    return ((uint32_t)counts.p[e] + tile - 1) / tile * tile;
}

/* The first row of that group. Asked by whole warps. */
__device__ __forceinline__ uint32_t
group_start(const mat<float> &counts, uint32_t e, uint32_t tile)
{
    uint32_t at = 0;

    for (uint32_t i = threadIdx.x % 32; i < e; i += 32)
        at += group_size(counts, i, tile);
    return warp_sum(at);
}

/* The row of experts that token row i has as its k'th. */
__device__ __forceinline__ uint32_t
place_at(const mat<float> &places, uint32_t i, uint32_t k)
{
    return (uint32_t)places.row(i)[2 * k + 1];
}

#endif
