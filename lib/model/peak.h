/* peak.h - what a back end does at best, measured: operations a second of a
 * large product, and bytes a second, read and written, of a large copy.
 *
 * They are ops as a program has them, LINEAR and COPY, in memory of their
 * own. Their size doubles until one takes 20 ms, or too much memory; of each
 * size the best of three counts, of products the best size, and of copies the
 * largest, since smaller ones stay in a processor's caches.
 */
#ifndef MODEL_PEAK_H
#define MODEL_PEAK_H

#include "kernels/ops.h"
#include "model/cost.h"

struct peak {
    double flops, bytes; /* a second */
};

/* ERR_IO where there is no memory for the smallest sizes; beyond these no more
 * than `room` bytes are taken. */
int peak_measure(struct peak *p, struct backend *b, uint64_t room,
                 struct err *e);

/* Seconds that it takes at best. */
double peak_floor(const struct peak *p, const struct op_cost *c);

#endif
