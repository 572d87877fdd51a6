/* ssd_bwd.cu - the gradient of SSD: see ssd.cuh.
 *
 * In the terms of ssd.cuh, with R the gradient of the state behind a chunk,
 * dM = dy x^T, and e and delta as columns:
 *   dx = D dy + M^T dy + e delta (B R)  dG = sum over heads of dM M / (C B)
 *   dC = dG B + exp(L) (dy S^T)         dB = dG^T C + e delta (x R^T)
 *   R' = exp(L[last]) R + C^T (exp(L) dy)
 * One pass goes from chunk to chunk of a tile of a head, and keeps R. Then all
 * chunks are computed beside each other: a block has some heads of a group, so
 * that C B^T is made once for them and B's and C's gradients are summed up
 * over them; the sums of a group's blocks are added in order. What L gets, sums
 * of rows and columns, is for ssd_steps.cu.
 */
#include "ssd.cuh"
#include "tensor.cuh"

constexpr unsigned THREADS = 256;

template <class T>
struct grads {
    mat<T> dy, dx;
    mat<float> kept, later; /* S and R behind each chunk */
    struct ssd_sums of;
    float *bc;              /* [divided, rows, 2 groups state] */
    uint32_t each, divided; /* heads of a block, blocks of a group */
    uint8_t acc;
};

/* Shared memory: squares, whose use changes, and sums of a block's parts. */
template <class T>
struct places {
    T *m, *own, *other, *x, *dy;
    struct rates *of;
    float *row_sums, *col_sums;

    __device__ __forceinline__ places()
    {
        typedef square<T> E;
        constexpr unsigned EACH = E::SIDE * E::LD;

        m = reinterpret_cast<T *>(shared);
        own = m + EACH;
        other = own + EACH;
        x = other + EACH;
        dy = x + EACH;
        row_sums = reinterpret_cast<float *>(dy + EACH);
        col_sums = row_sums + E::ROW_PARTS * E::SIDE;
        of = reinterpret_cast<struct rates *>(col_sums
                                              + E::COL_PARTS * E::SIDE);
    }

    static size_t bytes()
    {
        typedef square<T> E;

        return 5 * E::SIDE * E::LD * sizeof(T) + sizeof(struct rates)
               + (E::ROW_PARTS + E::COL_PARTS) * E::SIDE * sizeof(float);
    }
};

/* exp(L) dy. */
template <class T>
static __device__ __forceinline__ void
load_carried(T *to, const struct grads<T> &t, const struct head_tile &tile,
             const struct chunk_rows &rows, const struct rates &of)
{
    typedef square<T> E;

    UNROLL
    for (unsigned k = threadIdx.x; k < E::SIDE * E::SIDE; k += E::THREADS) {
        unsigned r = k / E::SIDE, c = k % E::SIDE;
        bool there = r < rows.n && c < tile.cols && of.carry[r] > 0;

        set(to + r * E::LD + c,
            there ? of.carry[r] * get(t.dy.row(rows.from + r) + tile.col + c)
                  : 0);
    }
}

/* Some numbers of a tile of a head, and sequence blockIdx.y. */
template <class T>
static __global__ void __launch_bounds__(THREADS)
carry_back(struct grads<T> t, struct ssd<T> f, uint32_t parts)
{
    typedef square<T> E;
    uint32_t tiles = tiles_of(f), at = blockIdx.x % parts * SSD_SIDE;
    uint32_t which = blockIdx.x / parts, cols = f.heads * f.width;
    struct head_tile tile(f, which / tiles, which % tiles);
    struct places<T> p;
    typename E::sums r = {};

    for (uint32_t k = f.chunks - 1; k > 0; k--) {
        struct chunk_rows rows(f, blockIdx.y * f.chunks + k);
        float *to = t.later.row(blockIdx.y * f.chunks + k - 1) + tile.col;

        meet_squares(); /* what was there is read */
        load_square(p.own, rows.part(f.bc, tile.c + at,
                                     min(SSD_SIDE, f.state - at)));
        fill_rates(*p.of, f, rows, tile.head);
        meet_squares();
        load_carried(p.dy, t, tile, rows, *p.of);
        meet_squares();
        EACH_SUM(E, i, j)
            r.at(i, j) = p.of->fade > 0 ? p.of->fade * r.at(i, j) : 0;
        E::template multiply<true, false>(r, p.own, p.dy);
        UNROLL
        for (unsigned i = 0; i < E::ROWS; i++)
            if (at + E::row(i) < f.state)
                put_sums<E>(to + (size_t)(at + E::row(i)) * cols, r, i,
                            tile.cols, f.width % 2 == 0, false);
    }
}

