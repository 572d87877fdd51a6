/* weight.c - products with a stored weight, whatever its element type.
 *
 * A float weight whose rows run along n is read where it lies. Any other is
 * widened, and turned if its rows run along k, a panel at a time into the
 * worker's scratch, from where the next product reads it out of the cache.
 * (The libraries could read it turned, but their packing reads down columns:
 * with rows a multiple of 4 KiB apart that costs them up to a quarter.)
 * Panels follow each other in the order of k, so a result's bits depend on
 * the shapes alone. Decoding, a product with few rows takes as long as
 * reading the weight: its elements are widened in registers, and multiplied
 * there; or, where they are small whole numbers in blocks, the rows are made
 * whole numbers, too (fixed.h), which takes fewer instructions.
 */
#include "kernels/cpu/weight.h"

#include "base/clock.h"
#include "base/par.h"
#include "tensor/stored.h"

enum { TURN_ROWS = 16, TURN_LD = WEIGHT_DEPTH + 16 };

/* Fewer rows than this don't pay for turning a panel. */
enum { TURN_MIN = 16 };

/* Columns that a tile of few rows has at least, and tiles of a thread. */
enum { FEW_COLS = 64, FEW_PIECES = 2 };

/* A weight as its format's functions take it. */
struct weight_rows {
    struct stored_rows rows;
    const struct vec_stored *fast; /* NULL: rows.plain alone */
};

static const struct vec_stored *
fast_of(const struct job *j, const struct view *w)
{
    uint8_t dtype = is_f32(w) ? DTYPE_F32 : w->dtype;
    const struct vec_stored *fast = j->vec->stored;

    while (fast->dtype != dtype && fast->dtype != DTYPE_NONE)
        fast++;
    return fast->dtype ? fast : NULL;
}

size_t
weight_few_cols(const struct job *j, const struct view *w, bool in_out)
{
    size_t cols = in_out ? w->cols : w->rows;
    size_t pieces = (size_t)par_threads() * (in_out ? 1 : FEW_PIECES);

    return fast_of(j, w) ? FEW_COLS * ceil_div(cols, FEW_COLS * pieces)
                         : FEW_COLS;
}

static struct weight_rows
rows_of(const struct job *j, const struct view *w)
{
    const struct stored *s = stored_of(is_f32(w) ? DTYPE_F32 : w->dtype);
    struct stored_rows rows = {
        .at = view_at(j->run, w), .side = view_side(j->run, w),
        .row_bytes = stored_row_bytes(s, w->ld),
        .side_bytes = stored_blocks(s, w->ld) * dtype_size(s->side_dtype),
        .cols = w->ld, .plain = s->widen
    };

    if (rows.side == NULL)
        rows.side = rows.at; /* of which a row takes nothing */
    return (struct weight_rows){ rows, fast_of(j, w) };
}

static void
widen_row(const struct weight_rows *w, size_t row, size_t c0, size_t nc,
          float *dst)
{
    const struct stored_rows *r = &w->rows;

    if (w->fast)
        w->fast->widen(dst, r, row, c0, nc);
    else
        r->plain(dst, r->at + row * r->row_bytes,
                 r->side + row * r->side_bytes, c0, nc);
}

void
weight_widen(const struct job *j, const struct view *w, size_t r0, size_t c0,
             size_t nr, size_t nc, float *dst)
{
    struct weight_rows rows = rows_of(j, w);
    size_t i;

    for (i = 0; i < nr; i++)
        widen_row(&rows, r0 + i, c0, nc, dst + i * nc);
}

size_t
weight_panel(void)
{
    size_t wide = (size_t)WEIGHT_COLS * WEIGHT_DEPTH + TURN_ROWS * TURN_LD;
    size_t narrow = weight_bf16_floats();

    return piece(wide > narrow ? wide : narrow);
}

const float *
row_floats(const struct job *j, const struct view *v, size_t row, size_t c0,
           size_t n, float *tmp)
{
    if (is_f32(v))
        return f32_at(j, v) + row * v->ld + c0;
    weight_widen(j, v, row, c0, 1, n, tmp);
    return tmp;
}

size_t
weight_row_floats(const struct view *v)
{
    return v->buf == 0 || is_f32(v) ? 0 : piece(v->cols);
}

const float *
weight_row(const struct job *j, const struct view *v, float *dst)
{
    if (v->buf == 0)
        return NULL;
    if (is_f32(v))
        return view_at(j->run, v);
    weight_widen(j, v, 0, 0, 1, v->cols, dst);
    return dst;
}

uint64_t
weight_watch(const struct job *j, const struct view *w)
{
    return j->run->time && !is_f32(w) ? clock_ns() : 0;
}

void
weight_watched(const struct job *j, uint64_t from)
{
    if (from > 0)
        __atomic_fetch_add(&j->run->time->widen, clock_ns() - from,
                           __ATOMIC_RELAXED);
}

