/* bf16_avx512bf16.c - products of bfloat16 on VDPBF16PS.
 *
 * A tile of 6 rows by 64 columns keeps its 24 sums in registers over all of
 * k, and each sum adds its pairs in the order of k.
 */
#if defined(__x86_64__)

#include "kernels/cpu/bf16.h"

#include <immintrin.h>
#include <string.h>

enum { VECS = BF16_COLS / 16 };

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

static __mmask16
lanes(size_t n)
{
    return n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
}

static __m512
dot_pairs(__m512 sum, __m512i a, __m512i b)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

/* A masked store is slow on Zen 4, even of all lanes. */
static void
store_floats(float *at, __m512 x, size_t n)
{
    if (n >= 16)
        _mm512_storeu_ps(at, x);
    else
        _mm512_mask_storeu_ps(at, lanes(n), x);
}

/* Stores rows x cols of a tile. */
static void
store_tile(const struct bf16_product *p, float *c, __m512 sum[][VECS],
           size_t rows, size_t cols)
{
    size_t r, v;

    for (r = 0; r < rows; r++)
        for (v = 0; v * 16 < cols; v++) {
            __mmask16 k = lanes(cols - v * 16);
            float *at = c + r * p->ldc + v * 16;
            __m512 x = sum[r][v];

            if (p->acc)
                x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(k, at));
            store_floats(at, x, cols - v * 16);
        }
}

static void
tile(const struct bf16_product *p, size_t r0, size_t c0, size_t ldb)
{
    const uint16_t *a = p->a + r0 * p->lda;
    const uint32_t *b = p->b + c0;
    size_t rows = p->m - r0 < BF16_ROWS ? p->m - r0 : BF16_ROWS, i;
    size_t cols = p->n - c0 < BF16_COLS ? p->n - c0 : BF16_COLS;
    __m512 sum[BF16_ROWS][VECS];
    int r, v;

    UNROLL
    for (r = 0; r < BF16_ROWS; r++)
        UNROLL
        for (v = 0; v < VECS; v++)
            sum[r][v] = _mm512_setzero_ps();
    for (i = 0; i < p->pairs; i++) {
        __m512i bv[VECS];

        UNROLL
        for (v = 0; v < VECS; v++)
            bv[v] = _mm512_loadu_si512(b + i * ldb + 16 * v);
        UNROLL
        for (r = 0; r < BF16_ROWS; r++) {
            int pair;
            __m512i av;

            memcpy(&pair, a + (size_t)r * p->lda + 2 * i, sizeof(pair));
            av = _mm512_set1_epi32(pair);
            UNROLL
            for (v = 0; v < VECS; v++)
                sum[r][v] = dot_pairs(sum[r][v], av, bv[v]);
        }
    }
    store_tile(p, p->c + r0 * p->ldc + c0, sum, rows, cols);
}

static void
mul(const struct bf16_product *p)
{
    size_t ldb = (p->n + BF16_COLS - 1) / BF16_COLS * BF16_COLS, r, c;

    for (c = 0; c < p->n; c += BF16_COLS)
        for (r = 0; r < p->m; r += BF16_ROWS)
            tile(p, r, c, ldb);
}

static void
narrow(uint16_t *y, const float *x, size_t n)
{
    size_t i;

    for (i = 0; i + 32 <= n; i += 32) {
        __m512 low = _mm512_loadu_ps(x + i);
        __m512 high = _mm512_loadu_ps(x + i + 16);

        _mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
    for (; i < n; i += 16) {
        __mmask16 k = lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(k, x + i);

        _mm256_mask_storeu_epi16(y + i, k, (__m256i)_mm512_cvtneps_pbh(v));
    }
}

static void
pair(uint32_t *y, const uint16_t *a, const uint16_t *b, size_t n)
{
    size_t i;

    for (i = 0; i < n; i += 16) {
        __mmask16 k = lanes(n - i);
        __m512i low = _mm512_cvtepu16_epi32(
            _mm256_maskz_loadu_epi16(k, a + i));
        __m512i high = _mm512_cvtepu16_epi32(
            _mm256_maskz_loadu_epi16(k, b + i));

        low = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
        if (n - i >= 16)
            _mm512_storeu_si512(y + i, low);
        else
            _mm512_mask_storeu_epi32(y + i, k, low);
    }
}

const struct bf16_ops bf16_avx512 = { mul, narrow, pair };

#endif
