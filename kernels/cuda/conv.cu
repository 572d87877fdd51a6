/* conv.cu - CONV1D and its gradient.
 *
 * A thread has a piece of columns and RUN rows, through which it goes with a
 * window of the last WIDTH rows in registers, which a document empties where
 * it begins. With d = dy act'(.), of which a row of dx wants that of the rows
 * behind it as well,
 *   dx[i] = sum over k < width of weight[k] d[i + width - 1 - k]
 * so that a thread goes width - 1 rows on. Gradients of the weights are sums
 * over SUM_GROUP rows first, in scratch, then over those.
 */
#include "act.cuh"
#include "ops.cuh"
#include "piece.cuh"
#include "rows.cuh"

constexpr unsigned THREADS = 128;
constexpr unsigned RUN = 16;
constexpr unsigned NARROW = 4; /* the width that models have */

template <class T>
struct conv {
    mat<T> x;
    mat<float> kept; /* decoding: the rows before a pass */
    table weight, bias;
    struct order order;
    uint32_t cols, width;
    uint8_t act;
};

template <class T>
static struct conv<T>
conv_of(const struct call *c)
{
    const struct op *op = c->op;

    return { mat_of<T>(c, &op->x[0]),
             op->u.conv.cached ? mat_of<float>(c, &op->y[1]) : mat<float>(),
             table_of(c, &op->x[1]), table_of(c, &op->x[2]),
             order_of(c, op->u.conv.seq_len, op->u.conv.cached != 0),
             op->x[1].rows, op->x[1].cols, op->u.conv.act };
}

/* N columns: what their rows are weighed with, and the rows that are seen,
 * the newest last. Weights are at the end, too, where there are fewer. */
template <unsigned N, unsigned WIDTH>
struct window {
    float weight[WIDTH][N], bias[N], x[WIDTH][N];
};

template <unsigned N, unsigned WIDTH, class T>
static __device__ __forceinline__ void
open_window(struct window<N, WIDTH> &w, const struct conv<T> &f, uint32_t col)
{
    uint32_t none = WIDTH - f.width;

    UNROLL
    for (unsigned e = 0; e < N; e++) {
        w.bias[e] = f.bias.p ? table_at(f.bias, 0, col + e) : 0;
        UNROLL
        for (unsigned k = 0; k < WIDTH; k++) {
            w.weight[k][e] = k < none ? 0 : table_at(f.weight, col + e,
                                                     k - none);
            w.x[k][e] = 0;
        }
    }
}

/* The rows before row i of sequence q, but for those of another document;
 * decoding, those of its past. */
template <unsigned N, unsigned WIDTH, class T>
static __device__ __forceinline__ void
fill_window(struct window<N, WIDTH> &w, const struct conv<T> &f, uint32_t q,
            uint32_t i, uint32_t col)
{
    uint32_t at = i - q * f.order.seq;
    uint32_t there = f.order.cached ? at : i - f.order.first(i);
    uint32_t all = f.order.has_past(q) ? CONV_MAX : there;

    UNROLL
    for (unsigned back = 1; back < WIDTH; back++) {
        uint32_t kept = q * (f.width - 1) + f.width - 1 - back + at;

        if (back < f.width && back <= there)
            get_piece(f.x.row(i - back) + col, w.x[WIDTH - back]);
        else if (back < f.width && back <= all)
            UNROLL
            for (unsigned e = 0; e < N; e++)
                w.x[WIDTH - back][e] = f.kept.row(kept)[col + e];
    }
}

/* Row i comes in, and what goes through the activation into sum. */
template <unsigned N, unsigned WIDTH, class T>
static __device__ __forceinline__ void
take_row(struct window<N, WIDTH> &w, const struct conv<T> &f, uint32_t i,
         uint32_t col, float (&sum)[N])
{
    bool begins = f.order.begins(i);

    UNROLL
    for (unsigned k = 0; k + 1 < WIDTH; k++) {
        UNROLL
        for (unsigned e = 0; e < N; e++)
            w.x[k][e] = begins ? 0 : w.x[k + 1][e];
    }
    get_piece(f.x.row(i) + col, w.x[WIDTH - 1]);
    UNROLL
    for (unsigned e = 0; e < N; e++) {
        sum[e] = w.bias[e];
        UNROLL
        for (unsigned k = 0; k < WIDTH; k++)
            sum[e] += w.weight[k][e] * w.x[k][e];
    }
}

/* blockIdx.y: a run of a sequence's rows. */
struct run_of {
    uint32_t q, from, end; /* rows of sequence q */

