/* tile.cuh - tiles of matrices in shared memory, and their products.
 *
 * A tile is some rows of one head's columns, dim of them, and zeros up to D;
 * its rows lie LD elements apart, so that threads that read a column of 16
 * bytes hit different banks. A block has a tile of ROWS own rows, and goes
 * through tiles of COLS other rows:
 *
 *   scores[ROWS, COLS] = own other^T        sums[ROWS, D] += scores other
 *
 * Scores and sums live in registers. Each thread has MINE rows of both, row
 * (i) of the tile being its i-th, and of each the columns score_col(j) and
 * sum_col(j); LANES lanes that follow on each other share the same rows. There
 * are two such arithmetics with the same names, so that an algorithm is
 * written once: bf16 operands on tensor cores, floats without.
 */
#ifndef KERNELS_CUDA_TILE_CUH
#define KERNELS_CUDA_TILE_CUH

#include "piece.cuh"
#include "reduce.cuh"
#include "view.cuh"

/* Operands of bf16, sums of floats. Each of four warps has 16 STRIPS rows
 * that follow on each other, so that what it reads of the others serves STRIPS
 * products; for who holds what of a strip see ptx.cuh. */
template <unsigned HEAD, unsigned OTHERS, unsigned STRIPS = 1>
struct tensor_tile {
    typedef bf16 type;
    static constexpr unsigned D = HEAD, LD = D + 8;
    static constexpr unsigned ROWS = 64 * STRIPS, COLS = OTHERS;
    static constexpr unsigned THREADS = 128, MINE = 2 * STRIPS, LANES = 4;

    template <unsigned WIDTH>
    struct fragments {
        static constexpr unsigned EACH = WIDTH / 4;
        float x[STRIPS][WIDTH / 8][4];

        __device__ __forceinline__ float &at(unsigned i, unsigned j)
        {
            return x[i / 2][j / 2][i % 2 * 2 + j % 2];
        }
    };
    typedef fragments<COLS> scores;
    typedef fragments<D> sums;

    static __device__ __forceinline__ unsigned row(unsigned i)
    {
        return threadIdx.x / 32 * 16 * STRIPS + threadIdx.x % 32 / 4 + 8 * i;
    }

    static __device__ __forceinline__ unsigned score_col(unsigned j)
    {
        return j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2;
    }

    static __device__ __forceinline__ unsigned sum_col(unsigned j)
    {
        return score_col(j);
    }

    static __device__ __forceinline__ void
    multiply(scores &s, const bf16 *own, const bf16 *other)
    {
        unsigned lane = threadIdx.x % 32;
        unsigned first = threadIdx.x / 32 * 16 * STRIPS + lane % 16;
        uint32_t a[STRIPS][4], b[4];

        own += first * LD + lane / 16 * 8;
        other += (lane / 16 * 8 + lane % 8) * LD + lane / 8 % 2 * 8;
        s = {};
        UNROLL
        for (unsigned k = 0; k < D; k += 16) {
            UNROLL
            for (unsigned i = 0; i < STRIPS; i++)
                load_matrices(a[i], own + i * 16 * LD + k);
            UNROLL
            for (unsigned n = 0; n < COLS; n += 16) {
                load_matrices(b, other + n * LD + k);
                UNROLL
                for (unsigned i = 0; i < STRIPS; i++) {
                    mma_bf16(s.x[i][n / 8], a[i], b);
                    mma_bf16(s.x[i][n / 8 + 1], a[i], b + 2);
                }
            }
        }
    }

