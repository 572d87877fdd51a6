/* stored.c - the table of stored formats. */
#include "tensor/stored.h"

#include <math.h>
#include <string.h>

#include "tensor/ggml.h"
#include "tensor/int8.h"
#include "tensor/int8_row.h"
#include "tensor/nf4.h"

/* The float formats of 16 bits hold every finite number but those that are
 * rounded to infinity: from `from` on. */
static bool
encode_floats(void *data, unsigned dtype, const float *x, size_t n,
              float from, size_t *bad)
{
    size_t i = 0;

    floats_store(data, dtype, x, n);
    if (floats_top(x, n) < from)
        return true;
    while (fabsf(x[i]) < from)
        i++;
    *bad = i;
    return false;
}

static bool
encode_f32(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    (void)side;
    return encode_floats(data, DTYPE_F32, x, n, INFINITY, bad);
}

static bool
encode_bf16(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    (void)side;
    return encode_floats(data, DTYPE_BF16, x, n, 0x1.ffp127f, bad);
}

static bool
encode_f16(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    (void)side;
    return encode_floats(data, DTYPE_F16, x, n, 65520, bad);
}

static bool
encode_int8(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    return int8_encode(data, side, x, n, bad);
}

static bool
encode_int8_row(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    return int8_row_encode(data, side, x, n, bad);
}

static bool
encode_nf4(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    (void)bad;
    nf4_encode(data, side, x, n);
    return true;
}

static void
widen_f32(float *out, const void *row, const void *side, size_t col,
          size_t n)
{
    (void)side;
    floats_load(out, (const float *)row + col, DTYPE_F32, n);
}

static void
widen_bf16(float *out, const void *row, const void *side, size_t col,
           size_t n)
{
    (void)side;
    floats_load(out, (const uint16_t *)row + col, DTYPE_BF16, n);
}

static void
widen_f16(float *out, const void *row, const void *side, size_t col,
          size_t n)
{
    (void)side;
    floats_load(out, (const uint16_t *)row + col, DTYPE_F16, n);
}

static void
widen_int8(float *out, const void *row, const void *side, size_t col,
           size_t n)
{
    const int8_t *q = row;
    const uint16_t *scale = side;

    for (size_t i = col; i < col + n; i++)
        out[i - col] = (float)q[i] * f16_to_f32(scale[i / INT8_GROUP]);
}

static void
widen_int8_row(float *out, const void *row, const void *side, size_t col,
               size_t n)
{
    int8_row_decode(out, (const int8_t *)row + col, *(const float *)side, n);
}

static void
widen_nf4(float *out, const void *row, const void *side, size_t col,
          size_t n)
{
    nf4_decode(out, row, side, col, n);
}

static double
bound_f32(double absmax)
{
    return 0 * absmax;
}

static double
bound_bf16(double absmax)
{
    return absmax * 0x1p-8;
}

static double
bound_f16(double absmax)
{
    return absmax * 0x1p-11;
}

static double
bound_int8(double absmax)
{
    return absmax / 253.8;
}

static double
bound_int8_row(double absmax)
{
    return absmax / 225;
}

static double
bound_nf4(double absmax)
{
    return absmax * 0.152;
}

/* Half a step, and the largest whole number times what the F16 is off. */
static double
bound_q8_0(double absmax)
{
    return absmax * (1 / 253.9 + 0x1p-11);
}

static const struct stored table[] = {
    { .name = "f32", .dtype = DTYPE_F32, .block = 1, .encode = encode_f32,
      .widen = widen_f32, .bound = bound_f32 },
    { .name = "bf16", .dtype = DTYPE_BF16, .block = 1,
      .encode = encode_bf16, .widen = widen_bf16, .bound = bound_bf16 },
    { .name = "f16", .dtype = DTYPE_F16, .block = 1, .encode = encode_f16,
      .widen = widen_f16, .bound = bound_f16 },
    { .name = "int8", .dtype = DTYPE_I8, .side_dtype = DTYPE_F16,
      .block = INT8_GROUP, .encode = encode_int8, .widen = widen_int8,
      .bound = bound_int8 },
    { .name = "int8_row", .dtype = DTYPE_I8_ROW, .side_dtype = DTYPE_F32,
      .block = STORED_ROW, .linears = true, .encode = encode_int8_row,
      .widen = widen_int8_row, .bound = bound_int8_row },
    { .name = "nf4", .dtype = DTYPE_NF4, .side_dtype = DTYPE_F32,
      .block = NF4_BLOCK, .linears = true, .encode = encode_nf4,
      .widen = widen_nf4, .bound = bound_nf4 },
    { .name = "q8_0", .dtype = DTYPE_Q8_0, .block = 32,
      .encode = q8_0_encode, .widen = q8_0_widen, .bound = bound_q8_0 },
    { .name = "q4_0", .dtype = DTYPE_Q4_0, .block = 32,
      .widen = q4_0_widen },
    { .name = "q4_1", .dtype = DTYPE_Q4_1, .block = 32,
      .widen = q4_1_widen },
    { .name = "q5_0", .dtype = DTYPE_Q5_0, .block = 32,
      .widen = q5_0_widen },
    { .name = "q5_1", .dtype = DTYPE_Q5_1, .block = 32,
      .widen = q5_1_widen },
    { .name = "q4_k", .dtype = DTYPE_Q4_K, .block = 256,
      .widen = q4_k_widen },
    { .name = "q5_k", .dtype = DTYPE_Q5_K, .block = 256,
      .widen = q5_k_widen },
    { .name = "q6_k", .dtype = DTYPE_Q6_K, .block = 256,
      .widen = q6_k_widen },
};

#define N_STORED (sizeof(table) / sizeof(table[0]))

const struct stored *
stored_of(unsigned dtype)
{
    for (size_t i = 0; i < N_STORED; i++)
        if (table[i].dtype == dtype)
            return &table[i];
    return NULL;
}

const struct stored *
stored_named(const char *name)
{
    for (size_t i = 0; i < N_STORED; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const struct stored *
stored_at(size_t i)
{
    return i < N_STORED ? &table[i] : NULL;
}

uint64_t
stored_row_bytes(const struct stored *s, uint64_t cols)
{
    return dtype_units(s->dtype, cols) * dtype_size(s->dtype);
}

uint64_t
stored_blocks(const struct stored *s, uint64_t cols)
{
    if (s->side_dtype == DTYPE_NONE)
        return 0;
    if (s->block == STORED_ROW)
        return cols > 0;
    return cols / s->block + (cols % s->block != 0);
}
