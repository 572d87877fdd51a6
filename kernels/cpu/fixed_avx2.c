/* fixed_avx2.c - struct fixed_ops over eight rows. Compiled with AVX2, FMA and
 * F16C; run only where CPUID shows them. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VF 8
#define FIXED_TABLE fixed_avx2

/* Sums of two products, below 2 x 15 x 2^7, are of 16 bits. */
enum { VI_SPAN = 8 };

typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));

static inline vf
vf_set(float a)
{
    return _mm256_set1_ps(a);
}

static inline vi
vi_set(int32_t a)
{
    return (vi)_mm256_set1_epi32(a);
}

static inline vf
vf_ld(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void
vf_st(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}

static inline vf
vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vi
vi_round(vf x)
{
    return (vi)_mm256_cvtps_epi32(x);
}

static inline vi
vi_max(vi a, vi b)
{
    return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

/* The lanes of a register n lanes on, those behind the last from the first. */
static inline vi
vi_behind(vi i, int32_t n)
{
    const vi lane = { 0, 1, 2, 3, 4, 5, 6, 7 };

    return (vi)_mm256_permutevar8x32_epi32((__m256i)i, (__m256i)(lane + n));
}

static inline int32_t
vi_top(vi i)
{
    i = vi_max(i, vi_behind(i, 4));
    i = vi_max(i, vi_behind(i, 2));
    return vi_max(i, vi_behind(i, 1))[0];
}

static inline int32_t
vi_total(vi i)
{
    i += vi_behind(i, 4);
    i += vi_behind(i, 2);
    return (i + vi_behind(i, 1))[0];
}

static inline vf
vf_int(vi i)
{
    return _mm256_cvtepi32_ps((__m256i)i);
}

static inline vf
vf_half(vi i)
{
    __m256i h = (__m256i)(i & 0xffff);

    h = _mm256_permute4x64_epi64(_mm256_packus_epi32(h, h), 0x08);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(h));
}

static inline __m128i
bytes_at(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline vi
vi_rows(const uint8_t *p, size_t stride)
{
    return (vi)_mm256_set_m128i(bytes_at(p + 4 * stride), bytes_at(p));
}

static inline void
vi_turn(vi t[4], const vi z[4])
{
    __m256i a = _mm256_unpacklo_epi32((__m256i)z[0], (__m256i)z[1]);
    __m256i b = _mm256_unpackhi_epi32((__m256i)z[0], (__m256i)z[1]);
    __m256i c = _mm256_unpacklo_epi32((__m256i)z[2], (__m256i)z[3]);
    __m256i d = _mm256_unpackhi_epi32((__m256i)z[2], (__m256i)z[3]);

    t[0] = (vi)_mm256_unpacklo_epi64(a, c);
    t[1] = (vi)_mm256_unpackhi_epi64(a, c);
    t[2] = (vi)_mm256_unpacklo_epi64(b, d);
    t[3] = (vi)_mm256_unpackhi_epi64(b, d);
}

#include "kernels/cpu/fixed_f16c.inc"

static inline vi
vi_words(const uint8_t *p, size_t stride)
{
    return (vi)_mm256_set_m128i(four_words(p + 4 * stride, stride),
                                four_words(p, stride));
}

static inline vi
vi_dots(vi s, vi q, const int8_t *x)
{
    int32_t four;

    memcpy(&four, x, sizeof(four));
    return (vi)_mm256_add_epi16(
        (__m256i)s, _mm256_maddubs_epi16((__m256i)q,
                                         _mm256_set1_epi32(four)));
}

static inline vi
vi_sums(vi s)
{
    return (vi)_mm256_madd_epi16((__m256i)s, _mm256_set1_epi16(1));
}

#include "kernels/cpu/fixed_body.inc"

#endif
