/* logits.c - LOGITS: rows times the vocabulary, tile by tile, as head.c has
 * it. */
#include "base/par.h"
#include "kernels/cpu/head.h"

static size_t
tile_cols(const struct head *h)
{
    return weight_few(&h->job, h->rows)
           ? weight_few_cols(&h->job, &h->part->w, false) : VOCAB_COLS;
}

static void
out_item(void *ctx, size_t i, int worker)
{
    const struct head *h = ctx;
    const struct view *y = &h->job.op->y[0];
    size_t blocks = ceil_div(h->rows, ROW_TILE), r0 = i % blocks * ROW_TILE;
    size_t cols = tile_cols(h), c0;

    if (weight_few(&h->job, h->rows))
        i = weight_few_tile(i, ceil_div(h->vocab, cols));
    c0 = i / blocks * cols;
    head_logits(h, r0, min_size(ROW_TILE, h->rows - r0), c0,
                min_size(cols, h->vocab - c0),
                f32_at(&h->job, y) + r0 * y->ld + c0, y->ld,
                h->worker + (size_t)worker * h->per_worker);
}

void
cpu_logits(const struct job *j)
{
    const struct op *op = j->op;
    struct head h = { .job = *j };
    float *base = f32_at(j, &op->scratch);

    h.worker = base + head_place(&h, op, op->y[0].rows, base);
    h.rows = min_size(op->y[0].rows, j->run->in->n_head);
    h.bias = weight_row(j, &op->u.head.part->bias, h.bias_tmp);
    head_tokens(&h);
    par_for(h.rows, head_gather, &h);
    head_narrow(&h);
    if (weight_in_fixed(j, &h.part->w, h.rows))
        h.fixed = weight_fixed(j, h.x, h.dim, h.rows, h.dim, h.fixed_at);
    par_for(ceil_div(h.vocab, tile_cols(&h)) * ceil_div(h.rows, ROW_TILE),
            out_item, &h);
}
