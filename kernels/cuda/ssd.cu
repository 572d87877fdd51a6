/* ssd.cu - SSD: see ssd.cuh.
 *
 * A block has a tile of a head's columns, and goes through the chunks of a
 * sequence in order. The state is in memory: what each chunk leaves behind,
 * where the op keeps that, or else in scratch, in one place. Decoding goes row
 * by row, as few rows make no product.
 */
#include "ssd.cuh"

constexpr unsigned THREADS = 256;

/* Decoding: columns of a block, and numbers of a column's state that a thread
 * has on their way at once. */
constexpr unsigned COLUMNS = 32, AT_ONCE = 8;

/* Shared memory: numbers of B, C and S, and x, and e delta x. */
template <class T>
struct places {
    T *b, *c, *s, *x, *weighed;
    struct rates *of;

    __device__ __forceinline__ places()
    {
        constexpr unsigned EACH = square<T>::SIDE * square<T>::LD;

        b = reinterpret_cast<T *>(shared);
        c = b + EACH;
        s = c + EACH;
        x = s + EACH;
        weighed = x + EACH;
        of = reinterpret_cast<struct rates *>(weighed + EACH);
    }

    static size_t bytes()
    {
        return 5 * square<T>::SIDE * square<T>::LD * sizeof(T)
               + sizeof(struct rates);
    }
};

template <class T>
static __device__ __forceinline__ void
weigh_rows(const struct places<T> &p)
{
    typedef square<T> E;

    for (unsigned k = threadIdx.x; k < E::SIDE * E::SIDE; k += E::THREADS) {
        unsigned t = k / E::SIDE, at = t * E::LD + k % E::SIDE;

        set(p.weighed + at, get(p.x + at) * p.of->weight[t]);
    }
}

/* S', from number `at` on. */
template <class T>
static __device__ __forceinline__ void
put_state(float *after, const float *before, const struct ssd<T> &f,
          const struct head_tile &tile, const struct places<T> &p, uint32_t at)
{
    typedef square<T> E;
    size_t cols = (size_t)f.heads * f.width;
    float fade = before != nullptr ? p.of->fade : 0;
    bool wide = cols % 2 == 0
                && reinterpret_cast<uintptr_t>(after + tile.col) % 8 == 0;
    typename E::sums h;

    EACH_SUM(E, i, j) {
        uint32_t s = at + E::row(i), c = E::col(j);
        bool fades = fade > 0 && s < f.state && c < tile.cols;

        h.at(i, j) = fades ? fade * before[s * cols + tile.col + c] : 0;
    }
    E::template multiply<true, false>(h, p.b, p.weighed);
    UNROLL
    for (unsigned i = 0; i < E::ROWS; i++) {
        uint32_t s = at + E::row(i);

        if (s < f.state)
            put_sums<E>(after + s * cols + tile.col, h, i, tile.cols,
                        wide, false);
    }
}

/* y of a chunk, from G and C S. */
template <class T>
static __device__ __forceinline__ void
put_rows(mat<T> y, typename square<T>::sums &g, typename square<T>::sums &z,
         const struct ssd<T> &f, const struct head_tile &tile,
         const struct chunk_rows &rows, const struct places<T> &p, bool add)
{
    typedef square<T> E;
    float skip = table_at(f.skip, 0, tile.head);
    bool wide = y.ld % 2 == 0 && tile.col % 2 == 0
                && reinterpret_cast<uintptr_t>(y.p) % 4 == 0;

    EACH_SUM(E, i, j) {
        uint32_t t = E::row(i), s = E::col(j);
        float carry = p.of->carry[t];

        g.at(i, j) *= p.of->between(t, s) * p.of->delta[s];
        z.at(i, j) = (carry > 0 ? carry * z.at(i, j) : 0)
                     + skip * get(p.x + t * E::LD + s);
    }
    __syncthreads(); /* B is read */
    set_square(p.b, g);
    __syncthreads();
    E::template multiply<false, false>(z, p.b, p.x);
    UNROLL
    for (unsigned i = 0; i < E::ROWS; i++)
        if (E::row(i) < rows.n)
            put_sums<E>(y.row(rows.from + E::row(i)) + tile.col, z, i,
                        tile.cols, wide, add);
}

/* before: S, or NULL where it is 0; after: S', or NULL where nobody asks. */
template <class T>
static __device__ __forceinline__ void
run_chunk(mat<T> y, float *after, const float *before, const struct ssd<T> &f,
          const struct head_tile &tile, const struct chunk_rows &rows,
          bool add)
{
    typedef square<T> E;
    struct places<T> p;
    typename E::sums g = {}, z = {};

    __syncthreads(); /* what was there is read */
    load_square(p.x, rows.part(f.x, tile.col, tile.cols));
    fill_rates(*p.of, f, rows, tile.head);
    meet_squares();
    weigh_rows(p);
    for (uint32_t at = 0; at < f.state; at += SSD_SIDE) {
        uint32_t n = min(SSD_SIDE, f.state - at);

        if (at > 0)
            __syncthreads();
        load_square(p.b, rows.part(f.bc, tile.b + at, n));
        load_square(p.c, rows.part(f.bc, tile.c + at, n));
        if (before != nullptr)
            load_state(p.s, f, before, tile, at);
        meet_squares();
        E::template multiply<false, true>(g, p.c, p.b);
        if (before != nullptr)
            E::template multiply<false, false>(z, p.c, p.s);
        if (after != nullptr)
            put_state(after, before, f, tile, p, at);
    }
    put_rows(y, g, z, f, tile, rows, p, add);
}

