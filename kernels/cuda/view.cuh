/* view.cuh - views as kernels get them: addresses, types, loads and stores. */
#ifndef KERNELS_CUDA_VIEW_CUH
#define KERNELS_CUDA_VIEW_CUH

#include "cuda.cuh"

/* A bfloat16, which is a float's upper half. */
struct bf16 {
    uint16_t bits;
};

__device__ __forceinline__ float
get(const float *p)
{
    return *p;
}

__device__ __forceinline__ float
get(const bf16 *p)
{
    return __uint_as_float((uint32_t)p->bits << 16);
}

/* Nearest, ties to even; a NaN stays one. */
__device__ __forceinline__ bf16
to_bf16(float x)
{
    uint32_t u = __float_as_uint(x);

    if ((u & 0x7fffffffu) > 0x7f800000u)
        return { (uint16_t)(u >> 16 | 0x40) };
    return { (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16) };
}

__device__ __forceinline__ void
set(float *p, float x)
{
    *p = x;
}

__device__ __forceinline__ void
set(bf16 *p, float x)
{
    *p = to_bf16(x);
}

template <class T>
__device__ __forceinline__ void
put(T *p, float x, bool add)
{
    set(p, add ? get(p) + x : x);
}

/* Exact, subnormals too. */
__device__ __forceinline__ float
half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;

    if (rest >= 0x7c00)
        return __uint_as_float(sign | 0x7f800000u | (rest & 0x3ff) << 13);
    if (rest >= 0x400)
        return __uint_as_float(sign | ((rest << 13) + (112u << 23)));
    return __uint_as_float(sign | __float_as_uint((float)rest * 0x1p-24f));
}

/* A matrix of activations (T = float or bf16) or of floats; p is NULL where
 * its view is absent. */
template <class T>
struct mat {
    T *p;
    uint32_t rows, cols, ld;

    __device__ __forceinline__ T *row(uint32_t i) const
    {
        return p + (size_t)i * ld;
    }
};

/* Where element k of all lies, counted row after row. */
template <class T>
__device__ __forceinline__ size_t
flat(const mat<T> &m, uint64_t k)
{
    return m.ld == m.cols ? k : k / m.cols * m.ld + k % m.cols;
}

static inline size_t
element_bytes(uint8_t dtype)
{
    return element_size(dtype, sizeof(float));
}

/* The address of element (0, 0) on the card; NULL for an absent view. */
static inline char *
view_at(const struct call *c, const struct view *v)
{
    const struct tensor_buf *b = &c->buf[v->buf];

    if (v->buf == 0)
        return nullptr;
    return c->zone[b->zone] + b->at + v->off * element_bytes(v->dtype);
}

template <class T>
static inline mat<T>
mat_of(const struct call *c, const struct view *v)
{
    return { reinterpret_cast<T *>(view_at(c, v)), v->rows, v->cols, v->ld };
}

#endif
