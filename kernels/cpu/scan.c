/* scan.c - SCAN and its gradient.
 *
 * The columns are cut into at most SCAN_BLOCKS blocks, each of which goes
 * through the chunks of a sequence in order; backward through those of all
 * sequences, the last chunk of each first, so that what the decays get adds up
 * in one order. B and C's gradients are sums over columns: each block has its
 * own, and these are added in order.
 */
#include <string.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

enum { SCAN_BLOCKS = 16, SUM_ROWS = 64 };

struct scan {
    struct job job;
    size_t rows, seq, chunks, cols, state;
    size_t block, blocks;     /* columns of a block */
    const float *a, *skip;
    bool *begins;             /* [rows] */
    float *own;               /* of the workers */
    float *sums;              /* backward: [blocks, rows, 2 state] */
};

static size_t
block_cols(const struct op *op)
{
    return piece(ceil_div(op->x[0].cols, SCAN_BLOCKS));
}

/* Scratch: A as it is stored and turned, D, and where documents begin. */
static size_t
shared_floats(const struct op *op)
{
    size_t cols = op->x[0].cols, state = op->u.scan.state;

    return piece(cols * state) + state * piece(cols)
           + weight_row_floats(&op->x[4]) + piece(ceil_div(op->x[0].rows, 4));
}

/* Forward: h. Backward: zeros, the gradients of h, A, and D, and lanes. */
static size_t
worker_floats(const struct op *op, bool bwd)
{
    size_t h = op->u.scan.state * block_cols(op);

    return !bwd ? h : 3 * h + block_cols(op)
                      + 2 * (size_t)op->u.scan.state * SCAN_CHUNK * SCAN_LANES;
}

uint64_t
scan_scratch(const struct op *op, int workers)
{
    return (shared_floats(op) + (size_t)workers * worker_floats(op, false))
           * sizeof(float);
}

uint64_t
scan_bwd_scratch(const struct op *op, int workers)
{
    size_t sums = ceil_div(op->x[0].cols, block_cols(op)) * op->x[0].rows
                  * 2 * op->u.scan.state;

    return (shared_floats(op) + (size_t)workers * worker_floats(op, true)
            + sums) * sizeof(float);
}

static struct scan
open_scan(const struct job *j)
{
    const struct op *op = j->op;
    size_t cols = op->x[0].cols, state = op->u.scan.state;
    float *stored = f32_at(j, &op->scratch);
    float *a = stored + piece(cols * state), *skip = a + state * piece(cols);
    float *begins = skip + weight_row_floats(&op->x[4]);
    struct scan f = {
        .job = *j, .rows = token_rows(j, &op->x[0]),
        .seq = op->u.scan.seq_len, .cols = cols, .state = state,
        .chunks = ceil_div(op->u.scan.seq_len, SCAN_CHUNK),
        .block = block_cols(op), .blocks = ceil_div(cols, block_cols(op)),
        .a = a, .skip = weight_row(j, &op->x[4], skip),
        .begins = (bool *)begins,
        .own = begins + piece(ceil_div(op->x[0].rows, 4))
    };

    weight_widen(j, &op->x[2], 0, 0, cols, state, stored);
    j->vec->transpose(a, piece(cols), stored, state, cols, state);
    j->vec->exp_scale(a, state * piece(cols), 0, -1);
    for (size_t i = 0; i < f.rows; i++)
        f.begins[i] = !op->u.scan.cached && first_row(j, i, f.seq) == i;
    return f;
}

/* Rows [from, end) of columns [c0, c0 + n). */
static struct scan_part
part_of(const struct scan *f, size_t from, size_t end, size_t c0, size_t n)
{
    const struct job *j = &f->job;
    const struct view *u = &j->op->x[0], *d = &j->op->x[1];
    const struct view *bc = &j->op->x[3];

    return (struct scan_part){
        .rows = end - from, .cols = n, .state = f->state,
        .u = f32_at(j, u) + from * u->ld + c0, .ldu = u->ld,
        .d = f32_at(j, d) + from * d->ld + c0, .ldd = d->ld,
        .bc = f32_at(j, bc) + from * bc->ld, .ldbc = bc->ld,
        .a = f->a + c0, .lda = piece(f->cols), .skip = f->skip + c0,
        .begins = f->begins + from
    };
}

