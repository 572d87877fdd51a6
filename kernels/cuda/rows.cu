/* rows.cu - ops that treat each element, or each row, by itself.
 *
 * A block takes a row, or a piece of one: blockIdx.x is the row, blockIdx.y
 * the piece.
 */
#include "act.cuh"
#include "index.cuh"
#include "ops.cuh"
#include "piece.cuh"
#include "reduce.cuh"

constexpr unsigned THREADS = 256;
constexpr unsigned EACH = 4; /* elements a thread */

/* The columns of a row that this thread has: c, c + THREADS, ... */
#define EACH_COLUMN(c, cols)                                                \
    for (uint32_t c = blockIdx.y * THREADS * EACH + threadIdx.x,            \
                  end = min(cols, (blockIdx.y + 1) * THREADS * EACH);       \
         c < end; c += THREADS)

static dim3
grid_of(uint32_t rows, uint32_t cols)
{
    return dim3(rows, blocks_of(cols, THREADS * EACH));
}

/* Launches a kernel whose threads have a piece each, in the form that its
 * matrices allow; y is what it writes. */
#define LAUNCH_PIECES(c, kernel, wide, y, ...)                              \
    do {                                                                    \
        unsigned each = (wide) ? WIDE<T> : 1;                               \
                                                                            \
        launch(c, (wide) ? kernel<T, WIDE<T>> : kernel<T, 1>,               \
               dim3((y).rows, blocks_of((y).cols, each * THREADS)),         \
               THREADS, 0, y, __VA_ARGS__);                                 \
    } while (0)

/* The first column of a thread's piece. */
template <unsigned N>
static __device__ __forceinline__ uint32_t
own_column()
{
    return (blockIdx.y * THREADS + threadIdx.x) * N;
}

/* ---- tables --------------------------------------------------------------*/

template <class T>
static __global__ void
embed(mat<T> y, table ids, table pos, struct arrays b, bool add)
{
    uint32_t i = blockIdx.x;

    EACH_COLUMN(c, y.cols) {
        float v = table_at(ids, (uint32_t)b.ids[i], c);

        if (pos.p != nullptr)
            v += table_at(pos, (uint32_t)b.pos[i], c);
        put(y.row(i) + c, v, add);
    }
}

template <class T>
void
run_embed(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]);

    launch(c, embed<T>, grid_of(y.rows, y.cols), THREADS, 0, y,
           table_of(c, &c->op->x[0]), table_of(c, &c->op->x[1]), c->batch,
           (c->op->acc & 1) != 0);
}

/* The first row of those with the same index adds them all up, in order;
 * `step` tells which rows hold tokens. skip: 1 + the index that gets
 * nothing, 0 for none. */
template <class T>
static __global__ void
embed_bwd(mat<float> to, mat<T> dy, const int32_t *index,
          const struct step *step, uint32_t skip)
{
    uint32_t i = blockIdx.x, n = min(dy.rows, step->n);
    uint32_t at = (uint32_t)index[i], c = blockIdx.y * THREADS + threadIdx.x;
    float sum = 0;

    if (i >= n || at + 1 == skip)
        return;
    for (uint32_t k = 0; k < i; k += 32)
        if (rows_with(index, at, k, i))
            return;
    for (uint32_t k = i; k < n; k += 32)
        for (uint32_t all = rows_with(index, at, k, n); all; all &= all - 1)
            if (c < dy.cols)
                sum += get(dy.row(k + (uint32_t)__ffs((int)all) - 1) + c);
    if (c < dy.cols)
        to.row(at)[c] += sum;
}

template <class T>
void
run_embed_bwd(struct call *c)
{
    mat<T> dy = mat_of<T>(c, &c->op->x[0]);
    mat<float> ids = mat_of<float>(c, &c->op->y[0]);
    mat<float> pos = mat_of<float>(c, &c->op->y[1]);
    dim3 grid(dy.rows, blocks_of(dy.cols, THREADS));

    if (ids.p != nullptr)
        launch(c, embed_bwd<T>, grid, THREADS, 0, ids, dy,
               (const int32_t *)c->batch.ids, (const struct step *)c->step,
               c->op->u.embed.skip);
    if (pos.p != nullptr)
        launch(c, embed_bwd<T>, grid, THREADS, 0, pos, dy,
               (const int32_t *)c->batch.pos, (const struct step *)c->step,
               0u);
}

/* ---- rotary positions --------------------------------------------------- */

struct rope {
    uint32_t heads, head_dim, half;
    const float *freq;
    double factor, sign;
    bool add;
};

constexpr unsigned ROPE_THREADS = 128;

