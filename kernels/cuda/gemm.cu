/* gemm.cu - products by cuBLASLt: the one place that calls it.
 *
 * The algorithm of a shape is chosen when the shape is first seen, by the
 * library's own rule and never by a clock, and kept: a rerun on the same card
 * and version has the same bits. Algorithms that add up in an order of their
 * own (in place, through atomics) are not asked for.
 */
#include "gemm.cuh"

#include <cublasLt.h>
#include <cstdio>
#include <cstring>
#include <new>
#include <vector>

#define ALIGN_MOST 256

/* All that the choice depends on. */
struct shape {
    uint64_t lda, ldb, ldc, ldd;
    uint32_t m, n, k;
    uint32_t align[4]; /* of A, B, C, D */
    bool ta, tb, bf16, c_bf16, adds;
};

struct choice {
    struct shape shape;
    cublasLtMatmulAlgo_t algo;
};

struct gemm_library {
    cublasLtHandle_t handle;
    std::vector<struct choice> choice;
};

/* A product's descriptors, in the library's terms: column major, so that it
 * computes C^T[n, m] = op(B)^T op(A)^T. */
struct task {
    cublasLtMatmulDesc_t op;
    cublasLtMatrixLayout_t first, second, added, out;
};

int
gemm_open(struct gemm_library **out, char *name, size_t cap, struct err *e)
{
    auto *g = new (std::nothrow) struct gemm_library();

    if (g == nullptr)
        return fail(e, ERR_IO, "out of memory");
    if (cublasLtCreate(&g->handle) != CUBLAS_STATUS_SUCCESS) {
        delete g;
        return fail(e, ERR_IO, "cuBLASLt does not start on this card");
    }
    snprintf(name, cap, "cublasLt %zu", cublasLtGetVersion());
    *out = g;
    return 0;
}

void
gemm_close(struct gemm_library *g)
{
    if (g == nullptr)
        return;
    cublasLtDestroy(g->handle);
    delete g;
}

uint64_t
gemm_workspace()
{
    return GEMM_WORKSPACE;
}

static uint32_t
alignment(const void *p)
{
    uint32_t a = ALIGN_MOST;

    while (reinterpret_cast<uintptr_t>(p) % a != 0)
        a /= 2;
    return a;
}

static struct shape
shape_of(const struct gemm *x)
{
    struct shape s;

    memset(&s, 0, sizeof(s)); /* compared as bytes */
    s.lda = x->lda;
    s.ldb = x->ldb;
    s.ldc = x->ldc;
    s.ldd = x->ldd;
    s.m = x->m;
    s.n = x->n;
    s.k = x->k;
    s.align[0] = alignment(x->a);
    s.align[1] = alignment(x->b);
    s.align[2] = alignment(x->c);
    s.align[3] = alignment(x->d);
    s.ta = x->ta;
    s.tb = x->tb;
    s.bf16 = x->bf16;
    s.c_bf16 = x->c_bf16;
    s.adds = x->d != nullptr;
    return s;
}

