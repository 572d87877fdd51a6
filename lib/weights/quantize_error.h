/* quantize_error.h - how far a tensor's numbers are from what a format makes
 * of them. */
#ifndef WEIGHTS_QUANTIZE_ERROR_H
#define WEIGHTS_QUANTIZE_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Sums over pairs of elements. All zero at first. */
struct quantize_error {
    uint64_t n;
    double max;             /* |x - y| */
    double squares;         /* (x - y)^2 */
    double xx, yy, xy;
};

/* Adds x[n] and y[n], what became of it; a pair that is not finite counts
 * only as an element. */
void quantize_error_add(struct quantize_error *q, const float *x,
                        const float *y, size_t n);

/* Adds the sums of r, of elements behind those of q. */
void quantize_error_merge(struct quantize_error *q,
                          const struct quantize_error *r);

/* Appends a line of JSON: name, types before and after, elements, the largest
 * error, the root of the mean of its square, and the cosine between the two as
 * vectors: null where one of them is zero. */
void quantize_error_line(struct buf *b, const struct quantize_error *q,
                         const char *name, unsigned from, unsigned to);

#endif
