/* weight_bf16.c - weight_mul with operands rounded to bfloat16.
 *
 * A panel of the weight, WEIGHT_DEPTH deep, is packed into pairs along k;
 * then blocks of A's rows are rounded and multiplied with it. Panels follow
 * each other in the order of k.
 */
#include <string.h>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/weight.h"

enum {
    PAIRS = WEIGHT_DEPTH / 2,
    B_COLS = (WEIGHT_COLS + BF16_COLS - 1) / BF16_COLS * BF16_COLS,
    A_ROWS = 40 * BF16_ROWS,
    TURN = 16 /* rows of a weight that are turned at a time */
};

/* The parts of a worker's scratch, all in whole cache lines. */
struct pack {
    uint32_t *b;      /* [PAIRS][B_COLS] */
    uint16_t *a;      /* [A_ROWS][WEIGHT_DEPTH] */
    uint16_t *narrow; /* [TURN][WEIGHT_DEPTH] */
    float *wide;      /* [WEIGHT_DEPTH] */
};

static size_t
pack_lay(struct pack *s, float *base)
{
    size_t b = (size_t)PAIRS * B_COLS, a = (size_t)A_ROWS * PAIRS;
    size_t narrow = (size_t)TURN * PAIRS;

    if (s) {
        s->b = (uint32_t *)(void *)base;
        s->a = (uint16_t *)(void *)(base + b);
        s->narrow = (uint16_t *)(void *)(base + b + a);
        s->wide = base + b + a + narrow;
    }
    return b + a + narrow + WEIGHT_DEPTH;
}

size_t
weight_bf16_floats(void)
{
    return pack_lay(NULL, NULL);
}

/* out[n] = a row of the weight from column c0 on, rounded, and a zero after
 * it for an odd n. */
static void
narrow_row(const struct job *j, const struct weight_mul *p,
           const struct pack *s, size_t row, size_t c0, size_t n,
           uint16_t *out)
{
    const uint16_t *stored = view_at(j->run, p->w);

    if (n % 2)
        out[n] = 0;
    if (p->w->dtype == DTYPE_BF16) {
        memcpy(out, stored + row * p->w->ld + c0, n * sizeof(*out));
        return;
    }
    weight_widen(j, p->w, row, c0, 1, n, s->wide);
    j->cpu->bf16->narrow(out, s->wide, n);
}

/* The pairs of k rows of V from k0 on, V's columns being stored as rows:
 * sixteen rows of pairs are turned at a time. */
static void
pack_turned(const struct job *j, const struct weight_mul *p,
            const struct pack *s, size_t k0, size_t k, size_t cols)
{
    size_t c, i, nr, ld = WEIGHT_DEPTH;

    for (c = 0; c < p->n; c += TURN) {
        nr = min_size(TURN, p->n - c);
        for (i = 0; i < nr; i++)
            narrow_row(j, p, s, p->n0 + c + i, k0, k,
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
    uint16_t *even = s->narrow, *odd = even + WEIGHT_DEPTH;
    size_t i;

    for (i = 0; i < k; i += 2) {
        narrow_row(j, p, s, p->k0 + k0 + i, p->n0, p->n, even);
        if (i + 1 < k)
            narrow_row(j, p, s, p->k0 + k0 + i + 1, p->n0, p->n, odd);
        else
            memset(odd, 0, p->n * sizeof(*odd));
        j->cpu->bf16->pair(s->b + i / 2 * cols, even, odd, p->n);
    }
}

static void
pack_b(const struct job *j, const struct weight_mul *p,
       const struct pack *s, size_t k0, size_t k)
{
    size_t cols = ceil_div(p->n, BF16_COLS) * BF16_COLS, i;

    if (p->trans)
        pack_turned(j, p, s, k0, k, cols);
    else
        pack_rows(j, p, s, k0, k, cols);
    for (i = 0; p->n < cols && i < ceil_div(k, 2); i++)
        memset(s->b + i * cols + p->n, 0, (cols - p->n) * sizeof(*s->b));
}

/* Rows r0 .. r0+m of A and k columns from k0 on, padded with zeros. */
static void
pack_a(const struct job *j, const struct weight_mul *p,
       const struct pack *s, size_t r0, size_t m, size_t k0, size_t k)
{
    size_t i, rows = ceil_div(m, BF16_ROWS) * BF16_ROWS;

    for (i = 0; i < m; i++) {
        uint16_t *to = s->a + i * WEIGHT_DEPTH;

        j->cpu->bf16->narrow(to, p->a + (r0 + i) * p->lda + k0, k);
        if (k % 2)
            to[k] = 0;
    }
    for (; i < rows; i++)
        memset(s->a + i * WEIGHT_DEPTH, 0, WEIGHT_DEPTH * sizeof(*s->a));
}

void
weight_mul_bf16(const struct job *j, const struct weight_mul *p)
{
    struct pack s;
    size_t k0, k, r0;

    pack_lay(&s, p->panel);
    for (k0 = 0; k0 < p->k; k0 += k) {
        uint64_t from = weight_watch(j, p->w);

        k = min_size(WEIGHT_DEPTH, p->k - k0);
        pack_b(j, p, &s, k0, k);
        weight_watched(j, from);
        for (r0 = 0; r0 < p->m; r0 += A_ROWS) {
            struct bf16_product g = {
                .m = min_size(A_ROWS, p->m - r0), .n = p->n,
                .pairs = ceil_div(k, 2), .a = s.a, .b = s.b,
                .lda = WEIGHT_DEPTH, .ldc = p->ldc,
                .c = p->c + r0 * p->ldc, .acc = k0 > 0 || p->beta > 0
            };

            pack_a(j, p, &s, r0, g.m, k0, k);
            j->cpu->bf16->mul(&g);
        }
    }
}
