/* attention_bwd.cu - the backward of ATTENTION, without atomics.
 *
 *   p_ij = exp(scale * q_i . k_j - lse_i)     delta_i = do_i . o_i
 *   ds_ij = p_ij (do_i . v_j - delta_i)
 *   dq_i = scale * sum ds_ij k_j    dk_j = scale * sum ds_ij q_i
 *   dv_j = sum p_ij do_i
 *
 * Nothing but lse is kept from the forward: p is computed anew, twice. One
 * kernel has tiles of queries and goes through the keys that they see, for
 * dq; the other has tiles of keys and goes through the queries that see
 * them, for dk and dv (after Dao, "FlashAttention-2", 2023, whose dq is added
 * up by atomics). They are the same but for who is who: with x, y of the own
 * rows q, do (k, v) and of the others k, v (q, do),
 *
 *   p and ds of x other_x^T and y other_y^T,
 *   dx = scale * sum ds other_x    dy = sum p other_y
 *
 * Every query head has blocks of its own, so that there are enough of them;
 * where some share a key head, each one's dk and dv are floats in scratch,
 * and added up in order. Computing in bf16, p and ds are rounded to it for
 * these products.
 */
#include "attention.cuh"

enum { DX = 1, DY = 2 };

/* Where a gradient goes: into a view, or a query head's part of it. */
template <class T>
struct gradient {
    heads_of<T> to;
    heads_of<float> part; /* m.p NULL: none */
    bool add;
};

template <class T>
struct backward {
    heads_of<T> x, y, other_x, other_y;
    struct gradient<T> dx, dy;
    const float2 *known; /* see know_rows */
    uint32_t known_ld;
    struct sight sight;
    uint32_t group; /* query heads of a key head */
    float scale;
};

/* known[head][row] = { lse as an exponent of 2, delta }, a warp to a row. Where
 * there is no row any p will do, as q and do are read as 0. */
constexpr unsigned KNOW_THREADS = 256;

template <class T>
static __global__ void
know_rows(float2 *known, uint32_t ld, heads_of<T> o, heads_of<T> d,
          mat<float> lse)
{
    uint32_t row = blockIdx.x * (KNOW_THREADS / 32) + threadIdx.x / 32;
    uint32_t head = blockIdx.y, lane = threadIdx.x % 32;
    float2 k = {};

    if (row >= ld)
        return;
    if (row < o.m.rows) {
        const T *a = o.head(head).m.row(row), *b = d.head(head).m.row(row);

        for (uint32_t c = lane; c < o.dim; c += 32)
            k.y += get(a + c) * get(b + c);
        k.x = lse.row(row)[head] * LOG2_E;
    }
    k.y = warp_sum(k.y);
    if (lane == 0)
        known[(size_t)head * ld + row] = k;
}

/* How many tiles of queries, from row at on, see the keys up to `key`. Asked
 * for 32 at a time, as tiles that do come before those that don't. */
template <unsigned COLS>
static __device__ __forceinline__ unsigned
count_tiles(const struct sight &s, uint32_t at, uint32_t rows, uint32_t key)
{
    unsigned n = 0, more;

    do {
        uint32_t row = at + (n + threadIdx.x % 32) * COLS;

        more = warp_sum(row < rows && s.first(row) <= key ? 1u : 0u);
        n += more;
    } while (more == 32);
    return n;
}

/* Whether rows row and on of the own tile and rows at and on of the other
 * all see each other. */
template <class E, bool KEYS>
static __device__ __forceinline__ bool
all_seen(const struct sight &s, uint32_t row, uint32_t at, uint32_t rows)
{
    uint32_t query = KEYS ? at : row, key = KEYS ? row : at;
    uint32_t queries = KEYS ? E::COLS : E::ROWS;
    uint32_t keys = KEYS ? E::ROWS : E::COLS;

    return key + keys <= query + 1
           && s.first(min(query + queries, rows) - 1) <= key;
}

/* What is known of row `at` of a tile of queries lies behind its columns. */
template <class E>
static __device__ __forceinline__ float2 *
known_of(typename E::type *tile, unsigned at)
{
    return reinterpret_cast<float2 *>(tile + at * E::LD + E::D);
}

/* A block's others: their tiles of x and y from row `at` on into to. */
template <class E, bool KEYS>
static __device__ __forceinline__ void
load_others(typename E::type *to, const struct backward<typename E::type> &b,
            uint32_t head, uint32_t at)
{
    const float2 *known = b.known + (size_t)head * b.known_ld + at;
    uint32_t h = KEYS ? head : head / b.group;

    load_tile<E, E::COLS>(to, b.other_x.head(h), at);
    load_tile<E, E::COLS>(to + E::COLS * E::LD, b.other_y.head(h), at);
    if (KEYS && threadIdx.x < E::COLS)
        copy_8(known_of<E>(to, threadIdx.x), known + threadIdx.x);
}

