/* scan_bwd.cu - the gradient of SCAN: see scan.cuh.
 *
 * With g the gradient of h, which goes from row to row backward, and h' the
 * state before a row,
 *   g += dy C;  dC = dy h, dB = g delta u, both summed over columns
 *   fade = g exp(delta A) h';  dA += fade delta;  g = g exp(delta A)
 *   d delta = sum of fade A + g B u;  du = D dy + delta sum of g B
 * A chunk's states are made once more from that before it, and kept at every
 * SUB'th row; the rows between them are made again, in registers. A block goes
 * through the same rows of a few tiles of columns, and has a sum of its own
 * for B and C's gradients; these, and those of chunks, are added in order.
 */
#include "ops.cuh"
#include "scan.cuh"
#include "tensor.cuh"

constexpr unsigned ALL = SCAN_TILE; /* numbers of a tile of columns */
constexpr unsigned SUMS = 128;

/* S numbers a thread: threads of a block, and rows whose states are in
 * registers. */
template <unsigned S> constexpr unsigned THREADS = ALL / S;
template <unsigned S> constexpr unsigned SUB = 32 / S;

template <class T>
struct grads {
    mat<T> dy, du, dd;
    mat<float> kept;  /* h after each chunk */
    mat<float> later; /* g behind each chunk; then what A gets of it */
    float *sums;      /* what D gets of each chunk, [chunks of all, cols] */
    float *bc;        /* [blocks, rows, 2 state] */
    uint32_t tiles;   /* of a block, at most */
    uint8_t acc;
};

/* What a chunk makes of a g of 0 behind it, and the sum of its steps. */
template <class T, unsigned S>
static __global__ void __launch_bounds__(THREADS<S>)
grad_ends(struct grads<T> t, struct scan<T> f)
{
    auto *bc = reinterpret_cast<float *>(shared);
    uint32_t wide = f.lanes * S;
    struct span rows(f, blockIdx.y);
    struct column<S> own(f, blockIdx.x * (ALL / wide));
    float g[S] = {}, weight[S], sum = 0;

    for (uint32_t i = rows.end; i-- > rows.from;) {
        uint32_t r = (i - rows.from) % SUB<S>;
        float delta = softplus(own.at(f.d, i)), dy = own.at(t.dy, i);
        bool begins = f.order.begins(i);

        if (r == SUB<S> - 1 || i + 1 == rows.end)
            stage(bc, f, i - r, r + 1, wide);
        get_staged(weight, bc + (2 * r + 1) * wide + own.first);
        UNROLL
        for (unsigned s = 0; s < S; s++)
            g[s] = begins ? 0 : (g[s] + dy * weight[s])
                                * fade_of(delta, own.a[s]);
        sum = sum < 0 || begins ? DIVIDED : sum + delta;
    }
    own.put_state(t.later.row(blockIdx.y), g, f.cols);
    if (own.there && own.first == 0)
        t.sums[(size_t)blockIdx.y * f.cols + own.c] = sum;
}

/* From chunk to chunk of sequence blockIdx.y, the last first; later becomes
 * what is behind each. */
static __global__ void
join_grads(mat<float> later, const float *sums, table a_log, uint32_t cols,
           uint32_t state, uint32_t chunks)
{
    uint32_t at = blockIdx.x * SUMS + threadIdx.x, c = at % cols;
    float g = 0, a;

    if (at >= cols * state)
        return;
    a = decay_of(a_log, c, at / cols);
    for (uint32_t k = (blockIdx.y + 1) * chunks; k-- > blockIdx.y * chunks;) {
        float sum = sums[(size_t)k * cols + c], own = later.row(k)[at];

        later.row(k)[at] = g;
        g = own + (sum < 0 ? 0 : fade_of(sum, a) * g);
    }
}

/* What a thread has of the rows that are in registers. */
template <unsigned S>
struct remade {
    float before[SUB<S>][S], fade[SUB<S>][S]; /* 0 where a document begins */
    float delta[SUB<S>], u[SUB<S>];
};

/* Of shared memory: B and C of SUB rows, the state at every SUB'th row, and
 * what each column gives for B and C. */
template <unsigned S>
struct places {
    float *bc, *at, *given;

    __device__ __forceinline__ places(uint32_t wide)
    {
        bc = reinterpret_cast<float *>(shared);
        at = bc + SUB<S> * 2 * wide;
        given = at + SCAN_CHUNK / SUB<S> * ALL;
    }

    static size_t bytes(uint32_t wide)
    {
        return (SUB<S> * 2 * wide + SCAN_CHUNK / SUB<S> * ALL
                + SUB<S> * 2 * ALL) * sizeof(float);
    }
};

