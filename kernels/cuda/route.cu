/* route.cu - ROUTE, its gradient and BALANCE: formulas in kernels/ops.h.
 *
 * Rows that the batch does not count have no experts. A row is a warp's, which
 * finds its experts one after the other. Their rows are counted by pieces of
 * ROUTE_PIECE choices, in the order of tokens: each piece by itself, then over
 * pieces, then each piece gives its choices their rows.
 */
#include "moe.cuh"
#include "ops.cuh"

constexpr unsigned THREADS = 256, WARPS = THREADS / 32;

/* p of logit x is exp(x - top) / sum. */
struct softmax {
    float top, sum;
};

static __device__ __forceinline__ float
softmax_at(const softmax &s, float x)
{
    return expf(x - s.top) / s.sum;
}

/* By a warp. */
template <class T>
static __device__ __forceinline__ softmax
softmax_of(const T *x, uint32_t n)
{
    float top = -INFINITY, sum = 0;

    for (uint32_t e = threadIdx.x % 32; e < n; e += 32)
        top = fmaxf(top, get(x + e));
    top = warp_max(top);
    for (uint32_t e = threadIdx.x % 32; e < n; e += 32)
        sum += expf(get(x + e) - top);
    return { top, warp_sum(sum) };
}

/* ---- who is chosen ------------------------------------------------------ */

struct candidate {
    float x; /* its logit; -infinity for one that is no number */
    int32_t e;
};

/* The order in which they are chosen. */
static __device__ __forceinline__ bool
is_before(const candidate &a, const candidate &b)
{
    return a.x > b.x || (a.x == b.x && a.e < b.e);
}

/* The first after `last`, of which there is one; by a warp. */
template <class T>
static __device__ __forceinline__ candidate
next_of(const T *x, int32_t n, const candidate &last)
{
    candidate best = { -INFINITY, n };

    for (int32_t e = (int32_t)(threadIdx.x % 32); e < n; e += 32) {
        float v = get(x + e);
        candidate c = { v == v ? v : -INFINITY, e };

        if (is_before(last, c) && is_before(c, best))
            best = c;
    }
    for (int with = 16; with > 0; with /= 2) {
        candidate other = { __shfl_xor_sync(ALL_LANES, best.x, with),
                            __shfl_xor_sync(ALL_LANES, best.e, with) };

        if (is_before(other, best))
            best = other;
    }
    return best;
}

/* soft: of each row, where it is asked for. */
template <class T>
static __global__ void
choose(mat<float> weights, mat<float> places, softmax *soft, mat<T> x,
       struct route_args a, const struct step *step)
{
    uint32_t i = blockIdx.x * WARPS + threadIdx.x / 32;
    bool first = threadIdx.x % 32 == 0;
    candidate last = { INFINITY, -1 };
    float sum = 0;
    softmax s;

    if (i >= min(x.rows, step->n))
        return;
    s = softmax_of(x.row(i), a.experts);
    for (uint32_t k = 0; k < a.top_k; k++) {
        float p;

        last = next_of(x.row(i), (int32_t)a.experts, last);
        p = softmax_at(s, get(x.row(i) + last.e));
        sum += p;
        if (first) {
            places.row(i)[2 * k] = (float)last.e;
            weights.row(i)[k] = p;
        }
    }
    for (uint32_t k = 0; k < a.top_k && a.norm && first; k++)
        weights.row(i)[k] /= sum;
    if (first && soft != nullptr)
        soft[i] = s;
}

/* ---- where their rows are ----------------------------------------------- */

/* A piece of the choices, choice j being the j % top_k'th of row j / top_k. */
struct choices {
    mat<float> places;
    struct route_args args;
    const struct step *step;
};

static __device__ __forceinline__ float *
choice_at(const choices &c, uint32_t j)
{
    return c.places.row(j / c.args.top_k) + j % c.args.top_k * 2;
}

/* The block's piece into shared memory; what is beyond the last row chose an
 * expert that is not there. */
