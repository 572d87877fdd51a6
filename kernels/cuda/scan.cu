/* scan.cu - SCAN: see scan.cuh. */
#include "scan.cuh"

#include "ops.cuh"

constexpr unsigned THREADS = 128;
constexpr unsigned NUMBERS = 16; /* a thread has, of a column's state */
constexpr unsigned STAGE = 16;   /* rows of B and C at a time */

typedef struct column<NUMBERS> own_column;

template <class T>
static __device__ __forceinline__ uint32_t
first_column(const struct scan<T> &f)
{
    return blockIdx.x * (THREADS / f.lanes);
}

/* h after a row of step delta and input u, before which it was h. */
static __device__ __forceinline__ void
advance(float (&h)[NUMBERS], const own_column &own, const float *b,
        float delta, float u, bool begins)
{
    float x[NUMBERS];

    get_staged(x, b + own.first);
    UNROLL
    for (unsigned s = 0; s < NUMBERS; s++)
        h[s] = (begins ? 0 : fade_of(delta, own.a[s]) * h[s])
               + delta * u * x[s];
}

/* What a chunk makes of a state of 0, and the sum of its steps. */
template <class T>
static __global__ void __launch_bounds__(THREADS)
scan_ends(mat<float> states, float *sums, struct scan<T> f)
{
    auto *bc = reinterpret_cast<float *>(shared);
    uint32_t wide = f.lanes * NUMBERS;
    struct span rows(f, blockIdx.y);
    own_column own(f, first_column(f));
    float h[NUMBERS] = {}, sum = 0;

    for (uint32_t i = rows.from; i < rows.end; i++) {
        uint32_t r = (i - rows.from) % STAGE;
        bool begins = f.order.begins(i);
        float delta = softplus(own.at(f.d, i));

        if (r == 0)
            stage(bc, f, i, min(STAGE, rows.end - i), wide);
        advance(h, own, bc + 2 * r * wide, delta, own.at(f.u, i), begins);
        sum = sum < 0 || begins ? DIVIDED : sum + delta;
    }
    own.put_state(states.row(blockIdx.y), h, f.cols);
    if (own.there && own.first == 0)
        sums[(size_t)blockIdx.y * f.cols + own.c] = sum;
}

/* From chunk to chunk of sequence blockIdx.y: a thread has a number. */
static __global__ void
join_chunks(mat<float> states, const float *sums, table a_log, uint32_t cols,
            uint32_t state, uint32_t chunks)
{
    uint32_t at = blockIdx.x * THREADS + threadIdx.x, c = at % cols;
    float h = 0, a;

    if (at >= cols * state)
        return;
    a = decay_of(a_log, c, at / cols);
    for (uint32_t k = blockIdx.y * chunks; k < (blockIdx.y + 1) * chunks;
         k++) {
        float sum = sums[(size_t)k * cols + c];

        h = states.row(k)[at] + (sum < 0 ? 0 : fade_of(sum, a) * h);
        states.row(k)[at] = h;
    }
}

/* The rows of a span; before has the states that those before left, by span:
 * decoding, each sequence's own, or else the chunks'. */
template <class T>
static __global__ void __launch_bounds__(THREADS)
scan_rows(mat<T> y, mat<float> before, mat<float> after, struct scan<T> f,
          bool add)
{
    auto *bc = reinterpret_cast<float *>(shared);
    uint32_t wide = f.lanes * NUMBERS;
    struct span rows(f, blockIdx.y);
    own_column own(f, first_column(f));
    float skip = own.there ? table_at(f.skip, 0, own.c) : 0;
    float h[NUMBERS] = {}, weight[NUMBERS];

    if (rows.k > 0)
        own.get_state(h, before.row(blockIdx.y - 1), f.cols);
    else if (f.order.has_past(rows.q))
        own.get_state(h, before.row(rows.q), f.cols);
    for (uint32_t i = rows.from; i < rows.end; i++) {
        uint32_t r = (i - rows.from) % STAGE;
        float u = own.at(f.u, i), sum = 0;

        if (r == 0)
            stage(bc, f, i, min(STAGE, rows.end - i), wide);
        advance(h, own, bc + 2 * r * wide, softplus(own.at(f.d, i)), u,
                f.order.begins(i));
        get_staged(weight, bc + (2 * r + 1) * wide + own.first);
        UNROLL
        for (unsigned s = 0; s < NUMBERS; s++)
            sum += weight[s] * h[s];
        sum = column_sum(sum, f.lanes);
        if (own.there && own.first == 0)
            put(y.row(i) + own.c, skip * u + sum, add);
    }
    if (after.p != nullptr && rows.end > rows.from)
        own.put_state(after.row(blockIdx.y), h, f.cols);
    for (uint32_t i = rows.end; f.order.cached && own.there && own.first == 0
                                && i < (rows.q + 1) * f.order.seq; i++)
        put(y.row(i) + own.c, 0, add);
}

template <class T>
void
run_scan(struct call *c)
{
    const struct op *op = c->op;
    struct scan<T> f = scan_of<T>(c, NUMBERS);
    struct scan_space space = scan_space_at(view_at(c, &op->scratch), op);
    mat<float> states = mat_of<float>(c, &op->y[1]), past = {};
    auto *sums = reinterpret_cast<float *>(space.sums);
    uint32_t seqs = sequences_of(f), numbers = f.cols * f.state;
    bool join = !f.order.cached && f.chunks > 1;
    dim3 grid(blocks_of(f.cols, THREADS / f.lanes),
              f.order.cached ? seqs : seqs * f.chunks);
    size_t staged = STAGE * 2 * f.lanes * NUMBERS * sizeof(float);

    if (f.order.cached)
        past = states = mat_of<float>(c, &op->y[2]);
    else if (!join)
        past = states;
    if (states.p == nullptr)
        states = { reinterpret_cast<float *>(space.states), seqs * f.chunks,
                   numbers, numbers };
    if (join) {
        launch(c, scan_ends<T>, grid, THREADS, staged, states, sums, f);
        launch(c, join_chunks, dim3(blocks_of(numbers, THREADS), seqs),
               THREADS, 0, states, (const float *)sums, f.a_log, f.cols,
               f.state, f.chunks);
    }
    launch(c, scan_rows<T>, grid, THREADS, staged, mat_of<T>(c, &op->y[0]),
           states, past, f, (op->acc & 1) != 0);
}

template void run_scan<float>(struct call *c);
template void run_scan<bf16>(struct call *c);
