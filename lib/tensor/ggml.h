/* ggml.h - the blocks that GGUF files store weights in, as ggml defines them.
 *
 * A row is cut into blocks of 32 or 256 elements (dtype_unit), and a block has
 * all of its scales inside; numbers are little-endian. With d and m an F16:
 *
 *   Q8_0  d, q of 8 bits, signed                  q d
 *   Q4_0  d, q of 4 bits                          (q - 8) d
 *   Q4_1  d, m, q of 4 bits                       q d + m
 *   Q5_0  d, the fifth bits, q's other 4 bits     (q - 16) d
 *   Q5_1  d, m, the fifth bits, the other 4       q d + m
 *   Q4_K  d, m, 8 pairs s and t of 6 bits, q      q (d s) - m t
 *   Q5_K  as Q4_K, with fifth bits before q       q (d s) - m t
 *   Q6_K  q's 4 bits, q's 2 bits, 16 s, d         (q - 32) (d s)
 *
 * Where q has 4 bits, 16 (in Q4_K and Q5_K 32, in Q6_K 64) bytes hold twice as
 * many elements: the first half of them in their low bits. Q4_K and Q5_K have
 * a pair for 32 elements, Q6_K a signed byte for 16.
 *
 * All products are exact in a float, and a sum is rounded once, so an element
 * has the bits of ggml's and of gguf.quants.dequantize in any order. With a
 * scale that is not finite no element is; no other gives one that isn't.
 *
 * The last block of a row may be used in part. GGUF has whole blocks only.
 */
#ifndef TENSOR_GGML_H
#define TENSOR_GGML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pair g of the 8 that Q4_K and Q5_K have in 12 bytes: the first four of s,
 * then of t, in the low bits of 4 bytes each, whose high bits are those of the
 * last four; these have their low bits in the last 4 bytes. */
static inline void
ggml_pair(const uint8_t *scales, unsigned g, unsigned *s, unsigned *t)
{
    const uint8_t *p = scales + g % 4;

    *s = g < 4 ? p[0] & 63u : (p[8] & 15u) | (p[0] & 0xc0u) >> 2;
    *t = g < 4 ? p[4] & 63u : p[8] >> 4 | (p[4] & 0xc0u) >> 2;
}

/* out[n] = elements [col, col + n) of a row; there is no side. */
typedef void ggml_widen(float *out, const void *row, const void *side,
                        size_t col, size_t n);

ggml_widen q8_0_widen, q4_0_widen, q4_1_widen, q5_0_widen, q5_1_widen,
           q4_k_widen, q5_k_widen, q6_k_widen;

/* Encodes finite x[n] as Q8_0: d is the largest magnitude of 32 over 127, an
 * element is divided by that d before it is rounded to an F16, and rounded to
 * the nearest whole number, halves away from 0: the bytes are those of ggml
 * and of gguf.quants.quantize. False, with *bad the first element of the block,
 * where d is too great for an F16. */
bool q8_0_encode(void *data, void *side, const float *x, size_t n,
                 size_t *bad);

#endif