/* A block's chunk, and heads [head, end) of one group. */
template <class T>
struct block_of {
    struct chunk_rows rows;
    uint32_t head, end, part; /* part: of those of its group */
    const float *before, *later; /* S and R; NULL where they are 0 */

    __device__ __forceinline__
    block_of(const struct grads<T> &t, const struct ssd<T> &f)
        : rows(f, blockIdx.x)
    {
        uint32_t share = f.heads / f.groups, group = blockIdx.y / t.divided;

        part = blockIdx.y % t.divided;
        head = group * share + part * t.each;
        end = min(head + t.each, (group + 1) * share);
        before = rows.carried(f, 0) ? t.kept.row(blockIdx.x - 1) : nullptr;
        later = rows.k + 1 < f.chunks ? t.later.row(blockIdx.x) : nullptr;
    }
};

/* dx of a tile, whose dy is there, and M. */
template <class T>
static __device__ __forceinline__ void
inputs_bwd(const struct grads<T> &t, const struct ssd<T> &f,
           const struct block_of<T> &o, const struct head_tile &tile,
           const struct places<T> &p)
{
    typedef square<T> E;
    float skip = table_at(f.skip, 0, tile.head);
    bool wide = t.dx.ld % 2 == 0 && tile.col % 2 == 0
                && reinterpret_cast<uintptr_t>(t.dx.p) % 4 == 0;
    typename E::sums u = {};

    for (uint32_t at = 0; o.later != nullptr && at < f.state;
         at += SSD_SIDE) {
        if (at > 0)
            meet_squares();
        load_square(p.own, o.rows.part(f.bc, tile.b + at,
                                       min(SSD_SIDE, f.state - at)));
        load_state(p.other, f, o.later, tile, at);
        meet_squares();
        E::template multiply<false, false>(u, p.own, p.other);
    }
    EACH_SUM(E, i, j) {
        unsigned r = E::row(i);
        float weight = p.of->weight[r];

        u.at(i, j) = (weight > 0 ? weight * u.at(i, j) : 0)
                     + skip * get(p.dy + r * E::LD + E::col(j));
    }
    E::template multiply<true, false>(u, p.m, p.dy);
    UNROLL
    for (unsigned i = 0; i < E::ROWS; i++)
        if (E::row(i) < o.rows.n)
            put_sums<E>(t.dx.row(o.rows.from + E::row(i)) + tile.col, u, i,
                        tile.cols, wide, (t.acc & 1) != 0);
}

/* From dM and G, dG += what the head gives; the sums of dM M of rows, and, but
 * for delta, of columns; and dy x of each row. Behind it nobody reads what the
 * head had in shared memory but these sums. */
template <class T>
static __device__ __forceinline__ void
decays_bwd(const struct grads<T> &t, const struct ssd<T> &f,
           const struct block_of<T> &o, uint32_t head,
           const struct places<T> &p, typename square<T>::sums &g,
           typename square<T>::sums &dm, typename square<T>::sums &dg)
{
    typedef square<T> E;
    size_t first = (size_t)o.rows.from * f.heads + head;
    typename E::sums all;

    EACH_SUM(E, i, j) {
        unsigned r = E::row(i), s = E::col(j);
        float between = p.of->between(r, s), delta = p.of->delta[s];

        if (r == s && r < o.rows.n)
            t.of.skip[first + r * f.heads] = dm.at(i, j);
        dm.at(i, j) = between > 0 ? dm.at(i, j) * between : 0;
        dg.at(i, j) += dm.at(i, j) * delta;
        dm.at(i, j) *= g.at(i, j);
        all.at(i, j) = dm.at(i, j) * delta;
    }
    put_row_sums<E>(p.row_sums, all);
    put_col_sums<E>(p.col_sums, dm);
    meet_squares();
    for (uint32_t r = threadIdx.x; r < o.rows.n; r += THREADS) {
        size_t to = first + r * f.heads;

        t.of.rows[to] = square_sum<E>(p.row_sums, E::ROW_PARTS, r);
        t.of.cols[to] = square_sum<E>(p.col_sums, E::COL_PARTS, r);
    }
}

