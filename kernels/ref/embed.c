/* embed.c - EMBED: rows of tables by token id and by position; EMBED_TOKENS:
 * rows of their own for some ids. */
#include "kernels/ref/ref.h"

void
REF(embed)(struct run *r, const struct op *op)
{
    struct table ids = REF(table)(r, &op->x[0]);
    struct table pos = REF(table)(r, &op->x[1]);
    struct mat y = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &y);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < y.cols; c++) {
            double v = REF(table_at)(&ids, (size_t)r->batch->ids[i], c);

            if (pos.p)
                v += REF(table_at)(&pos, (size_t)r->batch->pos[i], c);
            put(&row_of(&y, i)[c], v, op->acc & 1);
        }
}

/* skip: 1 + the row that gets nothing, 0 for none. */
static void
add_rows(struct mat *to, const int32_t *index, const struct mat *dy,
         size_t n, uint32_t skip)
{
    for (size_t i = 0; i < n && to->p; i++)
        for (size_t c = 0; c < dy->cols && (uint32_t)index[i] + 1 != skip;
             c++)
            put(&row_of(to, (size_t)index[i])[c], row_of(dy, i)[c], true);
}

/* Rows of equal id add in the order of rows. */
void
REF(embed_bwd)(struct run *r, const struct op *op)
{
    struct mat dy = mat_of(r, &op->x[0]);
    struct mat ids = mat_of(r, &op->y[0]), pos = mat_of(r, &op->y[1]);
    size_t n = token_rows(r, &dy);

    add_rows(&ids, r->batch->ids, &dy, n, op->u.embed.skip);
    add_rows(&pos, r->batch->pos, &dy, n, 0);
}

void
REF(embed_tokens)(struct run *r, const struct op *op)
{
    struct mat rows = mat_of(r, &op->x[0]), y = mat_of(r, &op->y[0]);
    struct table pos = REF(table)(r, &op->x[1]);
    size_t n = token_rows(r, &y);

    for (size_t i = 0; i < n; i++) {
        int64_t k = token_at(r, &op->x[2], r->batch->ids[i]);

        for (size_t c = 0; c < y.cols && k >= 0; c++) {
            double v = row_of(&rows, (size_t)k)[c];

            if (pos.p)
                v += REF(table_at)(&pos, (size_t)r->batch->pos[i], c);
            row_of(&y, i)[c] = (real)v;
        }
    }
}

void
REF(embed_tokens_bwd)(struct run *r, const struct op *op)
{
    struct mat dy = mat_of(r, &op->x[0]), to = mat_of(r, &op->y[0]);
    size_t n = token_rows(r, &dy);

    for (size_t i = 0; i < n; i++) {
        int64_t k = token_at(r, &op->x[1], r->batch->ids[i]);

        if (k < 0 || (uint32_t)r->batch->ids[i] + 1 == op->u.embed.skip)
            continue;
        for (size_t c = 0; c < dy.cols; c++)
            put(&row_of(&to, (size_t)k)[c], row_of(&dy, i)[c], true);
    }
}
