/* quantize.h - a base as a weights stream, in another number format. */
#ifndef WEIGHTS_QUANTIZE_H
#define WEIGHTS_QUANTIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "stream/stream.h"
#include "weights/weights.h"

struct quantize {
    unsigned dtype;      /* F32, BF16, F16; I8: group-128 int8 */
    bool allow_bad;      /* NaN and infinities may pass */
    uint64_t n_in, n_out; /* bytes of tensors read and written */
};

/* Appends tensor t to an open segment, a bounded piece at a time, in the
 * format of q: every float tensor is converted; with I8, matrices (two
 * dimensions) become I8 with their scales behind, and all other floats F32:
 * by shape, not by the description, since embeddings and tensors that it does
 * not know are converted, too.
 * Integers and booleans go through as they are. ERR_DATA for a value that is
 * not finite, or not any more in the new type, naming tensor and index
 * (allow_bad: only where int8 can't hold it), and for types not known. */
int quantize_tensor(struct quantize *q, struct stream_out *out,
                    const struct weight *t, struct err *e);

/* The record of one asset. */
int quantize_asset(struct stream_out *out, const struct weight_asset *a,
                   struct err *e);

#endif