    /* Two neighbours of 8 columns of scores are an operand of 16. */
    static __device__ __forceinline__ void
    add_product(sums &to, const scores &s, const bf16 *other)
    {
        unsigned lane = threadIdx.x % 32;
        uint32_t a[STRIPS][4], b[4];

        other += lane % 16 * LD + lane / 16 * 8;
        UNROLL
        for (unsigned k = 0; k < COLS; k += 16) {
            UNROLL
            for (unsigned i = 0; i < STRIPS; i++)
                pack(a[i], s.x[i][k / 8], s.x[i][k / 8 + 1]);
            UNROLL
            for (unsigned n = 0; n < D; n += 16) {
                load_matrices_transposed(b, other + k * LD + n);
                UNROLL
                for (unsigned i = 0; i < STRIPS; i++) {
                    mma_bf16(to.x[i][n / 8], a[i], b);
                    mma_bf16(to.x[i][n / 8 + 1], a[i], b + 2);
                }
            }
        }
    }

    static __device__ __forceinline__ void
    pack(uint32_t a[4], const float low[4], const float high[4])
    {
        a[0] = pack_bf16(low[0], low[1]);
        a[1] = pack_bf16(low[2], low[3]);
        a[2] = pack_bf16(high[0], high[1]);
        a[3] = pack_bf16(high[2], high[3]);
    }
};

/* All floats. Threads stand in 16 rows of 16; one has rows and scores 16
 * apart, and of sums four columns of every 64. */
template <unsigned HEAD, unsigned SIDE>
struct float_tile {
    typedef float type;
    static constexpr unsigned D = HEAD, LD = D + 4;
    static constexpr unsigned ROWS = SIDE, COLS = SIDE, THREADS = 256;
    static constexpr unsigned MINE = SIDE / 16, LANES = 16;

    template <unsigned WIDTH>
    struct fragments {
        static constexpr unsigned EACH = WIDTH / 16;
        float x[MINE][EACH];

        __device__ __forceinline__ float &at(unsigned i, unsigned j)
        {
            return x[i][j];
        }
    };
    typedef fragments<COLS> scores;
    typedef fragments<D> sums;

    static __device__ __forceinline__ unsigned row(unsigned i)
    {
        return threadIdx.x / 16 + 16 * i;
    }

    static __device__ __forceinline__ unsigned score_col(unsigned j)
    {
        return threadIdx.x % 16 + 16 * j;
    }

    static __device__ __forceinline__ unsigned sum_col(unsigned j)
    {
        return j / 4 * 64 + threadIdx.x % 16 * 4 + j % 4;
    }

    static __device__ __forceinline__ float4 four(const float *p)
    {
        return *reinterpret_cast<const float4 *>(p);
    }

    static __device__ __forceinline__ void
    multiply(scores &s, const float *own, const float *other)
    {
        float4 a[MINE], b;

        s = {};
        for (unsigned k = 0; k < D; k += 4) {
            UNROLL
            for (unsigned i = 0; i < MINE; i++)
                a[i] = four(own + row(i) * LD + k);
            UNROLL
            for (unsigned j = 0; j < scores::EACH; j++) {
                b = four(other + score_col(j) * LD + k);
                UNROLL
                for (unsigned i = 0; i < MINE; i++)
                    s.x[i][j] += a[i].x * b.x + a[i].y * b.y + a[i].z * b.z
                                 + a[i].w * b.w;
            }
        }
    }

    /* A row's scores come from the lanes that have them. */
    static __device__ __forceinline__ void
    add_product(sums &to, const scores &s, const float *other)
    {
        UNROLL
        for (unsigned k = 0; k < COLS; k++) {
            float a[MINE];

            UNROLL
            for (unsigned i = 0; i < MINE; i++)
                a[i] = __shfl_sync(ALL_LANES, s.x[i][k / 16],
                                   (int)((threadIdx.x & 16) + k % 16));
            UNROLL
            for (unsigned j = 0; j < sums::EACH; j += 4) {
                float4 b = four(other + k * LD + sum_col(j));

                UNROLL
                for (unsigned i = 0; i < MINE; i++) {
                    to.x[i][j] += a[i] * b.x;
                    to.x[i][j + 1] += a[i] * b.y;
                    to.x[i][j + 2] += a[i] * b.z;
                    to.x[i][j + 3] += a[i] * b.w;
                }
            }
        }
    }
};