/* h of columns [c0, c0 + n) to a row of states, or from it. */
static void
move_state(const struct scan *f, float *row, float *h, size_t c0, size_t n,
           bool out)
{
    for (size_t s = 0; s < f->state; s++) {
        float *at = row + s * f->cols + c0, *own = h + s * f->block;

        memcpy(out ? at : own, out ? own : at, n * sizeof(*h));
    }
}

static float *
state_row(const struct scan *f, const struct view *v, size_t row)
{
    return f32_at(&f->job, v) + row * v->ld;
}

/* Rows [from, end) of sequence q. */
static void
scan_rows(const struct scan *f, size_t q, size_t from, size_t end, size_t c0,
          size_t n, float *h)
{
    const struct op *op = f->job.op;
    const struct view *y = &op->y[0], *kept = &op->y[1];

    for (size_t k = 0; from < end; k++, from += SCAN_CHUNK) {
        size_t to = min_size(from + SCAN_CHUNK, end);
        struct scan_part p = part_of(f, from, to, c0, n);

        p.h = h;
        p.ldh = f->block;
        f->job.vec->scan(&p, f32_at(&f->job, y) + from * y->ld + c0, y->ld,
                         op->acc & 1);
        if (kept->buf != 0)
            move_state(f, state_row(f, kept, q * f->chunks + k), h, c0, n,
                       true);
    }
}

/* Decoding: rows of sequence q that hold no token. */
static void
clear_rest(const struct scan *f, size_t from, size_t end, size_t c0, size_t n)
{
    const struct view *y = &f->job.op->y[0];

    for (; from < end && !(f->job.op->acc & 1); from++)
        memset(f32_at(&f->job, y) + from * y->ld + c0, 0, n * sizeof(float));
}

static void
scan_item(void *ctx, size_t i, int worker)
{
    const struct scan *f = ctx;
    const struct op *op = f->job.op;
    const struct batch *b = f->job.run->batch;
    size_t q = i / f->blocks, c0 = i % f->blocks * f->block;
    size_t n = min_size(f->block, f->cols - c0), from = q * f->seq;
    size_t last = min_size(from + f->seq, f->rows), end = last;
    float *h = f->own + (size_t)worker * worker_floats(op, false);
    bool cached = op->u.scan.cached;

    if (cached)
        end = min_size(from + (size_t)b->seq_n[q], last);
    memset(h, 0, f->state * f->block * sizeof(*h));
    if (cached && b->cache_at[q] > 0)
        move_state(f, state_row(f, &op->y[2], q), h, c0, n, false);
    scan_rows(f, q, from, end, c0, n, h);
    if (cached && end > from)
        move_state(f, state_row(f, &op->y[2], q), h, c0, n, true);
    clear_rest(f, end, last, c0, n);
}

void
cpu_scan(const struct job *j)
{
    struct scan f = open_scan(j);

    par_for(ceil_div(f.rows, f.seq) * f.blocks, scan_item, &f);
}

/* What the chunks of a block give beside their rows. */
struct block_grads {
    float *zero, *h, *a, *skip, *lanes;
    float *bc; /* of the block's rows */
};

