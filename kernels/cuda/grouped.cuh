/* grouped.cuh - products of matrices by one block each, for matrices that are
 * known on the card alone; all others are gemm.cuh's.
 *
 * A block has ROWS rows and COLS columns of op(A) op(B), in registers, and
 * goes through the sum in steps of DEPTH: of both operands a slab is in shared
 * memory while the next one is on its way. As in gemm.cuh ta says that A is
 * stored [k, m], tb that B is stored [n, k]; a slab lies as its operand is
 * stored, its rows a few elements apart, so that threads hit different banks.
 * Each thread has MINE rows of EACH columns: row(i), col(j). There are two
 * such arithmetics with the same names: bf16 operands on tensor cores, floats
 * without.
 */
#ifndef KERNELS_CUDA_GROUPED_CUH
#define KERNELS_CUDA_GROUPED_CUH

#include "piece.cuh"
#include "reduce.cuh"

/* Sums of floats. Each of four warps has 16 STRIPS rows; side by side are one
 * or two of them. For who holds what of a strip see ptx.cuh. */
template <unsigned WIDTH>
struct tensor_block {
    typedef bf16 type;
    static constexpr unsigned ROWS = 64, COLS = WIDTH, DEPTH = 32;
    static constexpr unsigned THREADS = 128, ASIDE = 8;
    static constexpr unsigned BESIDE = WIDTH > 64 ? 2 : 1;
    static constexpr unsigned STRIPS = BESIDE, OWN = WIDTH / BESIDE;
    static constexpr unsigned MINE = 2 * STRIPS, EACH = OWN / 4;
    static constexpr bool PAIRS = true; /* col(j + 1) follows an even j's */

    struct sums {
        float x[STRIPS][OWN / 8][4];

        __device__ __forceinline__ float &at(unsigned i, unsigned j)
        {
            return x[i / 2][j / 2][i % 2 * 2 + j % 2];
        }
    };

    static __device__ __forceinline__ unsigned first_row()
    {
        return threadIdx.x / 32 / BESIDE * 16 * STRIPS;
    }

    static __device__ __forceinline__ unsigned first_col()
    {
        return threadIdx.x / 32 % BESIDE * OWN;
    }

    static __device__ __forceinline__ unsigned row(unsigned i)
    {
        return first_row() + threadIdx.x % 32 / 4 + 8 * i;
    }

    static __device__ __forceinline__ unsigned col(unsigned j)
    {
        return first_col() + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2;
    }

    /* Rows m and on, 16 of the sum from k on. */
    template <bool TA>
    static __device__ __forceinline__ void
    load_a(uint32_t r[4], const bf16 *a, unsigned m, unsigned k)
    {
        unsigned lane = threadIdx.x % 32;

        if constexpr (TA)
            load_matrices_transposed(
                r, a + (k + lane / 16 * 8 + lane % 8) * (ROWS + ASIDE) + m
                       + lane / 8 % 2 * 8);
        else
            load_matrices(r, a + (m + lane % 16) * (DEPTH + ASIDE) + k
                                 + lane / 16 * 8);
    }

    /* The same of 16 columns, two operands of 8. */
    template <bool TB>
    static __device__ __forceinline__ void
    load_b(uint32_t r[4], const bf16 *b, unsigned n, unsigned k)
    {
        unsigned lane = threadIdx.x % 32;

        if constexpr (TB)
            load_matrices(r, b + (n + lane / 16 * 8 + lane % 8)
                                     * (DEPTH + ASIDE) + k
                                 + lane / 8 % 2 * 8);
        else
            load_matrices_transposed(r, b + (k + lane % 16) * (COLS + ASIDE)
                                            + n + lane / 16 * 8);
    }

    template <bool TA, bool TB>
    static __device__ __forceinline__ void
    multiply(sums &s, const bf16 *a, const bf16 *b)
    {
        uint32_t x[STRIPS][4], y[4];

        UNROLL
        for (unsigned k = 0; k < DEPTH; k += 16) {
            UNROLL
            for (unsigned i = 0; i < STRIPS; i++)
                load_a<TA>(x[i], a, first_row() + 16 * i, k);
            UNROLL
            for (unsigned n = 0; n < OWN; n += 16) {
                load_b<TB>(y, b, first_col() + n, k);
                UNROLL
                for (unsigned i = 0; i < STRIPS; i++) {
                    mma_bf16(s.x[i][n / 8], x[i], y);
                    mma_bf16(s.x[i][n / 8 + 1], x[i], y + 2);
                }
            }
        }
    }
};

/* All floats. Threads stand in 16 rows of 16; what one has is 16 apart. */
template <unsigned WIDTH>
struct float_block {
    typedef float type;
    static constexpr unsigned ROWS = 64, COLS = WIDTH, DEPTH = 16;
    static constexpr unsigned THREADS = 256, ASIDE = 4;
    static constexpr unsigned MINE = ROWS / 16, EACH = COLS / 16;
    static constexpr bool PAIRS = false;

    struct sums {
        float x[MINE][EACH];

        __device__ __forceinline__ float &at(unsigned i, unsigned j)
        {
            return x[i][j];
        }
    };

    static __device__ __forceinline__ unsigned row(unsigned i)
    {
        return threadIdx.x / 16 + 16 * i;
    }

    static __device__ __forceinline__ unsigned col(unsigned j)
    {
        return threadIdx.x % 16 + 16 * j;
    }

