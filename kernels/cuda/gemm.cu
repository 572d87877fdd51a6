/* gemm.cu - products by cuBLASLt: the one place that calls it.
 *
 * The algorithm of a shape is chosen when a program is prepared, by the
 * library's own rule and never by a clock, and kept: a rerun on the same card
 * and version has the same bits. Algorithms that add up in an order of their
 * own (in place, through atomics) are not asked for.
 */
#include "gemm.cuh"

#include <cublasLt.h>
#include <cstdio>
#include <new>
#include <vector>

#define CANDIDATES 8

struct choice {
    struct gemm_shape shape;
    bool found;
    cublasLtMatmulAlgo_t algo;
};

struct gemm_library {
    cublasLtHandle_t handle;
    std::vector<struct choice> choice;
};

/* A product's descriptors, in the library's terms: column major, so that it
 * computes C^T[n, m] = op(B)^T op(A)^T. What is added in place has the one
 * layout with the result, as the library wants it. */
struct task {
    cublasLtMatmulDesc_t op;
    cublasLtMatrixLayout_t first, second, out;
    cublasLtMatrixLayout_t apart; /* of D where it is not C's own place */
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

static cudaDataType_t
type_of(bool bf16)
{
    return bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

static void
task_release(struct task *t)
{
    if (t->apart != nullptr)
        cublasLtMatrixLayoutDestroy(t->apart);
    if (t->out != nullptr)
        cublasLtMatrixLayoutDestroy(t->out);
    if (t->second != nullptr)
        cublasLtMatrixLayoutDestroy(t->second);
    if (t->first != nullptr)
        cublasLtMatrixLayoutDestroy(t->first);
    if (t->op != nullptr)
        cublasLtMatmulDescDestroy(t->op);
}

/* The bias runs along the library's rows, and is of the result's type. */
static bool
set_bias(cublasLtMatmulDesc_t op, const void *bias)
{
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;

    return bias == nullptr
           || (cublasLtMatmulDescSetAttribute(op,
                                              CUBLASLT_MATMUL_DESC_EPILOGUE,
                                              &epilogue, sizeof(epilogue))
                   == CUBLAS_STATUS_SUCCESS
               && cublasLtMatmulDescSetAttribute(
                      op, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                      sizeof(bias))
                      == CUBLAS_STATUS_SUCCESS);
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
           && set_bias(t->op, x->bias)
           && cublasLtMatrixLayoutCreate(&t->first, type_of(x->bf16),
                                         x->tb ? x->k : x->n,
                                         x->tb ? x->n : x->k, x->ldb)
                  == CUBLAS_STATUS_SUCCESS
           && cublasLtMatrixLayoutCreate(&t->second, type_of(x->bf16),
                                         x->ta ? x->m : x->k,
                                         x->ta ? x->k : x->m, x->lda)
                  == CUBLAS_STATUS_SUCCESS
           && cublasLtMatrixLayoutCreate(&t->out, type_of(x->c_bf16), x->n,
                                         x->m, x->ldc)
                  == CUBLAS_STATUS_SUCCESS
           && (x->d == nullptr || x->d == x->c
               || cublasLtMatrixLayoutCreate(&t->apart, type_of(x->c_bf16),
                                             x->n, x->m, x->ldd)
                      == CUBLAS_STATUS_SUCCESS);
}

static cublasLtMatrixLayout_t
added(const struct task *t)
{
    return t->apart ? t->apart : t->out;
}

static bool
set_preference(cublasLtMatmulPreference_t p, const struct gemm_shape *s)
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

/* The first of the library's candidates that holds. */
static bool
ask(struct choice *c, struct gemm_library *g, const struct task *t)
{
    cublasLtMatmulPreference_t p = nullptr;
    cublasLtMatmulHeuristicResult_t found[CANDIDATES];
    int n = 0, i = 0;
    bool ok = cublasLtMatmulPreferenceCreate(&p) == CUBLAS_STATUS_SUCCESS
              && set_preference(p, &c->shape)
              && cublasLtMatmulAlgoGetHeuristic(g->handle, t->op, t->first,
                                                t->second, added(t), t->out,
                                                p, CANDIDATES, found, &n)
                     == CUBLAS_STATUS_SUCCESS;

    if (p != nullptr)
        cublasLtMatmulPreferenceDestroy(p);
    while (ok && i < n && found[i].state != CUBLAS_STATUS_SUCCESS)
        i++;
    if (!ok || i == n)
        return false;
    c->algo = found[i].algo;
    return true;
}

/* NULL for a shape that was not asked for. */
static const struct choice *
choice_of(const struct gemm_library *g, const struct gemm *x)
{
    const struct gemm_shape shape = gemm_shape_of(x);

    for (const struct choice &c : g->choice)
        if (memcmp(&c.shape, &shape, sizeof(shape)) == 0)
            return &c;
    return nullptr;
}

cudaError_t
gemm_choose(struct gemm_library *g, const struct gemm *x)
{
    const struct choice *old = choice_of(g, x);
    struct choice c = { gemm_shape_of(x), false, {} };
    struct task t;

    if (old != nullptr)
        return old->found ? cudaSuccess : cudaErrorNotSupported;
    c.found = task_make(&t, x) && ask(&c, g, &t);
    g->choice.push_back(c);
    task_release(&t);
    return c.found ? cudaSuccess : cudaErrorNotSupported;
}

cudaError_t
gemm_run(struct gemm_library *g, const struct gemm *x, void *workspace,
         cudaStream_t s)
{
    const struct choice *choice = choice_of(g, x);
    const void *d = x->d ? x->d : x->c; /* not read with beta 0 */
    const float beta = x->d ? x->beta : 0;
    struct task t;
    bool ok;

    if (choice == nullptr || !choice->found)
        return cudaErrorNotSupported;
    ok = task_make(&t, x)
         && cublasLtMatmul(g->handle, t.op, &x->alpha, x->b, t.first, x->a,
                           t.second, &beta, d, added(&t), x->c, t.out,
                           &choice->algo, workspace, GEMM_WORKSPACE, s)
                == CUBLAS_STATUS_SUCCESS;
    task_release(&t);
    return ok ? cudaSuccess : cudaErrorInvalidValue;
}