static __device__ __forceinline__ const uint32_t *
load_piece(const choices &c)
{
    auto *chosen = reinterpret_cast<uint32_t *>(shared);
    uint32_t n = min(c.places.rows, c.step->n) * c.args.top_k;
    uint32_t from = blockIdx.x * ROUTE_PIECE;

    for (uint32_t j = threadIdx.x; j < ROUTE_PIECE; j += THREADS)
        chosen[j] = from + j < n ? (uint32_t)*choice_at(c, from + j)
                                 : c.args.experts;
    __syncthreads();
    return chosen;
}

/* part[piece, expert] = how many chose it. */
static __global__ void
count_piece(uint32_t *part, choices c)
{
    const uint32_t *chosen = load_piece(c);
    uint32_t lane = threadIdx.x % 32, *to = part + blockIdx.x * c.args.experts;

    for (uint32_t e = threadIdx.x / 32; e < c.args.experts; e += WARPS) {
        uint32_t n = 0;

        for (uint32_t j = lane; j < ROUTE_PIECE; j += 32)
            n += (uint32_t)__popc(__ballot_sync(ALL_LANES, chosen[j] == e));
        if (lane == 0)
            to[e] = n;
    }
}

/* The counts; of each piece, how many chose an expert before it; and where the
 * groups begin. */
static __global__ void
count_all(mat<float> counts, uint32_t *first, uint32_t *part,
          uint32_t n_pieces, uint32_t tile)
{
    uint32_t experts = counts.cols;

    for (uint32_t e = threadIdx.x; e < experts; e += THREADS) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < n_pieces; i++) {
            uint32_t own = part[i * experts + e];

            part[i * experts + e] = n;
            n += own;
        }
        counts.p[e] = (float)n;
    }
    __syncthreads();
    for (uint32_t e = threadIdx.x / 32; e < experts; e += WARPS) {
        uint32_t at = group_start(counts, e, tile);

        if (threadIdx.x % 32 == 0)
            first[e] = at;
    }
}

static __global__ void
place_piece(choices c, const uint32_t *first, const uint32_t *part)
{
    const uint32_t *chosen = load_piece(c);
    uint32_t lane = threadIdx.x % 32, from = blockIdx.x * ROUTE_PIECE;

    part += blockIdx.x * c.args.experts;
    for (uint32_t e = threadIdx.x / 32; e < c.args.experts; e += WARPS) {
        uint32_t at = first[e] + part[e];

        for (uint32_t j = lane; j < ROUTE_PIECE; j += 32) {
            uint32_t all = __ballot_sync(ALL_LANES, chosen[j] == e);
            uint32_t before = all & ((1u << lane) - 1);

            if (chosen[j] == e)
                choice_at(c, from + j)[1] = (float)(at
                                                    + (uint32_t)__popc(before));
            at += (uint32_t)__popc(all);
        }
    }
}

/* ---- what the load-balancing loss is made of ---------------------------- */

/* Rows of a sequence up to its last that has a loss; by a block. */
static __device__ __forceinline__ uint32_t
tallied_rows(const float *weight, uint32_t seq_len)
{
    uint32_t n = 0;

    for (uint32_t i = threadIdx.x; i < seq_len; i += THREADS)
        if (weight[i] > 0)
            n = i + 1;
    return (uint32_t)block_max<THREADS>((float)n);
}

struct tally {
    double p;
    float chosen;
};

/* A block has a sequence and 32 experts, one to a lane, and its warps take
 * turns at the rows. */
