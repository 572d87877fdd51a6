/* vec_avx512.c - struct vec over sixteen floats. Compiled with AVX-512 F,
 * BW, DQ and VL; run only where CPUID shows them. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VF 16
#define VEC_NAME "avx512"
#define VEC_TABLE vec_avx512

typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));

static inline __mmask16
lanes(size_t k)
{
    return (__mmask16)((1u << k) - 1);
}

static inline vf
vf_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline vf
vf_ld(const float *p, size_t k)
{
    if (k >= VF)
        return _mm512_loadu_ps(p);
    return _mm512_maskz_loadu_ps(lanes(k), p);
}

static inline void
vf_st(float *p, vf x, size_t k)
{
    if (k >= VF)
        _mm512_storeu_ps(p, x);
    else
        _mm512_mask_storeu_ps(p, lanes(k), x);
}

static inline vf
vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vf
vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf
vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static inline vf
vf_round(vf x)
{
    return _mm512_roundscale_ps(x, 8); /* to nearest, no exceptions */
}

static inline vf
vf_ldexp(vf x, vf n)
{
    return _mm512_scalef_ps(x, n);
}

static inline vf
vf_sqrt(vf x)
{
    return _mm512_sqrt_ps(x);
}

static inline vf
vf_abs(vf x)
{
    return _mm512_abs_ps(x);
}

static inline vf
vf_lt(vf a, vf b, vf x, vf z)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), z, x);
}

static inline float
vf_sum(vf x)
{
    return _mm512_reduce_add_ps(x);
}

static inline float
vf_top(vf x)
{
    return _mm512_reduce_max_ps(x);
}

static inline vf
vf_bf16(const uint16_t *p)
{
    __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)p);

    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

static inline vf
vf_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(
        _mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline vf
vf_i8(const int8_t *p)
{
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);

    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(b));
}

#include "kernels/cpu/vec_f16c.inc"

/* The same of eight pairs, step bytes apart. */
static inline void
half_pairs(float *to, const uint8_t *p, size_t step)
{
    __m128i low = four_at(p, step), high = four_at(p + 4 * step, step);

    _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm256_set_m128i(high, low)));
}

static inline vf
vf_int(vi i)
{
    return _mm512_cvtepi32_ps((__m512i)i);
}

static inline vi
vi_u8(const uint8_t *p)
{
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);

    return (vi)_mm512_cvtepu8_epi32(b);
}

/* 4 VF bytes: those at p, or its 32 over and over. */
static inline vi
vi_again(const uint8_t *p)
{
    return (vi)_mm512_broadcast_i64x4(
        _mm256_loadu_si256((const __m256i *)(const void *)p));
}

/* Lane l = lut[i[l] & 15]. */
static inline vf
vf_pick(const vf lut[1], vi i)
{
    return _mm512_permutexvar_ps((__m512i)i, lut[0]);
}

/* Words i, 4 + i, 8 + i and 12 + i come into 128-bit lane i, of these the first
 * bytes into its first two lanes of 32 bits, and the second ones into the
 * others. */
static inline void
vi_fours(vi q[4], const uint8_t *p)
{
    __m512i x = _mm512_castsi256_si512(
        _mm256_loadu_si256((const __m256i *)(const void *)p));

    x = _mm512_permutexvar_epi16(
        _mm512_set_epi16(15, 11, 7, 3, 15, 11, 7, 3, 14, 10, 6, 2, 14, 10, 6,
                         2, 13, 9, 5, 1, 13, 9, 5, 1, 12, 8, 4, 0, 12, 8, 4,
                         0), x);
    x = _mm512_shuffle_epi8(x, _mm512_set4_epi32(0x07050301, 0x07050301,
                                                 0x06040200, 0x06040200));
    x = _mm512_srlv_epi32(x, _mm512_set4_epi32(0, 4, 0, 4));
    for (int v = 0; v < 4; v++)
        q[v] = (vi)x >> 8 * v;
}

typedef __m512i vd;

#define VD(op) _mm512_##op

static inline vd
vd_quads(uint32_t quad)
{
    return _mm512_add_epi32(
        _mm512_set1_epi32((int)quad),
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11,
                          15));
}

static inline vd
vd_odd(vd even, vd odd)
{
    return _mm512_mask_mov_epi32(even, 0xaaaa, odd);
}

#include "kernels/cpu/philox.inc"

/* x where draw >= least, else 0. */
static inline vf
vf_keep(const uint32_t *draw, uint32_t least, vf x)
{
    __mmask16 keep = _mm512_cmpge_epu32_mask(
        _mm512_loadu_si512(draw), _mm512_set1_epi32((int)least));

    return _mm512_maskz_mov_ps(keep, x);
}

/* Four rows of x, each 4 x 4 block turned: r[q] has, in its 128-bit lane i,
 * column 4 i + q of the four rows. */
static inline void
load_turned(vf r[4], const float *x, size_t ldx)
{
    vf x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + ldx);
    vf x2 = _mm512_loadu_ps(x + 2 * ldx), x3 = _mm512_loadu_ps(x + 3 * ldx);
    vf a = _mm512_unpacklo_ps(x0, x1), b = _mm512_unpackhi_ps(x0, x1);
    vf c = _mm512_unpacklo_ps(x2, x3), d = _mm512_unpackhi_ps(x2, x3);

    r[0] = _mm512_shuffle_ps(a, c, 0x44);
    r[1] = _mm512_shuffle_ps(a, c, 0xee);
    r[2] = _mm512_shuffle_ps(b, d, 0x44);
    r[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/* The same lanes of four such groups make a row of y; rows are 4 apart. */
static inline void
store_lanes(float *y, size_t ldy, vf r0, vf r1, vf r2, vf r3)
{
    vf a = _mm512_shuffle_f32x4(r0, r1, 0x44);
    vf b = _mm512_shuffle_f32x4(r0, r1, 0xee);
    vf c = _mm512_shuffle_f32x4(r2, r3, 0x44);
    vf d = _mm512_shuffle_f32x4(r2, r3, 0xee);

    _mm512_storeu_ps(y, _mm512_shuffle_f32x4(a, c, 0x88));
    _mm512_storeu_ps(y + 4 * ldy, _mm512_shuffle_f32x4(a, c, 0xdd));
    _mm512_storeu_ps(y + 8 * ldy, _mm512_shuffle_f32x4(b, d, 0x88));
    _mm512_storeu_ps(y + 12 * ldy, _mm512_shuffle_f32x4(b, d, 0xdd));
}

/* y[c][r] = x[r][c] of VF x VF. Written out, so that all of it stays in
 * registers. */
static inline void
vf_turn(float *y, size_t ldy, const float *x, size_t ldx)
{
    vf p[4], q[4], s[4], t[4];

    load_turned(p, x, ldx);
    load_turned(q, x + 4 * ldx, ldx);
    load_turned(s, x + 8 * ldx, ldx);
    load_turned(t, x + 12 * ldx, ldx);
    store_lanes(y, ldy, p[0], q[0], s[0], t[0]);
    store_lanes(y + ldy, ldy, p[1], q[1], s[1], t[1]);
    store_lanes(y + 2 * ldy, ldy, p[2], q[2], s[2], t[2]);
    store_lanes(y + 3 * ldy, ldy, p[3], q[3], s[3], t[3]);
}

#include "kernels/cpu/vec_body.inc"

#endif
