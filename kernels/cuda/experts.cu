/* experts.cu - GATHER, COMBINE, GATE and their gradients: rows that go to
 * experts and come back. Rows that the batch does not count go nowhere.
 *
 * A block takes a token row, or a piece of one: blockIdx.x is the row,
 * blockIdx.y the piece.
 */
#include "moe.cuh"
#include "ops.cuh"
#include "piece.cuh"

constexpr unsigned THREADS = 128;

/* The first columns of a thread's pieces, where a block has all of a row. */
#define EACH_PIECE(c, cols)                                                 \
    for (uint32_t c = threadIdx.x * N; c < (cols); c += THREADS * N)

/* The first column of a thread's piece, where it has one. */
template <unsigned N>
static __device__ __forceinline__ uint32_t
own_column()
{
    return (blockIdx.y * THREADS + threadIdx.x) * N;
}

template <class T>
static dim3
grid_of(uint32_t rows, uint32_t cols, bool wide)
{
    return dim3(rows, blocks_of(cols, (wide ? WIDE<T> : 1) * THREADS));
}

/* Zeroes what the groups round up to: blockIdx.x is the expert, blockIdx.y
 * which of those rows. */
template <class T>
static __global__ void
clear_ends(mat<T> y, mat<float> counts, uint32_t tile)
{
    uint32_t e = blockIdx.x, size = group_size(counts, e, tile);
    uint32_t at = (uint32_t)counts.p[e] + blockIdx.y;

    if (at >= size)
        return;
    at += group_start(counts, e, tile);
    for (uint32_t c = threadIdx.x; c < y.cols; c += THREADS)
        set(y.row(at) + c, 0);
}

template <class T>
static void
put_clear_ends(struct call *c, mat<T> y, const struct view *counts)
{
    uint32_t tile = c->op->u.route.tile;

    if (tile > 1)
        launch(c, clear_ends<T>, dim3(counts->cols, tile - 1), THREADS, 0, y,
               mat_of<float>(c, counts), tile);
}

template <class T, unsigned N>
static __global__ void
gather(mat<T> y, mat<T> x, mat<float> places, uint32_t top_k,
       const struct step *step)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float v[N];

    if (i >= step->n || c >= x.cols)
        return;
    get_piece(x.row(i) + c, v);
    for (uint32_t k = 0; k < top_k; k++)
        set_piece(y.row(place_at(places, i, k)) + c, v);
}

template <class T>
void
run_gather(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), y = mat_of<T>(c, &op->y[0]);
    bool wide = are_wide(x, y);

    put_clear_ends(c, y, &op->x[2]);
    launch(c, wide ? gather<T, WIDE<T>> : gather<T, 1>,
           grid_of<T>(x.rows, x.cols, wide), THREADS, 0, y, x,
           mat_of<float>(c, &op->x[1]), op->u.route.top_k, c->step);
}

/* weights and residual may be absent. */
template <class T, unsigned N>
static __global__ void
combine(mat<T> y, mat<T> x, mat<float> places, mat<float> weights,
        mat<T> residual, uint32_t top_k, const struct step *step, bool add)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float sum[N] = {}, v[N];

    if (c >= y.cols)
        return;
    if (residual.p != nullptr)
        get_piece(residual.row(i) + c, sum);
    for (uint32_t k = 0; k < top_k && i < step->n; k++) {
        float w = weights.p != nullptr ? weights.row(i)[k] : 1;

        get_piece(x.row(place_at(places, i, k)) + c, v);
        UNROLL
        for (unsigned e = 0; e < N; e++)
            sum[e] += w * v[e];
    }
    put_piece(y.row(i) + c, sum, add);
}

template <class T>
void
run_combine(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), y = mat_of<T>(c, &op->y[0]);
    mat<T> residual = mat_of<T>(c, &op->x[3]);
    bool wide = are_wide(x, y, residual);

    launch(c, wide ? combine<T, WIDE<T>> : combine<T, 1>,
           grid_of<T>(y.rows, y.cols, wide), THREADS, 0, y, x,
           mat_of<float>(c, &op->x[1]), mat_of<float>(c, &op->x[2]), residual,
           op->u.route.top_k, c->step, (op->acc & 1) != 0);
}

