/* norm.cu - NORM: LayerNorm, and RMSNorm, where the mean counts as zero.
 *
 *   y = xhat * (offset + gain) + bias, xhat = (x - mean) * rstd,
 *   rstd = 1 / sqrt(mean of (x - mean)^2 + eps)
 *
 * A block takes a group of columns of a row: blockIdx.x is the row, blockIdx.y
 * the group, which is as long as a part of the gain. Gradients of gain and bias
 * are sums over rows: of SUM_GROUP each into scratch, then over those.
 */
#include "ops.cuh"
#include "piece.cuh"
#include "reduce.cuh"
#include "tensor.cuh"

constexpr unsigned THREADS = 128;

/* What kernels know of the op. */
struct norm_kind {
    float eps, offset;
    bool rms;
    uint32_t dim; /* columns that are normed together */
};

static inline struct norm_kind
norm_kind_of(const struct op *op)
{
    return { op->u.norm.eps, op->u.norm.offset, op->u.norm.rms != 0,
             norm_cols(op) };
}

/* The first columns of a thread's pieces. */
#define EACH_PIECE(c, cols)                                                 \
    for (uint32_t c = threadIdx.x * N; c < (cols); c += THREADS * N)

template <class T, unsigned N>
static __global__ void
norm(mat<T> y, mat<float> stats, mat<T> x, table gain, table bias,
     struct norm_kind kind, bool add)
{
    uint32_t dim = kind.dim, part = blockIdx.y * dim % gain.cols;
    const T *from = x.row(blockIdx.x) + blockIdx.y * dim;
    T *to = y.row(blockIdx.x) + blockIdx.y * dim;
    float mean = 0, sum = 0, rstd, v[N], g[N], b[N] = {};

    if (!kind.rms) {
        EACH_PIECE(c, dim) {
            get_piece(from + c, v);
            UNROLL
            for (unsigned e = 0; e < N; e++)
                sum += v[e];
        }
        mean = block_sum<THREADS>(sum) / (float)dim;
    }
    sum = 0;
    EACH_PIECE(c, dim) {
        get_piece(from + c, v);
        UNROLL
        for (unsigned e = 0; e < N; e++)
            sum += (v[e] - mean) * (v[e] - mean);
    }
    rstd = 1 / sqrtf(block_sum<THREADS>(sum) / (float)dim + kind.eps);
    EACH_PIECE(c, dim) {
        get_piece(from + c, v);
        get_piece(gain, part + c, g);
        if (bias.p != nullptr)
            get_piece(bias, part + c, b);
        UNROLL
        for (unsigned e = 0; e < N; e++)
            v[e] = (v[e] - mean) * rstd * (kind.offset + g[e]) + b[e];
        put_piece(to + c, v, add);
    }
    if (threadIdx.x == 0 && stats.p != nullptr) {
        stats.row(blockIdx.x)[2 * blockIdx.y] = mean;
        stats.row(blockIdx.x)[2 * blockIdx.y + 1] = rstd;
    }
}

template <class T>
void
run_norm(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), y = mat_of<T>(c, &op->y[0]);
    table gain = table_of(c, &op->x[1]), bias = table_of(c, &op->x[2]);
    struct norm_kind kind = norm_kind_of(op);
    bool wide = are_wide(x, y, gain, bias) && kind.dim % WIDE<T> == 0;

    launch(c, wide ? norm<T, WIDE<T>> : norm<T, 1>,
           dim3(x.rows, x.cols / kind.dim), THREADS,
           block_sum_bytes(THREADS), y, mat_of<float>(c, &op->y[1]), x, gain,
           bias, kind, (op->acc & 1) != 0);
}

/* With g = dy * gain: dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),
 * mean(g) only where the mean was taken off. */
template <class T, unsigned N>
static __global__ void
norm_dx(mat<T> dx, mat<T> x, mat<T> dy, mat<float> stats, table gain,
        struct norm_kind kind, bool add)
{
    uint32_t i = blockIdx.x, dim = kind.dim, at = blockIdx.y * dim;
    uint32_t part = at % gain.cols;
    float mean = stats.row(i)[2 * blockIdx.y];
    float rstd = stats.row(i)[2 * blockIdx.y + 1];
    float sum = 0, sum_xhat = 0, v[N], d[N], g[N];

