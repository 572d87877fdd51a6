/* weight.c - products with a stored weight, whatever its element type.
 *
 * A float weight whose rows run along n is read where it lies. Any other is
 * widened, and turned if its rows run along k, a panel at a time into the
 * worker's scratch, from where the next product reads it out of the cache.
 * (The libraries could read it turned, but their packing reads down columns:
 * with rows a multiple of 4 KiB apart that costs them up to a quarter.)
 * Panels follow each other in the order of k, so a result's bits depend on
 * the shapes alone.
 */
#include "kernels/cpu/weight.h"

#include "tensor/int8.h"
#include "tensor/stored.h"

enum { TURN_ROWS = 16, TURN_LD = WEIGHT_DEPTH + 16 };

/* Fewer rows than this don't pay for turning a panel. */
enum { TURN_MIN = 16 };

static void
widen_i8_row(const struct job *j, const int8_t *q, const uint16_t *scale,
             size_t c0, size_t nc, float *dst)
{
    size_t c = c0, end = c0 + nc;

    while (c < end) {
        size_t next = min_size((c / INT8_GROUP + 1) * INT8_GROUP, end);

        j->vec->widen_i8(dst + (c - c0), q + c, next - c,
                         f16_to_f32(scale[c / INT8_GROUP]));
        c = next;
    }
}

/* A format that has no fast widening here. */
static void
widen_stored(const struct job *j, const struct view *w, size_t row, size_t c0,
             size_t nc, float *dst)
{
    const struct stored *s = stored_of(w->dtype);
    const char *at = view_at(j->run, w), *side = view_side(j->run, w);

    if (side != NULL)
        side += row * stored_blocks(s, w->ld) * dtype_size(s->side_dtype);
    s->widen(dst, at + row * stored_row_bytes(s, w->ld), side, c0, nc);
}

static void
widen_row(const struct job *j, const struct view *w, size_t row, size_t c0,
          size_t nc, float *dst)
{
    const char *at = view_at(j->run, w);
    size_t off = row * w->ld;
    const uint16_t *s;

    switch (w->dtype) {
    case DTYPE_BF16:
        j->vec->widen_bf16(dst, (const uint16_t *)(const void *)at + off + c0,
                           nc);
        break;
    case DTYPE_F16:
        j->vec->widen_f16(dst, (const uint16_t *)(const void *)at + off + c0,
                          nc);
        break;
    case DTYPE_I8:
        s = view_side(j->run, w);
        widen_i8_row(j, (const int8_t *)at + off,
                     s + row * int8_groups(w->ld), c0, nc, dst);
        break;
    case DTYPE_F32: case DTYPE_REAL:
        j->vec->axpy(dst, (const float *)(const void *)at + off + c0, 1.0f,
                     nc, false);
        break;
    default:
        widen_stored(j, w, row, c0, nc, dst);
    }
}

void
weight_widen(const struct job *j, const struct view *w, size_t r0, size_t c0,
             size_t nr, size_t nc, float *dst)
{
    size_t i;

    for (i = 0; i < nr; i++)
        widen_row(j, w, r0 + i, c0, nc, dst + i * nc);
}

size_t
weight_panel(void)
{
    size_t wide = (size_t)WEIGHT_COLS * WEIGHT_DEPTH + TURN_ROWS * TURN_LD;
    size_t narrow = weight_bf16_floats();

    return piece(wide > narrow ? wide : narrow);
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
    widen_row(j, v, 0, 0, v->cols, dst);
    return dst;
}

/* panel[k][n] = rows k0 .. k0+k of V, for a V that is stored transposed. */
static void
turn_panel(const struct job *j, const struct weight_mul *p, size_t k0,
           size_t k)
{
    float *rows = p->panel + (size_t)WEIGHT_COLS * WEIGHT_DEPTH;
    size_t i, nr;

    for (i = 0; i < p->n; i += TURN_ROWS) {
        const float *from = rows;
        size_t ld = TURN_LD, r;

        nr = min_size(TURN_ROWS, p->n - i);
        if (is_f32(p->w)) {
            from = f32_at(j, p->w) + (p->n0 + i) * p->w->ld + p->k0 + k0;
            ld = p->w->ld;
        }
        for (r = 0; from == rows && r < nr; r++)
            widen_row(j, p->w, p->n0 + i + r, p->k0 + k0, k, rows + r * ld);
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
    size_t col = p->trans ? p->k0 + k0 : p->n0;

    if (is_f32(p->w)) {
        *ld = p->w->ld;
        return f32_at(j, p->w) + row * p->w->ld + col;
    }
    *ld = p->trans ? k : p->n;
    weight_widen(j, p->w, row, col, p->trans ? p->n : k, *ld, p->panel);
    return p->panel;
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

    if (p->trans && p->m >= TURN_MIN) {
        turn_panel(j, p, k0, k);
    } else {
        g.b = stored_panel(j, p, k0, k, &g.ldb);
        g.tb = p->trans;
    }
    gemm_f32(&j->cpu->gemm, &g);
}

void
weight_mul(const struct job *j, const struct weight_mul *p)
{
    bool frozen = j->run->buf[p->w->buf].zone == ZONE_BASE;
    bool in_place = is_f32(p->w) && (!p->trans || p->m < TURN_MIN);
    size_t depth = in_place ? p->k : WEIGHT_DEPTH, k0;

    if (j->cpu->bf16 && frozen) {
        weight_mul_bf16(j, p);
        return;
    }
    for (k0 = 0; k0 < p->k; k0 += depth)
        mul_panel(j, p, k0, min_size(depth, p->k - k0),
                  k0 == 0 ? p->beta : 1.0f);
}