/* Over the lanes that share a row. */
template <class E>
__device__ __forceinline__ float
row_sum(float x)
{
    for (unsigned with = E::LANES / 2; with > 0; with /= 2)
        x += __shfl_xor_sync(ALL_LANES, x, (int)with);
    return x;
}

template <class E>
__device__ __forceinline__ float
row_max(float x)
{
    for (unsigned with = E::LANES / 2; with > 0; with /= 2)
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, (int)with));
    return x;
}

/* The columns of one head in a matrix. wide: copies of 16 bytes are aligned
 * and don't reach beyond the head. */
template <class T>
struct head_of {
    mat<T> m; /* from the head's first column on */
    uint32_t dim;
    bool wide;
};

/* Rows row and on of a head into shared memory, zeros beyond its last row
 * and column, in copies of 16 bytes that are on their way all at once. SPAN
 * threads that follow on each other share a row: enough to reach all banks. */
template <class E, unsigned ROWS>
__device__ __forceinline__ void
load_wide(typename E::type *to, const head_of<typename E::type> &from,
          uint32_t row)
{
    constexpr unsigned EACH = 16 / sizeof(typename E::type);
    constexpr unsigned PIECES = E::D / EACH, LEAST = PIECES % 8 ? 4 : 8;
    constexpr unsigned FILL = E::THREADS / ROWS; /* threads to a row, of all */
    constexpr unsigned SPAN = FILL > LEAST ? FILL : LEAST;
    constexpr unsigned STEP = E::THREADS / SPAN;
    unsigned r = threadIdx.x / SPAN, col = threadIdx.x % SPAN * EACH;
    const auto *p = from.m.row(row + r) + col;

    static_assert(PIECES % SPAN == 0 && ROWS % STEP == 0, "nothing is left");
    to += r * E::LD + col;
    UNROLL
    for (unsigned i = 0; i < ROWS; i += STEP) {
        UNROLL
        for (unsigned c = 0; c < E::D; c += SPAN * EACH)
            copy_16(to + i * E::LD + c, p + c,
                    row + r + i < from.m.rows && col + c < from.dim);
        p += (size_t)STEP * from.m.ld;
    }
}

/* The same, element by element. */
template <class E, unsigned ROWS>
__device__ __forceinline__ void
load_narrow(typename E::type *to, const head_of<typename E::type> &from,
            uint32_t row)
{
    for (unsigned k = threadIdx.x; k < ROWS * E::D; k += E::THREADS) {
        unsigned r = k / E::D, col = k % E::D;
        bool there = row + r < from.m.rows && col < from.dim;

        to[r * E::LD + col] = there ? from.m.row(row + r)[col]
                                    : typename E::type();
    }
}

/* It is there after copy_group, copy_wait and a barrier. */
template <class E, unsigned ROWS>
__device__ __forceinline__ void
load_tile(typename E::type *to, const head_of<typename E::type> &from,
          uint32_t row)
{
    if (from.wide)
        load_wide<E, ROWS>(to, from, row);
    else
        load_narrow<E, ROWS>(to, from, row);
}

/* The block's own rows, row and on: to (+)= factor * sums. Sums j and j + 1
 * are neighbours for even j. */
template <class E, class T>
__device__ __forceinline__ void
store_sums(const head_of<T> &to, uint32_t row, typename E::sums &sums,
           float factor, bool add)
{
    UNROLL
    for (unsigned i = 0; i < E::MINE; i++) {
        uint32_t r = row + E::row(i);

        if (r >= to.m.rows)
            continue;
        UNROLL
        for (unsigned j = 0; j < E::sums::EACH; j += 2) {
            uint32_t col = E::sum_col(j);
            float x = sums.at(i, j) * factor, y = sums.at(i, j + 1) * factor;
            auto *p = to.m.row(r) + col;

            if (to.wide && col < to.dim) {
                put_pair(p, x, y, add);
                continue;
            }
            if (col < to.dim)
                put(p, x, add);
            if (col + 1 < to.dim)
                put(p + 1, y, add);
        }
    }
}

#endif
