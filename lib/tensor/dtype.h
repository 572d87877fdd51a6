/* dtype.h - element types of tensors, and conversion between the floats.
 *
 * Names are those of safetensors; values are stored in tensor records, so
 * they never change. NF4 is graft's own: two elements to a byte. Q8_0 to Q6_K
 * are the blocks of GGUF files (tensor/ggml.h). These have units of several
 * elements, and each row of the last dimension is in whole units. I8_ROW is
 * graft's, too: I8 with a scale for each row (tensor/int8_row.h).
 *
 * Narrowing rounds to nearest, ties to even; a NaN stays a NaN of the same
 * sign with its upper payload bits (made quiet when narrowed), infinities and
 * signed zeros stay. Widening is exact.
 */
#ifndef TENSOR_DTYPE_H
#define TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_NONE = 0,
    DTYPE_F64 = 1,
    DTYPE_F32 = 2,
    DTYPE_F16 = 3,
    DTYPE_BF16 = 4,
    DTYPE_I64 = 5,
    DTYPE_I32 = 6,
    DTYPE_I16 = 7,
    DTYPE_I8 = 8,
    DTYPE_U64 = 9,
    DTYPE_U32 = 10,
    DTYPE_U16 = 11,
    DTYPE_U8 = 12,
    DTYPE_BOOL = 13,
    DTYPE_F8_E4M3 = 14,
    DTYPE_F8_E5M2 = 15,
    DTYPE_F8_E8M0 = 16,
    DTYPE_C64 = 17,
    DTYPE_NF4 = 18,
    DTYPE_Q8_0 = 19,
    DTYPE_Q4_0 = 20,
    DTYPE_Q4_1 = 21,
    DTYPE_Q5_0 = 22,
    DTYPE_Q5_1 = 23,
    DTYPE_Q4_K = 24,
    DTYPE_Q5_K = 25,
    DTYPE_Q6_K = 26,
    DTYPE_I8_ROW = 27,
    DTYPE_COUNT
};

/* Elements of a unit: 1; 2 of NF4, 32 or 256 of a block of GGUF. */
size_t dtype_unit(unsigned dtype);

/* Bytes of a unit; 0 for DTYPE_NONE and unknown values. */
size_t dtype_size(unsigned dtype);

/* The units of a row of n elements. */
uint64_t dtype_units(unsigned dtype, uint64_t n);

/* The bytes a unit of it is aligned to: its size, but 4 for C64 and 2 for
 * blocks of GGUF. */
size_t dtype_align(unsigned dtype);

/* "F32" and so on; "?" for an unknown value. */
const char *dtype_name(unsigned dtype);

/* The type of that name (n bytes), or DTYPE_NONE. */
enum dtype dtype_parse(const char *name, size_t n);

/* F64, F32, F16 or BF16: what floats_load and floats_store take. */
bool dtype_is_float(unsigned dtype);

float bf16_to_f32(uint16_t h);
uint16_t f32_to_bf16(float x);
float f16_to_f32(uint16_t h); /* subnormals too */
uint16_t f32_to_f16(float x); /* subnormals too; beyond 65519.99 infinity */

/* out[n] = in[n] of a float dtype, widened (an F64 is rounded to float), or
 * the reverse. in and out may be unaligned but must not overlap. */
void floats_load(float *out, const void *in, unsigned dtype, size_t n);
void floats_store(void *out, unsigned dtype, const float *in, size_t n);

/* Of n elements of a float dtype, those whose bits differ. */
size_t floats_differ(const void *a, const void *b, unsigned dtype, size_t n);

/* The index of the first NaN or infinity among in[n], or n. */
size_t floats_bad(const float *in, size_t n);

/* The largest magnitude of in[n], which are finite. */
float floats_top(const float *in, size_t n);

#endif
