/* fixed_avx512vnni.c - struct fixed_ops over sixteen rows. Compiled with
 * AVX-512 F, BW, DQ, VL and VNNI; run only where CPUID shows them. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VF 16
#define FIXED_TABLE fixed_avx512vnni

/* Sums of four products are of 32 bits. */
enum { VI_SPAN = 64 };

typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));

static inline vf
vf_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline vi
vi_set(int32_t a)
{
    return (vi)_mm512_set1_epi32(a);
}

static inline vf
vf_ld(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void
vf_st(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}

static inline vf
vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vi
vi_round(vf x)
{
    return (vi)_mm512_cvtps_epi32(x);
}

static inline vi
vi_max(vi a, vi b)
{
    return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

static inline int32_t
vi_top(vi i)
{
    return _mm512_reduce_max_epi32((__m512i)i);
}

static inline int32_t
vi_total(vi i)
{
    return _mm512_reduce_add_epi32((__m512i)i);
}

static inline vf
vf_int(vi i)
{
    return _mm512_cvtepi32_ps((__m512i)i);
}

static inline vf
vf_half(vi i)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)i));
}

static inline __m128i
bytes_at(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline vi
vi_rows(const uint8_t *p, size_t stride)
{
    __m512i x = _mm512_castsi128_si512(bytes_at(p));

    x = _mm512_inserti32x4(x, bytes_at(p + 4 * stride), 1);
    x = _mm512_inserti32x4(x, bytes_at(p + 8 * stride), 2);
    return (vi)_mm512_inserti32x4(x, bytes_at(p + 12 * stride), 3);
}

static inline void
vi_turn(vi t[4], const vi z[4])
{
    __m512i a = _mm512_unpacklo_epi32((__m512i)z[0], (__m512i)z[1]);
    __m512i b = _mm512_unpackhi_epi32((__m512i)z[0], (__m512i)z[1]);
    __m512i c = _mm512_unpacklo_epi32((__m512i)z[2], (__m512i)z[3]);
    __m512i d = _mm512_unpackhi_epi32((__m512i)z[2], (__m512i)z[3]);

    t[0] = (vi)_mm512_unpacklo_epi64(a, c);
    t[1] = (vi)_mm512_unpackhi_epi64(a, c);
    t[2] = (vi)_mm512_unpacklo_epi64(b, d);
    t[3] = (vi)_mm512_unpackhi_epi64(b, d);
}

#include "kernels/cpu/fixed_f16c.inc"

static inline vi
vi_words(const uint8_t *p, size_t stride)
{
    __m512i x = _mm512_castsi128_si512(four_words(p, stride));

    x = _mm512_inserti32x4(x, four_words(p + 4 * stride, stride), 1);
    x = _mm512_inserti32x4(x, four_words(p + 8 * stride, stride), 2);
    return (vi)_mm512_inserti32x4(x, four_words(p + 12 * stride, stride), 3);
}

/* In one instruction, which a compiler makes two of. */
static inline vi
vi_dots(vi s, vi q, const int8_t *x)
{
    __asm__("vpdpbusd %2%{1to16%}, %1, %0"
            : "+v"(s) : "v"(q), "m"(*(const int8_t (*)[4])x));
    return s;
}

static inline vi
vi_sums(vi s)
{
    return s;
}

#include "kernels/cpu/fixed_body.inc"

#endif
