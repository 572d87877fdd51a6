/* bitsandbytes_write.h - a base as a model directory in 4 or 8 bits that
 * transformers loads with bitsandbytes. */
#ifndef WEIGHTS_BITSANDBYTES_WRITE_H
#define WEIGHTS_BITSANDBYTES_WRITE_H

#include "base/io.h"
#include "weights/weights.h"

struct bitsandbytes_how {
    unsigned dtype;    /* of the layers' matrices: NF4 or I8_ROW */
    bool double_quant; /* of NF4: as tensor/nf4_nested.h has it */
    bool allow_bad;    /* other tensors may have NaN and infinities */
};

/* Fills the new directory: w's assets, with a quantization_config in
 * config.json, and its weights in a form of weights/bitsandbytes.h: the layers'
 * matrices, by use[w->n] of base_uses, as `how` has it, NF4 with blocks of 64,
 * the others as they are, or in F32 where they are in a format that safetensors
 * does not have. ERR_DATA for a matrix whose rows are no multiple of 64 in NF4,
 * and for values that are not finite. *bytes = what the tensors came to. */
int bitsandbytes_write(struct out_dir *out, uint64_t *bytes,
                       const struct weights *w, const uint8_t *use,
                       const struct bitsandbytes_how *how, struct err *e);

#endif
