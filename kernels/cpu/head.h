/* head.h - what HEAD_CE and LOGITS share with their products of bfloat16. */
#ifndef KERNELS_CPU_HEAD_H
#define KERNELS_CPU_HEAD_H

#include "kernels/cpu/narrow.h"
#include "kernels/cpu/weight.h"

enum { VOCAB_COLS = WEIGHT_COLS, ROW_TILE = 512, PARTS = 16 };

struct head {
    struct job job;
    const struct part *part;
    size_t chunk, rows, dim, vocab; /* rows: of this chunk */
    size_t panels, parts, part_cols, first;
    const float *bias;
    const int32_t *token; /* words that have rows of their own, and these */
    size_t n_tokens;
    const float *own_row;
    /* Scratch: gathered rows; per row m and l of each part, the target's
     * logit, lse, c and b; s of each part; the bias widened; logits that are
     * kept, NULL where none are. */
    float *x, *stat, *own, *lse, *coef, *soft, *sums, *bias_tmp, *logits;
    float *worker;
    size_t per_worker;
    float *fixed_at;           /* of LOGITS' few rows: place for */
    const struct fixed *fixed; /* what is made there, or NULL */
    /* Where products are of bfloat16 (head_bf16.c): x, and what a worker has
     * of tiles. */
    struct narrow x16;
    float *tiles;
};

/* Sizes, and the places in scratch from base on; returns floats before the
 * workers' own. */
size_t head_place(struct head *h, const struct op *op, size_t chunk,
                  float *base);

/* Finds the words that have rows of their own. */
void head_tokens(struct head *h);

/* An item of par_for, ctx being a struct head: row k of x from the op's. */
void head_gather(void *ctx, size_t k, int worker);

/* out[nr][nc] = logits of rows r0.. and words c0... */
void head_logits(const struct head *h, size_t r0, size_t nr, size_t c0,
                 size_t nc, float *out, size_t ld, float *panel);

/* x16 from x, and the place of tiles behind the rest of the scratch; nothing
 * where products are of floats. */
void head_narrow(struct head *h);

/* Makes x16's rows from r0 on the rows of w, or those of a tile t[nr][nc],
 * which it rounds; nothing where there is no x16. */
void head_take_x(const struct head *h, size_t r0, struct weight_mul *w);
void head_take_tile(const struct head *h, int worker, const float *t,
                    size_t nr, size_t nc, struct weight_mul *w);

/* Rows c0 .. c0+nc of grad_w += d^T x for the tile d[nr][nc] from row r0
 * on. */
void head_grad(const struct head *h, int worker, const float *d, size_t r0,
               size_t nr, size_t c0, size_t nc);

#endif
