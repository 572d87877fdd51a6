/* ptx.cuh - instructions that CUDA C++ has no name for (sm_80 and later).
 *
 * The one file with assembler; tests/standin has the same functions in C++.
 * Fragments are those of the PTX manual (mma.m16n8k16 with bf16): with
 * group = lane / 4 and pair = lane % 4,
 *   A (16 x 16): a[0] row group, columns 2 pair and 2 pair + 1; a[1] row
 *     group + 8, the same columns; a[2], a[3] as those, columns + 8
 *   B (16 x 8):  b[0] rows 2 pair and 2 pair + 1, column group; b[1] rows + 8
 *   C (16 x 8):  c[0], c[1] row group, columns 2 pair and 2 pair + 1;
 *     c[2], c[3] row group + 8
 */
#ifndef KERNELS_CUDA_PTX_CUH
#define KERNELS_CUDA_PTX_CUH

#include <cuda_runtime.h>
#include <cstdint>

/* Before a loop whose body indexes registers. */
#define UNROLL _Pragma("unroll")

/* Two floats as bf16, to nearest, ties to even: low in the lower half. */
__device__ __forceinline__ uint32_t
pack_bf16(float low, float high)
{
    uint32_t pair;

    asm("cvt.rn.bf16x2.f32 %0, %1, %2;"
        : "=r"(pair)
        : "f"(high), "f"(low));
    return pair;
}

/* 2^x to two units in the last place; 0 where that is subnormal. */
__device__ __forceinline__ float
power_of_2(float x)
{
    float y;

    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* c += A B; A and B of bf16, two to a register, the lower column (row) in the
 * lower half. All lanes of the warp. */
__device__ __forceinline__ void
mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                   "r"(b[1]));
}

/* Four 8 x 8 matrices of 16-bit elements from shared memory: lane i gives the
 * address of row i % 8 of matrix i / 8, 16-byte aligned. r[m] is matrix m's
 * row lane / 4, columns 2 (lane % 4) and the one after. */
__device__ __forceinline__ void
load_matrices(uint32_t r[4], const void *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);

    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                 "{%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}

/* The same of the transposed matrices: r[m] is matrix m's column lane / 4,
 * rows 2 (lane % 4) and the one after. */
__device__ __forceinline__ void
load_matrices_transposed(uint32_t r[4], const void *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);

    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
                 "{%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}

/* Copies 16 bytes from global to shared memory, both 16-byte aligned, without
 * waiting; zeros where there is false (from is not read then). */
__device__ __forceinline__ void
copy_16(void *to, const void *from, bool there)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(to);
    uint32_t n = there ? 16 : 0;

    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(at), "l"(from), "r"(n)
                 : "memory");
}

/* Copies 8 bytes, both 8-byte aligned, in the same way. */
__device__ __forceinline__ void
copy_8(void *to, const void *from)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(to);

    asm volatile("cp.async.ca.shared.global [%0], [%1], 8;"
                 :
                 : "r"(at), "l"(from)
                 : "memory");
}

/* Ends a group of this thread's copies. */
__device__ __forceinline__ void
copy_group()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Waits until at most N of this thread's latest groups are on their way. What
 * others copied is there after a barrier. */
template <int N>
__device__ __forceinline__ void
copy_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif
