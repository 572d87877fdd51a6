/* attention.cu - ATTENTION, without ever keeping a matrix of scores.
 *
 *   s_j = scale * q . k_j over the keys that a row sees, p = softmax(s),
 *   o = sum p_j v_j, lse = log sum exp(s_j)
 *
 * A block has a tile of query rows of one head and goes through the tiles of
 * keys that any of them sees. Of each row it knows the largest score so far,
 * and sums of e^(s - largest) and of that times v; when a larger one comes,
 * the sums shrink. Divided at the end, they are the softmax (Dao,
 * "FlashAttention-2: Faster attention with better parallelism and work
 * partitioning", 2023). Computing in bf16, p is rounded to it for the product
 * with v.
 *
 * Decoding, where few rows see a cache of many, a block has one row and head
 * and goes through CACHE_KEYS keys at a time.
 */
#include "attention.cuh"
#include "piece.cuh"

template <class T>
struct forward {
    heads_of<T> q, k, v, o;
    mat<float> lse;
    struct sight sight;
    uint32_t group; /* query heads of a key head */
    float scale;
    bool add;
};

/* ---- tiles -------------------------------------------------------------- */

/* The softmax of a thread's rows so far. */
template <class E>
struct running {
    float top[E::MINE]; /* the largest score, as an exponent of 2 */
    float sum[E::MINE]; /* this lane's part */
    typename E::sums o;
};

/* Takes a tile of scores into the softmax, and leaves its p in s; per: what
 * of an exponent of 2 a score is worth, over 0. Whatever top is rounded to, p
 * and sum are relative to that. */
template <class E>
static __device__ __forceinline__ void
take_scores(struct running<E> &r, typename E::scores &s, float per)
{
    UNROLL
    for (unsigned i = 0; i < E::MINE; i++) {
        float top = -INFINITY, off, shrink;

        UNROLL
        for (unsigned j = 0; j < E::scores::EACH; j++)
            top = fmaxf(top, s.at(i, j));
        top = fmaxf(r.top[i], row_max<E>(top) * per);
        off = top == -INFINITY ? 0 : top; /* nothing seen yet: all p are 0 */
        shrink = power_of_2(r.top[i] - off);
        r.top[i] = top;
        r.sum[i] *= shrink;
        UNROLL
        for (unsigned j = 0; j < E::sums::EACH; j++)
            r.o.at(i, j) *= shrink;
        UNROLL
        for (unsigned j = 0; j < E::scores::EACH; j++) {
            s.at(i, j) = power_of_2(fmaf(s.at(i, j), per, -off));
            r.sum[i] += s.at(i, j);
        }
    }
}

template <class E>
static __device__ __forceinline__ void
store(const struct forward<typename E::type> &f, struct running<E> &r,
      uint32_t row)
{
    uint32_t head = blockIdx.x;

    UNROLL
    for (unsigned i = 0; i < E::MINE; i++) {
        float sum = row_sum<E>(r.sum[i]), share = 1 / sum;
        uint32_t at = row + E::row(i);

        UNROLL
        for (unsigned j = 0; j < E::sums::EACH; j++)
            r.o.at(i, j) *= share;
        if (f.lse.p != nullptr && at < f.lse.rows
            && threadIdx.x % E::LANES == 0)
            f.lse.row(at)[head] = r.top[i] * LN_2 + logf(sum);
    }
    store_sums<E>(f.o.head(head), row, r.o, 1, f.add);
}

/* A tile of keys is on its way while scores become sums, and one of values
 * while scores are made. The last tiles of queries, which see most keys, start
 * first, of all heads. */
template <class E>
static __global__ void __launch_bounds__(E::THREADS)
attention(struct forward<typename E::type> f)
{
    auto *q = reinterpret_cast<typename E::type *>(shared);
    auto *keys = q + E::ROWS * E::LD, *values = keys + E::COLS * E::LD;
    uint32_t head = blockIdx.x;
    const auto k = f.k.head(head / f.group), v = f.v.head(head / f.group);
    uint32_t row = (gridDim.y - 1 - blockIdx.y) * E::ROWS;
    uint32_t last = min(row + E::ROWS, f.q.m.rows) - 1;
    uint32_t at = f.sight.first(row), all = f.sight.first(last);
    struct running<E> r = {};
    typename E::scores s;

    UNROLL
    for (unsigned i = 0; i < E::MINE; i++)
        r.top[i] = -INFINITY;
    load_tile<E, E::ROWS>(q, f.q.head(head), row);
    load_tile<E, E::COLS>(keys, k, at);
    copy_group();
    for (; at <= last; at += E::COLS) {
        copy_wait<0>();
        __syncthreads(); /* keys are there, and nobody reads values */
        load_tile<E, E::COLS>(values, v, at);
        copy_group();
        E::multiply(s, q, keys);
        copy_wait<0>();
        __syncthreads(); /* values are there, and nobody reads keys */
        if (at + E::COLS <= last)
            load_tile<E, E::COLS>(keys, k, at + E::COLS);
        copy_group();
        if (at + E::COLS > row + 1 || at < all)
            hide<E, false>(s, f.sight, row, at, f.q.m.rows);
        take_scores<E>(r, s, f.scale * LOG2_E);
        E::add_product(r.o, s, values);
    }
    store<E>(f, r, row);
}

template <class E>
static void
put_tiles(struct call *c, struct forward<typename E::type> f)
{
    size_t elements = (size_t)(E::ROWS + 2 * E::COLS) * E::LD;

    launch(c, attention<E>,
           dim3(c->op->u.attn.heads, blocks_of(f.q.m.rows, E::ROWS)),
           E::THREADS, elements * sizeof(typename E::type), f);
}