static struct scan_grads
grads_of(const struct scan *f, size_t from, size_t c0,
         const struct block_grads *own)
{
    const struct job *j = &f->job;
    const struct view *du = &j->op->y[0], *dd = &j->op->y[1];
    const struct view *dy = &j->op->x[6];
    struct scan_grads g = {
        .dy = f32_at(j, dy) + from * dy->ld + c0, .lddy = dy->ld,
        .h = own->h, .ldh = f->block, .a = own->a, .lda = f->block,
        .skip = own->skip, .lanes = own->lanes,
        .bc = own->bc + from * 2 * f->state, .acc = j->op->acc
    };

    if (du->buf != 0)
        g.u = f32_at(j, du) + from * du->ld + c0;
    if (dd->buf != 0)
        g.d = f32_at(j, dd) + from * dd->ld + c0;
    g.ldu = du->ld;
    g.ldd = dd->ld;
    return g;
}

static void
sequence_bwd(const struct scan *f, size_t q, size_t c0, size_t n,
             const struct block_grads *own)
{
    const struct view *kept = &f->job.op->x[5];
    size_t first = q * f->seq, end = min_size(first + f->seq, f->rows);

    memset(own->h, 0, f->state * f->block * sizeof(float));
    for (size_t k = ceil_div(end - first, SCAN_CHUNK); k-- > 0;) {
        size_t from = first + k * SCAN_CHUNK;
        struct scan_part p = part_of(f, from,
                                     min_size(from + SCAN_CHUNK, end), c0, n);
        struct scan_grads g = grads_of(f, from, c0, own);

        p.h = k == 0 ? own->zero
                     : state_row(f, kept, q * f->chunks + k - 1) + c0;
        p.ldh = k == 0 ? f->block : f->cols;
        f->job.vec->scan_bwd(&p, &g);
    }
}

/* A = -exp(A_log): its derivative is A itself. */
static void
put_parameters(const struct scan *f, size_t c0, size_t n,
               const struct block_grads *own)
{
    const struct view *da = &f->job.op->y[2], *dskip = &f->job.op->y[4];
    float *to = f32_at(&f->job, da);

    for (size_t c = 0; c < n && to != NULL; c++)
        for (size_t s = 0; s < f->state; s++)
            to[(c0 + c) * da->ld + s] += own->a[s * f->block + c]
                                         * f->a[s * piece(f->cols) + c0 + c];
    to = f32_at(&f->job, dskip);
    for (size_t c = 0; c < n && to != NULL; c++)
        to[c0 + c] += own->skip[c];
}

static void
scan_bwd_item(void *ctx, size_t i, int worker)
{
    const struct scan *f = ctx;
    size_t c0 = i * f->block, n = min_size(f->block, f->cols - c0);
    size_t h = f->state * f->block;
    float *at = f->own + (size_t)worker * worker_floats(f->job.op, true);
    struct block_grads own = { .zero = at, .h = at + h, .a = at + 2 * h,
                               .skip = at + 3 * h,
                               .lanes = at + 3 * h + f->block,
                               .bc = f->sums + i * f->rows * 2 * f->state };

    memset(at, 0, (3 * h + f->block) * sizeof(*at));
    for (size_t q = 0; q * f->seq < f->rows; q++)
        sequence_bwd(f, q, c0, n, &own);
    put_parameters(f, c0, n, &own);
}

static void
sum_item(void *ctx, size_t item, int worker)
{
    const struct scan *f = ctx;
    const struct view *y = &f->job.op->y[3];
    size_t i = item * SUM_ROWS, end = min_size(i + SUM_ROWS, f->rows);
    size_t n = 2 * f->state;

    (void)worker;
    for (; i < end; i++)
        for (size_t b = 0; b < f->blocks; b++)
            f->job.vec->axpy(f32_at(&f->job, y) + i * y->ld,
                             f->sums + (b * f->rows + i) * n, 1, n,
                             b > 0 || f->job.op->acc & 8);
}

void
cpu_scan_bwd(const struct job *j)
{
    struct scan f = open_scan(j);

    f.sums = f.own + (size_t)par_threads() * worker_floats(j->op, true);
    par_for(f.blocks, scan_bwd_item, &f);
    if (j->op->y[3].buf != 0)
        par_for(ceil_div(f.rows, SUM_ROWS), sum_item, &f);
}
