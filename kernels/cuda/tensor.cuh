/* tensor.cuh - what LINEAR and HEAD do to matrices beside products. */
#ifndef KERNELS_CUDA_TENSOR_CUH
#define KERNELS_CUDA_TENSOR_CUH

#include "gemm.cuh"
#include "view.cuh"

/* A stored matrix as an operand: itself, or widened (narrowed) into space. */
template <class T>
mat<T> as_operand(struct call *c, const struct view *v, void *space);

/* to = a stored matrix of its size. */
template <class T>
void put_widened(struct call *c, mat<T> to, const struct view *v);

/* A bias as a row of T: itself, or converted into space; NULL for none. */
template <class T>
const T *as_bias(struct call *c, const struct view *v, void *space);

/* to (+)= drop(x) of the module at site: see kernels/ops.h. */
template <class T>
void put_drop(struct call *c, mat<T> to, mat<T> x, const struct part *p,
              bool add);

/* y = d + residual + bias for all rows of y; what is absent counts as zero,
 * and d may be y itself. */
template <class T>
void put_start(struct call *c, mat<T> y, mat<T> d, mat<T> residual,
               const T *bias);

/* to (+)= the sum of so many parts, each of to's rows and columns, one behind
 * the other, in order. */
template <class T>
void put_parts_sum(struct call *c, mat<T> to, const float *part,
                   unsigned parts, bool add);

/* to[col] += sum of x's column: of SUM_GROUP rows each into space, which has
 * as many floats as these are, then of those. */
template <class T>
void put_column_sums(struct call *c, float *to, mat<T> x, void *space);

/* part[0 .. SQNORM_PARTS), which are sums of all squares of x. */
void put_squares(struct call *c, double *part, mat<float> x);

/* Whether the library adds x's bias. */
static inline bool
adds_bias(struct call *c, const struct gemm *x)
{
    return alignment_of(x->bias) >= GEMM_BIAS_ALIGN
           && gemm_choose(c->card->gemm, x) == cudaSuccess;
}

/* C = alpha op(A) op(B) + added, with matrices of T and a product of C's
 * shape. */
template <class T, class C>
static inline struct gemm
product_of(mat<C> out, mat<C> added, float alpha, mat<T> a, bool ta, mat<T> b,
           bool tb)
{
    struct gemm x = {};

    x.ta = ta;
    x.tb = tb;
    x.bf16 = sizeof(T) == 2;
    x.c_bf16 = sizeof(C) == 2;
    x.m = out.rows;
    x.n = out.cols;
    x.k = ta ? a.rows : a.cols;
    x.a = a.p;
    x.b = b.p;
    x.c = out.p;
    x.d = added.p;
    x.lda = a.ld;
    x.ldb = b.ld;
    x.ldc = out.ld;
    x.ldd = added.ld;
    x.alpha = alpha;
    x.beta = 1;
    return x;
}

/* Onto the call's stream; or, where it chooses, the algorithm. */
static inline void
put_product(struct call *c, const struct gemm *x, void *workspace)
{
    cudaError_t rc = c->choosing ? gemm_choose(c->card->gemm, x)
                                 : gemm_run(c->card->gemm, x, workspace,
                                            c->card->stream);

    if (c->error == cudaSuccess)
        c->error = rc;
}

/* The product with a bias on the call's stream. */
template <class T, class C>
static inline void
multiply(struct call *c, mat<C> out, mat<C> added, float alpha, mat<T> a,
         bool ta, mat<T> b, bool tb, void *workspace,
         const C *bias = nullptr)
{
    struct gemm x = product_of(out, added, alpha, a, ta, b, tb);

    x.bias = bias;
    if (bias != nullptr && !adds_bias(c, &x)) {
        put_start(c, out, added, mat<C>(), bias);
        x.bias = nullptr;
        x.d = out.p;
        x.ldd = out.ld;
    }
    put_product(c, &x, workspace);
}

template <class T>
static inline mat<T>
columns(mat<T> m, uint32_t col, uint32_t n)
{
    if (m.p != nullptr)
        m.p += col;
    m.cols = n;
    return m;
}

template <class T>
static inline mat<T>
row_range(mat<T> m, uint32_t row, uint32_t n)
{
    if (m.p != nullptr)
        m.p += (size_t)row * m.ld;
    m.rows = n;
    return m;
}

/* A matrix in scratch, its rows one after the other. */
template <class T>
static inline mat<T>
packed(void *space, uint32_t rows, uint32_t cols)
{
    return { static_cast<T *>(space), rows, cols, cols };
}

template <class T>
static inline mat<T>
none()
{
    return { nullptr, 0, 0, 0 };
}

#endif
