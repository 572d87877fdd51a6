/* move.c - ADD, COPY, ZERO and CACHE. */
#include "kernels/ref/ref.h"

void
REF(add)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), z = mat_of(r, &op->x[1]);
    struct mat y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &x);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < x.cols; c++)
            put(&row_of(&y, i)[c],
                op->u.add.scale * row_of(&x, i)[c]
                + (z.p ? (double)row_of(&z, i)[c] : 0), op->acc & 1);
}

void
REF(copy)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);

    for (size_t i = 0; i < x.rows; i++)
        for (size_t c = 0; c < x.cols; c++)
            put(&row_of(&y, i)[c], row_of(&x, i)[c], op->acc & 1);
}

void
REF(zero)(struct run *r, const struct op *op)
{
    struct mat y = mat_of(r, &op->y[0]);

    clear_rows(&y, y.rows, false);
}

void
REF(cache)(struct run *r, const struct op *op)
{
    struct mat x = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &x), seq = op->u.cache.seq_len;

    for (size_t i = 0; i < n; i++) {
        size_t to = i / seq * op->u.cache.cache_len
                    + (size_t)r->batch->cache_at[i / seq] + i % seq;

        for (size_t c = 0; c < x.cols && holds_token(r, i, seq); c++)
            row_of(&y, to)[c] = row_of(&x, i)[c];
    }
}
