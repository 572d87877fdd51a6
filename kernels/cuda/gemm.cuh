/* gemm.cuh - matrix products, all of them.
 *
 * Row major: C[m, n] = alpha * op(A) op(B) + beta * D + bias, op(A) being
 * [m, k] and op(B) [k, n]; ta says that A is stored [k, m], tb that B is stored
 * [n, k].
 * D is of C's type, may be C itself, or NULL: nothing; bias[n], of C's type,
 * is added to every row. A and B are both floats or both bf16, C is a float
 * or, with bf16 operands, bf16; sums are floats. The same shapes give the same
 * bits on one card and version of its library.
 */
#ifndef KERNELS_CUDA_GEMM_CUH
#define KERNELS_CUDA_GEMM_CUH

#include <cstring>

#include "cuda.cuh"

struct gemm {
    bool ta, tb;
    bool bf16;   /* A and B */
    bool c_bf16; /* C */
    uint32_t m, n, k;
    const void *a, *b, *d, *bias; /* d and bias may be NULL */
    void *c;
    uint64_t lda, ldb, ldc, ldd;
    float alpha, beta;
};

/* Opens the library; name says which it is, and its version. */
int gemm_open(struct gemm_library **g, char *name, size_t cap,
              struct err *e);
void gemm_close(struct gemm_library *g);

/* Bytes of workspace that a product may want, 256-byte aligned. */
uint64_t gemm_workspace();

/* What the library's kernels read a bias by: its heuristic takes no notice. */
#define GEMM_BIAS_ALIGN 16

/* Chooses the algorithm of a product, and keeps it for all of its shape. A new
 * shape is not for when a stream captures: the library asks the driver then
 * what it may not. cudaErrorNotSupported: it has none. */
cudaError_t gemm_choose(struct gemm_library *g, const struct gemm *x);

/* Puts a product on the stream; cudaErrorNotSupported when none was chosen
 * for its shape. */
cudaError_t gemm_run(struct gemm_library *g, const struct gemm *x,
                     void *workspace, cudaStream_t s);

/* All that the choice depends on; compared as bytes. */
struct gemm_shape {
    uint64_t lda, ldb, ldc, ldd;
    uint32_t m, n, k;
    uint32_t align[5]; /* of A, B, C, D, bias, in bytes: at most 256 */
    uint8_t ta, tb, bf16, c_bf16, adds, biased;
};

static inline uint32_t
alignment_of(const void *p)
{
    uint32_t a = 256;

    while (reinterpret_cast<uintptr_t>(p) % a != 0)
        a /= 2;
    return a;
}

static inline struct gemm_shape
gemm_shape_of(const struct gemm *x)
{
    struct gemm_shape s;

    memset(&s, 0, sizeof(s));
    s.lda = x->lda;
    s.ldb = x->ldb;
    s.ldc = x->ldc;
    s.ldd = x->ldd;
    s.m = x->m;
    s.n = x->n;
    s.k = x->k;
    s.align[0] = alignment_of(x->a);
    s.align[1] = alignment_of(x->b);
    s.align[2] = alignment_of(x->c);
    s.align[3] = alignment_of(x->d ? x->d : x->c);
    s.align[4] = alignment_of(x->bias);
    s.ta = x->ta;
    s.tb = x->tb;
    s.bf16 = x->bf16;
    s.c_bf16 = x->c_bf16;
    s.adds = x->d != nullptr;
    s.biased = x->bias != nullptr;
    return s;
}

#endif