/* dx of all heads, and dG, which becomes the square m. */
template <class T>
static __device__ __forceinline__ void
heads_bwd(const struct grads<T> &t, const struct ssd<T> &f,
          const struct block_of<T> &o, const struct places<T> &p)
{
    typedef square<T> E;
    struct head_tile group(f, o.head, 0);
    typename E::sums g = {}, dg = {};

    for (uint32_t at = 0; at < f.state; at += SSD_SIDE) {
        uint32_t n = min(SSD_SIDE, f.state - at);

        if (at > 0)
            meet_squares();
        load_square(p.own, o.rows.part(f.bc, group.c + at, n));
        load_square(p.other, o.rows.part(f.bc, group.b + at, n));
        meet_squares();
        E::template multiply<false, true>(g, p.own, p.other);
    }
    for (uint32_t head = o.head; head < o.end; head++) {
        typename E::sums m, dm = {};

        fill_rates(*p.of, f, o.rows, head);
        meet_squares();
        EACH_SUM(E, i, j)
            m.at(i, j) = g.at(i, j) * p.of->between(E::row(i), E::col(j))
                         * p.of->delta[E::col(j)];
        set_square(p.m, m);
        for (uint32_t k = 0; k < tiles_of(f); k++) {
            struct head_tile tile(f, head, k);

            if (k > 0)
                meet_squares();
            load_square(p.x, o.rows.part(f.x, tile.col, tile.cols));
            load_square(p.dy, o.rows.part(t.dy, tile.col, tile.cols));
            meet_squares();
            E::template multiply<false, true>(dm, p.dy, p.x);
            if (t.dx.p != nullptr)
                inputs_bwd(t, f, o, tile, p);
        }
        decays_bwd(t, f, o, head, p, g, dm, dg);
    }
    set_square(p.m, dg);
}

/* What a thread adds to the sum of S R. */
template <class T>
static __device__ __forceinline__ float
states_product(const struct ssd<T> &f, const float *s, const float *r,
               const struct head_tile &tile, uint32_t at)
{
    size_t cols = (size_t)f.heads * f.width;
    float sum = 0;

    for (unsigned k = threadIdx.x; k < SSD_SIDE * SSD_SIDE; k += THREADS) {
        size_t i = at + k / SSD_SIDE, c = k % SSD_SIDE;

        if (i < f.state && c < tile.cols)
            sum += s[i * cols + tile.col + c] * r[i * cols + tile.col + c];
    }
    return sum;
}

static __device__ __forceinline__ void
put_warp_sum(float *of_warp, float x)
{
    x = warp_sum(x);
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = x;
}

static __device__ __forceinline__ float
sum_of_warps(const float *of_warp)
{
    float sum = 0;

    for (unsigned i = 0; i < THREADS / 32; i++)
        sum += of_warp[i];
    return sum;
}

/* Of a head, from number `at` on: what C (B) gets from S (R), to which sum is
 * added, and what L gets of that. Behind it nobody reads shared memory. */
template <class T, bool IS_B>
static __device__ __forceinline__ void
state_bwd(const struct grads<T> &t, const struct ssd<T> &f,
          const struct block_of<T> &o, uint32_t head, uint32_t at,
          const struct places<T> &p, typename square<T>::sums &sum)
{
    typedef square<T> E;
    const float *states = IS_B ? o.later : o.before;
    float *to = IS_B ? t.of.b : t.of.c, both = 0;
    typename E::sums one = {};

    for (uint32_t k = 0; states != nullptr && k < tiles_of(f); k++) {
        struct head_tile tile(f, head, k);

        if (k > 0)
            meet_squares();
        load_square(p.dy, o.rows.part(IS_B ? f.x : t.dy, tile.col,
                                      tile.cols));
        load_state(p.x, f, states, tile, at);
        fill_rates(*p.of, f, o.rows, head);
        if (IS_B && o.before != nullptr)
            both += states_product(f, o.before, o.later, tile, at);
        meet_squares();
        E::template multiply<false, true>(one, p.dy, p.x);
    }
    EACH_SUM(E, i, j) {
        unsigned r = E::row(i);
        float rate = states == nullptr ? 0
                     : IS_B ? p.of->weight[r] : p.of->carry[r];

        sum.at(i, j) += rate > 0 ? rate * one.at(i, j) : 0;
        one.at(i, j) *= get(p.own + r * E::LD + E::col(j));
    }
    put_row_sums<E>(p.row_sums, one);
    if (IS_B)
        put_warp_sum(p.col_sums, both);
    meet_squares();
    for (uint32_t r = threadIdx.x; r < o.rows.n; r += THREADS)
        put(to + (size_t)(o.rows.from + r) * f.heads + head,
            square_sum<E>(p.row_sums, E::ROW_PARTS, r), at > 0);
    if (IS_B && threadIdx.x == 0)
        put(t.of.states + (size_t)blockIdx.x * f.heads + head,
            sum_of_warps(p.col_sums), at > 0);
    meet_squares();
}