/* s becomes p, and slope, which is do . v, ds. known: of the own rows, or,
 * KEYS, NULL, as it lies with the others; per: what of an exponent of 2 a
 * score is worth. */
template <class E, bool KEYS>
static __device__ __forceinline__ void
differentiate(typename E::scores &s, typename E::scores &slope,
              const float2 *known, typename E::type *others, float per)
{
    UNROLL
    for (unsigned j = 0; j < E::scores::EACH; j++)
        UNROLL
        for (unsigned i = 0; i < E::MINE; i++) {
            float2 k = KEYS ? *known_of<E>(others, E::score_col(j))
                            : known[i];

            s.at(i, j) = power_of_2(fmaf(s.at(i, j), per, -k.x));
            slope.at(i, j) = s.at(i, j) * (slope.at(i, j) - k.y);
        }
}

template <class E>
static __device__ __forceinline__ void
store_gradient(const struct gradient<typename E::type> &g, uint32_t row,
               typename E::sums &sums, float factor)
{
    if (g.part.m.p != nullptr)
        store_sums<E>(g.part.head(blockIdx.x), row, sums, factor, false);
    else
        store_sums<E>(g.to.head(blockIdx.x), row, sums, factor, g.add);
}

/* KEYS: own rows are keys, and others queries. WANT: DX, DY or both. Of all
 * heads those tiles start first that have most to do. */
template <class E, bool KEYS, unsigned WANT>
static __global__ void __launch_bounds__(E::THREADS)
attention_bwd(struct backward<typename E::type> b)
{
    constexpr unsigned TILE = E::COLS * E::LD, OWN = E::ROWS * E::LD;
    auto *x = reinterpret_cast<typename E::type *>(shared);
    auto *y = x + OWN, *others = WANT & DX ? y + OWN : y;
    uint32_t head = blockIdx.x, own = KEYS ? head / b.group : head;
    uint32_t tile = KEYS ? blockIdx.y : gridDim.y - 1 - blockIdx.y;
    uint32_t rows = b.x.m.rows, row = tile * E::ROWS;
    uint32_t last = min(row + E::ROWS, rows) - 1;
    uint32_t at = KEYS ? row : b.sight.first(row);
    unsigned tiles = KEYS ? count_tiles<E::COLS>(b.sight, row, rows, last)
                          : (last - at) / E::COLS + 1;
    typename E::sums dx = {}, dy = {};
    float2 known[E::MINE];

    UNROLL
    for (unsigned i = 0; !KEYS && i < E::MINE; i++)
        known[i] = b.known[(size_t)head * b.known_ld + row + E::row(i)];
    load_tile<E, E::ROWS>(x, b.x.head(own), row);
    if (WANT & DX)
        load_tile<E, E::ROWS>(y, b.y.head(own), row);
    load_others<E, KEYS>(others, b, head, at);
    copy_group();
    for (unsigned t = 0; t < tiles; t++, at += E::COLS) {
        auto *now = others + t % 2 * 2 * TILE;
        bool all = all_seen<E, KEYS>(b.sight, row, at, rows);
        typename E::scores s, slope = {};

        if (t + 1 < tiles)
            load_others<E, KEYS>(others + (t + 1) % 2 * 2 * TILE, b, head,
                                 at + E::COLS);
        copy_group();
        copy_wait<1>();
        __syncthreads();
        E::multiply(s, x, now);
        if (WANT & DX)
            E::multiply(slope, y, now + TILE);
        if (!all)
            hide<E, KEYS>(s, b.sight, row, at, rows);
        differentiate<E, KEYS>(s, slope, known, now, b.scale * LOG2_E);
        if (WANT & DX)
            E::add_product(dx, slope, now);
        if (WANT & DY)
            E::add_product(dy, s, now + TILE);
        __syncthreads(); /* now is the place of the next but one */
    }
    if (WANT & DX)
        store_gradient<E>(b.dx, row, dx, b.scale);
    if (WANT & DY)
        store_gradient<E>(b.dy, row, dy, 1);
}

/* ---- heads that share a key head ---------------------------------------- */

constexpr unsigned ADD_THREADS = 256;

/* to (+)= the sum of part's heads, group of which follow on each other. */
template <class T>
static __global__ void
add_heads(heads_of<T> to, heads_of<float> part, uint32_t group, bool add)
{
    uint32_t c = blockIdx.y * ADD_THREADS + threadIdx.x;
    uint32_t head = c / to.dim, i = blockIdx.x;
    float sum = 0;

    if (c >= to.m.cols)
        return;
    for (uint32_t g = 0; g < group; g++)
        sum += part.head(head * group + g).m.row(i)[c % to.dim];
    put(to.m.row(i) + c, sum, add);
}

