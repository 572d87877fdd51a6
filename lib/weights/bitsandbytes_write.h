/* bitsandbytes_write.h - a base as a model directory in 4 or 8 bits that
 * transformers loads with bitsandbytes. */
#ifndef WEIGHTS_BITSANDBYTES_WRITE_H
#define WEIGHTS_BITSANDBYTES_WRITE_H

#include "base/io.h"
#include "weights/weights.h"

/* Fills the new directory: w's assets, with a quantization_config in
 * config.json, and its weights in a form of weights/bitsandbytes.h: the layers'
 * matrices, which linear[w->n] marks, in dtype, NF4 with blocks of 64 or
 * I8_ROW, the others as they are, or in F32 where they are in a format that
 * safetensors does not have. ERR_DATA for a matrix whose rows are no multiple
 * of 64 in NF4, and, unless allow_bad, for values that are not finite. *bytes =
 * what the tensors came to. */
int bitsandbytes_write(struct out_dir *out, uint64_t *bytes,
                       const struct weights *w, const bool *linear,
                       unsigned dtype, bool allow_bad, struct err *e);

#endif
