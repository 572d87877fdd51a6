/* vec_generic.c - struct vec over four floats of any processor, in the
 * vector types that gcc and clang share. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/dropout.h"
#include "tensor/dtype.h"

#define VF 4
#define VEC_NAME "generic"
#define VEC_TABLE vec_generic

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

static inline vf
vf_set(float a)
{
    return (vf){ a, a, a, a };
}

static inline vf
vf_ld(const float *p, size_t k)
{
    vf x = { 0 };

    if (k >= VF)
        memcpy(&x, p, sizeof(x));
    else
        memcpy(&x, p, k * sizeof(*p));
    return x;
}

static inline void
vf_st(float *p, vf x, size_t k)
{
    if (k >= VF)
        memcpy(p, &x, sizeof(x));
    else
        memcpy(p, &x, k * sizeof(*p));
}

static inline vf
vf_fma(vf a, vf b, vf c)
{
    return a * b + c;
}

static inline vf
choose(vi mask, vf x, vf z)
{
    return (vf)(((vi)x & mask) | ((vi)z & ~mask));
}

static inline vf
vf_lt(vf a, vf b, vf x, vf z)
{
    return choose(a < b, x, z);
}

static inline vf
vf_max(vf a, vf b)
{
    return choose(a > b, a, b);
}

static inline vf
vf_min(vf a, vf b)
{
    return choose(a < b, a, b);
}

/* Adding 1.5 * 2^23 leaves no bits for a fraction. */
static inline vf
vf_round(vf x)
{
    vf big = vf_set(12582912.0f);

    return (x + big) - big;
}

/* In two steps, so that results below the smallest normal number come out
 * and 2^128 overflows to infinity. A NaN's n is replaced. */
static inline vf
vf_ldexp(vf x, vf n)
{
    vi i = __builtin_convertvector(choose(n == n, n, vf_set(0.0f)), vi);
    vi half = i >> 1, a = (half + 127) << 23, b = (i - half + 127) << 23;

    return x * (vf)a * (vf)b;
}

static inline vf
vf_sqrt(vf x)
{
    return (vf){ sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3]) };
}

static inline vf
vf_abs(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

static inline float
vf_sum(vf x)
{
    return (x[0] + x[2]) + (x[1] + x[3]);
}

static inline float
vf_top(vf x)
{
    float a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];

    return a > b ? a : b;
}

static inline vf
vf_bf16(const uint16_t *p)
{
    return (vf){ bf16_to_f32(p[0]), bf16_to_f32(p[1]), bf16_to_f32(p[2]),
                 bf16_to_f32(p[3]) };
}

static inline vf
vf_f16(const uint16_t *p)
{
    return (vf){ f16_to_f32(p[0]), f16_to_f32(p[1]), f16_to_f32(p[2]),
                 f16_to_f32(p[3]) };
}

static inline vf
vf_i8(const int8_t *p)
{
    return (vf){ (float)p[0], (float)p[1], (float)p[2], (float)p[3] };
}

static inline float
half_float(uint16_t h)
{
    return f16_to_f32(h);
}

/* to[0], to[1] = the two at p. */
static inline void
half_pair(float *to, const void *p)
{
    uint16_t h[2];

    memcpy(h, p, sizeof(h));
    to[0] = f16_to_f32(h[0]);
    to[1] = f16_to_f32(h[1]);
}

/* The same of eight pairs, step bytes apart. */
static inline void
half_pairs(float *to, const uint8_t *p, size_t step)
{
    for (size_t i = 0; i < 8; i++)
        half_pair(to + 2 * i, p + i * step);
}

static inline vf
vf_int(vi i)
{
    return __builtin_convertvector(i, vf);
}

static inline vi
vi_u8(const uint8_t *p)
{
    return (vi){ p[0], p[1], p[2], p[3] };
}

static inline vi
vi_again(const uint8_t *p)
{
    vi x;

    memcpy(&x, p, sizeof(x));
    return x;
}

/* Lane l = lut[i[l] & 15]. */
static inline vf
vf_pick(const vf lut[4], vi i)
{
    vf y;
    int l;

    for (l = 0; l < VF; l++)
        y[l] = lut[i[l] >> 2 & 3][i[l] & 3];
    return y;
}

static inline void
vi_fours(vi q[16], const uint8_t *p)
{
    for (int v = 0; v < 16; v++, p += 2)
        q[v] = (vi){ p[0] >> 4, p[0], p[1] >> 4, p[1] };
}

/* out[4 VF] = the draws of VF quads from quad on. */
static inline void
vf_draws(uint32_t *out, const uint32_t key[2], uint64_t step, uint32_t row,
         uint32_t quad)
{
    uint32_t i;

    for (i = 0; i < VF; i++)
        dropout_draw(out + 4 * i, key, step, row, quad + i);
}

/* x where draw >= least, else 0. */
static inline vf
vf_keep(const uint32_t *draw, uint32_t least, vf x)
{
    size_t i;

    for (i = 0; i < VF; i++)
        if (draw[i] < least)
            x[i] = 0.0f;
    return x;
}

/* y[c][r] = x[r][c] of VF x VF. */
static inline void
vf_turn(float *y, size_t ldy, const float *x, size_t ldx)
{
    size_t r, c;

    for (r = 0; r < VF; r++)
        for (c = 0; c < VF; c++)
            y[c * ldy + r] = x[r * ldx + c];
}

#include "kernels/cpu/vec_body.inc"