/* dx and dw may be absent. */
template <class T, unsigned N>
static __global__ void
combine_bwd(mat<T> dx, mat<float> dw, mat<T> x, mat<float> places,
            mat<float> weights, mat<T> dy, uint32_t top_k,
            const struct step *step, bool add)
{
    uint32_t i = blockIdx.x;

    if (i >= step->n)
        return;
    for (uint32_t k = 0; k < top_k; k++) {
        uint32_t at = place_at(places, i, k);
        float sum = 0, d[N], v[N];

        EACH_PIECE(c, dy.cols) {
            get_piece(dy.row(i) + c, d);
            if (dw.p != nullptr)
                get_piece(x.row(at) + c, v);
            UNROLL
            for (unsigned e = 0; e < N && dw.p != nullptr; e++)
                sum += d[e] * v[e];
            UNROLL
            for (unsigned e = 0; e < N && dx.p != nullptr; e++)
                d[e] *= weights.row(i)[k];
            if (dx.p != nullptr)
                set_piece(dx.row(at) + c, d);
        }
        if (dw.p == nullptr)
            continue;
        sum = block_sum<THREADS>(sum);
        if (threadIdx.x == 0)
            put(dw.row(i) + k, sum, add);
    }
}

template <class T>
void
run_combine_bwd(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), dy = mat_of<T>(c, &op->x[3]);
    mat<T> dx = mat_of<T>(c, &op->y[0]);
    bool wide = are_wide(x, dy, dx);

    if (dx.p != nullptr)
        put_clear_ends(c, dx, &op->x[4]);
    launch(c, wide ? combine_bwd<T, WIDE<T>> : combine_bwd<T, 1>,
           dim3(dy.rows), THREADS, block_sum_bytes(THREADS), dx,
           mat_of<float>(c, &op->y[1]), x, mat_of<float>(c, &op->x[1]),
           mat_of<float>(c, &op->x[2]), dy, op->u.route.top_k, c->step,
           (op->acc & 2) != 0);
}

/* ---- rows times a number of their own ----------------------------------- */

static __device__ __forceinline__ float
sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* residual may be absent. */
template <class T, unsigned N>
static __global__ void
gate(mat<T> y, mat<T> by, mat<T> x, mat<T> residual, bool add)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float s = sigmoid(get(by.row(i))), v[N], r[N] = {};

    if (c >= y.cols)
        return;
    get_piece(x.row(i) + c, v);
    if (residual.p != nullptr)
        get_piece(residual.row(i) + c, r);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        v[e] = s * v[e] + r[e];
    put_piece(y.row(i) + c, v, add);
}

template <class T>
void
run_gate(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[1]), y = mat_of<T>(c, &op->y[0]);
    mat<T> residual = mat_of<T>(c, &op->x[2]);
    bool wide = are_wide(x, y, residual);

    launch(c, wide ? gate<T, WIDE<T>> : gate<T, 1>,
           grid_of<T>(y.rows, y.cols, wide), THREADS, 0, y,
           mat_of<T>(c, &op->x[0]), x, residual, (op->acc & 1) != 0);
}

/* dby and dx may be absent. */
template <class T, unsigned N>
static __global__ void
gate_bwd(mat<T> dby, mat<T> dx, mat<T> by, mat<T> x, mat<T> dy, uint8_t acc)
{
    uint32_t i = blockIdx.x;
    float s = sigmoid(get(by.row(i))), dot = 0, d[N], v[N];

    EACH_PIECE(c, x.cols) {
        get_piece(dy.row(i) + c, d);
        get_piece(x.row(i) + c, v);
        UNROLL
        for (unsigned e = 0; e < N; e++) {
            dot += d[e] * v[e];
            d[e] *= s;
        }
        if (dx.p != nullptr)
            put_piece(dx.row(i) + c, d, acc >> 1 & 1);
    }
    dot = block_sum<THREADS>(dot);
    if (threadIdx.x == 0 && dby.p != nullptr)
        put(dby.row(i), s * (1 - s) * dot, acc & 1);
}

template <class T>
void
run_gate_bwd(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[1]), dy = mat_of<T>(c, &op->x[2]);
    mat<T> dx = mat_of<T>(c, &op->y[1]);
    bool wide = are_wide(x, dy, dx);

    launch(c, wide ? gate_bwd<T, WIDE<T>> : gate_bwd<T, 1>, dim3(x.rows),
           THREADS, block_sum_bytes(THREADS), mat_of<T>(c, &op->y[0]), dx,
           mat_of<T>(c, &op->x[0]), x, dy, op->acc);
}

#define INSTANCE(f)                                                         \
    template void run_##f<float>(struct call *c);                           \
    template void run_##f<bf16>(struct call *c);

INSTANCE(gather)
INSTANCE(combine)
INSTANCE(combine_bwd)
INSTANCE(gate)
INSTANCE(gate_bwd)
