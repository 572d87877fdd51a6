/* int8_row.h - int8 with a scale for each row: the codec of `quantize --format
 * int8_row` (Dettmers et al., LLM.int8(): 8-bit Matrix Multiplication for
 * Transformers at Scale, 2022, section 2.1), as bitsandbytes computes it.
 *
 * A row has its largest magnitude, in F32, and an int8 q per element.
 *
 *   h = x rounded to F16
 *   q = h * (1 / absmax * 127) rounded to nearest, ties to even
 *
 * in floats, rounded after each operation, so that the bytes are those of
 * bitsandbytes.functional's int8_vectorwise_quant on the CPU of the F16s that
 * bitsandbytes.nn.Int8Params hands it (a card's quotient may differ in its
 * last bits). The element is q * absmax * INT8_ROW_STEP, rounded after each
 * product, as int8_vectorwise_dequant has it. A row of zeros has absmax 0,
 * q = 0.
 *
 * An element moves by at most half a step of absmax / 127, and 2^-11 of
 * itself where it is no F16: by absmax / 225 in all.
 */
#ifndef TENSOR_INT8_ROW_H
#define TENSOR_INT8_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INT8_ROW_STEP 0x1.020408p-7f /* 1 / 127 */

/* Encodes one row of finite x[n]. False, with *bad its index, where an element
 * is too large for F16. */
bool int8_row_encode(int8_t *q, float *absmax, const float *x, size_t n,
                     size_t *bad);

/* x[n] = the elements that q[n] stand for in a row of that absmax. */
void int8_row_decode(float *x, const int8_t *q, float absmax, size_t n);

#endif