    template <class T>
    __device__ __forceinline__ run_of(const struct conv<T> &f)
    {
        uint32_t runs = (f.order.seq + RUN - 1) / RUN;
        uint32_t at = blockIdx.y % runs * RUN;

        q = blockIdx.y / runs;
        from = q * f.order.seq + at;
        end = min(min(from + RUN, (q + 1) * f.order.seq), f.order.rows);
    }
};

template <unsigned N>
static __device__ __forceinline__ uint32_t
own_column()
{
    return (blockIdx.x * THREADS + threadIdx.x) * N;
}

template <class T, unsigned N, unsigned WIDTH>
static __global__ void
conv1d(mat<T> y, struct conv<T> f, bool add)
{
    struct run_of r(f);
    uint32_t col = own_column<N>();
    uint32_t held = r.q * f.order.seq + f.order.length(r.q);
    struct window<N, WIDTH> w;
    float v[N];

    if (col >= f.cols)
        return;
    open_window(w, f, col);
    fill_window(w, f, r.q, r.from, col);
    for (uint32_t i = r.from; i < r.end; i++) {
        if (i < held)
            take_row(w, f, i, col, v);
        UNROLL
        for (unsigned e = 0; e < N; e++)
            v[e] = i < held ? act_value(f.act, v[e]) : 0;
        put_piece(y.row(i) + col, v, add);
    }
}

/* Decoding: a sequence's last rows take the place of those before; a thread
 * has a column of a sequence. */
template <class T>
static __global__ void
keep_rows(struct conv<T> f)
{
    uint32_t q = blockIdx.y, c = blockIdx.x * THREADS + threadIdx.x;
    uint32_t n = f.order.length(q), width = f.width - 1;

    if (c >= f.cols || n == 0)
        return;
    for (uint32_t k = 0; k < width; k++) {
        float *to = f.kept.row(q * width + k) + c;

        if (k + n >= width)
            *to = get(f.x.row(q * f.order.seq + k + n - width) + c);
        else
            *to = f.order.has_past(q) ? to[n * f.kept.ld] : 0;
    }
}

template <class T>
static dim3
grid_of(const struct conv<T> &f, bool wide)
{
    uint32_t seqs = f.order.rows / f.order.seq;

    return dim3(blocks_of(f.cols, THREADS * (wide ? WIDE<T> : 1)),
                seqs * blocks_of(f.order.seq, RUN));
}

template <class T>
void
run_conv1d(struct call *c)
{
    struct conv<T> f = conv_of<T>(c);
    mat<T> y = mat_of<T>(c, &c->op->y[0]);
    bool wide = are_wide(y, f.x) && f.width <= NARROW;

    launch(c, wide ? conv1d<T, WIDE<T>, NARROW>
              : f.width <= NARROW ? conv1d<T, 1, NARROW>
                                  : conv1d<T, 1, CONV_MAX>,
           grid_of(f, wide), THREADS, 0, y, f, (c->op->acc & 1) != 0);
    if (f.kept.p != nullptr)
        launch(c, keep_rows<T>,
               dim3(blocks_of(f.cols, THREADS), f.order.rows / f.order.seq),
               THREADS, 0, f);
}

/* d of row i, which comes in. */
template <class T, unsigned N, unsigned WIDTH>
static __device__ __forceinline__ void
find_d(struct window<N, WIDTH> &w, const struct conv<T> &f, mat<T> dy,
       uint32_t i, uint32_t col, float (&d)[N])
{
    float sum[N];

    take_row(w, f, i, col, sum);
    get_piece(dy.row(i) + col, d);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        d[e] *= act_slope(f.act, sum[e]);
}

/* What d of row i adds to the rows before it: sum[k] is of the row
 * WIDTH - 1 - k before, of which `since` are of its document. */
template <unsigned N, unsigned WIDTH>
static __device__ __forceinline__ void
give_d(const struct window<N, WIDTH> &w, float (&sum)[WIDTH][N],
       const float (&d)[N], uint32_t since)
{
    UNROLL
    for (unsigned k = 0; k < WIDTH; k++) {
        bool seen = WIDTH - 1 - k <= since;

        UNROLL
        for (unsigned e = 0; e < N; e++)
            sum[k][e] = (k + 1 < WIDTH ? sum[k + 1][e] : 0)
                        + (seen ? w.weight[k][e] * d[e] : 0);
    }
}

