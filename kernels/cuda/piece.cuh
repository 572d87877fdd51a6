/* piece.cuh - elements that follow on each other, for one thread: one, or as
 * many as 16 bytes hold, loaded and stored at once.
 *
 * A kernel that is bound by memory has both as its EACH, and its launcher
 * asks whether all its matrices are wide.
 */
#ifndef KERNELS_CUDA_PIECE_CUH
#define KERNELS_CUDA_PIECE_CUH

#include "ptx.cuh"
#include "table.cuh"

template <class T> constexpr unsigned WIDE = 16 / sizeof(T);

static inline bool
is_aligned(const void *p)
{
    return reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

/* Whether a matrix is made of aligned pieces alone; an absent one is. */
template <class T>
static inline bool
is_wide(const mat<T> &m)
{
    return is_aligned(m.p) && m.ld % WIDE<T> == 0 && m.cols % WIDE<T> == 0;
}

/* Of a matrix's one row. */
static inline bool
is_wide(const table &t)
{
    return is_aligned(t.p);
}

template <class A, class... B>
static inline bool
are_wide(const A &a, const B &...b)
{
    if constexpr (sizeof...(b) > 0)
        return is_wide(a) && are_wide(b...);
    else
        return is_wide(a);
}

__device__ __forceinline__ void
get_piece(const float *p, float (&x)[1])
{
    x[0] = *p;
}

__device__ __forceinline__ void
get_piece(const bf16 *p, float (&x)[1])
{
    x[0] = get(p);
}

__device__ __forceinline__ void
get_four(const float *p, float *x)
{
    float4 v = *reinterpret_cast<const float4 *>(p);

    x[0] = v.x;
    x[1] = v.y;
    x[2] = v.z;
    x[3] = v.w;
}

__device__ __forceinline__ void
get_piece(const float *p, float (&x)[4])
{
    get_four(p, x);
}

__device__ __forceinline__ void
get_piece(const float *p, float (&x)[8])
{
    get_four(p, x);
    get_four(p + 4, x + 4);
}

__device__ __forceinline__ void
unpack_bf16(uint32_t pair, float *x)
{
    x[0] = __uint_as_float(pair << 16);
    x[1] = __uint_as_float(pair & 0xffff0000u);
}

__device__ __forceinline__ void
get_piece(const bf16 *p, float (&x)[8])
{
    uint4 v = *reinterpret_cast<const uint4 *>(p);

    unpack_bf16(v.x, x);
    unpack_bf16(v.y, x + 2);
    unpack_bf16(v.z, x + 4);
    unpack_bf16(v.w, x + 6);
}

template <class T>
__device__ __forceinline__ void
set_piece(T *p, const float (&x)[1])
{
    set(p, x[0]);
}

__device__ __forceinline__ void
set_piece(float *p, const float (&x)[4])
{
    *reinterpret_cast<float4 *>(p) = { x[0], x[1], x[2], x[3] };
}

__device__ __forceinline__ void
set_piece(bf16 *p, const float (&x)[4])
{
    *reinterpret_cast<uint2 *>(p) = { pack_bf16(x[0], x[1]),
                                      pack_bf16(x[2], x[3]) };
}

__device__ __forceinline__ void
set_piece(bf16 *p, const float (&x)[8])
{
    *reinterpret_cast<uint4 *>(p) = { pack_bf16(x[0], x[1]),
                                      pack_bf16(x[2], x[3]),
                                      pack_bf16(x[4], x[5]),
                                      pack_bf16(x[6], x[7]) };
}

/* p (+)= x; x is lost. */
template <class T, unsigned N>
__device__ __forceinline__ void
put_piece(T *p, float (&x)[N], bool add)
{
    float old[N];

    if (add) {
        get_piece(p, old);
        UNROLL
        for (unsigned k = 0; k < N; k++)
            x[k] += old[k];
    }
    set_piece(p, x);
}

/* Two elements (+)= x and y, aligned together. */
__device__ __forceinline__ void
put_pair(float *p, float x, float y, bool add)
{
    auto *pair = reinterpret_cast<float2 *>(p);
    float2 old = add ? *pair : float2();

    *pair = { old.x + x, old.y + y };
}

__device__ __forceinline__ void
put_pair(bf16 *p, float x, float y, bool add)
{
    auto *pair = reinterpret_cast<uint32_t *>(p);
    uint32_t old = add ? *pair : 0;

    *pair = pack_bf16(x + __uint_as_float(old << 16),
                      y + __uint_as_float(old & 0xffff0000u));
}

/* Of the first row of a table, which is wide where N is over 1. */
template <unsigned N>
__device__ __forceinline__ void
get_piece(const table &t, uint32_t col, float (&x)[N])
{
    if (N % 4 == 0 && (t.dtype == DTYPE_REAL || t.dtype == DTYPE_F32)) {
        get_piece(reinterpret_cast<const float *>(t.p) + col, x);
        return;
    }
    if constexpr (N == 8) {
        if (t.dtype == DTYPE_BF16) {
            get_piece(reinterpret_cast<const bf16 *>(t.p) + col, x);
            return;
        }
    }
    UNROLL
    for (unsigned k = 0; k < N; k++)
        x[k] = table_at(t, 0, col + k);
}

#endif
