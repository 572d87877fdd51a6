/* nf4_nested.h - double quantisation: the absmax of NF4's blocks in 8 bits
 * (Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs, 2023,
 * section 3), as bitsandbytes computes it.
 *
 * Of all the absmax of a matrix the mean is the offset. What is left of each
 * is cut into blocks of 256, the last one short. A block has its largest
 * magnitude, in F32 (nested), and a code of 8 bits per absmax, which is
 *
 *   map[code] * nested + offset
 *
 * map: that of tensor/dynamic8.h, with a sign. A code is that of the value
 * nearest to the quotient by nested, which is first rounded to one of 65536
 * places from -1 to 1.
 *
 * All in floats, rounded after each operation, so that the bytes are those of
 * bitsandbytes.functional's quantize_4bit(compress_statistics=True) on an x86
 * processor; the offset, for which PyTorch's mean adds up in an order that
 * depends on the machine, is that of one thread there, and so are codes and
 * nested, which follow from it.
 */
#ifndef TENSOR_NF4_NESTED_H
#define TENSOR_NF4_NESTED_H

#include <stddef.h>
#include <stdint.h>

#define NF4_NESTED_BLOCK 256

/* The offset of absmax[n], n > 0: their mean. */
float nf4_nested_offset(const float *absmax, size_t n);

/* code[n] and nested[blocks of n] of finite absmax[n]. A block of nothing but
 * the offset has nested 0 and codes 0. */
void nf4_nested_encode(uint8_t *code, float *nested, const float *absmax,
                       size_t n, float offset);

#endif
