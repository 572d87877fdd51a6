/* svd.c - the largest singular triplets of a matrix, by LAPACK as OpenBLAS
 * has it, on the calling thread alone.
 *
 * Exactly: sgesdd of all of it, of which the first are kept. Or, with so many
 * iterations of the subspace (Halko, Martinsson and Tropp 2011, algorithms 4.4
 * and 5.1): a random block of rank + OVER vectors is multiplied by the matrix
 * and its transpose in turn, made orthonormal by QR after each, and sgesdd is
 * of what the matrix is within the space that they span.
 *
 * LAPACK has columns where we have rows: to it, x is its transpose.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/cpu/cpu.h"

#define OVER 8

typedef void gesdd(const char *job, const int *m, const int *n, float *a,
                   const int *lda, float *s, float *u, const int *ldu,
                   float *vt, const int *ldvt, float *work, const int *lwork,
                   int *iwork, int *info, size_t job_length);
typedef void geqrf(const int *m, const int *n, float *a, const int *lda,
                   float *tau, float *work, const int *lwork, int *info);
typedef void orgqr(const int *m, const int *n, const int *k, float *a,
                   const int *lda, const float *tau, float *work,
                   const int *lwork, int *info);

struct lapack {
    const struct gemm *gemm;
    gesdd *gesdd;
    geqrf *geqrf;
    orgqr *orgqr;
};

static int
find(struct lapack *l, const struct gemm *g, struct err *e)
{
    void *sym[3] = { NULL };

    l->gemm = g;
    if (g->blas != NULL) {
        sym[0] = dlsym(g->blas, "sgesdd_");
        sym[1] = dlsym(g->blas, "sgeqrf_");
        sym[2] = dlsym(g->blas, "sorgqr_");
    }
    if (sym[0] == NULL || sym[1] == NULL || sym[2] == NULL)
        return err_set(e, ERR_USAGE, "no library for singular values (install "
                       "libopenblas0-pthread)");
    memcpy(&l->gesdd, &sym[0], sizeof(sym[0]));
    memcpy(&l->geqrf, &sym[1], sizeof(sym[1]));
    memcpy(&l->orgqr, &sym[2], sizeof(sym[2]));
    return 0;
}

static int
failed(int info, struct err *e)
{
    return info == 0 ? 0 : err_set(e, ERR_DATA, "its singular values can't be "
                                   "found (LAPACK says %d)", info);
}

/* a[n, m], destroyed, = the sum of s[i] left[:, i] right[i, :] over the k, the
 * lesser of m and n, that there are: right[k, m], left[n, k]. */
static int
decompose(const struct lapack *l, float *a, int m, int n, float *s,
          float *right, float *left, struct err *e)
{
    int k = m < n ? m : n, lwork = -1, info = 0;
    int *iwork = mem_array(8 * (size_t)k, sizeof(*iwork));
    float most = 0, *work;

    l->gesdd("S", &m, &n, a, &m, s, right, &m, left, &k, &most, &lwork,
             iwork, &info, 1);
    if (info == 0) {
        lwork = (int)most + 1;
        work = mem_array((size_t)lwork, sizeof(*work));
        l->gesdd("S", &m, &n, a, &m, s, right, &m, left, &k, work, &lwork,
                 iwork, &info, 1);
        free(work);
    }
    free(iwork);
    return failed(info, e);
}

/* The q rows of y, of m floats each, become orthonormal, q <= m. */
static int
orthonormal(const struct lapack *l, float *y, int q, int m, struct err *e)
{
    int lwork = 64 * q, info = 0;
    float *work = mem_array((size_t)lwork + (size_t)q, sizeof(*work));
    float *tau = work + lwork;

    l->geqrf(&m, &q, y, &m, tau, work, &lwork, &info);
    if (info == 0)
        l->orgqr(&m, &q, &q, y, &m, tau, work, &lwork, &info);
    free(work);
    return failed(info, e);
}

/* c[m, n] = a[m, k] op(b), row major and without gaps. */
static void
multiply(const struct lapack *l, float *c, const float *a, const float *b,
         bool turned, size_t m, size_t n, size_t k)
{
    const struct product p = {
        .tb = turned, .m = m, .n = n, .k = k, .a = a, .lda = k, .b = b,
        .ldb = turned ? k : n, .alpha = 1, .c = c, .ldc = n
    };

    gemm_f32(l->gemm, &p);
}