/* h goes through rows [row, end), at most SUB, whose B and C are staged. */
template <class T, unsigned S>
static __device__ __forceinline__ void
remake(struct remade<S> &m, float (&h)[S], const struct scan<T> &f,
       const struct column<S> &own, const float *bc, uint32_t row,
       uint32_t end)
{
    uint32_t wide = f.lanes * S;

    UNROLL
    for (unsigned r = 0; r < SUB<S>; r++) {
        bool begins;
        float b[S];

        if (row + r >= end)
            continue;
        begins = f.order.begins(row + r);
        m.delta[r] = softplus(own.at(f.d, row + r));
        m.u[r] = own.at(f.u, row + r);
        get_staged(b, bc + 2 * r * wide + own.first);
        UNROLL
        for (unsigned s = 0; s < S; s++) {
            m.before[r][s] = begins ? 0 : h[s];
            m.fade[r][s] = begins ? 0 : fade_of(m.delta[r], own.a[s]);
            h[s] = m.fade[r][s] * m.before[r][s] + m.delta[r] * m.u[r] * b[s];
        }
    }
}

/* Sums over a column's state, as far as the thread has it. */
struct row_sums {
    float fade, in; /* fade A; g B */
};

/* Row r of those remade, of which bc are B and C: g goes on to the row before
 * it, and what B and C get of the column to give. */
template <unsigned S>
static __device__ __forceinline__ struct row_sums
row_bwd(const struct remade<S> &m, unsigned r, float (&g)[S], float (&da)[S],
        const struct column<S> &own, const float *bc, uint32_t wide, float dy,
        float *give)
{
    float in = m.delta[r] * m.u[r], b[S], c[S];
    struct row_sums sum = { 0, 0 };

    get_staged(b, bc + own.first);
    get_staged(c, bc + wide + own.first);
    UNROLL
    for (unsigned s = 0; s < S; s++) {
        float fade;

        g[s] += dy * c[s];
        give[s] = g[s] * in;
        give[ALL + s] = dy * (m.fade[r][s] * m.before[r][s] + in * b[s]);
        sum.in += g[s] * b[s];
        g[s] *= m.fade[r][s];
        fade = g[s] * m.before[r][s];
        da[s] += fade * m.delta[r];
        sum.fade += fade * own.a[s];
    }
    return sum;
}

/* du and dd of row i, from the sums over all of the column's state. */
template <class T, unsigned S>
static __device__ __forceinline__ void
put_row(const struct grads<T> &t, const struct scan<T> &f,
        const struct column<S> &own, uint32_t i, struct row_sums sum,
        float delta, float u, float residual)
{
    float d = own.at(f.d, i);

    sum.fade = column_sum(sum.fade, f.lanes);
    sum.in = column_sum(sum.in, f.lanes);
    if (!own.there || own.first != 0)
        return;
    if (t.du.p != nullptr)
        put(t.du.row(i) + own.c, residual + delta * sum.in, t.acc & 1);
    if (t.dd.p != nullptr)
        put(t.dd.row(i) + own.c, (sum.fade + u * sum.in) / (1 + expf(-d)),
            t.acc >> 1 & 1);
}

/* What the tile's columns gave for B and C of n rows, row and on: a thread
 * adds up some of the sums. */
template <class T, unsigned S>
static __device__ __forceinline__ void
sum_given(const struct grads<T> &t, const struct scan<T> &f,
          const float *given, uint32_t row, uint32_t n, bool add)
{
    uint32_t wide = f.lanes * S, each = 2 * f.state;
    float *to = t.bc + ((size_t)blockIdx.x * f.order.rows + row) * each;

    __syncthreads();
    for (uint32_t k = threadIdx.x; k < n * each; k += THREADS<S>) {
        uint32_t both = k / f.state;
        const float *p = given + both * ALL + k % f.state;
        float sum = 0;

        for (uint32_t c = 0; c < ALL / wide; c++)
            sum += p[c * wide];
        to[k] = (add ? to[k] : 0) + sum;
    }
}

/* The chunk's rows of one tile of columns; p.at has been filled. */
template <class T, unsigned S>
static __device__ __forceinline__ void
tile_bwd(const struct grads<T> &t, const struct scan<T> &f,
         const struct places<S> &p, const struct column<S> &own,
         const struct span &rows, bool add)
{
    float skip = own.there ? table_at(f.skip, 0, own.c) : 0, dskip = 0;
    float g[S] = {}, da[S] = {}, h[S];
    uint32_t wide = f.lanes * S, n = rows.end - rows.from;

    if (f.chunks > 1)
        own.get_state(g, t.later.row(blockIdx.y), f.cols);
    for (uint32_t k = (n + SUB<S> - 1) / SUB<S>; k-- > 0;) {
        uint32_t row = rows.from + k * SUB<S>;
        uint32_t end = min(row + SUB<S>, rows.end);
        struct remade<S> m;

        stage(p.bc, f, row, end - row, wide);
        get_staged(h, p.at + k * ALL + threadIdx.x * S);
        remake(m, h, f, own, p.bc, row, end);
        UNROLL
        for (unsigned r = SUB<S>; r-- > 0;) {
            struct row_sums sum;
            float dy;

            if (row + r >= end)
                continue;
            dy = own.at(t.dy, row + r);
            sum = row_bwd(m, r, g, da, own, p.bc + 2 * r * wide, wide, dy,
                          p.given + 2 * r * ALL + threadIdx.x * S);
            dskip += dy * m.u[r];
            put_row(t, f, own, row + r, sum, m.delta[r], m.u[r], skip * dy);
        }
        if (t.bc != nullptr)
            sum_given<T, S>(t, f, p.given, row, end - row, add);
    }
    own.put_state(t.later.row(blockIdx.y), da, f.cols);
    if (own.there && own.first == 0)
        t.sums[(size_t)blockIdx.y * f.cols + own.c] = dskip;
}