/* A tile of a head is blockIdx.x, a sequence blockIdx.y; states: of chunks, or
 * (each false) one of each sequence. */
template <class T>
static __global__ void __launch_bounds__(THREADS)
ssd_rows(mat<T> y, mat<float> states, bool each, struct ssd<T> f, bool add)
{
    uint32_t tiles = tiles_of(f), q = blockIdx.y;
    struct head_tile tile(f, blockIdx.x / tiles, blockIdx.x % tiles);
    const float *before = nullptr;

    for (uint32_t k = 0; k < f.chunks; k++) {
        struct chunk_rows rows(f, q * f.chunks + k);
        bool last = k + 1 == f.chunks && !each;
        float *after = last ? nullptr
                            : states.row(each ? q * f.chunks + k : q);

        run_chunk(y, after, rows.carried(f, 0) ? before : nullptr, f, tile,
                  rows, add);
        before = after;
    }
}

/* Row i of the block's columns: a thread has some numbers of its column's
 * state, and gives what they add to y. */
template <class T>
static __device__ __forceinline__ float
step_state(float *states, const struct ssd<T> &f, const struct head_tile &tile,
           uint32_t i, uint32_t col, bool begins)
{
    size_t cols = (size_t)f.heads * f.width;
    float delta = step_of(f, i, tile.head), sum = 0;
    float fade = power_of_2((float)fade_log(delta, decay_of(f, tile.head)));
    float in = delta * get(f.x.row(i) + col);
    const T *b = f.bc.row(i) + tile.b, *c = f.bc.row(i) + tile.c;
    uint32_t first = threadIdx.x / COLUMNS * AT_ONCE;

    for (; first < f.state; first += THREADS / COLUMNS * AT_ONCE) {
        float *at = states + first * cols + col;
        float h[AT_ONCE], give[AT_ONCE], take[AT_ONCE];

        UNROLL
        for (unsigned e = 0; e < AT_ONCE; e++) {
            bool there = first + e < f.state;

            h[e] = there && !begins ? at[e * cols] : 0;
            give[e] = there ? get(b + first + e) : 0;
            take[e] = there ? get(c + first + e) : 0;
        }
        UNROLL
        for (unsigned e = 0; e < AT_ONCE; e++) {
            h[e] = fade * h[e] + in * give[e];
            sum += h[e] * take[e];
            if (first + e < f.state)
                at[e * cols] = h[e];
        }
    }
    return sum;
}

/* Decoding: COLUMNS columns of a head are blockIdx.x, a sequence blockIdx.y. */
template <class T>
static __global__ void __launch_bounds__(THREADS)
ssd_decode(mat<T> y, mat<float> past, struct ssd<T> f, bool add)
{
    auto *part = reinterpret_cast<float *>(shared);
    uint32_t tiles = (f.width + COLUMNS - 1) / COLUMNS, q = blockIdx.y;
    uint32_t from = q * f.order.seq, end = from + f.order.length(q);
    uint32_t at = blockIdx.x % tiles * COLUMNS + threadIdx.x % COLUMNS;
    struct head_tile tile(f, blockIdx.x / tiles, 0);
    uint32_t col = tile.col + at;
    float skip = table_at(f.skip, 0, tile.head);

    for (uint32_t i = from; i < from + f.order.seq; i++) {
        float sum = 0;

        if (i < end && at < f.width)
            part[threadIdx.x] = step_state(past.row(q), f, tile, i, col,
                                           i == from && !f.order.has_past(q));
        __syncthreads();
        if (threadIdx.x < COLUMNS && at < f.width) {
            for (uint32_t k = 0; k < THREADS && i < end; k += COLUMNS)
                sum += part[k + threadIdx.x];
            put(y.row(i) + col, i < end ? skip * get(f.x.row(i) + col) + sum
                                        : 0, add);
        }
        __syncthreads();
    }
}

template <class T>
void
run_ssd(struct call *c)
{
    const struct op *op = c->op;
    struct ssd_space space = ssd_space_at(view_at(c, &op->scratch), op);
    struct ssd<T> f = ssd_of<T>(c, space.steps);
    mat<T> y = mat_of<T>(c, &op->y[0]);
    mat<float> states = mat_of<float>(c, &op->y[1]);
    uint32_t seqs = f.order.rows / f.order.seq;
    uint32_t numbers = op->x[0].cols * f.state;
    bool add = (op->acc & 1) != 0, each = states.p != nullptr;

    if (f.order.cached) {
        launch(c, ssd_decode<T>,
               dim3(f.heads * blocks_of(f.width, COLUMNS), seqs), THREADS,
               THREADS * sizeof(float), y, mat_of<float>(c, &op->y[2]), f,
               add);
        return;
    }
    if (!each)
        states = { reinterpret_cast<float *>(space.states), seqs, numbers,
                   numbers };
    put_ssd_steps(c, f);
    launch(c, ssd_rows<T>, dim3(f.heads * tiles_of(f), seqs), THREADS,
           places<T>::bytes(), y, states, each, f, add);
}

template void run_ssd<float>(struct call *c);
template void run_ssd<bf16>(struct call *c);
