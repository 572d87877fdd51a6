/* par.c - par_for over OpenMP; the only file that knows about it. */
#include "base/par.h"

#include <omp.h>

#define MAX_THREADS 1024

static int n_threads; /* 0: not set */

void
par_set_threads(int n)
{
    n_threads = n < 0 ? 0 : n > MAX_THREADS ? MAX_THREADS : n;
}

int
par_threads(void)
{
    return n_threads > 0 ? n_threads : omp_get_num_procs();
}

void
par_for(size_t n, void (*fn)(void *ctx, size_t i, int worker), void *ctx)
{
    int workers = par_threads();
    size_t i;

    if (n <= 1 || workers == 1) {
        for (i = 0; i < n; i++)
            fn(ctx, i, 0);
        return;
    }
#pragma omp parallel for schedule(dynamic) num_threads(workers)
    for (i = 0; i < n; i++)
        fn(ctx, i, omp_get_thread_num());
}