/* Cosine and sine of a row's angles, as many as pairs in a head. */
static __device__ __forceinline__ void
find_turns(float2 *turn, int32_t pos, const struct rope &r)
{
    for (uint32_t j = threadIdx.x; j < r.half; j += ROPE_THREADS) {
        double angle = pos * (double)r.freq[j];

        turn[j] = { (float)(cos(angle) * r.factor),
                    (float)(sin(angle) * r.factor * r.sign) };
    }
    __syncthreads();
}

/* A row is a block's. Of each head, piece after piece is turned with that
 * half a rope on; what does not turn is copied, pieces that come after. */
template <class T, unsigned N>
static __global__ void
rotate(mat<T> y, mat<T> x, const int32_t *pos, struct rope r)
{
    uint32_t i = blockIdx.x, half = r.half;
    uint32_t each = (r.head_dim - half) / N;
    auto *turn = reinterpret_cast<float2 *>(shared);

    find_turns(turn, pos[i], r);
    for (uint32_t k = threadIdx.x; k < r.heads * each; k += ROPE_THREADS) {
        uint32_t j = k % each * N, at = k / each * r.head_dim + j;
        T *to = y.row(i) + at;
        const T *from = x.row(i) + at;
        float a[N], b[N];

        get_piece(from + half, b);
        if (j >= half) {
            put_piece(to + half, b, r.add);
            continue;
        }
        get_piece(from, a);
        UNROLL
        for (unsigned e = 0; e < N; e++) {
            float2 t = turn[j + e];
            float turned = a[e] * t.x - b[e] * t.y;

            b[e] = b[e] * t.x + a[e] * t.y;
            a[e] = turned;
        }
        put_piece(to, a, r.add);
        put_piece(to + half, b, r.add);
    }
}

template <class T>
void
run_rope(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]), x = mat_of<T>(c, &c->op->x[0]);
    struct rope r = { c->op->u.rope.heads, c->op->u.rope.head_dim,
                      c->op->x[1].cols, mat_of<float>(c, &c->op->x[1]).p,
                      c->op->u.rope.factor, c->op->u.rope.sign,
                      (c->op->acc & 1) != 0 };
    bool wide = are_wide(y, x) && r.head_dim % WIDE<T> == 0
                && r.half % WIDE<T> == 0;

    launch(c, wide ? rotate<T, WIDE<T>> : rotate<T, 1>, dim3(y.rows),
           ROPE_THREADS, r.half * sizeof(float2), y, x,
           (const int32_t *)c->batch.pos, r);
}

/* ---- activation functions ----------------------------------------------- */

template <class T, unsigned N>
static __global__ void
act(mat<T> y, mat<T> x, uint8_t kind, bool add)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float v[N];

    if (c >= y.cols)
        return;
    get_piece(x.row(i) + c, v);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        v[e] = act_value(kind, v[e]);
    put_piece(y.row(i) + c, v, add);
}

template <class T>
void
run_act(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]), x = mat_of<T>(c, &c->op->x[0]);

    LAUNCH_PIECES(c, act, are_wide(y, x), y, x, c->op->u.act.kind,
                  (c->op->acc & 1) != 0);
}

/* dx may be dy's place. */
template <class T, unsigned N>
static __global__ void
act_bwd(mat<T> dx, mat<T> x, mat<T> dy, uint8_t kind, bool add)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float v[N], d[N];

    if (c >= dx.cols)
        return;
    get_piece(x.row(i) + c, v);
    get_piece(dy.row(i) + c, d);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        d[e] *= act_slope(kind, v[e]);
    put_piece(dx.row(i) + c, d, add);
}

template <class T>
void
run_act_bwd(struct call *c)
{
    mat<T> dx = mat_of<T>(c, &c->op->y[0]), x = mat_of<T>(c, &c->op->x[0]);
    mat<T> dy = mat_of<T>(c, &c->op->x[1]);

    LAUNCH_PIECES(c, act_bwd, are_wide(dx, x, dy), dx, x, dy,
                  c->op->u.act.kind, (c->op->acc & 1) != 0);
}

template <class T, unsigned N>
static __global__ void
glu(mat<T> y, mat<T> gate, mat<T> up, uint8_t kind, bool add)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float g[N], u[N];

    if (c >= y.cols)
        return;
    get_piece(gate.row(i) + c, g);
    get_piece(up.row(i) + c, u);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        u[e] *= act_value(kind, g[e]);
    put_piece(y.row(i) + c, u, add);
}

template <class T>
void
run_glu(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]), gate = mat_of<T>(c, &c->op->x[0]);
    mat<T> up = mat_of<T>(c, &c->op->x[1]);

    LAUNCH_PIECES(c, glu, are_wide(y, gate, up), y, gate, up,
                  c->op->u.act.kind, (c->op->acc & 1) != 0);
}

