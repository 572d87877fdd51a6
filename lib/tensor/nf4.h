/* nf4.h - 4-bit NormalFloat in blocks of 64: the codec of `quantize --format
 * nf4` (Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs, 2023,
 * section 3), as bitsandbytes computes it.
 *
 * A row of n floats is cut into blocks of 64, the last one short. A block has
 * its largest magnitude, in F32, and a code of 4 bits per element, two to a
 * byte, the first one high; the element is nf4_value[code] * absmax.
 *
 *   code = the nearest value to x * (1 / absmax), the lower of two
 *
 * in floats, so that the bytes are those of bitsandbytes.functional's
 * quantize_4bit(quant_type="nf4", blocksize=64), where rows are a multiple of
 * 64: its blocks go on over the ends of rows.
 *
 * The widest gap of the values is 0.3038, so an element moves by at most
 * 0.152 absmax. A block of zeros has absmax 0 and the code of 0.
 */
#ifndef TENSOR_NF4_H
#define TENSOR_NF4_H

#include <stddef.h>
#include <stdint.h>

#define NF4_BLOCK 64

/* The values of the codes, from -1 to 1. */
extern const float nf4_value[16];

/* Encodes one row of finite x[n]: codes [(n + 1) / 2], absmax [blocks of n].
 * The low half of the last byte of an odd row is 0. */
void nf4_encode(uint8_t *code, float *absmax, const float *x, size_t n);

/* x[n] = elements [col, col + n) of a row. */
void nf4_decode(float *x, const uint8_t *code, const float *absmax,
                size_t col, size_t n);

#endif
