/* cpu_gemm.c - each matrix library, and what is left when one is missing,
 * against plain sums, with every transposition, stride and beta. */
#include <math.h>

#include "kernels/cpu/gemm.h"
#include "test.h"

enum { MOST = 80 };

static float a[MOST * MOST], b[MOST * MOST], c[MOST * MOST], was[MOST * MOST];

static void
fill(float *p, unsigned seed)
{
    for (int i = 0; i < MOST * MOST; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (float)(seed >> 16) / 32768.0f - 1;
    }
}

static double
element(const struct product *p, size_t i, size_t j)
{
    double sum = 0;

    for (size_t k = 0; k < p->k; k++)
        sum += (double)(p->ta ? a[k * p->lda + i] : a[i * p->lda + k])
            * (double)(p->tb ? b[j * p->ldb + k] : b[k * p->ldb + j]);
    sum *= (double)p->alpha;
    return p->beta > 0 ? sum + (double)p->beta
                                 * (double)was[i * p->ldc + j] : sum;
}

/* A sum of k products of numbers below 1 is within k 2^-24 of its terms'
 * sum, which is at most k; sqrt(k) of each in practice. */
static void
check(const struct product *p, const char *which)
{
    double bound = 8 * (double)(p->k + 2) * 0x1p-24;
    size_t bad = 0;

    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->ldc; j++) {
            double want = j < p->n ? element(p, i, j)
                                   : (double)was[i * p->ldc + j];

            bad += !(fabs((double)c[i * p->ldc + j] - want) <= bound);
        }
    if (!CHECK(bad == 0))
        printf("    %s: %zu x %zu x %zu, ta %d, tb %d\n", which, p->m, p->n,
               p->k, p->ta, p->tb);
}

static struct product
shape(unsigned i)
{
    static const size_t sizes[] = { 1, 16, 37, 64, 75 };
    struct product p = {
        .ta = i & 1, .tb = i & 2, .alpha = i & 4 ? 0.5f : 1.0f,
        .beta = i & 8 ? 1.0f : 0.0f, .m = sizes[i % 5],
        .n = sizes[i / 5 % 5], .k = sizes[i / 25 % 5], .lda = 77, .ldb = 78,
        .ldc = 79, .a = a, .b = b, .c = c
    };

    memcpy(c, was, sizeof(c));
    for (size_t k = 0; p.beta <= 0 && k < p.m * p.ldc; k++)
        if (k % p.ldc < p.n)
            c[k] = NAN; /* must not be read */
    return p;
}

/* Both libraries, or one: which is a name for the choice. */
static void
all_shapes(const struct gemm *g, const char *which)
{
    for (unsigned i = 0; i < 125; i++) {
        struct product p = shape(i);

        gemm_f32(g, &p);
        check(&p, which);
    }
}

TEST(products_match_plain_sums)
{
    struct gemm g, only;
    struct err e;

    fill(a, 1);
    fill(b, 2);
    fill(was, 3);
    if (!CHECK(gemm_open(&g, false, 1, &e) == 0))
        return;
    all_shapes(&g, "both");
    only = g;
    only.dnnl = NULL;
    if (only.blas)
        all_shapes(&only, "openblas");
    else
        SKIP_PART("openblas", "the library is not installed");
    only = g;
    only.blas = NULL;
    if (only.dnnl)
        all_shapes(&only, "onednn");
    else
        SKIP_PART("onednn", "the library is not installed");
    gemm_close(&g);
}

TEST(a_library_that_is_not_there_is_not_called)
{
    struct gemm none = { 0 };
    struct product p = { .m = 1, .n = 1, .k = 1 };

    CHECK(!gemm_with(&none, GEMM_OPENBLAS, &p));
    CHECK(!gemm_with(&none, GEMM_ONEDNN, &p));
}

static const struct test tests[] = {
    RUN(products_match_plain_sums),
    RUN(a_library_that_is_not_there_is_not_called),
};

TEST_MAIN("cpu_gemm", tests)
