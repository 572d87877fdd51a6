/* act.cuh - activation functions and their slopes, in float.
 *
 * gelu tanh: x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)
 * gelu erf:  x/2 (1 + erf(x / sqrt 2)); silu: x / (1 + e^-x)
 */
#ifndef KERNELS_CUDA_ACT_CUH
#define KERNELS_CUDA_ACT_CUH

#include "cuda.cuh"

#define SQRT_2_PI 0.79788456080286535588f
#define SQRT_HALF 0.70710678118654752440f
#define CUBIC 0.044715f

__device__ __forceinline__ float
softplus(float x)
{
    return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

__device__ __forceinline__ float
gelu_tanh_u(float x)
{
    return tanhf(SQRT_2_PI * (x + CUBIC * x * x * x));
}

__device__ __forceinline__ float
act_value(uint8_t kind, float x)
{
    switch (kind) {
    case ACT_GELU_TANH:
        return 0.5f * x * (1 + gelu_tanh_u(x));
    case ACT_GELU_ERF:
        return 0.5f * x * (1 + erff(x * SQRT_HALF));
    case ACT_SILU: /* as in its slope, so that both cost one division */
        return x * (1 / (1 + expf(-x)));
    default: /* ACT_RELU */
        return x > 0 ? x : 0;
    }
}

__device__ __forceinline__ float
act_slope(uint8_t kind, float x)
{
    float s, t;

    switch (kind) {
    case ACT_GELU_TANH:
        t = gelu_tanh_u(x);
        s = SQRT_2_PI * (1 + 3 * CUBIC * x * x);
        return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * s;
    case ACT_GELU_ERF: /* the density is sqrt(2/pi) / 2 * e^(-x^2/2) */
        return 0.5f * (1 + erff(x * SQRT_HALF))
               + x * 0.5f * SQRT_2_PI * expf(-0.5f * x * x);
    case ACT_SILU:
        s = 1 / (1 + expf(-x));
        return s * (1 + x * (1 - s));
    default:
        return x > 0 ? 1 : 0;
    }
}

#endif
