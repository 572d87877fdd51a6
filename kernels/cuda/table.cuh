/* table.cuh - an element of a stored matrix, whatever its format. */
#ifndef KERNELS_CUDA_TABLE_CUH
#define KERNELS_CUDA_TABLE_CUH

#include "view.cuh"

/* A stored matrix of any type. */
struct table {
    const char *p;
    const char *side; /* scales, side_ld a row: F16 of int8, F32 of others */
    uint32_t rows, cols, ld, side_ld;
    uint32_t unit, unit_bytes; /* of its type: tensor/dtype.h */
    uint8_t dtype;
};

#define INT8_BLOCK 128 /* elements of a row that share a scale */
#define NF4_BLOCK 64
#define INT8_ROW_STEP 0x1.020408p-7f /* as in tensor/int8_row.h */

/* As nf4_value of tensor/nf4.c. */
__device__ __forceinline__ float
nf4_value_of(unsigned code)
{
    static const float value[16] = {
        -1.0f, -0.6961928009986877f, -0.5250730514526367f,
        -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
        -0.09105003625154495f, 0.0f, 0.07958029955625534f,
        0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f
    };

    return value[code];
}

/* ---- blocks of GGUF: see tensor/ggml.h ---------------------------------- */

__device__ __forceinline__ float
half_at(const uint8_t *p)
{
    return half_to_float(*reinterpret_cast<const uint16_t *>(p));
}

/* Element i of many whose 4 bits are in N bytes, the second N of them in the
 * high halves, and so on with the next N bytes. */
template <unsigned N>
__device__ __forceinline__ int
four_bits(const uint8_t *p, unsigned i)
{
    return p[i / (2 * N) * N + i % N] >> (i / N % 2 * 4) & 15;
}

__device__ __forceinline__ int
fifth_bit(const uint8_t *p, unsigned i)
{
    return (p[i / 8] >> i % 8 & 1) << 4;
}

/* q d - m of element i of a block with 8 pairs of scales of 6 bits. */
__device__ __forceinline__ float
scaled_at(const uint8_t *block, unsigned i, int q)
{
    unsigned g = i / 32;
    const uint8_t *p = block + 4 + g % 4;
    unsigned s = p[0] & 63, t = p[4] & 63;

    if (g >= 4) {
        s = (p[8] & 15u) | (p[0] & 0xc0u) >> 2;
        t = p[8] >> 4 | (p[4] & 0xc0u) >> 2;
    }
    return (float)q * (half_at(block) * (float)s)
           - half_at(block + 2) * (float)t;
}

__device__ __forceinline__ float
q6_k_at(const uint8_t *block, unsigned i)
{
    int high = block[128 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
    int scale = (int8_t)block[192 + i / 16];

    return (float)((four_bits<64>(block, i) | high << 4) - 32)
           * (half_at(block + 208) * (float)scale);
}

/* Element i of a block. */
__device__ __forceinline__ float
block_at(uint8_t dtype, const uint8_t *p, unsigned i)
{
    switch (dtype) {
    case DTYPE_Q8_0:
        return (float)(int8_t)p[2 + i] * half_at(p);
    case DTYPE_Q4_0:
        return (float)(four_bits<16>(p + 2, i) - 8) * half_at(p);
    case DTYPE_Q4_1:
        return (float)four_bits<16>(p + 4, i) * half_at(p) + half_at(p + 2);
    case DTYPE_Q5_0:
        return (float)((four_bits<16>(p + 6, i) | fifth_bit(p + 2, i)) - 16)
               * half_at(p);
    case DTYPE_Q5_1:
        return (float)(four_bits<16>(p + 8, i) | fifth_bit(p + 4, i))
               * half_at(p) + half_at(p + 2);
    case DTYPE_Q4_K:
        return scaled_at(p, i, four_bits<32>(p + 16, i));
    case DTYPE_Q5_K:
        return scaled_at(p, i, four_bits<32>(p + 48, i)
                               | (p[16 + i % 32] >> i / 32 & 1) << 4);
    case DTYPE_Q6_K:
        return q6_k_at(p, i);
    default: /* a format without its case here is no number */
        return NAN;
    }
}

/* The unit that an element is in, of a type with several to a unit. */
__device__ __forceinline__ const uint8_t *
unit_at(const table &t, uint32_t row, uint32_t col)
{
    uint32_t units = (t.ld + t.unit - 1) / t.unit;

    return reinterpret_cast<const uint8_t *>(t.p)
           + ((size_t)row * units + col / t.unit) * t.unit_bytes;
}

__device__ __forceinline__ float
table_at(const table &t, uint32_t row, uint32_t col)
{
    size_t at = (size_t)row * t.ld + col;

    switch (t.dtype) {
    case DTYPE_REAL:
    case DTYPE_F32:
        return reinterpret_cast<const float *>(t.p)[at];
    case DTYPE_BF16:
        return get(reinterpret_cast<const bf16 *>(t.p) + at);
    case DTYPE_F16:
        return half_to_float(reinterpret_cast<const uint16_t *>(t.p)[at]);
    case DTYPE_I8:
        return (float)reinterpret_cast<const int8_t *>(t.p)[at]
               * half_to_float(reinterpret_cast<const uint16_t *>(t.side)
                               [(size_t)row * t.side_ld + col / INT8_BLOCK]);
    case DTYPE_I8_ROW:
        return (float)reinterpret_cast<const int8_t *>(t.p)[at]
               * reinterpret_cast<const float *>(t.side)
                 [(size_t)row * t.side_ld]
               * INT8_ROW_STEP;
    case DTYPE_NF4: {
        unsigned both = *unit_at(t, row, col);

        return nf4_value_of(col % 2 ? both & 15 : both >> 4)
               * reinterpret_cast<const float *>(t.side)
                 [(size_t)row * t.side_ld + col / NF4_BLOCK];
    }
    default:
        return block_at(t.dtype, unit_at(t, row, col), col % t.unit);
    }
}

static inline table
table_of(const struct call *c, const struct view *v)
{
    table t = { view_at(c, v), nullptr, v->rows, v->cols, v->ld, 0,
                (uint32_t)dtype_unit(v->dtype),
                (uint32_t)dtype_size(v->dtype), v->dtype };

    if (v->side != 0) {
        const struct view side = { v->side, 0, 0, 0, 0, DTYPE_U8, 0 };

        t.side = view_at(c, &side);
        t.side_ld = v->dtype == DTYPE_I8_ROW ? 1
                    : blocks_of(v->cols, v->dtype == DTYPE_NF4 ? NF4_BLOCK
                                                               : INT8_BLOCK);
    }
    return t;
}

#endif