template <class T>
static __global__ void
tally_experts(mat<float> tally, mat<T> x, mat<float> places,
              const softmax *soft, struct route_args a, const float *weight)
{
    uint32_t s = blockIdx.x, e = blockIdx.y * 32 + threadIdx.x % 32;
    uint32_t i = s * a.seq_len + threadIdx.x / 32;
    uint32_t end = s * a.seq_len
                   + tallied_rows(weight + s * a.seq_len, a.seq_len);
    auto *sums = reinterpret_cast<struct tally *>(shared);
    struct tally sum = {};

    for (; i < end && e < a.experts; i += WARPS) {
        sum.p += (double)softmax_at(soft[i], get(x.row(i) + e));
        for (uint32_t k = 0; k < a.top_k; k++)
            sum.chosen += (uint32_t)places.row(i)[2 * k] == e;
    }
    __syncthreads();
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x >= 32 || e >= a.experts)
        return;
    for (uint32_t k = threadIdx.x + 32; k < THREADS; k += 32) {
        sum.p += sums[k].p;
        sum.chosen += sums[k].chosen;
    }
    tally.row(s)[e] = sum.chosen;
    tally.row(s)[a.experts + e] = (float)sum.p;
}

template <class T>
void
run_route(struct call *c)
{
    const struct op *op = c->op;
    struct route_args a = op->u.route;
    struct route_space space = route_space_at(view_at(c, &op->scratch), op);
    mat<T> x = mat_of<T>(c, &op->x[0]);
    mat<float> places = mat_of<float>(c, &op->y[1]);
    mat<float> tally = mat_of<float>(c, &op->y[3]);
    auto *soft = tally.p ? reinterpret_cast<softmax *>(space.soft) : nullptr;
    auto *part = reinterpret_cast<uint32_t *>(space.part);
    auto *first = reinterpret_cast<uint32_t *>(space.first);
    choices all = { places, a, c->step };
    unsigned pieces = blocks_of((uint64_t)x.rows * a.top_k, ROUTE_PIECE);
    size_t bytes = ROUTE_PIECE * sizeof(uint32_t);

    launch(c, choose<T>, blocks_of(x.rows, WARPS), THREADS, 0,
           mat_of<float>(c, &op->y[0]), places, soft, x, a, c->step);
    launch(c, count_piece, pieces, THREADS, bytes, part, all);
    launch(c, count_all, 1, THREADS, 0, mat_of<float>(c, &op->y[2]), first,
           part, pieces, a.tile);
    launch(c, place_piece, pieces, THREADS, bytes, all, first, part);
    if (tally.p != nullptr)
        launch(c, tally_experts<T>, dim3(tally.rows, blocks_of(a.experts, 32)),
               THREADS, THREADS * sizeof(struct tally), tally, x, places,
               soft, a, c->batch.weight);
}

/* ---- gradient ----------------------------------------------------------- */

static __global__ void
find_tallied(uint32_t *rows, const float *weight, uint32_t seq_len)
{
    uint32_t n = tallied_rows(weight + blockIdx.x * seq_len, seq_len);

    if (threadIdx.x == 0)
        rows[blockIdx.x] = n;
}

/* Of a row: the gradient of the p of those that are chosen is that of their
 * weights, less `mean` and over `sum`. */
struct route_row {
    const float *places, *dw, *balance; /* balance: or NULL */
    uint32_t top_k;
    float mean, sum;
};

static __device__ __forceinline__ float
slope_at(const route_row &r, uint32_t e)
{
    float d = r.balance != nullptr ? r.balance[e] : 0;

    for (uint32_t k = 0; k < r.top_k; k++)
        if ((uint32_t)r.places[2 * k] == e)
            d += (r.dw[k] - r.mean) / r.sum;
    return d;
}

/* rows: of each sequence that are in its tally. dlogits is 0 in rows that the
 * batch does not count. */
