/* linear.h - what LINEAR, GROUPED and their backward share. */
#ifndef KERNELS_CPU_LINEAR_H
#define KERNELS_CPU_LINEAR_H

#include "kernels/cpu/weight.h"

enum { TILE_ROWS = 512, TILE_COLS = WEIGHT_COLS }; /* at most */
enum { FEW_COLS = 64 }; /* of few rows */
enum { DROP_ROWS = 128, DROP_COLS = 512 };

/* How a matrix is cut: tiles of rows x cols, down x across of them. */
struct tiles {
    size_t rows, cols, down, across;
};

struct tiles tiles_cut(size_t rows, size_t cols);

/* The rows that a part works on: n from first on. */
struct span {
    size_t first, n;
};

/* Of part i, the one before having had these (nothing for part 0): those that
 * hold tokens, or those of its group. */
struct span span_next(const struct job *j, size_t i, struct span before);

/* Rows of one product; 0: any number. */
size_t span_block(const struct op *op);

/* out = drop(x), or out += it, for rows r0 .. r0+nr and columns c0 .. c0+nc
 * (c0 a multiple of 4) of the part's mask; x and out point at (r0, c0). */
void part_drop(const struct job *j, const struct part *p, const float *x,
               size_t ld, size_t r0, size_t nr, size_t c0, size_t nc,
               float *out, size_t ld_out, bool acc);

#endif
