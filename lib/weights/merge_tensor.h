/* merge_tensor.h - one tensor of a base, written with what an adapter adds to
 * it; private to merge*.c.
 *
 * With A [rank, in], B [out, rank] and s = adapter_scale, a matrix W becomes
 *     W' = W + s B A
 * and where the module has magnitudes m [out] (DoRA, Liu et al. 2024, section
 * 4, as PEFT merges it)
 *     W' = m (W + s B A) / ||W + s B A||,
 * the norm that of each output's row; what the adapter saves whole (any
 * tensor) takes W's place, and so do rows of tokens. W is widened to float,
 * where sums and products are; only what comes out is rounded to the type that
 * is written.
 */
#ifndef WEIGHTS_MERGE_TENSOR_H
#define WEIGHTS_MERGE_TENSOR_H

#include "weights/adapter.h"
#include "weights/merge.h"
#include "weights/weights.h"

struct merge_tensor {
    const struct weight *t;
    unsigned dtype;   /* to be written: t's, or one that tensor/stored.h can
                         make without a side tensor */
    const struct adapter_module *add; /* NULL: nothing is added */
    const float *whole; /* t's elements are these now; NULL: its own */
    const struct adapter_tokens *tokens; /* rows that are others now; NULL:
                                            none */
    double scale;     /* of it: adapter_scale */
    bool in_out;      /* t is stored [in, out] */
    bool turn;        /* its two dimensions are written in the other order */
    uint32_t heads;   /* of so many heads the rows of the two halves are to
                         take turns (struct weight); 0: as they are */
};

/* Where bytes go. */
struct merge_sink {
    int (*write)(void *ctx, const void *p, size_t n, struct err *e);
    void *ctx;
};

/* Writes m, a batch of rows at a time by all threads, beside which the batch
 * before is written; where rows are written in another order, all of it is in
 * memory. Integers and what else has no such type is written as it is. Adds to
 * n. ERR_DATA for a value that is not finite, in the base or written, naming
 * tensor and index. */
int merge_tensor_put(const struct merge_tensor *m, struct merge_counts *n,
                     const struct merge_sink *out, struct err *e);

#endif
