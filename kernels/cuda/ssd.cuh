/* ssd.cuh - what SSD and its gradient share.
 *
 * A chunk of SSD_CHUNK rows is computed with products of matrices, in the
 * terms of arXiv:2405.21060, section 6: with L the sums of the logarithms of a
 * head's decays in the chunk, and S the state before it,
 *   M[t, s] = C[t] B[s] exp(L[t] - L[s]) delta[s]   for s <= t of a document
 *   y = D x + M x + exp(L) C S,   S' = exp(L[last]) S + B^T (e delta x)
 * where e[s] = exp(L[last] - L[s]), and rows that another document divides from
 * S, or from the last row, have no part in it. L falls, so that no exponential
 * is over 1; it is summed in double and kept as the sum of two floats, so that
 * a difference is as exact as a product of the decays.
 *
 * Products are of squares of 64 rows and columns: the rows of a chunk, at most
 * 64 columns of a head, its tile, and at most 64 numbers of a column's state.
 */
#ifndef KERNELS_CUDA_SSD_CUH
#define KERNELS_CUDA_SSD_CUH

#include "act.cuh"
#include "ops.cuh"
#include "rows.cuh"
#include "square.cuh"
#include "table.cuh"

constexpr uint32_t SSD_SIDE = SSD_CHUNK;
static_assert(square<float>::SIDE == SSD_SIDE
              && square<bf16>::SIDE == SSD_SIDE, "a chunk is a square's rows");

template <class T>
struct ssd {
    mat<T> x, d, bc;
    table a_log, skip, bias;
    struct order order;
    uint32_t heads, groups, state, width; /* width: columns of a head */
    uint32_t chunks;                      /* of a sequence */
    float least, most;
    /* [rows, heads] each: steps, and L, of base 2, in two parts */
    float *delta, *sum, *rest;
};

template <class T>
static inline struct ssd<T>
ssd_of(const struct call *c, char *const steps[3])
{
    const struct op *op = c->op;
    const struct ssd_args *u = &op->u.ssd;
    float *at[3];

    for (int i = 0; i < 3; i++)
        at[i] = reinterpret_cast<float *>(steps[i]);
    return { mat_of<T>(c, &op->x[0]), mat_of<T>(c, &op->x[1]),
             mat_of<T>(c, &op->x[3]), table_of(c, &op->x[2]),
             table_of(c, &op->x[4]), table_of(c, &op->x[5]),
             order_of(c, u->seq_len, u->cached != 0), u->heads, u->groups,
             u->state, op->x[0].cols / u->heads,
             blocks_of(u->seq_len, SSD_SIDE), u->least, u->most, at[0],
             at[1], at[2] };
}

/* What a head's row gets: of dM M, summed over what it sees and, but for
 * delta, over what sees it; of C (dy S^T) and B (x R^T); dy x. Of a head and a
 * chunk: S R, and what A_log, D and the bias get. */
struct ssd_sums {
    float *rows, *cols, *c, *b, *skip, *states, *parts;
};

/* ssd_steps.cu: fills in steps and their sums; from what L and D get, the
 * gradients of d, A_log, D and the bias. */
template <class T>
void put_ssd_steps(struct call *c, const struct ssd<T> &f);
template <class T>
void put_ssd_steps_bwd(struct call *c, const struct ssd<T> &f,
                       struct ssd_sums of);

/* What the step of row i is made from. */
template <class T>
__device__ __forceinline__ float
step_input(const struct ssd<T> &f, uint32_t i, uint32_t head)
{
    return get(f.d.row(i) + head) + table_at(f.bias, 0, head);
}

template <class T>
__device__ __forceinline__ float
step_of(const struct ssd<T> &f, uint32_t i, uint32_t head)
{
    return fminf(fmaxf(softplus(step_input(f, i, head)), f.least), f.most);
}

template <class T>
__device__ __forceinline__ float
decay_of(const struct ssd<T> &f, uint32_t head)
{
    return -expf(table_at(f.a_log, 0, head));
}

/* The logarithm, of base 2, of what a step multiplies a state by. A state
 * that fades by 2^-1e4 is 0. */
__device__ __forceinline__ double
fade_log(float delta, float a)
{
    return fmax((double)delta * (double)a * 1.4426950408889634, -1e4);
}

/* Rows [from, from + n), the k'th chunk of sequence q. Of a row t is its place
 * in the chunk. */
struct chunk_rows {
    uint32_t q, k, from, n;

    template <class T>
    __device__ __forceinline__ chunk_rows(const struct ssd<T> &f, uint32_t at)
    {
        uint32_t all = f.order.seq;

        q = at / f.chunks;
        k = at % f.chunks;
        from = q * all + k * SSD_SIDE;
        n = min(min(SSD_SIDE, (q + 1) * all - from), f.order.rows - from);
    }

