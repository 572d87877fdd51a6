/* bitsandbytes.h - 4-bit checkpoints as bitsandbytes and transformers save
 * them (bitsandbytes.nn.Linear4bit); private to lib/weights.
 *
 * A linear's weight NAME of shape [rows, cols] is
 *   NAME                    codes, two to a byte, of any type, [-1, 1]
 *   NAME.absmax             F32, one per block of the weight as one long row;
 *                           or U8, and then beside it
 *   NAME.nested_quant_map   F32 [256], what these stand for
 *   NAME.nested_absmax      F32, a factor for each 256 (nested_blocksize)
 *   NAME.quant_map          F32 [16], the values of the codes
 *   NAME.quant_state.bitsandbytes__nf4   U8, JSON: quant_type, blocksize,
 *                           dtype, shape, nested_blocksize, nested_dtype and
 *                           nested_offset, which is added to every absmax
 */
#ifndef WEIGHTS_BITSANDBYTES_H
#define WEIGHTS_BITSANDBYTES_H

#include <cjson/cJSON.h>

#include "weights/weights_source.h"

/* Makes NF4 tensors (tensor/nf4.h) of w's items in that form, which are sorted
 * by name, and takes what is beside them out of the items. Scales that are
 * quantised themselves, or of blocks longer than 64, are copied in F32 as
 * bitsandbytes dequantises them, and counted in w->copied. ERR_DATA for fp4,
 * for blocks that end in another row than they begin in, for values that are
 * not NF4's, and for sizes that don't fit. */
int bitsandbytes_attach(struct weights *w, struct err *e);

/* Takes quantization_config out of the config, where it says what w's tensors
 * were found to be. */
void bitsandbytes_config(const struct weights *w, cJSON *config);

#endif
