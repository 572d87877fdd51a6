/* stored_fill.h - a row in any stored format, for tests: encoded, or, in one
 * that is only read, random codes with scales that are fit for it. */
#ifndef STORED_FILL_H
#define STORED_FILL_H

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/prog.h"
#include "tensor/stored.h"
#include "test.h"

/* Where a block has F16s, and what they are for elements in [-1, 1]. */
static const struct block_half {
    uint8_t dtype, at;
    double value;
} block_halves[] = {
    { DTYPE_Q8_0, 0, 1.0 / 128 },  { DTYPE_Q4_0, 0, 1.0 / 8 },
    { DTYPE_Q4_1, 0, 2.0 / 15 },   { DTYPE_Q4_1, 2, -1 },
    { DTYPE_Q5_0, 0, 1.0 / 16 },   { DTYPE_Q5_1, 0, 2.0 / 31 },
    { DTYPE_Q5_1, 2, -1 },         { DTYPE_Q4_K, 0, 1.0 / 63 / 15 },
    { DTYPE_Q4_K, 2, 1.0 / 63 },   { DTYPE_Q5_K, 0, 1.0 / 63 / 31 },
    { DTYPE_Q5_K, 2, 1.0 / 63 },   { DTYPE_Q6_K, 208, 1.0 / 128 / 32 },
};

static inline void
stored_draw(const struct stored *s, uint8_t *data, const float *x, size_t n)
{
    size_t bytes = (size_t)stored_row_bytes(s, n), size = dtype_size(s->dtype);
    size_t n_halves = sizeof(block_halves) / sizeof(block_halves[0]);
    double range = 0; /* half of x's */
    uint32_t seed;
    struct rng r;

    memcpy(&seed, x, sizeof(seed));
    rng_init(&r, seed, n);
    for (size_t i = 0; i < n; i++)
        range = fmax(range, fabs((double)x[i]) / 2);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)rng_below(&r, 256);
    for (size_t at = 0; at < bytes; at += size)
        for (size_t i = 0; i < n_halves; i++)
            if (block_halves[i].dtype == s->dtype)
                store_u16(data + at + block_halves[i].at,
                          f32_to_f16((float)(block_halves[i].value * range)));
}

/* data, and side where there is one, become a row of n: x, or what is drawn
 * from it. */
static inline void
stored_fill(const struct stored *s, void *data, void *side, const float *x,
            size_t n)
{
    size_t bad;

    if (s->encode != NULL)
        CHECK(s->encode(data, side, x, n, &bad));
    else
        stored_draw(s, data, x, n);
}

/* x[rows][cols] in that format, data and side to be freed; its name is the
 * caller's. */
static inline void
stored_matrix(struct frozen_tensor *t, const struct stored *s, const float *x,
              size_t rows, size_t cols)
{
    size_t row = (size_t)stored_row_bytes(s, cols);
    size_t side_row = (size_t)stored_blocks(s, cols)
                      * dtype_size(s->side_dtype);
    char *data = mem_alloc(rows * row), *side = NULL;

    if (side_row > 0)
        side = mem_alloc(rows * side_row);
    for (size_t r = 0; r < rows; r++)
        stored_fill(s, data + r * row, side ? side + r * side_row : NULL,
                    x + r * cols, cols);
    t->data = data;
    t->side = side;
    t->dtype = s->dtype;
}

#endif
