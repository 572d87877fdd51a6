/* square.cuh - products of squares of SIDE rows and columns in shared memory.
 *
 *   sums += op(A) op(B), op(A) being [row, k] and op(B) [k, col]
 *
 * TA says that A is stored [k, row], TB that B is stored [col, k]; rows of
 * both lie LD elements apart. Sums are floats in registers: of those of a
 * block's THREADS, each has ROWS rows by COLS columns, row(i) and col(j) being
 * where; ROW_LANES lanes that follow on each other share the same rows. There
 * are two such arithmetics with the same names: bf16 operands on tensor cores,
 * floats without.
 */
#ifndef KERNELS_CUDA_SQUARE_CUH
#define KERNELS_CUDA_SQUARE_CUH

#include "piece.cuh"
#include "reduce.cuh"
#include "view.cuh"

template <class T> struct square;

/* Eight warps, of 16 rows and 32 columns each; for who holds what of them see
 * ptx.cuh. */
template <>
struct square<bf16> {
    static constexpr unsigned SIDE = 64, LD = SIDE + 8, THREADS = 256;
    static constexpr unsigned ROWS = 2, COLS = 8, ROW_LANES = 4;
    static constexpr unsigned ROW_PARTS = 2, COL_PARTS = 4;
    static constexpr bool PAIRS = true; /* columns j and j + 1, j even, are
                                           neighbours */

    struct sums {
        float x[COLS / 2][4];

        __device__ __forceinline__ float &at(unsigned i, unsigned j)
        {
            return x[j / 2][i * 2 + j % 2];
        }
    };

    /* Which of the parts that a row's (a column's) sum is made of. */
    static __device__ __forceinline__ unsigned row_part()
    {
        return threadIdx.x / 128;
    }

    static __device__ __forceinline__ unsigned col_part()
    {
        return threadIdx.x / 32 % 4;
    }

    static __device__ __forceinline__ unsigned row(unsigned i)
    {
        return col_part() * 16 + threadIdx.x % 32 / 4 + 8 * i;
    }

    static __device__ __forceinline__ unsigned col(unsigned j)
    {
        return row_part() * 32 + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2;
    }

    template <bool TA, bool TB>
    static __device__ __forceinline__ void
    multiply(sums &to, const bf16 *a, const bf16 *b)
    {
        unsigned lane = threadIdx.x % 32, low = lane % 8;
        unsigned middle = lane / 8 % 2 * 8, high = lane / 16 * 8;
        uint32_t r[4], s[4];

        a += TA ? (high + low) * LD + col_part() * 16 + middle
                : (col_part() * 16 + middle + low) * LD + high;
        b += TB ? (row_part() * 32 + high + low) * LD + middle
                : (middle + low) * LD + row_part() * 32 + high;
        UNROLL
        for (unsigned k = 0; k < SIDE; k += 16) {
            if (TA)
                load_matrices_transposed(r, a + k * LD);
            else
                load_matrices(r, a + k);
            UNROLL
            for (unsigned n = 0; n < 32; n += 16) {
                if (TB)
                    load_matrices(s, b + n * LD + k);
                else
                    load_matrices_transposed(s, b + k * LD + n);
                mma_bf16(to.x[n / 8], r, s);
                mma_bf16(to.x[n / 8 + 1], r, s + 2);
            }
        }
    }
};

/* Threads stand in 16 rows of 16; one has rows and columns 16 apart. */
template <>
struct square<float> {
    static constexpr unsigned SIDE = 64, LD = SIDE + 4, THREADS = 256;
    static constexpr unsigned ROWS = 4, COLS = 4, ROW_LANES = 16;
    static constexpr unsigned ROW_PARTS = 1, COL_PARTS = 8;
    static constexpr bool PAIRS = false;

    struct sums {
        float x[ROWS][COLS];

        __device__ __forceinline__ float &at(unsigned i, unsigned j)
        {
            return x[i][j];
        }
    };

    static __device__ __forceinline__ unsigned row_part()
    {
        return 0;
    }

    static __device__ __forceinline__ unsigned col_part()
    {
        return threadIdx.x / 32;
    }

    static __device__ __forceinline__ unsigned row(unsigned i)
    {
        return threadIdx.x / 16 + 16 * i;
    }

    static __device__ __forceinline__ unsigned col(unsigned j)
    {
        return threadIdx.x % 16 + 16 * j;
    }

    /* Numbers k to k + 3 of row or column at. */
    template <bool ACROSS>
    static __device__ __forceinline__ void
    get_4(float (&x)[4], const float *p, unsigned at, unsigned k)
    {
        if constexpr (ACROSS) {
            UNROLL
            for (unsigned e = 0; e < 4; e++)
                x[e] = p[(k + e) * LD + at];
        } else {
            get_piece(p + at * LD + k, x);
        }
    }

