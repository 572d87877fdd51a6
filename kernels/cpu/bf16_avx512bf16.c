/* bf16_avx512bf16.c - products of bfloat16 on VDPBF16PS.
 *
 * A tile keeps its sums, 16 to 24 registers of them, over all of k: enough
 * that two instructions can begin in every cycle.
 */
#if defined(__x86_64__)

#include "kernels/cpu/bf16.h"

#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
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

/* Adds 16 columns of a row of a tile to C, or puts them there. */
static inline void
store_lanes(const struct bf16_product *p, size_t row, size_t col, __m512 x)
{
    float *at = p->c + row * p->ldc + col;
    size_t n = p->n - col;

    if (p->acc)
        x = _mm512_add_ps(x, n >= 16 ? _mm512_loadu_ps(at)
                                     : _mm512_maskz_loadu_ps(lanes(n), at));
    store_floats(at, x, n);
}

/* A tile of most rows by 16 vecs columns, from row r0 and column c0 on. */
static inline __attribute__((always_inline)) void
tile(const struct bf16_product *p, size_t r0, size_t c0, int most, int vecs)
{
    const uint16_t *a = p->a + r0 * p->lda;
    const uint32_t *b = p->b + c0;
    __m512 sum[24];
    size_t i;
    int r, v;

    UNROLL
    for (r = 0; r < most * vecs; r++)
        sum[r] = _mm512_setzero_ps();
    for (i = 0; i < p->pairs; i++) {
        __m512i bv[4];

        UNROLL
        for (v = 0; v < vecs; v++)
            bv[v] = _mm512_loadu_si512(b + i * p->ldb + 16 * v);
        UNROLL
        for (r = 0; r < most; r++) {
            int pair;
            __m512i av;

            memcpy(&pair, a + (size_t)r * p->lda + 2 * i, sizeof(pair));
            av = _mm512_set1_epi32(pair);
            UNROLL
            for (v = 0; v < vecs; v++)
                sum[r * vecs + v] = dot_pairs(sum[r * vecs + v], av, bv[v]);
        }
    }
    UNROLL
    for (r = 0; r < most; r++)
        UNROLL
        for (v = 0; v < vecs; v++)
            if (r0 + (size_t)r < p->m)
                store_lanes(p, r0 + (size_t)r, c0 + 16 * (size_t)v,
                            sum[r * vecs + v]);
}

/* All rows of 16 vecs columns from c0 on. */
static void
strip(const struct bf16_product *p, size_t c0, size_t vecs)
{
    size_t r;

    switch (vecs) {
    case 1:
        for (r = 0; r < p->m; r += 16)
            tile(p, r, c0, 16, 1);
        break;
    case 2:
        for (r = 0; r < p->m; r += 12)
            tile(p, r, c0, 12, 2);
        break;
    case 3:
        for (r = 0; r < p->m; r += 8)
            tile(p, r, c0, 8, 3);
        break;
    default:
        for (r = 0; r < p->m; r += 6)
            tile(p, r, c0, 6, 4);
    }
}

/* An adapter's rank is a multiple of 8 more often than of 6. */
static void
mul(const struct bf16_product *p)
{
    size_t most = p->m <= 64 && p->m % 8 == 0 ? 3 : 4, c, vecs;

    for (c = 0; c < p->n; c += 16 * vecs) {
        vecs = (p->n - c + 15) / 16;
        vecs = vecs < most ? vecs : most;
        strip(p, c, vecs);
    }
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
