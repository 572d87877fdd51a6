/* quantize.h - a base as a weights stream, in another number format. */
#ifndef WEIGHTS_QUANTIZE_H
#define WEIGHTS_QUANTIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "stream/stream.h"
#include "weights/weights.h"

struct quantize {
    struct stream_out *out; /* an open segment */
    unsigned dtype;      /* of a row of tensor/stored.h */
    bool allow_bad;      /* NaN and infinities may pass */
    struct buf *report;  /* gets a line of weights/quantize_error.h for each
                            tensor of floats; NULL: none */
    uint64_t n_in, n_out; /* bytes of tensors read and written */
    struct quantize_work *work; /* NULL at first */
};

/* Appends tensor t to q->out, in the format of q: every float tensor is
 * converted; with I8, matrices (two dimensions) become I8 with their scales
 * behind, and all other floats F32: by shape, not by the description, since
 * embeddings and tensors that it does not know are converted, too, but not
 * those of WEIGHT_EXACT. With NF4, what is WEIGHT_LINEAR becomes NF4, and all
 * other floats stay as they are; I8_ROW is as NF4. What is in a stored format
 * is converted as the floats that it stands for, and passes where it has that
 * format. Integers and booleans go through as they are.
 *
 * Works on all threads (base/par.h), a bounded piece of t at a time, and what
 * comes out is written beside the next: the last of it by quantize_end, until
 * when t's data has to be there. ERR_DATA for a value that is not finite, or
 * not any more in the new type, naming tensor and index (allow_bad: only
 * where blocks can't hold it), and for types not known. */
int quantize_tensor(struct quantize *q, const struct weight *t,
                    enum weight_use use, struct err *e);

/* Writes what is left. */
int quantize_end(struct quantize *q, struct err *e);

/* Also after a failure. */
void quantize_release(struct quantize *q);

/* The record of one asset of w: verbatim, but for the config of weights that
 * bitsandbytes saved, which is one of weights as they are here. */
int quantize_asset(struct stream_out *out, const struct weights *w,
                   const struct weight_asset *a, struct err *e);

#endif