template <class T>
static __global__ void
route_bwd(mat<T> dx, mat<T> x, mat<float> places, mat<float> dw,
          mat<float> balance, const uint32_t *rows, struct route_args a,
          const struct step *step, bool add)
{
    uint32_t i = blockIdx.x * WARPS + threadIdx.x / 32;
    uint32_t s = i / a.seq_len, lane = threadIdx.x % 32;
    bool there = i < min(x.rows, step->n);
    float chosen = 0, mean = 0, dot = 0;
    route_row r;
    softmax p;

    for (uint32_t e = lane; i < x.rows && !there && !add && e < a.experts;
         e += 32)
        set(dx.row(i) + e, 0);
    if (!there)
        return;
    p = softmax_of(x.row(i), a.experts);
    r = { places.row(i), dw.row(i), nullptr, a.top_k, 0, 1 };
    if (balance.p != nullptr && i % a.seq_len < rows[s])
        r.balance = balance.row(s);
    for (uint32_t k = 0; k < a.top_k && a.norm; k++) {
        float own = softmax_at(p, get(x.row(i) + (uint32_t)r.places[2 * k]));

        chosen += own;
        mean += own * r.dw[k];
    }
    if (a.norm) {
        r.mean = mean / chosen;
        r.sum = chosen;
    }
    for (uint32_t e = lane; e < a.experts; e += 32)
        dot += softmax_at(p, get(x.row(i) + e)) * slope_at(r, e);
    dot = warp_sum(dot);
    for (uint32_t e = lane; e < a.experts; e += 32)
        put(dx.row(i) + e,
            softmax_at(p, get(x.row(i) + e)) * (slope_at(r, e) - dot), add);
}

template <class T>
void
run_route_bwd(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]);
    mat<float> balance = mat_of<float>(c, &op->x[3]);
    auto *rows = reinterpret_cast<uint32_t *>(view_at(c, &op->scratch));

    if (balance.p != nullptr)
        launch(c, find_tallied, balance.rows, THREADS,
               block_sum_bytes(THREADS), rows, c->batch.weight,
               op->u.route.seq_len);
    launch(c, route_bwd<T>, blocks_of(x.rows, WARPS), THREADS, 0,
           mat_of<T>(c, &op->y[0]), x, mat_of<float>(c, &op->x[1]),
           mat_of<float>(c, &op->x[2]), balance, rows, op->u.route, c->step,
           (op->acc & 1) != 0);
}

/* ---- the load-balancing loss -------------------------------------------- */

/* Of column col of sequence s, over all layers. */
static __device__ __forceinline__ double
tallied(const mat<float> &tally, uint32_t seqs, uint32_t s, uint32_t col)
{
    double sum = 0;

    for (uint32_t i = s; i < tally.rows; i += seqs)
        sum += (double)tally.row(i)[col];
    return sum;
}

/* One block: a sequence after the other. */
static __global__ void
balance(mat<float> y, mat<float> tally, const float *weight,
        struct balance_args a, struct step *step)
{
    uint32_t experts = y.cols, i;
    double all = 0;

    for (uint32_t s = 0; s < a.seqs; s++, weight += a.seq_len) {
        double w = 0, rows = 0, loss = 0, coef;

        for (i = threadIdx.x; i < a.seq_len; i += THREADS)
            w += (double)weight[i];
        for (i = threadIdx.x; i < experts; i += THREADS)
            rows += tallied(tally, a.seqs, s, i);
        w = block_sum<THREADS>(w);
        rows = block_sum<THREADS>(rows) / a.top_k;
        coef = rows > 0 ? w * (double)a.coef * experts / rows : 0;
        for (i = threadIdx.x; i < experts; i += THREADS) {
            double f = rows > 0 ? tallied(tally, a.seqs, s, i) / rows : 0;

            y.row(s)[i] = (float)(coef * step->in.inv_tokens * f);
            loss += f * tallied(tally, a.seqs, s, experts + i);
        }
        all += coef * block_sum<THREADS>(loss);
    }
    if (threadIdx.x == 0)
        step->out.balance_sum += all;
}

void
run_balance(struct call *c)
{
    launch(c, balance, 1, THREADS, block_sum_bytes(THREADS),
           mat_of<float>(c, &c->op->y[0]), mat_of<float>(c, &c->op->x[0]),
           c->batch.weight, c->op->u.balance, c->step);
}

template void run_route<float>(struct call *c);
template void run_route<bf16>(struct call *c);
template void run_route_bwd<float>(struct call *c);
template void run_route_bwd<bf16>(struct call *c);
