/* lowrank.h - rows of a product of two matrices of low rank. */
#ifndef TENSOR_LOWRANK_H
#define TENSOR_LOWRANK_H

#include <stddef.h>

/* out[n] = coef[rank] times rows[rank, n], whose rows are ld apart. Each
 * product is rounded to float and added in the order of the rows, so that the
 * sums are the same on every machine. */
void lowrank_row(float *out, const float *coef, const float *rows, size_t ld,
                 size_t rank, size_t n);

#endif