static void
put_for_size(struct call *c, const struct forward<bf16> &f)
{
    if (f.q.dim <= 32)
        put_tiles<tensor_tile<32, 64, 2>>(c, f);
    else if (f.q.dim <= 64)
        put_tiles<tensor_tile<64, 64, 2>>(c, f);
    else if (f.q.dim <= 96)
        put_tiles<tensor_tile<96, 64, 2>>(c, f);
    else if (f.q.dim <= 128)
        put_tiles<tensor_tile<128, 64, 2>>(c, f);
    else if (f.q.dim <= 192)
        put_tiles<tensor_tile<192, 64>>(c, f);
    else
        put_tiles<tensor_tile<256, 64>>(c, f);
}

static void
put_for_size(struct call *c, const struct forward<float> &f)
{
    if (f.q.dim <= 64)
        put_tiles<float_tile<64, 32>>(c, f);
    else if (f.q.dim <= 128)
        put_tiles<float_tile<128, 32>>(c, f);
    else
        put_tiles<float_tile<256, 32>>(c, f);
}

/* ---- decoding ----------------------------------------------------------- */

constexpr unsigned CACHE_KEYS = 128; /* and threads */

/* Whether query row i holds a token, and where that stands: row own of the
 * cache, whose rows from first on are those of its sequence. */
struct place {
    bool token;
    uint32_t first, own;
};

static __device__ __forceinline__ struct place
place_of(const struct arrays &b, const struct cache_args &a, uint32_t i)
{
    uint32_t seq = i / a.seq_len, at = i % a.seq_len;
    uint32_t first = seq * a.cache_len;

    return { at < (uint32_t)b.seq_n[seq], first,
             first + (uint32_t)b.cache_at[seq] + at };
}

/* N columns at a time, of which dim is a multiple. */
template <unsigned N, class T>
static __device__ __forceinline__ float
dot(const float *q, const T *k, uint32_t dim)
{
    float sum = 0, v[N];

    for (uint32_t c = 0; c < dim; c += N) {
        get_piece(k + c, v);
        UNROLL
        for (unsigned e = 0; e < N; e++)
            sum += q[c + e] * v[e];
    }
    return sum;
}

/* Of a thread's key. */
template <class T>
static __device__ __forceinline__ float
score(const float *q, const head_of<T> &k, uint32_t row)
{
    return k.wide ? dot<WIDE<T>>(q, k.m.row(row), k.dim)
                  : dot<1>(q, k.m.row(row), k.dim);
}

/* o[c] = shrink * o[c] + sum of p[j] * v[j][c] over n rows. */
template <class T>
static __device__ __forceinline__ void
add_values(float *o, float shrink, const float *p, const mat<T> &v,
           uint32_t row, uint32_t n)
{
    for (uint32_t c = threadIdx.x; c < v.cols; c += CACHE_KEYS) {
        float sum = 0;

        for (uint32_t j = 0; j < n; j++)
            sum += p[j] * get(v.row(row + j) + c);
        o[c] = o[c] * shrink + sum;
    }
}

/* In shared memory, behind what sums over a block want: the query, its
 * result, and p of the keys at hand. The sums' barriers are those of p. */
template <class T>
static __global__ void
attention_cached(struct forward<T> f, struct arrays b, struct cache_args a)
{
    uint32_t i = blockIdx.x, dim = f.q.dim;
    auto *q = reinterpret_cast<float *>(shared) + CACHE_KEYS;
    float *o = q + dim, *p = o + dim, top = -INFINITY, sum = 0;
    const auto k = f.k.head(blockIdx.y / f.group);
    const auto v = f.v.head(blockIdx.y / f.group).m;
    struct place at = place_of(b, a, i);
    uint32_t first = at.first, end = at.token ? at.own + 1 : first;

    if (f.sight.window != 0 && end > first + f.sight.window)
        first = end - f.sight.window;
    for (uint32_t c = threadIdx.x; c < dim; c += CACHE_KEYS) {
        q[c] = get(f.q.head(blockIdx.y).m.row(i) + c);
        o[c] = 0;
    }
    __syncthreads();
    for (uint32_t key = first; key < end; key += CACHE_KEYS) {
        uint32_t n = min(end - key, CACHE_KEYS), j = threadIdx.x;
        float s = j < n ? f.scale * score(q, k, key + j) : -INFINITY;
        float most = fmaxf(top, block_max<CACHE_KEYS>(s));
        float shrink = expf(top - most);

        p[j] = expf(s - most);
        sum = sum * shrink + block_sum<CACHE_KEYS>(p[j]);
        top = most;
        add_values(o, shrink, p, v, key, n);
    }
    for (uint32_t c = threadIdx.x; c < dim; c += CACHE_KEYS)
        put(f.o.head(blockIdx.y).m.row(i) + c, at.token ? o[c] / sum : 0,
            f.add);
}

template <class T>
void
run_attention(struct call *c)
{
    const struct op *op = c->op;
    struct forward<T> f = {
        heads_of_view<T>(c, &op->x[0]), heads_of_view<T>(c, &op->x[1]),
        heads_of_view<T>(c, &op->x[2]), heads_of_view<T>(c, &op->y[0]),
        mat_of<float>(c, &op->y[1]), sight_of(c),
        op->u.attn.heads / op->u.attn.kv_heads, op->u.attn.scale,
        (op->acc & 1) != 0
    };

    if (op->u.attn.cache_len != 0)
        launch(c, attention_cached<T>, dim3(f.q.m.rows, op->u.attn.heads),
               CACHE_KEYS, (2 * CACHE_KEYS + 2 * f.q.dim) * sizeof(float), f,
               c->batch, cache_args{ op->u.attn.seq_len,
                                     op->u.attn.cache_len });
    else
        put_for_size(c, f);
}

template void run_attention<float>(struct call *c);
template void run_attention<bf16>(struct call *c);
