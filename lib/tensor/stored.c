/* stored.c - the table of stored formats. */
#include "tensor/stored.h"

#include <string.h>

#include "tensor/int8.h"

/* Float formats hold every finite number but those over F16's range. */
static bool
encode_floats(void *data, unsigned dtype, const float *x, size_t n,
              size_t *bad)
{
    float back;

    floats_store(data, dtype, x, n);
    for (size_t i = 0; i < n && dtype != DTYPE_F32; i++) {
        floats_load(&back, (const char *)data + i * dtype_size(dtype), dtype,
                    1);
        if (floats_bad(&back, 1) == 0) {
            *bad = i;
            return false;
        }
    }
    return true;
}

static bool
encode_f32(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    (void)side;
    return encode_floats(data, DTYPE_F32, x, n, bad);
}

static bool
encode_bf16(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    (void)side;
    return encode_floats(data, DTYPE_BF16, x, n, bad);
}

static bool
encode_f16(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    (void)side;
    return encode_floats(data, DTYPE_F16, x, n, bad);
}

static bool
encode_int8(void *data, void *side, const float *x, size_t n, size_t *bad)
{
    return int8_encode(data, side, x, n, bad);
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
    return cols * dtype_size(s->dtype);
}

uint64_t
stored_blocks(const struct stored *s, uint64_t cols)
{
    if (s->side_dtype == DTYPE_NONE)
        return 0;
    return cols / s->block + (cols % s->block != 0);
}
