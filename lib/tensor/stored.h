/* stored.h - the ways in which a base's weights are stored: a row for each.
 *
 *   f32 bf16 f16   elements as they are
 *   int8           blocks of 128 along a row, the last one short, with an F16
 *                  scale each in a side tensor (tensor/int8.h)
 *   int8_row       rows with an F32 scale each (tensor/int8_row.h); of the
 *                  layers' linears alone
 *   nf4            codes of 4 bits in blocks of 64, with an F32 scale each
 *                  (tensor/nf4.h); of the layers' linears alone
 *   q8_0 ... q6_k  the blocks of GGUF files, which have their scales inside
 *                  (tensor/ggml.h); q8_0 is made for such files, the others are
 *                  read alone
 *
 * Whoever reads or writes weights asks a row; a new format is a row and its
 * codec. Its widening serves the CPU back end, too, until it has a fast one.
 * A weight's format is known by its element type alone: one row a type.
 */
#ifndef TENSOR_STORED_H
#define TENSOR_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

/* The side tensor of NAME is NAME.scale: [rows, stored_blocks(cols)]. */
#define SCALE_SUFFIX ".scale"

#define STORED_ROW 0 /* a block is all of a row */

struct stored {
    const char *name;   /* as quantize --format has it */
    uint8_t dtype;      /* of its tensor */
    uint8_t side_dtype; /* of its side tensor; DTYPE_NONE: it has none */
    uint32_t block;     /* elements of a row that share a scale, a divisor
                           of 2^14 (a piece of quantize); 1; STORED_ROW */

    bool linears;       /* only for matrices that adapters are for: what else
                           there is stays as it is */

    /* Encodes finite x[n], a row or a part of one that is whole blocks, but
     * the last. False, with *bad an element of the first block that it can't
     * hold. NULL,
     * as bound: weights are not stored so here. */
    bool (*encode)(void *data, void *side, const float *x, size_t n,
                   size_t *bad);

    /* out[n] = elements [col, col + n) of a row. */
    void (*widen)(float *out, const void *row, const void *side, size_t col,
                  size_t n);

    /* The most that an element is off by whose block's largest magnitude,
     * not too small for a normal number of the format, is absmax. */
    double (*bound)(double absmax);
};

/* The row of an element type, or of a format's name; NULL: no weights are
 * stored so. */
const struct stored *stored_of(unsigned dtype);
const struct stored *stored_named(const char *name);

/* Row i, NULL past the last. */
const struct stored *stored_at(size_t i);

/* Bytes of a row of so many elements, and side elements for it (0 where there
 * is no side tensor). */
uint64_t stored_row_bytes(const struct stored *s, uint64_t cols);
uint64_t stored_blocks(const struct stored *s, uint64_t cols);

#endif
