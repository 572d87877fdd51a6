/* head_bf16.c - the head's products of bfloat16.
 *
 * The rows of a chunk are rounded once, for all words; a tile of the softmax,
 * once for all columns of what it is multiplied with.
 */
#include "base/par.h"
#include "kernels/cpu/head.h"

/* A worker's: a tile rounded and, in full training, turned. */
static size_t
tile_floats(const struct op *op)
{
    return narrow_floats(ROW_TILE, VOCAB_COLS)
        + (op->u.head.part->grad_w.buf ? narrow_floats(VOCAB_COLS, ROW_TILE)
                                       : 0);
}

static uint64_t
bytes(const struct op *op, size_t chunk, int workers)
{
    return ((uint64_t)narrow_floats(chunk, op->x[0].cols)
            + (uint64_t)tile_floats(op) * (uint64_t)workers) * sizeof(float);
}

uint64_t
head_ce_bf16_scratch(const struct op *op, int workers)
{
    return bytes(op, op->u.head.chunk, workers);
}

uint64_t
logits_bf16_scratch(const struct op *op, int workers)
{
    return bytes(op, op->y[0].rows, workers);
}

void
head_narrow(struct head *h)
{
    const struct job *j = &h->job;
    float *base = h->worker + h->per_worker * (size_t)par_threads();
    const struct rows_from from = { h->x, NULL, h->dim };
    size_t at = 0;

    if (j->cpu->bf16 == NULL || weight_few(j, h->rows))
        return;
    h->x16 = narrow_lay(base, &at, h->chunk, h->dim);
    h->tiles = base + at;
    narrow_fill(j, &h->x16, &from, h->rows, h->dim);
}

void
head_take_x(const struct head *h, size_t r0, struct weight_mul *w)
{
    if (h->x16.at == NULL)
        return;
    w->narrow = narrow_row_at(&h->x16, r0);
    w->ldn = h->x16.ld;
}

static struct narrow
round_tile(const struct head *h, int worker, const float *t, size_t nr,
           size_t nc, struct narrow *turned)
{
    float *base = h->tiles + (size_t)worker * tile_floats(h->job.op);
    size_t at = 0;
    struct narrow tile = narrow_lay(base, &at, ROW_TILE, VOCAB_COLS);

    narrow_put(&h->job, &tile, 0, t, nc, nr, nc);
    if (turned)
        *turned = narrow_lay(base, &at, VOCAB_COLS, ROW_TILE);
    return tile;
}

void
head_take_tile(const struct head *h, int worker, const float *t, size_t nr,
               size_t nc, struct weight_mul *w)
{
    struct narrow tile;

    if (h->x16.at == NULL)
        return;
    tile = round_tile(h, worker, t, nr, nc, NULL);
    w->narrow = tile.at;
    w->ldn = tile.ld;
}

void
head_grad(const struct head *h, int worker, const float *d, size_t r0,
          size_t nr, size_t c0, size_t nc)
{
    float *tmp = h->worker + (size_t)worker * h->per_worker;
    const struct view *w = &h->part->grad_w;
    struct narrow turned, tile = round_tile(h, worker, d, nr, nc, &turned);
    struct narrow_mul g = {
        .m = nc, .k = nr, .row0 = r0, .a = turned.at, .lda = turned.ld,
        .b = &h->x16, .ldc = w->ld, .acc = true
    };

    narrow_turn(&h->job, &tile, 0, nr, 0, nc, turned.at, turned.ld, tmp);
    for (; g.c0 < h->dim; g.c0 += WEIGHT_COLS) {
        g.n = min_size(WEIGHT_COLS, h->dim - g.c0);
        g.c = f32_at(&h->job, w) + c0 * w->ld + g.c0;
        narrow_mul(&h->job, &g, tmp);
    }
}
