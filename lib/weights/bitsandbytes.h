/* bitsandbytes.h - checkpoints of 4 and 8 bits as bitsandbytes and
 * transformers save them; private to lib/weights.
 *
 * In 4 bits (bitsandbytes.nn.Linear4bit) a linear's weight NAME of shape
 * [rows, cols] is
 *   NAME                    codes, two to a byte, of any type, [-1, 1]
 *   NAME.absmax             F32, one per block of the weight as one long row;
 *                           or U8, and then beside it
 *   NAME.nested_quant_map   F32 [256], what these stand for
 *   NAME.nested_absmax      F32, a factor for each 256 (nested_blocksize)
 *   NAME.quant_map          F32 [16], the values of the codes
 *   NAME.quant_state.bitsandbytes__nf4   U8, JSON: quant_type, blocksize,
 *                           dtype, shape, nested_blocksize, nested_dtype and
 *                           nested_offset, which is added to every absmax
 *
 * In 8 bits (bitsandbytes.nn.Linear8bitLt) a linear MODULE is
 *   MODULE.weight           I8 [rows, cols]
 *   MODULE.SCB              F32 [rows], the rows' largest magnitudes
 *   MODULE.weight_format    U8, 0; it may be left out
 *
 * Of GPT-2 the matrices are [out, in] in both.
 */
#ifndef WEIGHTS_BITSANDBYTES_H
#define WEIGHTS_BITSANDBYTES_H

#include <cjson/cJSON.h>

#include "weights/weights_source.h"

/* Makes NF4 tensors (tensor/nf4.h) of w's items in the first form, which are
 * sorted by name, and takes what is beside them out of the items; then what
 * bitsandbytes_attach_int8 does. Scales that are quantised themselves, or of
 * blocks longer than 64, are copied in F32 as bitsandbytes dequantises them,
 * and counted in w->copied. ERR_DATA for fp4, for blocks that end in another
 * row than they begin in, for values that are not NF4's, and for sizes that
 * don't fit. */
int bitsandbytes_attach(struct weights *w, struct err *e);

/* Makes I8_ROW tensors (tensor/int8_row.h) of items in the second form, without
 * a copy. ERR_DATA for sizes and types that don't fit, and beside weights in 4
 * bits. */
int bitsandbytes_attach_int8(struct weights *w, struct err *e);

/* *text = the config p[n] of w, whose tensors are of bitsandbytes, as that of
 * tensors as they are here: without quantization_config, where that says what
 * was found, and with fan_in_fan_out, false, where matrices are turned. The
 * caller frees it by cJSON_free. ERR_DATA for no JSON; where: its file's
 * name. */
int bitsandbytes_config(char **text, const struct weights *w, const char *p,
                        size_t n, const char *where, struct err *e);

#endif
