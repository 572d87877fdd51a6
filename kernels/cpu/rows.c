/* rows.c - ops that treat each token row, or each element, for itself. */
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

enum { BLOCK_FLOATS = 16384, PIECE_FLOATS = 1024 };

/* A walk over blocks of rows. */
struct walk {
    struct job job;
    size_t rows, block;
    void (*row)(const struct job *j, size_t row);
};

static void
walk_item(void *ctx, size_t i, int worker)
{
    const struct walk *w = ctx;
    size_t r = i * w->block, end = min_size(r + w->block, w->rows);

    (void)worker;
    for (; r < end; r++)
        w->row(&w->job, r);
}

static void
walk(const struct job *j, size_t rows, size_t cols,
     void (*row)(const struct job *j, size_t row))
{
    struct walk w = { *j, rows, cols < BLOCK_FLOATS ? BLOCK_FLOATS / cols : 1,
                      row };

    par_for(ceil_div(rows, w.block), walk_item, &w);
}

/* The rows of x[0] that hold tokens. */
static void
walk_tokens(const struct job *j,
            void (*row)(const struct job *j, size_t row))
{
    const struct view *x = &j->op->x[0];

    walk(j, token_rows(j, x), x->cols, row);
}

static float *
row_at(const struct job *j, const struct view *v, size_t row)
{
    return f32_at(j, v) + row * v->ld;
}

static void
act_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;

    j->vec->act(row_at(j, &op->y[0], r), row_at(j, &op->x[0], r),
                op->x[0].cols, op->u.act.kind, op->acc & 1);
}

void
cpu_act(const struct job *j)
{
    walk_tokens(j, act_row);
}

/* Columns of a row of x that are taken at a time: all, or some that are
 * widened on the stack. */
static size_t
piece_of(const struct view *x)
{
    return is_f32(x) ? x->cols : PIECE_FLOATS;
}

static void
act_bwd_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;
    const struct view *x = &op->x[0];
    float tmp[PIECE_FLOATS];
    size_t c, n;

    for (c = 0; c < x->cols; c += n) {
        n = min_size(piece_of(x), x->cols - c);
        j->vec->act_bwd(row_at(j, &op->y[0], r) + c,
                        row_floats(j, x, r, c, n, tmp),
                        row_at(j, &op->x[1], r) + c, n, op->u.act.kind,
                        op->acc & 1);
    }
}

void
cpu_act_bwd(const struct job *j)
{
    walk_tokens(j, act_bwd_row);
}

static void
glu_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;

    j->vec->glu(row_at(j, &op->y[0], r), row_at(j, &op->x[0], r),
                row_at(j, &op->x[1], r), op->x[0].cols, op->u.act.kind,
                op->acc & 1);
}

static void
walk_gates(const struct job *j, void (*row)(const struct job *j, size_t row))
{
    const struct view *x = &j->op->x[0];

    walk(j, j->op->u.act.all ? x->rows : token_rows(j, x), x->cols, row);
}

void
cpu_glu(const struct job *j)
{
    walk_gates(j, glu_row);
}

static void
glu_bwd_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;
    const struct view *x = &op->x[0];
    float gate[PIECE_FLOATS], up[PIECE_FLOATS];
    size_t c, n;

    for (c = 0; c < x->cols; c += n) {
        n = min_size(piece_of(x), x->cols - c);
        j->vec->glu_bwd(row_at(j, &op->y[0], r) + c,
                        row_at(j, &op->y[1], r) + c,
                        row_floats(j, x, r, c, n, gate),
                        row_floats(j, &op->x[1], r, c, n, up),
                        row_at(j, &op->x[2], r) + c, n, op->u.act.kind,
                        op->acc);
    }
}

void
cpu_glu_bwd(const struct job *j)
{
    walk_gates(j, glu_bwd_row);
}

static void
add_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;
    float *y = row_at(j, &op->y[0], r);
    bool acc = op->acc & 1;

    if (op->x[1].buf) {
        j->vec->axpy(y, row_at(j, &op->x[1], r), 1.0f, op->x[0].cols, acc);
        acc = true;
    }
    j->vec->axpy(y, row_at(j, &op->x[0], r), (float)op->u.add.scale,
                 op->x[0].cols, acc);
}

void
cpu_add(const struct job *j)
{
    walk_tokens(j, add_row);
}

