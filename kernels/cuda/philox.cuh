/* philox.cuh - dropout masks: the draws of kernels/dropout.h, on the card.
 *
 * Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3" (SC 2011).
 */
#ifndef KERNELS_CUDA_PHILOX_CUH
#define KERNELS_CUDA_PHILOX_CUH

#include "cuda.cuh"

__device__ __forceinline__ uint4
philox(uint4 c, uint2 key)
{
    for (int i = 0; i < 10; i++) {
        uint32_t high0 = __umulhi(c.x, 0xD2511F53u), low0 = c.x * 0xD2511F53u;
        uint32_t high1 = __umulhi(c.z, 0xCD9E8D57u), low1 = c.z * 0xCD9E8D57u;

        c = { high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0 };
        key.x += 0x9E3779B9u;
        key.y += 0xBB67AE85u;
    }
    return c;
}

/* dropout_key of kernels/ops.h. */
__device__ __forceinline__ uint2
dropout_key_of(uint64_t seed, uint64_t site)
{
    uint4 c = philox({ (uint32_t)site, (uint32_t)(site >> 32), 0x64726f70u,
                       0 },
                     { (uint32_t)seed, (uint32_t)(seed >> 32) });

    return { c.x, c.y };
}

/* The draws of columns 4 * quad .. 4 * quad + 3 of a row of the batch; key:
 * the module's dropout_key_of. */
__device__ __forceinline__ uint4
dropout_draw_of(const struct inputs &in, uint2 key, uint32_t row,
                uint32_t quad)
{
    return philox({ (uint32_t)in.step, (uint32_t)(in.step >> 32),
                    (uint32_t)(in.row0 + row), quad }, key);
}

#endif
