/* gemm.c - single-threaded matrix products through OpenBLAS and oneDNN.
 *
 * Debian's OpenBLAS takes Zen 4 and 5 for Haswell and loses half, so its
 * core type is named where CPUID shows AVX-512, and only there: a wrong name
 * dies by SIGILL. oneDNN would start OpenMP threads of its own, so the
 * calling thread's OpenMP team is held to one.
 *
 * Which library gets a product was measured on Zen 4. With two threads at
 * once, oneDNN is ahead on 512 x 256 x 768 (214 against 185 GFLOP/s), 128 x
 * 128 x 768 (227 : 191) and the adapters' shapes (h: 216 : 159, dB: 227 :
 * 171). OpenBLAS has kernels that don't pack for products of up to 10^6
 * multiply-adds; unless b is transposed they reach the peak (one thread, 64
 * x 192 x 64: 114 of 114; oneDNN 90). Restricted to AVX2, large products are
 * equal and oneDNN keeps the narrow ones, so one table serves.
 */
#include "kernels/cpu/gemm.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };

/* Classes by multiply-adds; the first whose limit is not below counts. */
struct shape_class {
    double most;
    enum gemm_lib plain, b_transposed;
};

static const struct shape_class classes[] = {
    { 64.0 * 64 * 64, GEMM_OPENBLAS, GEMM_OPENBLAS },
    { GEMM_SMALL, GEMM_OPENBLAS, GEMM_ONEDNN },
    { 1e300, GEMM_ONEDNN, GEMM_ONEDNN },
};

/* A library that is not there is none; one that is and can't be loaded is an
 * error. The loader says "failed to map segment" without a reason where that
 * is memory. */
static int
check_loader(const char *text, struct err *e)
{
    static const char unmapped[] = "failed to map segment from shared object";
    const char *at = strstr(text, unmapped);

    if (strstr(text, strerror(ENOENT)) != NULL)
        return 0;
    if ((at != NULL && at[sizeof(unmapped) - 1] == '\0')
        || strstr(text, strerror(ENOMEM)) != NULL)
        return err_set(e, ERR_LIMIT, "no memory for a library of matrix "
                       "products (%s)", text);
    return err_set(e, ERR_IO, "%s", text);
}

/* The first of the names that opens in *handle, with the symbol in *sym; NULL
 * when none is there. It stays in memory to the end: its threads may run on
 * after the last product. */
static int
open_first(void **handle, const char *const *names, const char *symbol,
           void **sym, struct err *e)
{
    for (*handle = NULL; *names; names++) {
        void *h = dlopen(*names,
                         RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

        if (h == NULL && check_loader(dlerror(), e) < 0)
            return e->code;
        if (h == NULL)
            continue;
        *sym = dlsym(h, symbol);
        if (*sym) {
            *handle = h;
            return 0;
        }
        dlclose(h);
    }
    return 0;
}

/* Whether so much can be mapped, besides what is. */
static int
check_reserve(uint64_t bytes, struct err *e)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return err_set(e, ERR_LIMIT, "no memory for matrix products: they "
                       "map %llu MiB of address space",
                       (unsigned long long)(bytes >> 20));
    munmap(p, bytes);
    return 0;
}

int
gemm_open(struct gemm *g, bool avx512, int threads, struct err *e)
{
    static const char *const blas[] = {
        "libopenblas.so.0", "libopenblas.so", NULL
    };
    static const char *const dnnl[] = {
        "libdnnl.so.2", "libdnnl.so.3", NULL
    };
    void *sym;
    int rc;

    memset(g, 0, sizeof(*g));
    if (setenv("OPENBLAS_NUM_THREADS", "1", 1) != 0
        || (avx512 && setenv("OPENBLAS_CORETYPE", "SkylakeX", 1) != 0))
        return err_errno(e, ERR_IO, "environment");
    rc = open_first(&g->blas, blas, "cblas_sgemm", &sym, e);
    if (rc == 0 && g->blas)
        memcpy(&g->blas_sgemm, &sym, sizeof(sym));
    if (rc == 0)
        rc = open_first(&g->dnnl, dnnl, "dnnl_sgemm", &sym, e);
    if (rc == 0 && g->dnnl) {
        memcpy(&g->dnnl_sgemm, &sym, sizeof(sym));
        sym = dlsym(g->dnnl, "omp_set_num_threads");
        memcpy(&g->omp_threads, &sym, sizeof(sym));
    }
    if (rc == 0 && g->blas == NULL && g->dnnl == NULL)
        rc = err_set(e, ERR_USAGE, "no library for matrix products "
                     "(install libdnnl2 or libopenblas0-pthread)");
    if (rc == 0)
        rc = check_reserve((uint64_t)threads * GEMM_RESERVE, e);
    if (rc < 0)
        gemm_close(g);
    return rc;
}