static void
cache_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;
    const struct batch *b = j->run->batch;
    size_t seq = op->u.cache.seq_len, s = r / seq, i = r % seq;

    if (i < (size_t)b->seq_n[s])
        memcpy(row_at(j, &op->y[0], s * op->u.cache.cache_len
                                    + (size_t)b->cache_at[s] + i),
               row_at(j, &op->x[0], r), op->x[0].cols * sizeof(float));
}

void
cpu_cache(const struct job *j)
{
    walk_tokens(j, cache_row);
}

/* y = the row of a table, or y += it, in pieces through the stack. */
static void
add_table_row(const struct job *j, const struct view *table, size_t row,
              float *y, size_t n, bool acc)
{
    float tmp[256];
    size_t c, k;

    for (c = 0; c < n; c += k) {
        k = min_size(n - c, sizeof(tmp) / sizeof(tmp[0]));
        weight_widen(j, table, row, c, 1, k, tmp);
        j->vec->axpy(y + c, tmp, 1.0f, k, acc);
    }
}

static void
embed_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;
    const struct batch *b = j->run->batch;
    float *y = row_at(j, &op->y[0], r);
    size_t n = op->y[0].cols;

    add_table_row(j, &op->x[0], (size_t)b->ids[r], y, n, op->acc & 1);
    if (op->x[1].buf)
        add_table_row(j, &op->x[1], (size_t)b->pos[r], y, n, true);
}

void
cpu_embed(const struct job *j)
{
    const struct view *y = &j->op->y[0];

    walk(j, token_rows(j, y), y->cols, embed_row);
}

/* A block of columns, all rows in order: rows of equal id add in the order
 * of rows, whoever runs the block. */
struct embed_bwd {
    struct job job;
    size_t rows, block;
};

static void
embed_bwd_item(void *ctx, size_t i, int worker)
{
    const struct embed_bwd *e = ctx;
    const struct job *j = &e->job;
    const struct op *op = j->op;
    const struct batch *b = j->run->batch;
    size_t c0 = i * e->block, nc = min_size(e->block, op->x[0].cols - c0), r;

    (void)worker;
    for (r = 0; r < e->rows; r++) {
        const float *x = row_at(j, &op->x[0], r) + c0;

        if (op->y[0].buf && (uint32_t)b->ids[r] + 1 != op->u.embed.skip)
            j->vec->axpy(row_at(j, &op->y[0], (size_t)b->ids[r]) + c0, x,
                         1.0f, nc, true);
        if (op->y[1].buf)
            j->vec->axpy(row_at(j, &op->y[1], (size_t)b->pos[r]) + c0, x,
                         1.0f, nc, true);
    }
}

void
cpu_embed_bwd(const struct job *j)
{
    const struct view *x = &j->op->x[0];
    struct embed_bwd e = { *j, token_rows(j, x), 64 };

    par_for(ceil_div(x->cols, e.block), embed_bwd_item, &e);
}

static void
embed_tokens_row(const struct job *j, size_t r)
{
    const struct op *op = j->op;
    const struct batch *b = j->run->batch;
    int64_t k = token_at(j->run, &op->x[2], b->ids[r]);
    float *y = row_at(j, &op->y[0], r);
    size_t n = op->y[0].cols;

    if (k < 0)
        return;
    memcpy(y, row_at(j, &op->x[0], (size_t)k), n * sizeof(*y));
    if (op->x[1].buf)
        add_table_row(j, &op->x[1], (size_t)b->pos[r], y, n, true);
}

void
cpu_embed_tokens(const struct job *j)
{
    const struct view *y = &j->op->y[0];

    walk(j, token_rows(j, y), y->cols, embed_tokens_row);
}

static void
embed_tokens_bwd_item(void *ctx, size_t i, int worker)
{
    const struct embed_bwd *e = ctx;
    const struct job *j = &e->job;
    const struct op *op = j->op;
    const int32_t *ids = j->run->batch->ids;
    size_t c0 = i * e->block, nc = min_size(e->block, op->x[0].cols - c0);

    (void)worker;
    for (size_t r = 0; r < e->rows; r++) {
        int64_t k = token_at(j->run, &op->x[1], ids[r]);

        if (k >= 0 && (uint32_t)ids[r] + 1 != op->u.embed.skip)
            j->vec->axpy(row_at(j, &op->y[0], (size_t)k) + c0,
                         row_at(j, &op->x[0], r) + c0, 1.0f, nc, true);
    }
}

void
cpu_embed_tokens_bwd(const struct job *j)
{
    const struct view *x = &j->op->x[0];
    struct embed_bwd e = { *j, token_rows(j, x), 64 };

    par_for(ceil_div(x->cols, e.block), embed_tokens_bwd_item, &e);
}
