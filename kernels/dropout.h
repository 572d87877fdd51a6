/* dropout.h - the mask of a module's dropout: see dropout_key in ops.h.
 *
 * An element is kept when its draw is at least dropout * 2^32. A draw is a
 * function of seed, module, step, row and column alone, so every back end,
 * thread and recomputation sees the same mask.
 */
#ifndef KERNELS_DROPOUT_H
#define KERNELS_DROPOUT_H

#include <stdint.h>

/* out[j] = draw of column 4 * quad + j of a row of the global batch. */
void dropout_draw(uint32_t out[4], const uint32_t key[2], uint64_t step,
                  uint32_t row, uint32_t quad);

/* The least draw that keeps an element. */
uint64_t dropout_limit(float dropout);

#endif
