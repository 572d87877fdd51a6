/* ptx.cuh - what kernels/cuda/ptx/ptx.cuh says, in C++: the lanes of a warp
 * meet and one of them does it for all. */
#ifndef STANDIN_PTX_CUH
#define STANDIN_PTX_CUH

#include <cuda_runtime.h>

#define UNROLL

/* See the functions' descriptions in kernels/cuda/ptx/ptx.cuh. Not all lanes
 * of a warp in one of them, and an address that is not aligned or not in
 * shared memory, end the program. */
uint32_t pack_bf16(float low, float high);
float power_of_2(float x);
void mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2]);
void load_matrices(uint32_t r[4], const void *row);
void load_matrices_transposed(uint32_t r[4], const void *row);

/* A copy happens when it is waited for; until then its place is NaN. */
void copy_16(void *to, const void *from, bool there);
void copy_8(void *to, const void *from);
void copy_group();
void standin_copy_wait(unsigned most);

template <int N>
void
copy_wait()
{
    standin_copy_wait(N);
}

#endif