static cudaDataType_t
type_of(bool bf16)
{
    return bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

static void
task_release(struct task *t)
{
    if (t->out != nullptr)
        cublasLtMatrixLayoutDestroy(t->out);
    if (t->added != nullptr)
        cublasLtMatrixLayoutDestroy(t->added);
    if (t->second != nullptr)
        cublasLtMatrixLayoutDestroy(t->second);
    if (t->first != nullptr)
        cublasLtMatrixLayoutDestroy(t->first);
    if (t->op != nullptr)
        cublasLtMatmulDescDestroy(t->op);
}

static bool
task_make(struct task *t, const struct gemm *x)
{
    const cublasOperation_t first = x->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t second = x->ta ? CUBLAS_OP_T : CUBLAS_OP_N;

    *t = {};
    return cublasLtMatmulDescCreate(&t->op, CUBLAS_COMPUTE_32F, CUDA_R_32F)
               == CUBLAS_STATUS_SUCCESS
           && cublasLtMatmulDescSetAttribute(
                  t->op, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof(first))
                  == CUBLAS_STATUS_SUCCESS
           && cublasLtMatmulDescSetAttribute(
                  t->op, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof(second))
                  == CUBLAS_STATUS_SUCCESS
           && cublasLtMatrixLayoutCreate(&t->first, type_of(x->bf16),
                                         x->tb ? x->k : x->n,
                                         x->tb ? x->n : x->k, x->ldb)
                  == CUBLAS_STATUS_SUCCESS
           && cublasLtMatrixLayoutCreate(&t->second, type_of(x->bf16),
                                         x->ta ? x->m : x->k,
                                         x->ta ? x->k : x->m, x->lda)
                  == CUBLAS_STATUS_SUCCESS
           && cublasLtMatrixLayoutCreate(&t->added, type_of(x->c_bf16), x->n,
                                         x->m, x->d ? x->ldd : x->ldc)
                  == CUBLAS_STATUS_SUCCESS
           && cublasLtMatrixLayoutCreate(&t->out, type_of(x->c_bf16), x->n,
                                         x->m, x->ldc)
                  == CUBLAS_STATUS_SUCCESS;
}

static bool
set_preference(cublasLtMatmulPreference_t p, const struct shape *s)
{
    const uint64_t workspace = GEMM_WORKSPACE;
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const struct {
        cublasLtMatmulPreferenceAttributes_t attribute;
        const void *value;
        size_t n;
    } row[] = {
        { CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, 8 },
        { CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &s->align[1], 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &s->align[0], 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &s->align[3], 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &s->align[2], 4 },
    };

    for (const auto &r : row)
        if (cublasLtMatmulPreferenceSetAttribute(p, r.attribute, r.value, r.n)
            != CUBLAS_STATUS_SUCCESS)
            return false;
    return true;
}

static bool
ask(struct choice *c, struct gemm_library *g, const struct task *t)
{
    cublasLtMatmulPreference_t p = nullptr;
    cublasLtMatmulHeuristicResult_t found;
    int n = 0;
    bool ok = cublasLtMatmulPreferenceCreate(&p) == CUBLAS_STATUS_SUCCESS
              && set_preference(p, &c->shape)
              && cublasLtMatmulAlgoGetHeuristic(g->handle, t->op, t->first,
                                                t->second, t->added, t->out, p,
                                                1, &found, &n)
                     == CUBLAS_STATUS_SUCCESS
              && n == 1;

    if (p != nullptr)
        cublasLtMatmulPreferenceDestroy(p);
    if (ok)
        c->algo = found.algo;
    return ok;
}

/* The algorithm of x's shape; NULL when the library has none. */
static const cublasLtMatmulAlgo_t *
choose(struct gemm_library *g, const struct gemm *x, const struct task *t)
{
    struct choice c = { shape_of(x), {} };

    for (const struct choice &old : g->choice)
        if (memcmp(&old.shape, &c.shape, sizeof(c.shape)) == 0)
            return &old.algo;
    if (!ask(&c, g, t))
        return nullptr;
    g->choice.push_back(c);
    return &g->choice.back().algo;
}

cudaError_t
gemm_run(struct gemm_library *g, const struct gemm *x, void *workspace,
         cudaStream_t s)
{
    const cublasLtMatmulAlgo_t *algo = nullptr;
    const void *added = x->d ? x->d : x->c; /* not read with beta 0 */
    const float beta = x->d != nullptr;
    struct task t;
    bool ok = task_make(&t, x);

    if (ok)
        algo = choose(g, x, &t);
    ok = algo != nullptr
         && cublasLtMatmul(g->handle, t.op, &x->alpha, x->b, t.first, x->a,
                           t.second, &beta, added, t.added, x->c, t.out,
                           algo, workspace, GEMM_WORKSPACE, s)
                == CUBLAS_STATUS_SUCCESS;
    task_release(&t);
    return ok ? cudaSuccess : cudaErrorInvalidValue;
}
