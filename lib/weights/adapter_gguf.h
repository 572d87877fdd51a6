/* adapter_gguf.h - a LoRA adapter as a GGUF file of llama.cpp.
 *
 * The file names the base's architecture and one alpha, and holds of every
 * module NAME.weight, in the dimensions that GGUF has them,
 *   NAME.weight.lora_a [in, rank]    NAME.weight.lora_b [rank, out]
 * by the names that the base's own file has. llama.cpp (src/llama-adapter.h)
 * multiplies B A by alpha / rank, the rank being each module's own, and by 1
 * where alpha is 0. So alpha here is what gives the adapter's scale: with
 * rsLoRA alpha sqrt(rank); and what a module's scale is beyond that, its B is
 * multiplied by. In the queries and keys of some architectures the rows of the
 * two halves of a head take turns (gguf_config.h); so do those of B.
 */
#ifndef WEIGHTS_ADAPTER_GGUF_H
#define WEIGHTS_ADAPTER_GGUF_H

#include "tensor/dtype.h"
#include "weights/adapter.h"
#include "weights/weights.h"

/* Writes a, which adapter_match has found to fit d, to out; dtype is F32, F16
 * or BF16, base what d was read from. ERR_USAGE, naming what, for what such a
 * file can't say: DoRA's magnitudes, a family that llama.cpp doesn't have, a
 * matrix of which the base's file holds but a part of a larger one. ERR_DATA
 * for a value that is too great for dtype. */
int adapter_gguf_write(const struct adapter *a, const struct model_desc *d,
                       const struct weights *base, enum dtype dtype,
                       struct out *out, struct err *e);

#endif
