/* weight_bf16.c - weight_mul with operands of bfloat16.
 *
 * A panel of the weight, BF16_DEPTH deep, is rounded and packed into pairs
 * along k; then blocks of A's rows, which its caller has rounded, are
 * multiplied with it. Panels follow each other in the order of k.
 */
#include <string.h>

#include "kernels/cpu/narrow.h"
#include "kernels/cpu/weight.h"

enum {
    A_ROWS = 192, /* a block of them and a panel lie in the second cache */
    TURN = 16     /* rows of a weight that are turned at a time */
};

/* The parts of a worker's scratch, in whole cache lines. */
struct pack {
    uint32_t *b;      /* [BF16_DEPTH / 2][WEIGHT_COLS] */
    uint16_t *narrow; /* [TURN][BF16_DEPTH] */
};

static size_t
pack_lay(struct pack *s, float *base)
{
    size_t b = (size_t)BF16_DEPTH / 2 * WEIGHT_COLS;

    if (s) {
        s->b = (uint32_t *)(void *)base;
        s->narrow = (uint16_t *)(void *)(base + b);
    }
    return b + (size_t)TURN * BF16_DEPTH / 2;
}

size_t
weight_bf16_floats(void)
{
    return pack_lay(NULL, NULL);
}

/* out[n] = a row of the weight from column c0 on, rounded, and a zero after
 * it for an odd n. */
static void
narrow_row(const struct job *j, const struct weight_mul *p, size_t row,
           size_t c0, size_t n, uint16_t *out)
{
    const struct view *w = p->w;
    const uint16_t *stored = view_at(j->run, w);
    float wide[BF16_DEPTH];

    if (n % 2)
        out[n] = 0;
    if (w->dtype == DTYPE_BF16) {
        memcpy(out, stored + row * w->ld + c0, n * sizeof(*out));
    } else if (is_f32(w)) {
        j->cpu->bf16->narrow(out, f32_at(j, w) + row * w->ld + c0, n);
    } else {
        weight_widen(j, w, row, c0, 1, n, wide);
        j->cpu->bf16->narrow(out, wide, n);
    }
}

/* The pairs of k rows of V from k0 on, V's columns being stored as rows:
 * sixteen rows of pairs are turned at a time. */
static void
pack_turned(const struct job *j, const struct weight_mul *p,
            const struct pack *s, size_t k0, size_t k, size_t cols)
{
    size_t c, i, nr, ld = BF16_DEPTH;

    for (c = 0; c < p->n; c += TURN) {
        nr = min_size(TURN, p->n - c);
        for (i = 0; i < nr; i++)
            narrow_row(j, p, p->n0 + c + i, p->k0 + k0, k,
                       s->narrow + i * ld);
        j->vec->transpose((float *)(void *)(s->b + c), cols,
                          (const float *)(const void *)s->narrow, ld / 2,
                          nr, ceil_div(k, 2));
    }
}

/* The same when V's rows are stored as rows. */
static void
pack_rows(const struct job *j, const struct weight_mul *p,
          const struct pack *s, size_t k0, size_t k, size_t cols)
{
    uint16_t *even = s->narrow, *odd = even + BF16_DEPTH;
    size_t i;

    for (i = 0; i < k; i += 2) {
        narrow_row(j, p, p->k0 + k0 + i, p->n0, p->n, even);
        if (i + 1 < k)
            narrow_row(j, p, p->k0 + k0 + i + 1, p->n0, p->n, odd);
        else
            memset(odd, 0, p->n * sizeof(*odd));
        j->cpu->bf16->pair(s->b + i / 2 * cols, even, odd, p->n);
    }
}

static void
pack_b(const struct job *j, const struct weight_mul *p,
       const struct pack *s, size_t k0, size_t k, size_t cols)
{
    if (p->trans)
        pack_turned(j, p, s, k0, k, cols);
    else
        pack_rows(j, p, s, k0, k, cols);
    narrow_pad(s->b, p->n, cols, ceil_div(k, 2));
}

void
weight_mul_bf16(const struct job *j, const struct weight_mul *p)
{
    size_t cols = ceil_div(p->n, BF16_LANES) * BF16_LANES, k0, k, r0;
    struct pack s;

    pack_lay(&s, p->panel);
    for (k0 = 0; k0 < p->k; k0 += k) {
        uint64_t from = weight_watch(j, p->w);

        k = min_size(BF16_DEPTH, p->k - k0);
        pack_b(j, p, &s, k0, k, cols);
        weight_watched(j, from);
        for (r0 = 0; r0 < p->m; r0 += A_ROWS) {
            struct bf16_product g = {
                .m = min_size(A_ROWS, p->m - r0), .n = p->n,
                .pairs = ceil_div(k, 2), .a = p->narrow + r0 * p->ldn + k0,
                .b = s.b, .lda = p->ldn, .ldb = cols, .ldc = p->ldc,
                .c = p->c + r0 * p->ldc, .acc = k0 > 0 || p->beta > 0
            };

            j->cpu->bf16->mul(&g);
        }
    }
}
