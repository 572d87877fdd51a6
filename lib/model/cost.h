/* cost.h - what an op costs at least, to hold the time that it takes against
 * what a device could do.
 *
 * flops: floating-point operations of its products, a multiply and an add
 * counting two, over the causal half of attention; those of the ops of a
 * range add up to prog_flops.
 *
 * bytes: what has to pass through the device's memory even if all that can be
 * computed together is: a view is read or written once, one that is added to
 * read and written; weights as they are stored, with their scales; DTYPE_REAL
 * as floats; scratch not at all. So attention is flash attention (Dao et al.
 * 2022), whose scores never are in memory. Not so simple are
 *
 *   EMBED, EMBED_BWD  touch a row of their tables for each of the batch's
 *   LINEAR_BWD        reads no bias and, where dx is absent, neither W nor A
 *   HEAD_CE           reads W for each product of each chunk; a chunk's
 *                     logits, too many to stay on the processor, are written
 *                     and read once, as wide as an activation, where a
 *                     gradient is made of them
 *   LOGITS, CACHE     have as many rows as the pass, not as y0
 *   STASH, FETCH      have one end in the device's memory; WAIT moves nothing
 *
 * The batch's own arrays (24 bytes a row) are not counted, nor is what the
 * bounds of documents save. Decoding's ATTENTION counts its caches whole.
 */
#ifndef MODEL_COST_H
#define MODEL_COST_H

#include "model/prog.h"

struct op_cost {
    double flops, bytes;
};

/* Of an op of p over one micro-batch, n_head of whose rows are supervised;
 * HEAD_CE: over all chunks of these. */
struct op_cost op_cost(const struct prog *p, const struct op *op,
                       uint32_t n_head);

#endif
