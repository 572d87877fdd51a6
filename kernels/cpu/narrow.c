/* narrow.c - operands of products in bfloat16. */
#include "kernels/cpu/narrow.h"

#include <string.h>

#include "base/par.h"
#include "kernels/cpu/weight.h"

enum { FILL_ROWS = 32, LINE = 32 /* bfloat16s of a cache line */ };

static size_t
padded(size_t cols)
{
    return ceil_div(cols, LINE) * LINE;
}

size_t
narrow_floats(size_t rows, size_t cols)
{
    return piece((rows + BF16_SPARE) * padded(cols) / 2);
}

struct narrow
narrow_lay(float *base, size_t *at, size_t rows, size_t cols)
{
    struct narrow x = { NULL, padded(cols) };

    if (base)
        x.at = (uint16_t *)(void *)(base + *at);
    *at += narrow_floats(rows, cols);
    return x;
}

void
narrow_put(const struct job *j, const struct narrow *x, size_t r0,
           const float *src, size_t ld, size_t n, size_t cols)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t *to = narrow_row_at(x, r0 + i);

        j->cpu->bf16->narrow(to, src + i * ld, cols);
        memset(to + cols, 0, (x->ld - cols) * sizeof(*to));
    }
}

void
narrow_rows(const struct job *j, const struct narrow *x, size_t r0,
            const struct rows_from *from, size_t n, size_t cols)
{
    if (from->f32) {
        narrow_put(j, x, r0, from->f32, from->ld, n, cols);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t *to = narrow_row_at(x, r0 + i);

        memcpy(to, from->bf16 + i * from->ld, cols * sizeof(*to));
        memset(to + cols, 0, (x->ld - cols) * sizeof(*to));
    }
}

void
narrow_put_scaled(const struct job *j, const struct narrow *x, size_t r0,
                  const float *src, size_t ld, size_t n, size_t cols,
                  float scale)
{
    float row[WEIGHT_COLS];
    size_t i, c, nc;

    for (i = 0; i < n; i++) {
        uint16_t *to = narrow_row_at(x, r0 + i);

        for (c = 0; c < cols; c += nc) {
            nc = min_size(WEIGHT_COLS, cols - c);
            j->vec->axpy(row, src + i * ld + c, scale, nc, false);
            j->cpu->bf16->narrow(to + c, row, nc);
        }
        memset(to + cols, 0, (x->ld - cols) * sizeof(*to));
    }
}

struct fill {
    const struct job *job;
    const struct narrow *x;
    struct rows_from from;
    size_t n, cols;
};

static void
fill_item(void *ctx, size_t i, int worker)
{
    const struct fill *f = ctx;
    size_t r0 = i * FILL_ROWS;
    struct rows_from from = f->from;

    (void)worker;
    if (from.f32)
        from.f32 += r0 * from.ld;
    else
        from.bf16 += r0 * from.ld;
    narrow_rows(f->job, f->x, r0, &from, min_size(FILL_ROWS, f->n - r0),
                f->cols);
}

void
narrow_fill(const struct job *j, const struct narrow *x,
            const struct rows_from *from, size_t n, size_t cols)
{
    struct fill f = { j, x, *from, .n = n, .cols = cols };

    par_for(ceil_div(n, FILL_ROWS), fill_item, &f);
}

size_t
narrow_turn_floats(size_t n)
{
    return piece(ceil_div(n, 2) * WEIGHT_COLS);
}

void
narrow_pairs(const struct job *j, const struct narrow *x, size_t r0,
             size_t n, size_t c0, size_t cols, uint32_t *out, size_t ld)
{
    static const uint16_t none[WEIGHT_COLS];
    size_t i, c, nc;

    for (i = 0; i < n; i += 2)
        for (c = 0; c < cols; c += nc) {
            const uint16_t *even = narrow_row_at(x, r0 + i) + c0 + c;

            nc = min_size(WEIGHT_COLS, cols - c);
            j->cpu->bf16->pair(out + i / 2 * ld + c, even,
                               i + 1 < n ? even + x->ld : none, nc);
        }
}

void
narrow_turn(const struct job *j, const struct narrow *x, size_t r0, size_t n,
            size_t c0, size_t cols, uint16_t *dst, size_t ld, float *tmp)
{
    narrow_pairs(j, x, r0, n, c0, cols, (uint32_t *)(void *)tmp,
                 WEIGHT_COLS);
    j->vec->transpose((float *)(void *)dst, ld / 2, tmp, WEIGHT_COLS,
                      ceil_div(n, 2), cols);
}

void
narrow_pad(uint32_t *b, size_t n, size_t cols, size_t pairs)
{
    for (size_t i = 0; n < cols && i < pairs; i++)
        memset(b + i * cols + n, 0, (cols - n) * sizeof(*b));
}

size_t
narrow_mul_floats(void)
{
    return (size_t)BF16_DEPTH / 2 * WEIGHT_COLS;
}

void
narrow_mul(const struct job *j, const struct narrow_mul *p, float *tmp)
{
    size_t cols = ceil_div(p->n, BF16_LANES) * BF16_LANES, k0, k;
    uint32_t *b = (uint32_t *)(void *)tmp;

    for (k0 = 0; k0 < p->k; k0 += k) {
        struct bf16_product g = {
            .m = p->m, .n = p->n, .a = p->a + k0, .b = b, .lda = p->lda,
            .ldb = cols, .ldc = p->ldc, .c = p->c, .acc = k0 > 0 || p->acc
        };

        k = min_size(BF16_DEPTH, p->k - k0);
        narrow_pairs(j, p->b, p->row0 + k0, k, p->c0, p->n, b, cols);
        narrow_pad(b, p->n, cols, ceil_div(k, 2));
        g.pairs = ceil_div(k, 2);
        j->cpu->bf16->mul(&g);
    }
}