/* C's (B's) gradient from number `at` on, with dG in the square m. */
template <class T, bool IS_B>
static __device__ __forceinline__ void
group_bwd(const struct grads<T> &t, const struct ssd<T> &f,
          const struct block_of<T> &o, uint32_t at, const struct places<T> &p)
{
    typedef square<T> E;
    struct head_tile group(f, o.head, 0);
    uint32_t n = min(SSD_SIDE, f.state - at), ld = 2 * f.groups * f.state;
    uint32_t col = (IS_B ? group.b : group.c) + at;
    uint32_t other = (IS_B ? group.c : group.b) + at;
    size_t first = (size_t)o.part * f.order.rows + o.rows.from;
    typename E::sums sum = {};

    load_square(p.own, o.rows.part(f.bc, col, n));
    load_square(p.other, o.rows.part(f.bc, other, n));
    meet_squares();
    E::template multiply<IS_B, false>(sum, p.m, p.other);
    for (uint32_t head = o.head; head < o.end; head++)
        state_bwd<T, IS_B>(t, f, o, head, at, p, sum);
    UNROLL
    for (unsigned i = 0; i < E::ROWS; i++)
        if (E::row(i) < o.rows.n && t.bc != nullptr)
            put_sums<E>(t.bc + (first + E::row(i)) * ld + col, sum, i, n,
                        col % 2 == 0, false);
}

template <class T>
static __global__ void __launch_bounds__(THREADS)
ssd_bwd(struct grads<T> t, struct ssd<T> f)
{
    struct block_of<T> o(t, f);
    struct places<T> p;

    heads_bwd(t, f, o, p);
    for (uint32_t at = 0; at < f.state; at += SSD_SIDE) {
        group_bwd<T, false>(t, f, o, at, p);
        group_bwd<T, true>(t, f, o, at, p);
    }
}

template <class T>
static void
put_grads(struct call *c, const struct grads<T> &t, const struct ssd<T> &f)
{
    const struct op *op = c->op;
    uint32_t seqs = f.order.rows / f.order.seq, chunks = seqs * f.chunks;
    uint32_t parts = blocks_of(f.state, SSD_SIDE);
    mat<T> dbc = mat_of<T>(c, &op->y[3]);

    put_ssd_steps(c, f);
    if (f.chunks > 1)
        launch(c, carry_back<T>, dim3(f.heads * tiles_of(f) * parts, seqs),
               THREADS, places<T>::bytes(), t, f, parts);
    launch(c, ssd_bwd<T>, dim3(chunks, t.divided * f.groups), THREADS,
           places<T>::bytes(), t, f);
    put_ssd_steps_bwd(c, f, t.of);
    if (dbc.p != nullptr)
        put_parts_sum(c, dbc, t.bc, t.divided, (op->acc & 8) != 0);
}

template <class T>
void
run_ssd_bwd(struct call *c)
{
    const struct op *op = c->op;
    struct ssd_bwd_space space =
        ssd_bwd_space_at(view_at(c, &op->scratch), op);
    struct ssd<T> f = ssd_of<T>(c, space.steps);
    uint32_t numbers = op->x[0].cols * f.state;
    struct grads<T> t;

    t.dy = mat_of<T>(c, &op->x[7]);
    t.dx = mat_of<T>(c, &op->y[0]);
    t.kept = mat_of<float>(c, &op->x[6]);
    t.later = { reinterpret_cast<float *>(space.later),
                f.order.rows / f.order.seq * f.chunks, numbers, numbers };
    t.of = { reinterpret_cast<float *>(space.of[0]),
             reinterpret_cast<float *>(space.of[1]),
             reinterpret_cast<float *>(space.of[2]),
             reinterpret_cast<float *>(space.of[3]),
             reinterpret_cast<float *>(space.of[4]),
             reinterpret_cast<float *>(space.chunk_states),
             reinterpret_cast<float *>(space.parts) };
    t.bc = op->y[3].buf ? reinterpret_cast<float *>(space.bc) : nullptr;
    t.each = space.each;
    t.divided = space.divided;
    t.acc = op->acc;
    put_grads(c, t, f);
}

template void run_ssd_bwd<float>(struct call *c);
template void run_ssd_bwd<bf16>(struct call *c);