template <class T>
static void
put_add_heads(struct call *c, const struct gradient<T> &g, uint32_t group)
{
    if (g.part.m.p != nullptr)
        launch(c, add_heads<T>,
               dim3(g.to.m.rows, blocks_of(g.to.m.cols, ADD_THREADS)),
               ADD_THREADS, 0, g.to, g.part, group, g.add);
}

/* ---- launches ----------------------------------------------------------- */

template <class E, bool KEYS, unsigned WANT>
static void
put_kernel(struct call *c, const struct backward<typename E::type> &b)
{
    size_t rows = E::ROWS * (WANT & DX ? 2 : 1) + 4 * E::COLS;

    launch(c, attention_bwd<E, KEYS, WANT>,
           dim3(c->op->u.attn.heads, blocks_of(b.x.m.rows, E::ROWS)),
           E::THREADS, rows * E::LD * sizeof(typename E::type), b);
}

/* Both sums of a large head at once are more than a thread's registers. */
template <class E>
static void
put_tiles(struct call *c, const struct backward<typename E::type> &queries,
          const struct backward<typename E::type> &keys)
{
    constexpr bool LARGE = E::sums::EACH * E::MINE > 64;

    put_kernel<E, false, DX>(c, queries);
    if constexpr (LARGE) {
        put_kernel<E, true, DX>(c, keys);
        put_kernel<E, true, DY>(c, keys);
    } else {
        put_kernel<E, true, DX | DY>(c, keys);
    }
}

static void
put_for_size(struct call *c, const struct backward<bf16> &queries,
             const struct backward<bf16> &keys)
{
    if (keys.x.dim <= 32)
        put_tiles<tensor_tile<32, 64>>(c, queries, keys);
    else if (keys.x.dim <= 64)
        put_tiles<tensor_tile<64, 64>>(c, queries, keys);
    else if (keys.x.dim <= 96)
        put_tiles<tensor_tile<96, 64>>(c, queries, keys);
    else if (keys.x.dim <= 128)
        put_tiles<tensor_tile<128, 32>>(c, queries, keys);
    else if (keys.x.dim <= 192)
        put_tiles<tensor_tile<192, 16>>(c, queries, keys);
    else
        put_tiles<tensor_tile<256, 16>>(c, queries, keys);
}

static void
put_for_size(struct call *c, const struct backward<float> &queries,
             const struct backward<float> &keys)
{
    if (keys.x.dim <= 64)
        put_tiles<float_tile<64, 32>>(c, queries, keys);
    else if (keys.x.dim <= 128)
        put_tiles<float_tile<128, 32>>(c, queries, keys);
    else
        put_tiles<float_tile<256, 16>>(c, queries, keys);
}

/* A gradient's view, and its parts where query heads share a key head. */
template <class T>
static struct gradient<T>
gradient_of(struct call *c, const struct view *v, char *part, bool add)
{
    uint32_t dim = c->op->u.attn.head_dim, cols = c->op->u.attn.heads * dim;
    auto *p = cols == v->cols ? nullptr : reinterpret_cast<float *>(part);

    return { heads_of_view<T>(c, v),
             { { p, v->rows, cols, cols }, dim, dim % 4 == 0 }, add };
}

template <class T>
void
run_attention_bwd(struct call *c)
{
    const struct op *op = c->op;
    const struct attention_bwd_space space
        = attention_bwd_space_at(view_at(c, &op->scratch), op);
    auto q = heads_of_view<T>(c, &op->x[0]), k = heads_of_view<T>(c, &op->x[1]);
    auto v = heads_of_view<T>(c, &op->x[2]), o = heads_of_view<T>(c, &op->x[3]);
    auto d = heads_of_view<T>(c, &op->x[5]);
    auto *known = reinterpret_cast<float2 *>(space.known);
    uint32_t ld = attention_known_rows(q.m.rows);
    struct backward<T> queries = {
        q, d, k, v, gradient_of<T>(c, &op->y[0], nullptr, op->acc & 1), {},
        known, ld, sight_of(c), op->u.attn.heads / op->u.attn.kv_heads,
        op->u.attn.scale
    };
    struct backward<T> keys = queries;

    keys.x = k, keys.y = v, keys.other_x = q, keys.other_y = d;
    keys.dx = gradient_of<T>(c, &op->y[1], space.dk, op->acc >> 1 & 1);
    keys.dy = gradient_of<T>(c, &op->y[2], space.dv, op->acc >> 2 & 1);
    launch(c, know_rows<T>,
           dim3(blocks_of(ld, KNOW_THREADS / 32), op->u.attn.heads),
           KNOW_THREADS, 0, known, ld, o, d,
           mat_of<float>(c, &op->x[4]));
    put_for_size(c, queries, keys);
    put_add_heads(c, keys.dx, keys.group);
    put_add_heads(c, keys.dy, keys.group);
}

template void run_attention_bwd<float>(struct call *c);
template void run_attention_bwd<bf16>(struct call *c);