/* y[q, cols]: an orthonormal basis of what x is most in. */
static int
find_space(const struct lapack *l, const struct principal *p, float *y,
           uint32_t q, struct err *e)
{
    size_t rows = p->rows, cols = p->cols;
    float *z = mem_array((size_t)q * rows, sizeof(*z));
    struct rng rng;
    int rc = 0;

    rng_init(&rng, p->seed, p->site);
    for (size_t i = 0; i < q * rows; i++)
        z[i] = (float)rng_normal(&rng);
    multiply(l, y, z, p->x, false, q, cols, rows);
    rc = orthonormal(l, y, (int)q, (int)cols, e);
    for (uint32_t i = 0; i < p->iterations && rc == 0; i++) {
        multiply(l, z, y, p->x, true, q, rows, cols);
        rc = orthonormal(l, z, (int)q, (int)rows, e);
        if (rc < 0)
            break;
        multiply(l, y, z, p->x, false, q, cols, rows);
        rc = orthonormal(l, y, (int)q, (int)cols, e);
    }
    free(z);
    return rc;
}

/* The first of k triplets. */
static void
keep_first(const struct principal *p, const float *s, const float *right,
           const float *left, size_t k)
{
    size_t r = p->rank;

    memcpy(p->value, s, r * sizeof(*s));
    memcpy(p->right, right, r * p->cols * sizeof(*right));
    for (size_t i = 0; i < p->rows; i++)
        memcpy(p->left + i * r, left + i * k, r * sizeof(*left));
}

static int
exact(const struct lapack *l, const struct principal *p, struct err *e)
{
    size_t rows = p->rows, cols = p->cols, k = rows < cols ? rows : cols;
    float *s = mem_array(k, sizeof(*s));
    float *right = mem_array(k * cols, sizeof(*right));
    float *left = mem_array(k * rows, sizeof(*left));
    int rc = decompose(l, p->x, (int)cols, (int)rows, s, right, left, e);

    if (rc == 0)
        keep_first(p, s, right, left, k);
    free(s);
    free(right);
    free(left);
    return rc;
}

static int
iterated(const struct lapack *l, const struct principal *p, struct err *e)
{
    size_t rows = p->rows, cols = p->cols, q = p->rank + OVER;
    float *s, *right, *left, *y, *b, *in;
    int rc;

    q = min_size(q, min_size(rows, cols));
    s = mem_array(q, sizeof(*s));
    y = mem_array(q * cols, sizeof(*y));
    b = mem_array(q * rows, sizeof(*b));
    in = mem_array(q * q, sizeof(*in));
    left = mem_array(q * rows, sizeof(*left));
    right = mem_array(q * cols, sizeof(*right));
    rc = find_space(l, p, y, (uint32_t)q, e);
    if (rc == 0) {
        multiply(l, b, p->x, y, true, rows, q, cols);
        rc = decompose(l, b, (int)q, (int)rows, s, in, left, e);
    }
    if (rc == 0) {
        multiply(l, right, in, y, false, q, cols, q);
        keep_first(p, s, right, left, q);
    }
    free(s);
    free(y);
    free(b);
    free(in);
    free(left);
    free(right);
    return rc;
}

int
cpu_principal(const struct backend *b, const struct principal *p,
              struct err *e)
{
    const struct cpu *cpu = b->priv;
    struct lapack l;
    int rc = find(&l, &cpu->gemm, e);

    if (rc < 0)
        return rc;
    return p->iterations == 0 ? exact(&l, p, e) : iterated(&l, p, e);
}

/* LAPACK's sgesdd of an n by m matrix with job S: at most 3 k^2 + 4 k for the
 * bidiagonal matrix's triplets, k^2 + 3 k for its own, and a block of 64 a row
 * and column. */
static uint64_t
decompose_floats(uint64_t m, uint64_t n)
{
    uint64_t k = m < n ? m : n;

    return 4 * k * k + 7 * k + 64 * (m + n) + 8 * k;
}

uint64_t
cpu_principal_scratch(const struct principal *p)
{
    uint64_t rows = p->rows, cols = p->cols;
    uint64_t k = rows < cols ? rows : cols, q = (uint64_t)p->rank + OVER;

    if (p->iterations == 0)
        return sizeof(float) * (k + k * (rows + cols)
                                + decompose_floats(cols, rows));
    q = q < k ? q : k;
    return sizeof(float) * (q + 2 * q * (rows + cols) + q * q + q * rows
                            + decompose_floats(q, rows) + 65 * q);
}
