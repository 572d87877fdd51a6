/* gemm.cc - the stand-in of kernels/cuda/gemm.cu: plain loops, sums in
 * float in the order of k. Like that it runs what was chosen before alone. */
#include "gemm.cuh"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "view.cuh"

static uint64_t products; /* so far */

extern "C" __attribute__((visibility("default"))) uint64_t
standin_products()
{
    return products;
}

struct gemm_library {
    std::vector<struct gemm_shape> chosen;
};

int
gemm_open(struct gemm_library **g, char *name, size_t cap, struct err *)
{
    *g = new gemm_library();
    snprintf(name, cap, "plain products");
    return 0;
}

void
gemm_close(struct gemm_library *g)
{
    delete g;
}

uint64_t
gemm_workspace()
{
    const char *bytes = getenv("STANDIN_WORKSPACE");

    return bytes ? strtoull(bytes, nullptr, 10) : 256;
}

static float
element(const void *p, bool bf16_p, uint64_t at)
{
    return bf16_p ? get(static_cast<const bf16 *>(p) + at)
                  : static_cast<const float *>(p)[at];
}

/* Each sum in the order of k, many of them side by side. */
static void
product(const struct gemm &x)
{
    std::vector<float> b(x.k * x.n), sum(x.n);

    for (uint64_t k = 0; k < x.k; k++)
        for (uint64_t j = 0; j < x.n; j++)
            b[k * x.n + j] =
                element(x.b, x.bf16, x.tb ? j * x.ldb + k : k * x.ldb + j);
    for (uint64_t i = 0; i < x.m; i++) {
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (uint64_t k = 0; k < x.k; k++) {
            float a =
                element(x.a, x.bf16, x.ta ? k * x.lda + i : i * x.lda + k);

            for (uint64_t j = 0; j < x.n; j++)
                sum[j] += a * b[k * x.n + j];
        }
        for (uint64_t j = 0; j < x.n; j++) {
            uint64_t at = i * x.ldc + j;
            float v = sum[j] * x.alpha;

            if (x.d != nullptr)
                v += x.beta * element(x.d, x.c_bf16, i * x.ldd + j);
            if (x.bias != nullptr)
                v += element(x.bias, x.c_bf16, j);
            if (x.c_bf16)
                set(static_cast<bf16 *>(x.c) + at, v);
            else
                static_cast<float *>(x.c)[at] = v;
        }
    }
}

/* Whether what is written is read: in place is a library's product of D
 * alone. */
static bool
overlap(const void *c, uint64_t c_elements, bool c_bf16, const void *x,
        uint64_t elements, bool bf16)
{
    auto from = reinterpret_cast<uintptr_t>(c);
    auto other = reinterpret_cast<uintptr_t>(x);

    return from < other + elements * (bf16 ? 2 : 4)
           && other < from + c_elements * (c_bf16 ? 2 : 4);
}

static bool
is_sound(const struct gemm &x)
{
    uint64_t a = x.ta ? (x.k - 1) * x.lda + x.m : (x.m - 1) * x.lda + x.k;
    uint64_t b = x.tb ? (x.n - 1) * x.ldb + x.k : (x.k - 1) * x.ldb + x.n;
    uint64_t c = (x.m - 1) * x.ldc + x.n;

    return !overlap(x.c, c, x.c_bf16, x.a, a, x.bf16)
           && !overlap(x.c, c, x.c_bf16, x.b, b, x.bf16);
}

static bool
is_chosen(const struct gemm_library *g, const struct gemm_shape &s)
{
    for (const struct gemm_shape &c : g->chosen)
        if (memcmp(&c, &s, sizeof(s)) == 0)
            return true;
    return false;
}

cudaError_t
gemm_choose(struct gemm_library *g, const struct gemm *x)
{
    const struct gemm_shape s = gemm_shape_of(x);

    if (!is_chosen(g, s))
        g->chosen.push_back(s);
    return cudaSuccess;
}

cudaError_t
gemm_run(struct gemm_library *g, const struct gemm *x, void *,
         cudaStream_t s)
{
    struct gemm copy = *x;

    if (!is_chosen(g, gemm_shape_of(x)))
        return cudaErrorNotSupported;
    if (!is_sound(*x))
        return cudaErrorInvalidValue;
    products++;
    return standin_enqueue(s, [copy] { product(copy); });
}