void
gemm_close(struct gemm *g)
{
    if (g->blas)
        dlclose(g->blas);
    if (g->dnnl)
        dlclose(g->dnnl);
    memset(g, 0, sizeof(*g));
}

/* The second word of "OpenBLAS 0.3.21 ..." and the core type. */
static size_t
describe_blas(void *handle, char *out, size_t n)
{
    char *(*config)(void), *(*core)(void), *word, version[32] = "";
    void *c = dlsym(handle, "openblas_get_config");
    void *d = dlsym(handle, "openblas_get_corename");

    if (c == NULL || d == NULL)
        return (size_t)snprintf(out, n, "blas");
    memcpy(&config, &c, sizeof(config));
    memcpy(&core, &d, sizeof(core));
    word = strchr(config(), ' ');
    if (word != NULL)
        snprintf(version, sizeof(version), "%.*s",
                 (int)strcspn(word + 1, " "), word + 1);
    return (size_t)snprintf(out, n, "openblas %s %s", version, core());
}

void
gemm_describe(const struct gemm *g, char *out, size_t n)
{
    struct version {
        int major, minor, patch;
    };
    const struct version *(*version)(void);
    void *sym = g->dnnl ? dlsym(g->dnnl, "dnnl_version") : NULL;
    size_t at = 0;

    *out = '\0';
    if (g->blas)
        at = describe_blas(g->blas, out, n);
    if (sym == NULL || at >= n)
        return;
    memcpy(&version, &sym, sizeof(version));
    snprintf(out + at, n - at, "%sonednn %d.%d.%d", at ? ", " : "",
             version()->major, version()->minor, version()->patch);
}

/* The library that a product of this shape is given. */
static enum gemm_lib
choose(const struct gemm *g, const struct product *p)
{
    double size = (double)p->m * (double)p->n * (double)p->k;
    const struct shape_class *c = classes;

    if (g->dnnl == NULL)
        return GEMM_OPENBLAS;
    if (g->blas == NULL)
        return GEMM_ONEDNN;
    while (size > c->most)
        c++;
    return p->tb ? c->b_transposed : c->plain;
}

bool
gemm_with(const struct gemm *g, enum gemm_lib lib, const struct product *p)
{
    if (lib == GEMM_OPENBLAS && g->blas) {
        g->blas_sgemm(ROW_MAJOR, p->ta ? TRANS : NO_TRANS,
                      p->tb ? TRANS : NO_TRANS, (int)p->m, (int)p->n,
                      (int)p->k, p->alpha, p->a, (int)p->lda, p->b,
                      (int)p->ldb, p->beta, p->c, (int)p->ldc);
        return true;
    }
    if (lib == GEMM_ONEDNN && g->dnnl) {
        if (g->omp_threads)
            g->omp_threads(1);
        if (g->dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N',
                          (int64_t)p->m, (int64_t)p->n, (int64_t)p->k,
                          p->alpha, p->a, (int64_t)p->lda, p->b,
                          (int64_t)p->ldb, p->beta, p->c,
                          (int64_t)p->ldc) != 0)
            mem_out(p->m * p->k * sizeof(*p->c)); /* c was not computed */
        return true;
    }
    return false;
}

void
gemm_f32(const struct gemm *g, const struct product *p)
{
    if (p->m == 0 || p->n == 0)
        return;
    gemm_with(g, choose(g, p), p);
}
