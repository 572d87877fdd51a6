/* gemm.h - single-threaded matrix products: the only caller of libraries,
 * but for svd.c, which asks the same OpenBLAS for its LAPACK.
 *
 * OpenBLAS and oneDNN are opened at run time, because OpenBLAS fixes its
 * kernels in its constructor and must find its settings in the environment
 * by then. Each product runs on the calling thread alone, so its bits depend
 * on its shape and strides, never on the number of threads.
 */
#ifndef KERNELS_CPU_GEMM_H
#define KERNELS_CPU_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gemm {
    void *blas, *dnnl; /* handles of dlopen, NULL when not there */
    void (*blas_sgemm)(int order, int ta, int tb, int m, int n, int k,
                       float alpha, const float *a, int lda, const float *b,
                       int ldb, float beta, float *c, int ldc);
    int (*dnnl_sgemm)(char ta, char tb, int64_t m, int64_t n, int64_t k,
                      float alpha, const float *a, int64_t lda,
                      const float *b, int64_t ldb, float beta, float *c,
                      int64_t ldc);
    void (*omp_threads)(int n); /* of oneDNN's OpenMP, this thread's team */
};

/* Address space that a thread's products take: OpenBLAS maps 128 MiB, of
 * which little becomes resident, and a stack is 8. */
#define GEMM_RESERVE ((uint64_t)136 << 20)

enum gemm_lib { GEMM_OPENBLAS, GEMM_ONEDNN };

/* Products of up to so many multiply-adds with b not transposed run at full
 * speed, unpacked. */
enum { GEMM_SMALL = 1000000 };

/* Opens what is installed; avx512: CPUID shows it. Sets OPENBLAS_* in the
 * environment, so it has to run before other threads do. ERR_USAGE naming
 * the packages when neither library is there; ERR_LIMIT when there is no
 * memory to load one that is, or for the buffers of so many threads (OpenBLAS
 * would wait for ever for its own): the other alone would give other bits. */
int gemm_open(struct gemm *g, bool avx512, int threads,
              struct err *e);
void gemm_close(struct gemm *g);

/* The libraries and their versions, as "openblas 0.3.21 SkylakeX, onednn
 * 2.6.3", into out[n]. */
void gemm_describe(const struct gemm *g, char *out, size_t n);

/* c[m,n] = alpha * op(a) op(b) + beta * c, row major; op(a) is [m,k] and
 * transposed when ta, op(b) [k,n] and transposed when tb; ld* count floats
 * between rows as stored. With beta 0, c is not read. */
struct product {
    bool ta, tb;
    size_t m, n, k;
    const float *a, *b;
    size_t lda, ldb, ldc;
    float alpha, beta;
    float *c;
};

void gemm_f32(const struct gemm *g, const struct product *p);

/* As gemm_f32 on the library named, for measuring one against the other;
 * false when it is not there. */
bool gemm_with(const struct gemm *g, enum gemm_lib lib,
               const struct product *p);

#endif
