/* weight.c - products with a stored weight, whatever its element type.
 *
 * A float weight is read where it lies. Any other is widened a panel at a
 * time into the worker's scratch, from where the next product reads it out
 * of the cache; panels follow each other in the order of k, so a result's
 * bits depend on the shapes alone.
 */
#include "kernels/cpu/weight.h"

#include "tensor/dtype.h"

enum { I8_GROUP = 128 };

static void
widen_i8_row(const struct job *j, const int8_t *q, const uint16_t *scale,
             size_t c0, size_t nc, float *dst)
{
    size_t c = c0, end = c0 + nc;

    while (c < end) {
        size_t next = min_size((c / I8_GROUP + 1) * I8_GROUP, end);

        j->vec->widen_i8(dst + (c - c0), q + c, next - c,
                         f16_to_f32(scale[c / I8_GROUP]));
        c = next;
    }
}

static void
widen_row(const struct job *j, const struct view *w, const struct view *scale,
          size_t row, size_t c0, size_t nc, float *dst)
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
        s = view_at(j->run, scale);
        widen_i8_row(j, (const int8_t *)at + off, s + row * scale->ld, c0,
                     nc, dst);
        break;
    default:
        j->vec->axpy(dst, (const float *)(const void *)at + off + c0, 1.0f,
                     nc, false);
    }
}

void
weight_widen(const struct job *j, const struct view *w,
             const struct view *scale, size_t r0, size_t c0, size_t nr,
             size_t nc, float *dst)
{
    size_t i;

    for (i = 0; i < nr; i++)
        widen_row(j, w, scale, r0 + i, c0, nc, dst + i * nc);
}

size_t
weight_panel(const struct view *w)
{
    return is_f32(w) ? 0 : (size_t)WEIGHT_COLS * WEIGHT_DEPTH;
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
    widen_row(j, v, NULL, 0, 0, v->cols, dst);
    return dst;
}

/* The product with k rows of V from k0 on, widened first if need be. */
static void
mul_panel(const struct job *j, const struct weight_mul *p, size_t k0,
          size_t k, float beta)
{
    size_t row = p->trans ? p->n0 : p->k0 + k0;
    size_t col = p->trans ? p->k0 + k0 : p->n0;
    size_t nr = p->trans ? p->n : k, nc = p->trans ? k : p->n;
    struct product g = {
        .tb = p->trans, .m = p->m, .n = p->n, .k = k, .alpha = 1.0f,
        .beta = beta, .a = p->a + k0, .lda = p->lda, .c = p->c,
        .ldc = p->ldc
    };

    if (is_f32(p->w)) {
        g.b = f32_at(j, p->w) + row * p->w->ld + col;
        g.ldb = p->w->ld;
    } else {
        weight_widen(j, p->w, p->scale, row, col, nr, nc, p->panel);
        g.b = p->panel;
        g.ldb = nc;
    }
    gemm_f32(&j->cpu->gemm, &g);
}

void
weight_mul(const struct job *j, const struct weight_mul *p)
{
    size_t depth = is_f32(p->w) ? p->k : WEIGHT_DEPTH, k0;

    for (k0 = 0; k0 < p->k; k0 += depth)
        mul_panel(j, p, k0, min_size(depth, p->k - k0),
                  k0 == 0 ? p->beta : 1.0f);
}
