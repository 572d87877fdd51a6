/* merge_tensor.h - one tensor of a base, written with what an adapter adds to
 * it; private to merge*.c.
 *
 * With A [rank, in], B [out, rank] and s = adapter_scale, a matrix W becomes
 *     W' = W + s B A
 * and where the module has magnitudes m [out] (DoRA, Liu et al. 2024, section
 * 4, as PEFT merges it)
 *     W' = m (W + s B A) / ||W + s B A||,
 * the norm that of each output's row; what the adapter saves whole (any
 * tensor) takes W's place. W is widened to float, where sums and
 * products are; only what comes out is rounded to the type that is written.
 */
#ifndef WEIGHTS_MERGE_TENSOR_H
#define WEIGHTS_MERGE_TENSOR_H

#include "weights/adapter.h"
#include "weights/merge.h"
#include "weights/weights.h"

struct merge_tensor {
    const struct weight *t;
    unsigned dtype;   /* to be written: t's, or F32, BF16, F16 */
    const struct adapter_module *add; /* NULL: nothing is added */
    const float *whole; /* t's elements are these now; NULL: its own */
    double scale;     /* of it: adapter_scale */
    bool in_out;      /* t is stored [in, out] */
    bool turn;        /* t is stored [out, in], and written [in, out] */
};

/* Writes m, a batch of rows at a time by all threads, beside which the batch
 * before is written; where it is turned, all of it is in memory. Integers and
 * what else is no float is written as it is. Adds to n. ERR_DATA for a value
 * that is not finite, in the base or written, naming tensor and index. */
int merge_tensor_put(const struct merge_tensor *m, struct merge_counts *n,
                     struct out *out, struct err *e);

#endif
