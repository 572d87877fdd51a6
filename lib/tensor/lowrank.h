/* lowrank.h - rows of a matrix and a product of low rank. */
#ifndef TENSOR_LOWRANK_H
#define TENSOR_LOWRANK_H

#include <stddef.h>

/* y[n] = x[n] + scale * coef[rank] times rows[rank, n], whose rows are ld
 * apart; x where that is zero. Each product is rounded to float, and added in
 * the order of the rows, so that y is the same on every machine. Returns to
 * how many of the n something was added. */
size_t lowrank_add(float *y, const float *x, float scale, const float *coef,
                   const float *rows, size_t ld, size_t rank, size_t n);

#endif
