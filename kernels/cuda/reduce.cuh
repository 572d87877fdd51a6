/* reduce.cuh - sums and maxima over a warp and a block, in a fixed order. */
#ifndef KERNELS_CUDA_REDUCE_CUH
#define KERNELS_CUDA_REDUCE_CUH

#include "cuda.cuh"

extern __shared__ __align__(16) unsigned char shared[];

#define ALL_LANES 0xffffffffu

template <class R>
__device__ __forceinline__ R
warp_sum(R x)
{
    for (int with = 16; with > 0; with /= 2)
        x += __shfl_xor_sync(ALL_LANES, x, with);
    return x;
}

__device__ __forceinline__ float
warp_max(float x)
{
    for (int with = 16; with > 0; with /= 2)
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, with));
    return x;
}

/* Bytes of shared memory, its first, that a block's sum of floats or doubles
 * takes. */
static inline size_t
block_sum_bytes(unsigned threads)
{
    return threads / 32 * sizeof(double);
}

/* The sum over all N threads of a block, the same in each of them. What is
 * in shared memory at block_sum_bytes is lost. */
template <unsigned N, class R>
__device__ __forceinline__ R
block_sum(R x)
{
    R *of_warp = reinterpret_cast<R *>(shared), sum = 0;

    x = warp_sum(x);
    __syncthreads(); /* of_warp may still be read from an earlier sum */
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = x;
    __syncthreads();
    for (unsigned i = 0; i < N / 32; i++)
        sum += of_warp[i];
    return sum;
}

template <unsigned N>
__device__ __forceinline__ float
block_max(float x)
{
    float *of_warp = reinterpret_cast<float *>(shared), most;

    x = warp_max(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = x;
    __syncthreads();
    most = of_warp[0];
    for (unsigned i = 1; i < N / 32; i++)
        most = fmaxf(most, of_warp[i]);
    return most;
}

#endif
