/* gemm.cuh - matrix products, all of them.
 *
 * Row major: C[m, n] = alpha * op(A) op(B) + D, op(A) being [m, k] and op(B)
 * [k, n]; ta says that A is stored [k, m], tb that B is stored [n, k]. D is
 * of C's type, may be C itself, or NULL: nothing. A and B are both floats or
 * both bf16, C is a float or, with bf16 operands, bf16; sums are floats. The
 * same shapes give the same bits on one card and version of its library.
 */
#ifndef KERNELS_CUDA_GEMM_CUH
#define KERNELS_CUDA_GEMM_CUH

#include "cuda.cuh"

struct gemm {
    bool ta, tb;
    bool bf16;   /* A and B */
    bool c_bf16; /* C */
    uint32_t m, n, k;
    const void *a, *b, *d;
    void *c;
    uint64_t lda, ldb, ldc, ldd;
    float alpha;
};

/* Opens the library; name says which it is, and its version. */
int gemm_open(struct gemm_library **g, char *name, size_t cap,
              struct err *e);
void gemm_close(struct gemm_library *g);

/* Bytes of workspace that a product may want, 256-byte aligned. */
uint64_t gemm_workspace();

cudaError_t gemm_run(struct gemm_library *g, const struct gemm *x,
                     void *workspace, cudaStream_t s);

#endif