template <class T, unsigned N, unsigned WIDTH>
static __global__ void
conv1d_dx(mat<T> dx, mat<T> dy, struct conv<T> f, bool add)
{
    struct run_of r(f);
    uint32_t col = own_column<N>();
    uint32_t end = min(r.end + f.width - 1,
                       min((r.q + 1) * f.order.seq, f.order.rows));
    struct window<N, WIDTH> w;
    float sum[WIDTH][N] = {}, done[N];

    if (col >= f.cols)
        return;
    open_window(w, f, col);
    fill_window(w, f, r.q, r.from, col);
    for (uint32_t i = r.from; i < r.end + WIDTH - 1; i++) {
        float d[N] = {};

        if (i < end)
            find_d(w, f, dy, i, col, d);
        give_d(w, sum, d, i < end ? i - f.order.first(i) : 0);
        if (i < r.from + WIDTH - 1)
            continue;
        UNROLL
        for (unsigned e = 0; e < N; e++)
            done[e] = sum[0][e];
        put_piece(dx.row(i - (WIDTH - 1)) + col, done, add);
    }
}

/* Sums over SUM_GROUP rows, [groups, width + 1, cols]: the last is of d. */
template <class T, unsigned WIDTH>
static __global__ void
weight_parts(float *part, mat<T> dy, struct conv<T> f)
{
    uint32_t c = own_column<1>(), from = blockIdx.y * SUM_GROUP;
    uint32_t none = WIDTH - f.width;
    struct window<1, WIDTH> w;
    float sum[WIDTH] = {}, all = 0, d[1];

    if (c >= f.cols)
        return;
    open_window(w, f, c);
    fill_window(w, f, from / f.order.seq, from, c);
    for (uint32_t i = from; i < min(from + SUM_GROUP, f.order.rows); i++) {
        find_d(w, f, dy, i, c, d);
        UNROLL
        for (unsigned k = 0; k < WIDTH; k++)
            sum[k] += d[0] * w.x[k][0];
        all += d[0];
    }
    part += (size_t)blockIdx.y * (f.width + 1) * f.cols + c;
    UNROLL
    for (unsigned k = 0; k < WIDTH; k++)
        if (k >= none)
            part[(size_t)(k - none) * f.cols] = sum[k];
    part[(size_t)f.width * f.cols] = all;
}

/* blockIdx.y: a column of the weights, or behind them the bias. */
static __global__ void
weight_sums(mat<float> dw, float *dbias, const float *part, uint32_t cols,
            uint32_t width, uint32_t groups)
{
    uint32_t c = own_column<1>(), k = blockIdx.y;
    float *to = k == width ? dbias : dw.p;
    float sum = 0;

    if (c >= cols || to == nullptr)
        return;
    for (uint32_t i = 0; i < groups; i++)
        sum += part[((size_t)i * (width + 1) + k) * cols + c];
    to[k == width ? c : (size_t)c * dw.ld + k] += sum;
}

template <class T>
void
run_conv1d_bwd(struct call *c)
{
    struct conv<T> f = conv_of<T>(c);
    mat<T> dx = mat_of<T>(c, &c->op->y[0]), dy = mat_of<T>(c, &c->op->x[3]);
    mat<float> dw = mat_of<float>(c, &c->op->y[1]);
    float *dbias = mat_of<float>(c, &c->op->y[2]).p;
    auto *part = reinterpret_cast<float *>(view_at(c, &c->op->scratch));
    bool wide = are_wide(dx, dy, f.x) && f.width <= NARROW;
    uint32_t groups = blocks_of(f.order.rows, SUM_GROUP);

    if (dx.p != nullptr)
        launch(c, wide ? conv1d_dx<T, WIDE<T>, NARROW>
                  : f.width <= NARROW ? conv1d_dx<T, 1, NARROW>
                                      : conv1d_dx<T, 1, CONV_MAX>,
               grid_of(f, wide), THREADS, 0, dx, dy, f,
               (c->op->acc & 1) != 0);
    if (dw.p == nullptr && dbias == nullptr)
        return;
    launch(c, f.width <= NARROW ? weight_parts<T, NARROW>
                                : weight_parts<T, CONV_MAX>,
           dim3(blocks_of(f.cols, THREADS), groups), THREADS, 0, part, dy, f);
    launch(c, weight_sums, dim3(blocks_of(f.cols, THREADS), f.width + 1),
           THREADS, 0, dw, dbias, (const float *)part, f.cols, f.width,
           groups);
}

template void run_conv1d<float>(struct call *c);
template void run_conv1d<bf16>(struct call *c);
template void run_conv1d_bwd<float>(struct call *c);
template void run_conv1d_bwd<bf16>(struct call *c);