template <class T, unsigned S>
static __global__ void __launch_bounds__(THREADS<S>)
scan_bwd(struct grads<T> t, struct scan<T> f)
{
    uint32_t wide = f.lanes * S, first = blockIdx.x * t.tiles;
    struct places<S> p(wide);
    struct span rows(f, blockIdx.y);

    for (uint32_t i = first; i < first + t.tiles && i * (ALL / wide) < f.cols;
         i++) {
        struct column<S> own(f, i * (ALL / wide));
        struct remade<S> m;
        float h[S] = {};

        if (rows.k > 0)
            own.get_state(h, t.kept.row(blockIdx.y - 1), f.cols);
        for (uint32_t row = rows.from; row < rows.end; row += SUB<S>) {
            uint32_t end = min(row + SUB<S>, rows.end);
            float *at = p.at + (row - rows.from) / SUB<S> * ALL;

            UNROLL
            for (unsigned s = 0; s < S; s++)
                at[threadIdx.x * S + s] = h[s];
            if (end == rows.end)
                break;
            stage(p.bc, f, row, end - row, wide);
            remake(m, h, f, own, p.bc, row, end);
        }
        tile_bwd(t, f, p, own, rows, i > first);
    }
}

/* What A_log and D get: a number's sum over all chunks, in order; D's numbers
 * are behind A's. The derivative of A = -exp(A_log) is A. */
static __global__ void
sum_chunks(mat<float> da, float *dskip, mat<float> of_a, const float *of_skip,
           table a_log, uint32_t cols)
{
    uint32_t at = blockIdx.x * SUMS + threadIdx.x, c = at % cols;
    bool is_skip = at >= of_a.cols;
    float *to = is_skip ? dskip : da.p, sum = 0;

    if (to == nullptr || at >= of_a.cols + cols)
        return;
    for (uint32_t k = 0; k < of_a.rows; k++)
        sum += is_skip ? of_skip[(size_t)k * cols + c] : of_a.row(k)[at];
    if (is_skip)
        to[c] += sum;
    else
        to[(size_t)c * da.ld + at / cols] += sum * decay_of(a_log, c,
                                                            at / cols);
}

template <class T, unsigned S>
static void
put_scan_bwd(struct call *c)
{
    const struct op *op = c->op;
    struct scan<T> f = scan_of<T>(c, S);
    struct scan_bwd_space space =
        scan_bwd_space_at(view_at(c, &op->scratch), op);
    uint32_t numbers = f.cols * f.state, seqs = sequences_of(f);
    uint32_t chunks = seqs * f.chunks, wide = f.lanes * S;
    mat<T> dbc = mat_of<T>(c, &op->y[3]);
    mat<float> later = { reinterpret_cast<float *>(space.later), chunks,
                         numbers, numbers };
    struct grads<T> t;

    t.dy = mat_of<T>(c, &op->x[6]);
    t.du = mat_of<T>(c, &op->y[0]);
    t.dd = mat_of<T>(c, &op->y[1]);
    t.kept = mat_of<float>(c, &op->x[5]);
    t.later = later;
    t.sums = reinterpret_cast<float *>(space.sums);
    t.bc = dbc.p ? reinterpret_cast<float *>(space.bc) : nullptr;
    t.tiles = space.tiles;
    t.acc = op->acc;
    if (f.chunks > 1) {
        launch(c, grad_ends<T, S>,
               dim3(blocks_of(f.cols, ALL / wide), chunks), THREADS<S>,
               SUB<S> * 2 * wide * sizeof(float), t, f);
        launch(c, join_grads, dim3(blocks_of(numbers, SUMS), seqs), SUMS, 0,
               t.later, (const float *)t.sums, f.a_log, f.cols, f.state,
               f.chunks);
    }
    launch(c, scan_bwd<T, S>, dim3(space.blocks, chunks), THREADS<S>,
           places<S>::bytes(wide), t, f);
    if (dbc.p != nullptr)
        put_parts_sum(c, dbc, t.bc, space.blocks, (op->acc & 8) != 0);
    if (op->y[2].buf != 0 || op->y[4].buf != 0)
        launch(c, sum_chunks, dim3(blocks_of(numbers + f.cols, SUMS)), SUMS, 0,
               mat_of<float>(c, &op->y[2]), mat_of<float>(c, &op->y[4]).p,
               t.later, (const float *)t.sums, f.a_log, f.cols);
}

/* A warp has 32 threads for a column. */
template <class T>
void
run_scan_bwd(struct call *c)
{
    if (c->op->u.scan.state <= 4 * 32)
        put_scan_bwd<T, 4>(c);
    else
        put_scan_bwd<T, 8>(c);
}

template void run_scan_bwd<float>(struct call *c);
template void run_scan_bwd<bf16>(struct call *c);
