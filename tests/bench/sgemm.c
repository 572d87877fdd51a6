/* sgemm.c - the machine's peak in float matrix products.
 *
 *     sgemm [THREADS]
 *
 * Prints the best rate of each matrix library with one product of 768 x 768
 * x 768 per thread at a time, and the better of them as the last line:
 * "peak GFLOPS". The rate of several rounds is taken at its best, since
 * anything else that runs can only lower it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/par.h"
#include "kernels/cpu/gemm.h"
#include "rounds.h"

enum { SIZE = 768, REPEAT = 24, ROUNDS = 12 };

struct bench {
    struct gemm gemm;
    enum gemm_lib lib;
    float **data; /* a, b, c of each thread, one after the other */
};

static void
item(void *ctx, size_t i, int worker)
{
    const struct bench *b = ctx;
    float *a = b->data[i];
    struct product p = {
        .m = SIZE, .n = SIZE, .k = SIZE, .alpha = 1.0f, .lda = SIZE,
        .ldb = SIZE, .ldc = SIZE, .a = a, .b = a + (size_t)SIZE * SIZE,
        .c = a + (size_t)2 * SIZE * SIZE
    };
    int r;

    (void)worker;
    for (r = 0; r < REPEAT; r++)
        gemm_with(&b->gemm, b->lib, &p);
}

/* GFLOP/s of the library over all threads; 0 when it is not there. */
static double
rate(struct bench *b, enum gemm_lib lib)
{
    double flops = 2.0 * SIZE * SIZE * SIZE * REPEAT * par_threads();
    double best = 0;
    int r;

    if ((lib == GEMM_OPENBLAS ? b->gemm.blas : b->gemm.dnnl) == NULL)
        return 0;
    b->lib = lib;
    for (r = 0; r < ROUNDS; r++) {
        double start = clock_now(CLOCK_MONOTONIC), got;

        par_for((size_t)par_threads(), item, b);
        got = flops / (clock_now(CLOCK_MONOTONIC) - start) * 1e-9;
        best = got > best ? got : best;
    }
    return best;
}

int
main(int argc, char **argv)
{
    struct bench b;
    struct err e;
    double blas, dnnl;
    size_t floats = (size_t)3 * SIZE * SIZE, j;
    int i;

    par_set_threads(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0);
#if defined(__x86_64__)
    if (gemm_open(&b.gemm, __builtin_cpu_supports("avx512f"),
                  par_threads(), &e) < 0) {
#else
    if (gemm_open(&b.gemm, false, par_threads(), &e) < 0) {
#endif
        fprintf(stderr, "sgemm: %s\n", e.text);
        return 1;
    }
    b.data = mem_array((size_t)par_threads(), sizeof(*b.data));
    for (i = 0; i < par_threads(); i++) {
        b.data[i] = mem_try(floats * sizeof(float));
        for (j = 0; b.data[i] && j < floats; j++)
            b.data[i][j] = (float)(j % 17) * 0.01f;
    }
    blas = rate(&b, GEMM_OPENBLAS);
    dnnl = rate(&b, GEMM_ONEDNN);
    printf("openblas %.1f\nonednn %.1f\npeak %.1f\n", blas, dnnl,
           blas > dnnl ? blas : dnnl);
    for (i = 0; i < par_threads(); i++)
        free(b.data[i]);
    free(b.data);
    gemm_close(&b.gemm);
    return 0;
}
