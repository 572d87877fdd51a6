/* vec_avx2.c - struct vec over eight floats. Compiled with AVX2, FMA and
 * F16C; run only where CPUID shows them. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

#define VF 8
#define VEC_NAME "avx2"
#define VEC_TABLE vec_avx2

typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));

static inline vf
vf_set(float a)
{
    return _mm256_set1_ps(a);
}

static inline vf
vf_ld(const float *p, size_t k)
{
    float lane[VF] = { 0 };

    if (k >= VF)
        return _mm256_loadu_ps(p);
    memcpy(lane, p, k * sizeof(*p));
    return _mm256_loadu_ps(lane);
}

static inline void
vf_st(float *p, vf x, size_t k)
{
    if (k >= VF)
        _mm256_storeu_ps(p, x);
    else
        memcpy(p, &x, k * sizeof(*p));
}

static inline vf
vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vf
vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf
vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vf
vf_round(vf x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* In two steps, so that results below the smallest normal number come out
 * and 2^128 overflows to infinity. */
static inline vf
vf_ldexp(vf x, vf n)
{
    __m256i i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1);
    __m256i one = _mm256_set1_epi32(127), rest = _mm256_sub_epi32(i, half);
    __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    __m256i b = _mm256_slli_epi32(_mm256_add_epi32(rest, one), 23);

    return x * _mm256_castsi256_ps(a) * _mm256_castsi256_ps(b);
}

static inline vf
vf_sqrt(vf x)
{
    return _mm256_sqrt_ps(x);
}

static inline vf
vf_abs(vf x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

static inline vf
vf_lt(vf a, vf b, vf x, vf z)
{
    return _mm256_blendv_ps(z, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

static inline float
vf_sum(vf x)
{
    float v[VF];

    memcpy(v, &x, sizeof(v));
    return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
}

static inline float
vf_top(vf x)
{
    float v[VF], top;
    int i;

    memcpy(v, &x, sizeof(v));
    top = v[0];
    for (i = 1; i < VF; i++)
        top = v[i] > top ? v[i] : top;
    return top;
}

static inline vf
vf_bf16(const uint16_t *p)
{
    __m128i h = _mm_loadu_si128((const __m128i *)(const void *)p);

    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

static inline vf
vf_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline vf
vf_i8(const int8_t *p)
{
    __m128i b = _mm_loadl_epi64((const __m128i *)(const void *)p);

    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(b));
}

#include "kernels/cpu/vec_f16c.inc"

/* The same of eight pairs, step bytes apart. */
static inline void
half_pairs(float *to, const uint8_t *p, size_t step)
{
    __m128i low = four_at(p, step), high = four_at(p + 4 * step, step);

    _mm256_storeu_ps(to, _mm256_cvtph_ps(low));
    _mm256_storeu_ps(to + 8, _mm256_cvtph_ps(high));
}

static inline vf
vf_int(vi i)
{
    return _mm256_cvtepi32_ps((__m256i)i);
}

static inline vi
vi_u8(const uint8_t *p)
{
    __m128i b = _mm_loadl_epi64((const __m128i *)(const void *)p);

    return (vi)_mm256_cvtepu8_epi32(b);
}

static inline vi
vi_again(const uint8_t *p)
{
    return (vi)_mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Lane l = lut[i[l] & 15]: bits 0 to 2 within a vector, bit 3 which. */
static inline vf
vf_pick(const vf lut[2], vi i)
{
    vf low = _mm256_permutevar8x32_ps(lut[0], (__m256i)i);
    vf high = _mm256_permutevar8x32_ps(lut[1], (__m256i)i);

    return _mm256_blendv_ps(low, high, (vf)(i << 28));
}

static inline void
vi_fours(vi q[8], const uint8_t *p)
{
    const vi shift = { 4, 0, 12, 8, 20, 16, 28, 24 };

    for (int v = 0; v < 8; v++)
        q[v] = (vi)_mm256_srlv_epi32(
            _mm256_set1_epi32((int)load_u32(p + 4 * v)), (__m256i)shift);
}

typedef __m256i vd;

#define VD(op) _mm256_##op

static inline vd
vd_quads(uint32_t quad)
{
    return _mm256_add_epi32(
        _mm256_set1_epi32((int)quad),
        _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}

static inline vd
vd_odd(vd even, vd odd)
{
    return _mm256_blend_epi32(even, odd, 0xaa);
}

#include "kernels/cpu/philox.inc"

/* x where draw >= least, else 0. */
static inline vf
vf_keep(const uint32_t *draw, uint32_t least, vf x)
{
    __m256i d, most;

    memcpy(&d, draw, sizeof(d));
    most = _mm256_max_epu32(d, _mm256_set1_epi32((int)least));
    return _mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(d, most)),
                         x);
}

/* Columns 4g .. 4g+4 of VF rows become four rows of y. */
static inline void
turn_columns(float *y, size_t ldy, const float *x, size_t ldx)
{
    __m256 r[4], a, b, c, d;
    size_t i;

    for (i = 0; i < 4; i++)
        r[i] = _mm256_insertf128_ps(
            _mm256_castps128_ps256(_mm_loadu_ps(x + i * ldx)),
            _mm_loadu_ps(x + (i + 4) * ldx), 1);
    a = _mm256_unpacklo_ps(r[0], r[1]);
    b = _mm256_unpackhi_ps(r[0], r[1]);
    c = _mm256_unpacklo_ps(r[2], r[3]);
    d = _mm256_unpackhi_ps(r[2], r[3]);
    _mm256_storeu_ps(y, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_storeu_ps(y + ldy, _mm256_shuffle_ps(a, c, 0xee));
    _mm256_storeu_ps(y + 2 * ldy, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_storeu_ps(y + 3 * ldy, _mm256_shuffle_ps(b, d, 0xee));
}

/* y[c][r] = x[r][c] of VF x VF. */
static inline void
vf_turn(float *y, size_t ldy, const float *x, size_t ldx)
{
    turn_columns(y, ldy, x, ldx);
    turn_columns(y + 4 * ldy, ldy, x + 4, ldx);
}

#include "kernels/cpu/vec_body.inc"

#endif
