/* scan.cuh - what SCAN and its gradient share.
 *
 * A block has some columns and a chunk of SCAN_CHUNK rows of a sequence, its
 * span. Of each column S numbers of the state are a thread's, in registers,
 * and `lanes` threads that follow on each other have all of them; with A and B
 * and C of 0, numbers that fill up the last of these stay 0. B and C of a few
 * rows at a time lie in shared memory, as floats.
 *
 * Chunks run beside each other: one pass finds what each makes of a state of
 * 0, and the sum of its steps, by which a state that goes through it fades; a
 * second goes from chunk to chunk; then rows are computed with the states that
 * are known.
 */
#ifndef KERNELS_CUDA_SCAN_CUH
#define KERNELS_CUDA_SCAN_CUH

#include "act.cuh"
#include "ptx.cuh"
#include "reduce.cuh"
#include "rows.cuh"
#include "table.cuh"

/* In place of the sum of a chunk's steps: a document begins in it. */
#define DIVIDED (-1.0f)

template <class T>
struct scan {
    mat<T> u, d, bc;
    table a_log, skip;
    struct order order;
    uint32_t cols, state, lanes, chunks;
};

/* Of S numbers a thread. */
template <class T>
static inline struct scan<T>
scan_of(const struct call *c, unsigned numbers)
{
    const struct op *op = c->op;
    uint32_t state = op->u.scan.state, seq = op->u.scan.seq_len, lanes = 1;

    while (lanes * numbers < state)
        lanes *= 2;
    return { mat_of<T>(c, &op->x[0]), mat_of<T>(c, &op->x[1]),
             mat_of<T>(c, &op->x[3]), table_of(c, &op->x[2]),
             table_of(c, &op->x[4]),
             order_of(c, seq, op->u.scan.cached != 0), op->x[0].cols, state,
             lanes, blocks_of(seq, SCAN_CHUNK) };
}

template <class T>
static inline uint32_t
sequences_of(const struct scan<T> &f)
{
    return f.order.rows / f.order.seq;
}

__device__ __forceinline__ float
decay_of(const table &a_log, uint32_t c, uint32_t s)
{
    return -expf(table_at(a_log, c, s));
}

/* What a state is multiplied by in steps that sum up to delta. */
__device__ __forceinline__ float
fade_of(float delta, float a)
{
    return power_of_2(delta * a * 1.4426950408889634f);
}

/* Rows [from, end) of sequence q: all that hold tokens when decoding, or else
 * the k'th chunk. */
struct span {
    uint32_t q, k, from, end;

    template <class T>
    __device__ __forceinline__ span(const struct scan<T> &f, uint32_t at)
    {
        uint32_t each = f.order.cached ? f.order.seq : SCAN_CHUNK;

        q = f.order.cached ? at : at / f.chunks;
        k = f.order.cached ? 0 : at % f.chunks;
        from = q * f.order.seq + k * each;
        end = min(from + each, q * f.order.seq + f.order.length(q));
    }
};

/* A thread's numbers of a column, the first of them at number `first`. */
template <unsigned S>
struct column {
    uint32_t c, first, state;
    bool there; /* else it is behind the last column */
    float a[S];

    template <class T>
    __device__ __forceinline__ column(const struct scan<T> &f, uint32_t c0)
    {
        c = c0 + threadIdx.x / f.lanes;
        first = threadIdx.x % f.lanes * S;
        state = f.state;
        there = c < f.cols;
        UNROLL
        for (unsigned s = 0; s < S; s++)
            a[s] = has(s) ? decay_of(f.a_log, c, first + s) : 0;
    }

    __device__ __forceinline__ bool has(unsigned s) const
    {
        return there && first + s < state;
    }

    /* The column's numbers of a row of states. */
    __device__ __forceinline__ void
    get_state(float (&h)[S], const float *row, uint32_t cols) const
    {
        UNROLL
        for (unsigned s = 0; s < S; s++)
            h[s] = has(s) ? row[(size_t)(first + s) * cols + c] : 0;
    }

    __device__ __forceinline__ void
    put_state(float *row, const float (&h)[S], uint32_t cols) const
    {
        UNROLL
        for (unsigned s = 0; s < S; s++)
            if (has(s))
                row[(size_t)(first + s) * cols + c] = h[s];
    }

    /* Element (i, c), 0 behind the last column. */
    template <class T>
    __device__ __forceinline__ float at(const mat<T> &m, uint32_t i) const
    {
        return there ? get(m.row(i) + c) : 0;
    }
};

/* Over the threads of a column. */
__device__ __forceinline__ float
column_sum(float x, uint32_t lanes)
{
    for (uint32_t with = lanes / 2; with > 0; with /= 2)
        x += __shfl_xor_sync(ALL_LANES, x, (int)with);
    return x;
}

/* B and C of n rows, `wide` floats each: row r's B is at to + 2 r wide. */
template <class T>
__device__ __forceinline__ void
stage(float *to, const struct scan<T> &f, uint32_t row, uint32_t n,
      uint32_t wide)
{
    __syncthreads(); /* what was there is read */
    for (uint32_t k = threadIdx.x; k < n * 2 * wide; k += blockDim.x) {
        uint32_t s = k % wide, both = k / wide;

        to[k] = s < f.state ? get(f.bc.row(row + both / 2)
                                  + both % 2 * f.state + s) : 0;
    }
    __syncthreads();
}

/* Of (parts of) a row of B or C. */
template <unsigned S>
__device__ __forceinline__ void
get_staged(float (&x)[S], const float *p)
{
    UNROLL
    for (unsigned s = 0; s < S; s += 4) {
        float4 v = *reinterpret_cast<const float4 *>(p + s);

        x[s] = v.x;
        x[s + 1] = v.y;
        x[s + 2] = v.z;
        x[s + 3] = v.w;
    }
}

#endif