    EACH_PIECE(c, dim) {
        get_piece(x.row(i) + at + c, v);
        get_piece(dy.row(i) + at + c, d);
        get_piece(gain, part + c, g);
        UNROLL
        for (unsigned e = 0; e < N; e++) {
            d[e] *= kind.offset + g[e];
            sum += d[e];
            sum_xhat += d[e] * (v[e] - mean) * rstd;
        }
    }
    sum = kind.rms ? 0 : block_sum<THREADS>(sum) / (float)dim;
    sum_xhat = block_sum<THREADS>(sum_xhat) / (float)dim;
    EACH_PIECE(c, dim) {
        get_piece(x.row(i) + at + c, v);
        get_piece(dy.row(i) + at + c, d);
        get_piece(gain, part + c, g);
        UNROLL
        for (unsigned e = 0; e < N; e++)
            d[e] = rstd * (d[e] * (kind.offset + g[e]) - sum
                           - (v[e] - mean) * rstd * sum_xhat);
        put_piece(dx.row(i) + at + c, d, add);
    }
}

/* Sums over SUM_GROUP rows, and what is normed in each, of dy * xhat, of
 * the gain's column c at gain[group * cols + c], and of dy. */
template <class T>
static __global__ void
gain_parts(float *gain, float *bias, mat<T> x, mat<T> dy, mat<float> stats,
           uint32_t cols, uint32_t dim)
{
    uint32_t c = blockIdx.x * THREADS + threadIdx.x;
    uint32_t from = blockIdx.y * SUM_GROUP, end = from + SUM_GROUP;
    float sum = 0, sum_bias = 0;

    if (c >= cols)
        return;
    for (uint32_t i = from; i < end && i < x.rows; i++) {
        for (uint32_t k = c; k < x.cols; k += cols) {
            const float *stat = stats.row(i) + k / dim * 2;
            float d = get(dy.row(i) + k);

            sum += d * (get(x.row(i) + k) - stat[0]) * stat[1];
            sum_bias += d;
        }
    }
    gain[(size_t)blockIdx.y * cols + c] = sum;
    bias[(size_t)blockIdx.y * cols + c] = sum_bias;
}

template <class T>
void
run_norm_bwd(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), dy = mat_of<T>(c, &op->x[3]);
    mat<T> dx = mat_of<T>(c, &op->y[0]);
    table gain = table_of(c, &op->x[1]);
    struct norm_kind kind = norm_kind_of(op);
    uint32_t cols = gain.cols;
    bool wide = are_wide(dx, x, dy, gain) && kind.dim % WIDE<T> == 0;
    mat<float> stats = mat_of<float>(c, &op->x[2]);
    mat<float> dgain = mat_of<float>(c, &op->y[1]);
    mat<float> dbias = mat_of<float>(c, &op->y[2]);

    if (dgain.p != nullptr || dbias.p != nullptr) {
        struct norm_bwd_space space =
            norm_bwd_space_at(view_at(c, &op->scratch), op);
        auto *parts = reinterpret_cast<float *>(space.gain);
        auto *bias = reinterpret_cast<float *>(space.bias);
        unsigned groups = blocks_of(x.rows, SUM_GROUP);

        launch(c, gain_parts<T>, dim3(blocks_of(cols, THREADS), groups),
               THREADS, 0, parts, bias, x, dy, stats, cols, kind.dim);
        if (dgain.p != nullptr)
            put_parts_sum(c, dgain, parts, groups, true);
        if (dbias.p != nullptr)
            put_parts_sum(c, dbias, bias, groups, true);
    }
    if (dx.p != nullptr)
        launch(c, wide ? norm_dx<T, WIDE<T>> : norm_dx<T, 1>,
               dim3(x.rows, x.cols / kind.dim), THREADS,
               block_sum_bytes(THREADS), dx, x, dy, stats, gain, kind,
               (op->acc & 1) != 0);
}

template void run_norm<float>(struct call *c);
template void run_norm<bf16>(struct call *c);
template void run_norm_bwd<float>(struct call *c);
template void run_norm_bwd<bf16>(struct call *c);
