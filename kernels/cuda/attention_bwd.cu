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
 * them, of all the heads that share the key head, for dk and dv (after Dao,
 * "FlashAttention-2", 2023, whose dq is added up by atomics). They are the
 * same but for who is who: with x, y of the own rows q, do (k, v) and of the
 * others k, v (q, do),
 *
 *   p and ds of x other_x^T and y other_y^T,
 *   dx = scale * sum ds other_x    dy = sum p other_y
 *
 * Computing in bf16, p and ds are rounded to it for these products.
 */
#include "attention.cuh"

enum { DX = 1, DY = 2 };

template <class T>
struct backward {
    heads_of<T> x, y, other_x, other_y, dx, dy;
    const float2 *known; /* see know_rows */
    uint32_t known_ld;
    struct sight sight;
    uint32_t group; /* query heads of a key head */
    float scale;
    bool add_dx, add_dy;
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

/* Where a block is: its own first row, and the others' and their head. */
struct spot {
    uint32_t row, at, head;
};

/* Whether every own row and every other one see each other. */
template <class E, bool KEYS>
static __device__ __forceinline__ bool
all_seen(const struct sight &s, const struct spot &p, uint32_t rows)
{
    uint32_t query = KEYS ? p.at : p.row, key = KEYS ? p.row : p.at;
    uint32_t queries = KEYS ? E::COLS : E::ROWS;
    uint32_t keys = KEYS ? E::ROWS : E::COLS;

    return key + keys <= query + 1
           && s.first(min(query + queries, rows) - 1) <= key;
}

/* s becomes p, and slope, which is do . v, ds. */
template <class E, bool KEYS>
static __device__ __forceinline__ void
differentiate(typename E::scores &s, typename E::scores &slope,
              const struct backward<typename E::type> &b,
              const struct spot &spot)
{
    const float2 *known = b.known + (size_t)(KEYS ? spot.head : blockIdx.y)
                                    * b.known_ld;
    uint32_t rows = b.x.m.rows;
    bool all = all_seen<E, KEYS>(b.sight, spot, rows);

    UNROLL
    for (unsigned j = 0; j < E::scores::EACH; j++)
        UNROLL
        for (unsigned i = 0; i < E::MINE; i++) {
            uint32_t own = spot.row + E::row(i);
            uint32_t other = spot.at + E::score_col(j);
            uint32_t query = KEYS ? other : own, key = KEYS ? own : other;
            float2 k = known[query];
            float p = exp2f(s.at(i, j) * (b.scale * LOG2_E) - k.x);

            if (!all && (key > query
                         || key < b.sight.first(min(query, rows - 1))))
                p = 0;
            s.at(i, j) = p;
            slope.at(i, j) = p * (slope.at(i, j) - k.y);
        }
}

/* KEYS: own rows are keys, and others queries. WANT: DX, DY or both. */
template <class E, bool KEYS, unsigned WANT>
static __global__ void __launch_bounds__(E::THREADS)
attention_bwd(struct backward<typename E::type> b)
{
    constexpr unsigned TILE = E::COLS * E::LD, OWN = E::ROWS * E::LD;
    auto *x = reinterpret_cast<typename E::type *>(shared);
    auto *y = x + OWN, *others = WANT & DX ? y + OWN : y;
    uint32_t rows = b.x.m.rows, row = blockIdx.x * E::ROWS;
    uint32_t last = min(row + E::ROWS, rows) - 1;
    uint32_t first = KEYS ? row : b.sight.first(row);
    uint32_t head = KEYS ? blockIdx.y * b.group : blockIdx.y / b.group;
    unsigned tiles = KEYS ? count_tiles<E::COLS>(b.sight, row, rows, last)
                          : (last - first) / E::COLS + 1;
    unsigned turns = KEYS ? tiles * b.group : tiles;
    typename E::sums dx = {}, dy = {};

    load_tile<E, E::ROWS>(x, b.x.head(blockIdx.y), row);
    if (WANT & DX)
        load_tile<E, E::ROWS>(y, b.y.head(blockIdx.y), row);
    for (unsigned t = 0; t <= turns; t++) {
        struct spot spot = { row, first + (t - 1) % tiles * E::COLS,
                             head + (t - 1) / tiles };
        auto *now = others + (t + 1) % 2 * 2 * TILE;
        typename E::scores s, slope = {};

        if (t < turns) {
            uint32_t h = head + t / tiles, at = first + t % tiles * E::COLS;
            auto *next = others + t % 2 * 2 * TILE;

            load_tile<E, E::COLS>(next, b.other_x.head(h), at);
            load_tile<E, E::COLS>(next + TILE, b.other_y.head(h), at);
        }
        copy_group();
        if (t == 0)
            continue;
        copy_wait<1>();
        __syncthreads();
        E::multiply(s, x, now);
        if (WANT & DX)
            E::multiply(slope, y, now + TILE);
        differentiate<E, KEYS>(s, slope, b, spot);
        if (WANT & DX)
            E::add_product(dx, slope, now);
        if (WANT & DY)
            E::add_product(dy, s, now + TILE);
        __syncthreads(); /* now is the place of the next but one */
    }
    if (WANT & DX)
        store_sums<E>(b.dx.head(blockIdx.y), row, dx, b.scale, b.add_dx);
    if (WANT & DY)
        store_sums<E>(b.dy.head(blockIdx.y), row, dy, 1, b.add_dy);
}

/* ---- launches ----------------------------------------------------------- */

template <class E, bool KEYS, unsigned WANT>
static void
put_kernel(struct call *c, const struct backward<typename E::type> &b)
{
    size_t rows = E::ROWS * (WANT & DX ? 2 : 1) + 4 * E::COLS;

    launch(c, attention_bwd<E, KEYS, WANT>,
           dim3(blocks_of(b.x.m.rows, E::ROWS),
                KEYS ? c->op->u.attn.kv_heads : c->op->u.attn.heads),
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

template <class T>
void
run_attention_bwd(struct call *c)
{
    const struct op *op = c->op;
    auto q = heads_of_view<T>(c, &op->x[0]), k = heads_of_view<T>(c, &op->x[1]);
    auto v = heads_of_view<T>(c, &op->x[2]), o = heads_of_view<T>(c, &op->x[3]);
    auto d = heads_of_view<T>(c, &op->x[5]);
    auto dq = heads_of_view<T>(c, &op->y[0]);
    auto dk = heads_of_view<T>(c, &op->y[1]);
    auto dv = heads_of_view<T>(c, &op->y[2]);
    auto *known = reinterpret_cast<float2 *>(view_at(c, &op->scratch));
    uint32_t ld = attention_known_rows(q.m.rows);
    struct backward<T> queries = {
        q, d, k, v, dq, {}, known, ld, sight_of(c),
        op->u.attn.heads / op->u.attn.kv_heads, op->u.attn.scale,
        (op->acc & 1) != 0, false
    };
    struct backward<T> keys = {
        k, v, q, d, dk, dv, known, ld, queries.sight, queries.group,
        queries.scale, (op->acc & 2) != 0, (op->acc & 4) != 0
    };

    launch(c, know_rows<T>,
           dim3(blocks_of(ld, KNOW_THREADS / 32), op->u.attn.heads),
           KNOW_THREADS, 0, known, ld, o, d,
           mat_of<float>(c, &op->x[4]));
    put_for_size(c, queries, keys);
}

template void run_attention_bwd<float>(struct call *c);
template void run_attention_bwd<bf16>(struct call *c);
