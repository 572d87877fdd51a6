/* widen.cuh - codes of int8 as operands, many at once; elements of any format
 * are table.cuh's. */
#ifndef KERNELS_CUDA_WIDEN_CUH
#define KERNELS_CUDA_WIDEN_CUH

#include "piece.cuh"

/* Elements of an int8 row that a thread widens: 16 bytes, of one scale. */
constexpr unsigned CODES = 16;

/* Whether a stored matrix is made of such pieces alone. */
static inline bool
has_codes(const table &t)
{
    return t.dtype == DTYPE_I8 && is_aligned(t.p) && t.ld % CODES == 0
           && t.cols % CODES == 0;
}

/* to, whose place is aligned: those of row from column col on. */
template <class T>
__device__ __forceinline__ void
widen_codes(T *to, const table &t, uint32_t row, uint32_t col)
{
    uint4 v = *reinterpret_cast<const uint4 *>(t.p + (size_t)row * t.ld
                                               + col);
    const uint32_t four[] = { v.x, v.y, v.z, v.w };
    float scale = half_to_float(reinterpret_cast<const uint16_t *>(t.side)
                                [(size_t)row * t.side_ld
                                       + col / INT8_BLOCK]);
    float x[CODES / WIDE<T>][WIDE<T>];

    UNROLL
    for (unsigned k = 0; k < CODES; k++)
        x[k / WIDE<T>][k % WIDE<T>] =
            (float)(int8_t)(four[k / 4] >> k % 4 * 8) * scale;
    UNROLL
    for (unsigned k = 0; k < CODES / WIDE<T>; k++)
        set_piece(to + k * WIDE<T>, x[k]);
}

#endif