    template <bool TA, bool TB>
    static __device__ __forceinline__ void
    multiply(sums &to, const float *a, const float *b)
    {
        float r[ROWS][4], s[4];

        for (unsigned k = 0; k < SIDE; k += 4) {
            UNROLL
            for (unsigned i = 0; i < ROWS; i++)
                get_4<TA>(r[i], a, row(i), k);
            UNROLL
            for (unsigned j = 0; j < COLS; j++) {
                get_4<!TB>(s, b, col(j), k);
                UNROLL
                for (unsigned i = 0; i < ROWS; i++)
                    to.x[i][j] += r[i][0] * s[0] + r[i][1] * s[1]
                                  + r[i][2] * s[2] + r[i][3] * s[3];
            }
        }
    }
};

/* Elements of a square, of those that a thread has. */
#define EACH_SUM(E, i, j)                                                   \
    UNROLL                                                                  \
    for (unsigned i = 0; i < E::ROWS; i++)                                  \
        UNROLL                                                              \
        for (unsigned j = 0; j < E::COLS; j++)

/* What a block's part of a row's sum is, at part[row_part][row]: SIDE floats
 * for each part. After a barrier square_sum adds them up. */
template <class E>
__device__ __forceinline__ void
put_row_sums(float *part, typename E::sums &x)
{
    UNROLL
    for (unsigned i = 0; i < E::ROWS; i++) {
        float sum = 0;

        UNROLL
        for (unsigned j = 0; j < E::COLS; j++)
            sum += x.at(i, j);
        for (unsigned with = E::ROW_LANES / 2; with > 0; with /= 2)
            sum += __shfl_xor_sync(ALL_LANES, sum, (int)with);
        if (threadIdx.x % E::ROW_LANES == 0)
            part[E::row_part() * E::SIDE + E::row(i)] = sum;
    }
}

/* The same of columns. */
template <class E>
__device__ __forceinline__ void
put_col_sums(float *part, typename E::sums &x)
{
    UNROLL
    for (unsigned j = 0; j < E::COLS; j++) {
        float sum = 0;

        UNROLL
        for (unsigned i = 0; i < E::ROWS; i++)
            sum += x.at(i, j);
        for (unsigned with = E::ROW_LANES; with < 32; with *= 2)
            sum += __shfl_xor_sync(ALL_LANES, sum, (int)with);
        if (threadIdx.x % 32 < E::ROW_LANES)
            part[E::col_part() * E::SIDE + E::col(j)] = sum;
    }
}

/* Of row (column) at, in the order of its parts. */
template <class E>
__device__ __forceinline__ float
square_sum(const float *part, unsigned parts, unsigned at)
{
    float sum = 0;

    for (unsigned i = 0; i < parts; i++)
        sum += part[i * E::SIDE + at];
    return sum;
}

/* Some rows and columns of a matrix, from an element on; wide: they and those
 * behind them begin at addresses of 16 bytes, in rows and columns both. */
template <class T>
struct patch {
    const T *p;
    uint32_t rows, cols, ld;
    bool wide;
};

/* A patch into a square, zeros beyond it. */
template <class T>
__device__ __forceinline__ void
load_square(T *to, const patch<T> &from)
{
    typedef square<T> E;
    constexpr unsigned N = WIDE<T>;

    if (from.wide) {
        UNROLL
        for (unsigned k = threadIdx.x * N; k < E::SIDE * E::SIDE;
             k += E::THREADS * N) {
            unsigned r = k / E::SIDE, c = k % E::SIDE;

            copy_16(to + r * E::LD + c, from.p + (size_t)r * from.ld + c,
                    r < from.rows && c < from.cols);
        }
        copy_group();
        return;
    }
    for (unsigned k = threadIdx.x; k < E::SIDE * E::SIDE; k += E::THREADS) {
        unsigned r = k / E::SIDE, c = k % E::SIDE;

        to[r * E::LD + c] = r < from.rows && c < from.cols
                            ? from.p[(size_t)r * from.ld + c] : T();
    }
}

/* What all of a block load and set is there, and what was there is read. */
__device__ __forceinline__ void
meet_squares()
{
    copy_wait<0>();
    __syncthreads();
}

/* A row of elements (+)= a thread's sums of its i'th row, but for those from
 * column cols on. wide: pairs of them begin at addresses of their size. */
template <class E, class T>
__device__ __forceinline__ void
put_sums(T *to, typename E::sums &x, unsigned i, uint32_t cols, bool wide,
         bool add)
{
    UNROLL
    for (unsigned j = 0; j < E::COLS; j += 2) {
        uint32_t c = E::col(j), d = E::col(j + 1);

        if (E::PAIRS && wide && d < cols) {
            put_pair(to + c, x.at(i, j), x.at(i, j + 1), add);
            continue;
        }
        if (c < cols)
            put(to + c, x.at(i, j), add);
        if (d < cols)
            put(to + d, x.at(i, j + 1), add);
    }
}

/* All of a block's sums into a square. */
template <class T>
__device__ __forceinline__ void
set_square(T *to, typename square<T>::sums &x)
{
    typedef square<T> E;

    UNROLL
    for (unsigned i = 0; i < E::ROWS; i++)
        put_sums<E>(to + E::row(i) * E::LD, x, i, E::SIDE, true, false);
}

#endif