/* panel[k][n] = rows k0 .. k0+k of V, for a V that is stored transposed. */
static void
turn_panel(const struct job *j, const struct weight_mul *p, size_t k0,
           size_t k)
{
    float *rows = p->panel + (size_t)WEIGHT_COLS * WEIGHT_DEPTH;
    struct weight_rows w = rows_of(j, p->w);
    size_t i, nr;

    for (i = 0; i < p->n; i += TURN_ROWS) {
        const float *from = rows;
        size_t ld = TURN_LD, r;

        nr = min_size(TURN_ROWS, p->n - i);
        if (is_f32(p->w)) {
            from = f32_at(j, p->w) + (p->n0 + i) * p->w->ld + k0;
            ld = p->w->ld;
        }
        for (r = 0; from == rows && r < nr; r++)
            widen_row(&w, p->n0 + i + r, k0, k, rows + r * ld);
        j->vec->transpose(p->panel + i, p->n, from, ld, nr, k);
    }
}

/* The part of the weight that k rows of V from k0 on are, as stored: in
 * place, or widened into the panel. */
static const float *
stored_panel(const struct job *j, const struct weight_mul *p, size_t k0,
             size_t k, size_t *ld)
{
    size_t row = p->trans ? p->n0 : p->k0 + k0;
    size_t col = p->trans ? k0 : p->n0;

    if (is_f32(p->w)) {
        *ld = p->w->ld;
        return f32_at(j, p->w) + row * p->w->ld + col;
    }
    *ld = p->trans ? k : p->n;
    weight_widen(j, p->w, row, col, p->trans ? p->n : k, *ld, p->panel);
    return p->panel;
}

void
product_rows(const struct gemm *g, struct product p, size_t rows)
{
    size_t end = p.m, i;

    p.m = rows > 0 ? rows : p.m;
    for (i = 0; i < end; i += p.m) {
        gemm_f32(g, &p);
        p.a += p.m * p.lda;
        p.c += p.m * p.ldc;
    }
}

/* The product with k rows of V from k0 on. */
static void
mul_panel(const struct job *j, const struct weight_mul *p, size_t k0,
          size_t k, float beta)
{
    struct product g = {
        .m = p->m, .n = p->n, .k = k, .alpha = 1.0f, .beta = beta,
        .a = p->a + k0, .lda = p->lda, .b = p->panel, .ldb = p->n,
        .c = p->c, .ldc = p->ldc
    };
    uint64_t from = weight_watch(j, p->w);

    if (p->trans && p->m >= TURN_MIN) {
        turn_panel(j, p, k0, k);
    } else {
        g.b = stored_panel(j, p, k0, k, &g.ldb);
        g.tb = p->trans;
    }
    weight_watched(j, from);
    product_rows(&j->cpu->gemm, g, p->rows);
}

static const struct fixed_format *
fixed_of(const struct job *j, const struct view *w)
{
    const struct fixed_format *f;

    for (f = j->cpu->fixed ? j->cpu->fixed->formats : NULL; f && f->dtype; f++)
        if (f->dtype == w->dtype && w->cols % f->block == 0)
            return f;
    return NULL;
}

bool
weight_in_fixed(const struct job *j, const struct view *w, size_t rows)
{
    return weight_few(j, rows) && fixed_of(j, w) != NULL;
}

const struct fixed *
weight_fixed(const struct job *j, const float *x, size_t ld, size_t rows,
             size_t cols, float *to)
{
    struct fixed *fixed = (struct fixed *)(void *)to;

    for (size_t i = 0; i < rows; i++)
        j->cpu->fixed->from(fixed + i * (cols / FIXED_BLOCK), x + i * ld, cols);
    return fixed;
}

/* Few rows of a: nothing is widened but in registers. */
static bool
mul_few(const struct job *j, const struct weight_mul *p)
{
    struct weight_rows w = rows_of(j, p->w);
    struct stored_mul g = {
        .trans = p->trans, .m = p->m, .n = p->n, .k = p->k, .n0 = p->n0,
        .k0 = p->k0, .lda = p->lda, .ldc = p->ldc, .a = p->a, .c = p->c,
        .beta = p->beta
    };
    size_t made;

    if (p->fixed && p->trans && weight_in_fixed(j, p->w, p->m)) {
        made = fixed_of(j, p->w)->mul(&w.rows, &g, p->fixed);
        g.n -= made;
        g.n0 += made;
        g.c += made;
        if (g.n == 0)
            return true;
    }
    if (w.fast)
        w.fast->mul(&w.rows, &g);
    return w.fast != NULL;
}

void
weight_mul(const struct job *j, const struct weight_mul *p)
{
    bool in_place = is_f32(p->w) && (!p->trans || p->m < TURN_MIN);
    size_t depth = in_place && p->rows == 0 ? p->k : WEIGHT_DEPTH, k0;

    if (weight_few(j, p->m) && mul_few(j, p))
        return;
    if (p->narrow) {
        weight_mul_bf16(j, p);
        return;
    }
    for (k0 = 0; k0 < p->k; k0 += depth)
        mul_panel(j, p, k0, min_size(depth, p->k - k0),
                  k0 == 0 ? p->beta : 1.0f);
}
