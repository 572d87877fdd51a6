/* int8.h - group-128 int8: the codec of `quantize --format int8`.
 *
 * A row of n floats is cut into groups of 128, the last one short. A group
 * has one F16 scale s and an int8 q per element; the element is q * s, which
 * is exact in float (8 bits times 11 bits).
 *
 *   s = absmax / 127 rounded to F16; the next F16 up if absmax > 127.5 s
 *   q = x / s rounded to nearest, ties to even, limited to [-127, 127]
 *
 * The bound is exact, in real numbers: |x - q s| <= s / 2. For normal s the
 * scale is within 2^-11 of absmax / 127, so the error is at most
 * absmax / 253.8; for absmax under 0.0078 (s subnormal) s may be up to
 * 2^-24 larger. A group of zeros has s = 0, q = 0.
 */
#ifndef TENSOR_INT8_H
#define TENSOR_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INT8_GROUP 128

/* Groups, that is scales, of a row of n. */
size_t int8_groups(size_t n);

/* Encodes one row of finite x[n]. False, with *bad the index of the first
 * element of the group, when a scale does not fit F16 (|x| over 8.3e6). */
bool int8_encode(int8_t *q, uint16_t *scale, const float *x, size_t n,
                 size_t *bad);
void int8_decode(float *x, const int8_t *q, const uint16_t *scale, size_t n);

#endif
