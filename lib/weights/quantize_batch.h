/* quantize_batch.h - one tensor's elements converted in batches, by all
 * threads, each batch written beside the next; private to quantize*.c.
 */
#ifndef WEIGHTS_QUANTIZE_BATCH_H
#define WEIGHTS_QUANTIZE_BATCH_H

#include "weights/quantize.h"

/* Stores t's floats in format s: as a matrix in blocks where s has such, or
 * one element after the other. */
int quantize_floats(struct quantize *q, const struct weight *t,
                    const struct stored *s, struct err *e);

/* Passes t on as it is. */
int quantize_verbatim(struct quantize *q, const struct weight *t,
                      struct err *e);

#endif