    template <bool TA, bool TB>
    static __device__ __forceinline__ void
    multiply(sums &s, const float *a, const float *b)
    {
        constexpr unsigned A = (TA ? ROWS : DEPTH) + ASIDE;
        constexpr unsigned B = (TB ? DEPTH : COLS) + ASIDE;

        UNROLL
        for (unsigned k = 0; k < DEPTH; k++) {
            float x[MINE];

            UNROLL
            for (unsigned i = 0; i < MINE; i++)
                x[i] = TA ? a[k * A + row(i)] : a[row(i) * A + k];
            UNROLL
            for (unsigned j = 0; j < EACH; j++) {
                float y = TB ? b[col(j) * B + k] : b[k * B + col(j)];

                UNROLL
                for (unsigned i = 0; i < MINE; i++)
                    s.x[i][j] += x[i] * y;
            }
        }
    }
};

/* Which rows and columns a block has, as numbers of ROWS and COLS. */
struct place {
    uint32_t row, col;
};

/* TOGETHER rows of blocks go through all columns before the next do: what they
 * read of A stays in the cache meanwhile, and B is read once for all of them.
 * blockIdx.x counts rows * cols blocks. */
constexpr uint32_t TOGETHER = 16;

__device__ __forceinline__ place
place_of(uint32_t rows, uint32_t cols)
{
    uint32_t first = blockIdx.x / (TOGETHER * cols) * TOGETHER;
    uint32_t rest = blockIdx.x % (TOGETHER * cols);
    uint32_t some = min(TOGETHER, rows - first);

    return { first + rest % some, rest / some };
}

/* Elements of a slab of M by DEPTH, whichever way it lies. */
template <class E, unsigned M>
constexpr unsigned SLAB = M * (E::DEPTH + E::ASIDE)
                                  > E::DEPTH * (M + E::ASIDE)
                              ? M * (E::DEPTH + E::ASIDE)
                              : E::DEPTH * (M + E::ASIDE);

/* Shared memory of a block. */
template <class E>
constexpr size_t PRODUCT_BYTES = 2 * (SLAB<E, E::ROWS> + SLAB<E, E::COLS>)
                                 * sizeof(typename E::type);

/* ROWS rows and COLS columns of a matrix from (row, col) on, zeros beyond its
 * ends; floats become operands. It is there after copy_group, copy_wait and a
 * barrier. */
template <class E, unsigned ROWS, unsigned COLS, class S>
__device__ __forceinline__ void
load_slab(typename E::type *to, const mat<S> &from, uint32_t row,
          uint32_t col)
{
    constexpr unsigned LD = COLS + E::ASIDE, N = E::ASIDE, PIECES = COLS / N;
    bool pieces = sizeof(S) == sizeof(*to) && from.ld % N == 0
                  && from.cols % N == 0
                  && reinterpret_cast<uintptr_t>(from.p) % 16 == 0;

    if (pieces) {
        UNROLL
        for (unsigned k = threadIdx.x; k < ROWS * PIECES; k += E::THREADS) {
            unsigned r = k / PIECES, c = k % PIECES * N;

            copy_16(to + r * LD + c, from.row(row + r) + col + c,
                    row + r < from.rows && col + c < from.cols);
        }
        return;
    }
    for (unsigned k = threadIdx.x; k < ROWS * COLS; k += E::THREADS) {
        unsigned r = k / COLS, c = k % COLS;
        bool there = row + r < from.rows && col + c < from.cols;

        set(to + r * LD + c,
            there ? get(from.row(row + r) + col + c) : 0.0f);
    }
}

/* s += op(A) op(B), rows from m and columns from n on; by a block. */
template <class E, bool TA, bool TB, class A, class B>
__device__ __forceinline__ void
add_product(typename E::sums &s, const mat<A> &a, const mat<B> &b, uint32_t m,
            uint32_t n)
{
    constexpr unsigned M = E::ROWS, N = E::COLS, K = E::DEPTH;
    constexpr unsigned A_SIZE = SLAB<E, M>, SIZE = A_SIZE + SLAB<E, N>;
    auto *slab = reinterpret_cast<typename E::type *>(shared);
    uint32_t end = TA ? a.rows : a.cols;
    auto load = [&](typename E::type *to, uint32_t k) {
        if constexpr (TA)
            load_slab<E, K, M>(to, a, k, m);
        else
            load_slab<E, M, K>(to, a, m, k);
        if constexpr (TB)
            load_slab<E, N, K>(to + A_SIZE, b, n, k);
        else
            load_slab<E, K, N>(to + A_SIZE, b, k, n);
    };

    load(slab, 0);
    copy_group();
    for (uint32_t k = 0, at = 0; k < end; k += K, at ^= 1) {
        if (k + K < end)
            load(slab + (at ^ 1) * SIZE, k + K);
        copy_group();
        copy_wait<1>();
        __syncthreads();
        E::template multiply<TA, TB>(s, slab + at * SIZE,
                                     slab + at * SIZE + A_SIZE);
        __syncthreads();
    }
}

/* to (+)= factor * s, rows from m and columns from n on. */
template <class E, class C>
__device__ __forceinline__ void
store_product(const mat<C> &to, uint32_t m, uint32_t n,
              typename E::sums &s, float factor, bool add)
{
    bool pairs = E::PAIRS && to.ld % 2 == 0
                 && reinterpret_cast<uintptr_t>(to.p) % (2 * sizeof(C)) == 0;

    UNROLL
    for (unsigned i = 0; i < E::MINE; i++) {
        uint32_t r = m + E::row(i);

        if (r >= to.rows)
            continue;
        UNROLL
        for (unsigned j = 0; j < E::EACH; j += 2) {
            float x = s.at(i, j) * factor, y = s.at(i, j + 1) * factor;
            uint32_t c = n + E::col(j), next = n + E::col(j + 1);

            if (pairs && next < to.cols) {
                put_pair(to.row(r) + c, x, y, add);
                continue;
            }
            if (c < to.cols)
                put(to.row(r) + c, x, add);
            if (next < to.cols)
                put(to.row(r) + next, y, add);
        }
    }
}

#endif