template <class T, unsigned N>
static __global__ void
glu_bwd(mat<T> dgate, mat<T> dup, mat<T> gate, mat<T> up, mat<T> dy,
        uint8_t kind, uint8_t acc)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float g[N], u[N], d[N];

    if (c >= dy.cols)
        return;
    get_piece(gate.row(i) + c, g);
    get_piece(up.row(i) + c, u);
    get_piece(dy.row(i) + c, d);
    UNROLL
    for (unsigned e = 0; e < N; e++) {
        u[e] *= d[e] * act_slope(kind, g[e]);
        d[e] *= act_value(kind, g[e]);
    }
    put_piece(dgate.row(i) + c, u, acc & 1);
    put_piece(dup.row(i) + c, d, acc >> 1 & 1);
}

template <class T>
void
run_glu_bwd(struct call *c)
{
    mat<T> dgate = mat_of<T>(c, &c->op->y[0]), dup = mat_of<T>(c, &c->op->y[1]);
    mat<T> gate = mat_of<T>(c, &c->op->x[0]), up = mat_of<T>(c, &c->op->x[1]);
    mat<T> dy = mat_of<T>(c, &c->op->x[2]);

    LAUNCH_PIECES(c, glu_bwd, are_wide(dgate, dup, gate, up, dy), dgate, dup,
                  gate, up, dy, c->op->u.act.kind, c->op->acc);
}

/* z may be absent. */
template <class T, unsigned N>
static __global__ void
add(mat<T> y, mat<T> x, mat<T> z, float scale, bool acc)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float v[N], w[N] = {};

    if (c >= y.cols)
        return;
    get_piece(x.row(i) + c, v);
    if (z.p != nullptr)
        get_piece(z.row(i) + c, w);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        v[e] = scale * v[e] + w[e];
    put_piece(y.row(i) + c, v, acc);
}

template <class T>
void
run_add(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]), x = mat_of<T>(c, &c->op->x[0]);
    mat<T> z = mat_of<T>(c, &c->op->x[1]);

    LAUNCH_PIECES(c, add, are_wide(y, x, z), y, x, z,
                  (float)c->op->u.add.scale, (c->op->acc & 1) != 0);
}

/* ---- moves -------------------------------------------------------------- */

template <class T>
static __global__ void
cache(mat<T> y, mat<T> x, struct arrays b, struct cache_args a)
{
    uint32_t i = blockIdx.x, seq = i / a.seq_len, at = i % a.seq_len;

    if (at >= (uint32_t)b.seq_n[seq])
        return;
    at += seq * a.cache_len + (uint32_t)b.cache_at[seq];
    EACH_COLUMN(c, x.cols)
        y.row(at)[c] = x.row(i)[c];
}

template <class T>
void
run_cache(struct call *c)
{
    mat<T> x = mat_of<T>(c, &c->op->x[0]);

    launch(c, cache<T>, grid_of(x.rows, x.cols), THREADS, 0,
           mat_of<T>(c, &c->op->y[0]), x, c->batch, c->op->u.cache);
}

template <class T>
static __global__ void
copy(mat<T> y, mat<T> x, bool add)
{
    uint32_t i = blockIdx.x;

    EACH_COLUMN(c, x.cols)
        put(y.row(i) + c, get(x.row(i) + c), add);
}

template <class T>
static void
put_copy(struct call *c)
{
    mat<T> x = mat_of<T>(c, &c->op->x[0]);

    launch(c, copy<T>, grid_of(x.rows, x.cols), THREADS, 0,
           mat_of<T>(c, &c->op->y[0]), x, (c->op->acc & 1) != 0);
}

/* Parameters and gradients are floats whatever activations are. */
template <class T>
void
run_copy(struct call *c)
{
    if (c->op->x[0].dtype == DTYPE_REAL)
        put_copy<float>(c);
    else
        put_copy<T>(c);
}

/* As one row of rows * cols bytes where rows follow on each other. */
template <class T>
void
run_zero(struct call *c)
{
    const struct view *v = &c->op->y[0];
    size_t size = element_bytes(v->dtype);
    char *p = view_at(c, v);

    if (v->ld == v->cols) {
        c->error = cudaMemsetAsync(p, 0, (size_t)v->rows * v->cols * size,
                                   c->card->stream);
        return;
    }
    for (uint32_t i = 0; i < v->rows && c->error == cudaSuccess; i++)
        c->error = cudaMemsetAsync(p + (size_t)i * v->ld * size, 0,
                                   v->cols * size, c->card->stream);
}

#define INSTANCE(f)                                                         \
    template void run_##f<float>(struct call *c);                           \
    template void run_##f<bf16>(struct call *c);

INSTANCE(embed)
INSTANCE(embed_bwd)
INSTANCE(rope)
INSTANCE(act)
INSTANCE(act_bwd)
INSTANCE(glu)
INSTANCE(glu_bwd)
INSTANCE(add)
INSTANCE(cache)
INSTANCE(copy)
INSTANCE(zero)
