/* selftest.h - whether a back end computes what the reference does.
 *
 * Small models of several families, in every format that bases are made in,
 * are trained for two steps and evaluated, by the reference in double
 * precision and by the back end: a list of runs, in selftest.c. What is
 * compared are the gradients of the first step, and, after the second, the
 * parameters and the loss of an evaluation.
 */
#ifndef TRAIN_SELFTEST_H
#define TRAIN_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernels/ops.h"

/* How far apart two results may be, |a - b| / |b|: in f32, what rounding and
 * the order of sums make of such models, some fifty products deep. In bf16
 * each operand of a product is off by up to 2^-9 of itself, which three times
 * as many products, an adapter's among them, make tens of times as much of in
 * models as small and steep as these; a wrong kernel makes about 1. */
#define SELFTEST_F32 1e-5
#define SELFTEST_BF16 0x1p-3

/* What came of a run. */
struct selftest {
    const char *model, *stored, *what; /* family, format, method */
    double loss, gradient, parameters; /* |a - b| / |b| */
    bool threads;  /* 1 thread and all of them gave the same bits */
    bool good;     /* within the bound, and so the threads */
};

/* Does run i, 0 <= i, on b, which it does not keep; in the bound. 1: done; 0:
 * there is no such run. Bit k of *kinds is set where its programs had an op
 * of kind k. ERR_IO when there is no memory. The number of threads is what it
 * was afterwards. */
int selftest_do(struct selftest *out, size_t i, const struct backend *b,
                double bound, uint64_t *kinds, struct err *e);

#endif