    /* The first row of the chunk that row t sees. */
    template <class T>
    __device__ __forceinline__ uint32_t
    first(const struct ssd<T> &f, uint32_t t) const
    {
        uint32_t first = f.order.first(from + t);

        return first > from ? first - from : 0;
    }

    /* Whether row t sees the state before the chunk. */
    template <class T>
    __device__ __forceinline__ bool
    carried(const struct ssd<T> &f, uint32_t t) const
    {
        return f.order.first(from + t) < from;
    }

    /* So many columns of all rows. */
    template <class T>
    __device__ __forceinline__ patch<T>
    part(const mat<T> &m, uint32_t col, uint32_t cols) const
    {
        const T *p = m.row(from) + col;
        bool wide = reinterpret_cast<uintptr_t>(p) % 16 == 0
                    && m.ld % WIDE<T> == 0 && cols % WIDE<T> == 0;

        return { p, n, cols, m.ld, wide };
    }
};

/* What a chunk's rows have of a head's steps, in shared memory. Rows behind
 * the last have none, and see nothing. */
struct rates {
    float sum[SSD_SIDE], rest[SSD_SIDE], delta[SSD_SIDE];
    float carry[SSD_SIDE];  /* exp(L); 0: it does not see S */
    float weight[SSD_SIDE]; /* e delta; 0: the last row does not see it */
    uint32_t first[SSD_SIDE];
    float fade;              /* of S; 0: it does not reach the last row */

    /* exp(L[t] - L[s]) of those that see each other, or else 0. */
    __device__ __forceinline__ float between(uint32_t t, uint32_t s) const
    {
        return s <= t && s >= first[t]
               ? power_of_2((sum[t] - sum[s]) + (rest[t] - rest[s])) : 0;
    }
};

/* All threads of a block; they are there after a barrier. */
template <class T>
static __device__ __forceinline__ void
fill_rates(struct rates &o, const struct ssd<T> &f,
           const struct chunk_rows &rows, uint32_t head)
{
    uint32_t t = threadIdx.x, last = rows.n - 1;
    size_t at = (size_t)(rows.from + t) * f.heads + head;
    size_t end = (size_t)(rows.from + last) * f.heads + head;

    if (t >= SSD_SIDE)
        return;
    o.sum[t] = o.rest[t] = o.delta[t] = o.carry[t] = o.weight[t] = 0;
    o.first[t] = SSD_SIDE;
    if (t >= rows.n)
        return;
    o.sum[t] = f.sum[at];
    o.rest[t] = f.rest[at];
    o.delta[t] = f.delta[at];
    o.first[t] = rows.first(f, t);
    if (rows.carried(f, t))
        o.carry[t] = power_of_2(f.sum[at]);
    if (t >= rows.first(f, last))
        o.weight[t] = f.delta[at] * power_of_2((f.sum[end] - f.sum[at])
                                               + (f.rest[end] - f.rest[at]));
    if (t == last)
        o.fade = o.carry[t];
}

/* A tile of a head's columns. */
struct head_tile {
    uint32_t head, col, cols; /* col: the first, of all heads' */
    uint32_t b, c;            /* columns of B and C */

    template <class T>
    __device__ __forceinline__
    head_tile(const struct ssd<T> &f, uint32_t h, uint32_t tile)
    {
        uint32_t at = tile * SSD_SIDE;

        head = h;
        col = h * f.width + at;
        cols = min(SSD_SIDE, f.width - at);
        b = h / (f.heads / f.groups) * f.state;
        c = b + f.groups * f.state;
    }
};

template <class T>
__host__ __device__ __forceinline__ uint32_t
tiles_of(const struct ssd<T> &f)
{
    return (f.width + SSD_SIDE - 1) / SSD_SIDE;
}

/* Some numbers of a tile's state, from number `at` on, as a square of rows of
 * numbers; states: a row of them. */
template <class T>
static __device__ __forceinline__ void
load_state(T *to, const struct ssd<T> &f, const float *states,
           const struct head_tile &tile, uint32_t at)
{
    typedef square<T> E;
    size_t cols = (size_t)f.heads * f.width;

    states += at * cols + tile.col;
    UNROLL
    for (unsigned k = threadIdx.x; k < E::SIDE * E::SIDE; k += E::THREADS) {
        unsigned r = k / E::SIDE, c = k % E::SIDE;
        bool there = at + r < f.state && c < tile.cols;

        set(to + r * E::LD + c, there ? states[r * cols + c] : 0);
    }
}

#endif
