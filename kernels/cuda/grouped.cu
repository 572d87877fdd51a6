/* grouped.cu - GROUPED and its gradient: LINEAR of each expert on its own
 * rows. See struct part and struct route_args in kernels/ops.h.
 *
 * How many rows an expert has is known on the card alone. So a grid is of as
 * many blocks as any choice takes: a span is GROUPED_ROWS rows of one group or
 * fewer, the groups' spans are listed first, and who has none is done at once.
 * What differs from expert to expert, where its matrices lie, goes to the card
 * with the launches that begin the op, some parts with each, since parameters
 * of a launch are few. What one block sums stays in registers, an adapter's
 * product and the weight's, or the weights of gate and up in dx.
 */
#include <type_traits>

#include "grouped.cuh"
#include "moe.cuh"
#include "ops.cuh"
#include "parts.cuh"
#include "widen.cuh"

constexpr unsigned FEW = 32, MANY = 128; /* columns that a block has */

template <class T, unsigned COLS>
using block_of = std::conditional_t<sizeof(T) == 2, tensor_block<COLS>,
                                    float_block<COLS>>;

/* Rows of one group. */
struct span {
    uint32_t group, row, rows; /* rows: 0 where there are none left */
};
static_assert(sizeof(span) == GROUPED_SPAN, "as space.h counts");

/* A part, as the card sees it: what is absent has no address. */
template <class T>
struct member {
    mat<T> w, h, dh;
    table stored; /* what w is made of, where that is no operand */
    mat<float> a, b, grad_w, grad_a, grad_b;
    uint32_t col;
    float scale;
    bool codes; /* see has_codes */
};
static_assert(sizeof(member<float>) == GROUPED_PART, "as space.h counts");

/* What kernels know of the op. */
template <class T>
struct plan {
    member<T> *part;
    span *spans, *groups; /* groups: all rows of each */
    uint32_t each, n_groups, n_spans;
};

/* ---- what goes before the products -------------------------------------- */

constexpr unsigned AT_ONCE = 12; /* of 4 KiB that a launch has */

template <class T>
struct members {
    member<T> part[AT_ONCE];
};

template <class T>
static __global__ void
put_members(member<T> *to, members<T> from, uint32_t n)
{
    if (threadIdx.x < n)
        to[threadIdx.x] = from.part[threadIdx.x];
}

constexpr unsigned LISTING = 256;

static __device__ __forceinline__ uint32_t
spans_of(uint32_t rows)
{
    return (rows + GROUPED_ROWS - 1) / GROUPED_ROWS;
}

/* Spans of the groups before e; asked by whole warps. */
static __device__ __forceinline__ uint32_t
spans_before(const mat<float> &counts, uint32_t e, uint32_t tile)
{
    uint32_t n = 0;

    for (uint32_t i = threadIdx.x % 32; i < e; i += 32)
        n += spans_of(group_size(counts, i, tile));
    return warp_sum(n);
}

/* One block: a group is a warp's. */
static __global__ void
list_spans(span *spans, span *groups, mat<float> counts, uint32_t n_spans,
           uint32_t tile)
{
    uint32_t lane = threadIdx.x % 32;

    for (uint32_t g = threadIdx.x / 32; g < counts.cols; g += LISTING / 32) {
        uint32_t rows = group_size(counts, g, tile);
        uint32_t row = group_start(counts, g, tile), n = spans_of(rows);
        uint32_t first = spans_before(counts, g, tile);

        for (uint32_t k = lane; k < n; k += 32)
            spans[first + k] = { g, row + k * GROUPED_ROWS,
                                 min((uint32_t)GROUPED_ROWS,
                                     rows - k * GROUPED_ROWS) };
        if (lane == 0)
            groups[g] = { g, row, rows };
        if (g + 1 < counts.cols)
            continue;
        for (uint32_t k = first + n + lane; k < n_spans; k += 32)
            spans[k] = {};
    }
}

constexpr unsigned WIDENING = 256, WIDENING_BLOCKS = 256; /* of each part */

/* Makes the weights of experts that have rows; blockIdx.y is the part. */
template <class T>
static __global__ void
widen_used(plan<T> g)
{
    const member<T> &p = g.part[blockIdx.y];
    unsigned each = p.codes ? CODES : 1;

    if (p.stored.p == nullptr || g.groups[blockIdx.y / g.each].rows == 0)
        return;
    for (uint32_t i = blockIdx.x; i < p.w.rows; i += gridDim.x)
        for (uint32_t c = threadIdx.x * each; c < p.w.cols;
             c += WIDENING * each) {
            if (p.codes)
                widen_codes(p.w.row(i) + c, p.stored, i, c);
            else
                set(p.w.row(i) + c, table_at(p.stored, i, c));
        }
}

/* The most columns of y that a part has. */
static uint32_t
widest(const struct op *op)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < op->u.lin.n; i++)
        most = op->u.lin.part[i].out > most ? op->u.lin.part[i].out : most;
    return most;
}

/* The k'th part of each group has its columns of dh. */
template <class T>
static mat<T>
dh_of(const struct call *c, char *space, uint32_t i)
{
    const struct op *op = c->op;
    uint32_t each = op->u.lin.n / op->u.lin.groups, col = 0, cols = 0;

    for (uint32_t k = 0; k < each; k++) {
        col = k == i % each ? cols : col;
        cols += grouped_rank(op, k);
    }
    return columns(packed<T>(space, op->x[0].rows, cols), col,
                   op->u.lin.part[i].rank);
}

/* Part i with its places; space: see grouped_space. */
template <class T>
static member<T>
member_of(struct call *c, const struct grouped_space &space, uint32_t i)
{
    const struct part *p = &c->op->u.lin.part[i];
    member<T> m = {};

    m.w = mat_of<T>(c, &p->w);
    if (!is_operand(&c->card->sizing, p->w.dtype)) {
        m.w = packed<T>(space.w + before_part(c, i).w, p->out, p->in);
        m.stored = table_of(c, &p->w);
        m.codes = has_codes(m.stored) && is_wide(m.w);
    }
    m.h = mat_of<T>(c, &p->h);
    m.dh = dh_of<T>(c, space.dh, i);
    m.a = mat_of<float>(c, &p->a);
    m.b = mat_of<float>(c, &p->b);
    m.grad_w = mat_of<float>(c, &p->grad_w);
    m.grad_a = mat_of<float>(c, &p->grad_a);
    m.grad_b = mat_of<float>(c, &p->grad_b);
    m.col = p->col;
    m.scale = p->lora_scale;
    return m;
}

/* Puts the parts and the spans to the card, and makes the weights where they
 * are asked for and no operands. */
template <class T>
static plan<T>
begin(struct call *c, bool weights)
{
    const struct op *op = c->op;
    struct grouped_space space = grouped_space_at(
        view_at(c, &op->scratch), &c->card->sizing, op);
    uint32_t n = op->u.lin.n, groups = op->u.lin.groups;
    plan<T> p = { reinterpret_cast<member<T> *>(space.part),
                  reinterpret_cast<span *>(space.spans),
                  reinterpret_cast<span *>(space.groups), n / groups, groups,
                  grouped_spans(op) };
    members<T> some;

    for (uint32_t i = 0; i < n; i++) {
        some.part[i % AT_ONCE] = member_of<T>(c, space, i);
        if ((i + 1) % AT_ONCE == 0 || i + 1 == n)
            launch(c, put_members<T>, 1, AT_ONCE, 0,
                   p.part + i / AT_ONCE * AT_ONCE, some, i % AT_ONCE + 1);
    }
    launch(c, list_spans, 1, LISTING, 0, p.spans, p.groups,
           mat_of<float>(c, &op->x[1]), p.n_spans, op->u.lin.tile);
    if (weights && before_part(c, n).w > 0)
        launch(c, widen_used<T>,
               dim3(min(widest(op), WIDENING_BLOCKS), n), WIDENING, 0, p);
    return p;
}

static uint32_t
highest_rank(const struct op *op)
{
    uint32_t most = 0;

    for (uint32_t k = 0; k < op->u.lin.n / op->u.lin.groups; k++)
        most = grouped_rank(op, k) > most ? grouped_rank(op, k) : most;
    return most;
}

/* ---- forward ------------------------------------------------------------ */

template <class C>
static __device__ __forceinline__ mat<C>
rows_of(const mat<C> &m, const span &s)
{
    return { m.row(s.row), s.rows, m.cols, m.ld };
}

template <class C>
static __device__ __forceinline__ mat<C>
part_of(const mat<C> &m, const span &s, uint32_t col, uint32_t cols)
{
    return { m.row(s.row) + col, s.rows, cols, m.ld };
}

/* Blocks are of spans and columns; blockIdx.y is the part of the group. */
template <class E, class T>
static __global__ void
grouped_h(mat<T> x, plan<T> g, uint32_t cols)
{
    place at = place_of(g.n_spans, cols);
    span s = g.spans[at.row];
    const member<T> &p = g.part[s.group * g.each + blockIdx.y];
    uint32_t n = at.col * E::COLS;
    typename E::sums sums = {};

    if (s.rows == 0 || p.a.p == nullptr || n >= p.a.rows)
        return;
    add_product<E, false, true>(sums, rows_of(x, s), p.a, 0, n);
    store_product<E>(rows_of(p.h, s), 0, n, sums, 1, false);
}

/* The same. */
template <class E, class T>
static __global__ void
grouped_y(mat<T> y, mat<T> x, plan<T> g, uint32_t cols, bool add)
{
    place at = place_of(g.n_spans, cols);
    span s = g.spans[at.row];
    const member<T> &p = g.part[s.group * g.each + blockIdx.y];
    uint32_t n = at.col * E::COLS;
    typename E::sums sums = {};

    if (s.rows == 0 || n >= p.w.rows)
        return;
    if (p.a.p != nullptr)
        add_product<E, false, true>(sums, rows_of(p.h, s), p.b, 0, n);
    UNROLL
    for (unsigned i = 0; i < E::MINE; i++)
        UNROLL
        for (unsigned j = 0; j < E::EACH; j++)
            sums.at(i, j) *= p.scale;
    add_product<E, false, true>(sums, rows_of(x, s), p.w, 0, n);
    store_product<E>(part_of(y, s, p.col, p.w.rows), 0, n, sums, 1, add);
}

template <class T>
void
run_grouped(struct call *c)
{
    typedef block_of<T, FEW> few;
    typedef block_of<T, MANY> many;
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), y = mat_of<T>(c, &op->y[0]);
    plan<T> g = begin<T>(c, true);
    uint32_t ranks = blocks_of(highest_rank(op), FEW);
    uint32_t cols = blocks_of(widest(op), MANY);

    if (ranks > 0)
        launch(c, grouped_h<few, T>, dim3(g.n_spans * ranks, g.each),
               few::THREADS, PRODUCT_BYTES<few>, x, g, ranks);
    launch(c, grouped_y<many, T>, dim3(g.n_spans * cols, g.each),
           many::THREADS, PRODUCT_BYTES<many>, y, x, g, cols,
           (op->acc & 1) != 0);
}

/* ---- backward ----------------------------------------------------------- */

/* dh = s dy B; blocks as in the forward. */
template <class E, class T>
static __global__ void
grouped_dh(mat<T> dy, plan<T> g, uint32_t cols)
{
    place at = place_of(g.n_spans, cols);
    span s = g.spans[at.row];
    const member<T> &p = g.part[s.group * g.each + blockIdx.y];
    uint32_t n = at.col * E::COLS;
    typename E::sums sums = {};

    if (s.rows == 0 || p.a.p == nullptr || n >= p.a.rows)
        return;
    add_product<E, false, false>(sums, part_of(dy, s, p.col, p.w.rows), p.b,
                                 0, n);
    store_product<E>(rows_of(p.dh, s), 0, n, sums, p.scale, false);
}

/* dx (+)= dh A + dy W of all parts. */
template <class E, class T>
static __global__ void
grouped_dx(mat<T> dx, mat<T> dy, plan<T> g, uint32_t cols, bool add)
{
    place at = place_of(g.n_spans, cols);
    span s = g.spans[at.row];
    uint32_t n = at.col * E::COLS;
    typename E::sums sums = {};

    if (s.rows == 0)
        return;
    for (uint32_t k = 0; k < g.each; k++) {
        const member<T> &p = g.part[s.group * g.each + k];

        if (p.a.p != nullptr)
            add_product<E, false, false>(sums, rows_of(p.dh, s), p.a, 0, n);
        add_product<E, false, false>(sums, part_of(dy, s, p.col, p.w.rows),
                                     p.w, 0, n);
    }
    store_product<E>(rows_of(dx, s), 0, n, sums, 1, add);
}

enum gradient { GRAD_W, GRAD_A, GRAD_B };

template <class T, enum gradient WHICH>
static __device__ __forceinline__ mat<float>
gradient_of(const member<T> &p)
{
    return WHICH == GRAD_W ? p.grad_w : WHICH == GRAD_A ? p.grad_a : p.grad_b;
}

/* grad_w += dy^T x, grad_a += dh^T x, grad_b += s dy^T h; blockIdx.y is the
 * part, of all. */
template <class E, class T, enum gradient WHICH>
static __global__ void
grouped_grad(mat<T> x, mat<T> dy, plan<T> g, uint32_t rows, uint32_t cols)
{
    place at = place_of(rows, cols);
    const member<T> &p = g.part[blockIdx.y];
    span s = g.groups[blockIdx.y / g.each];
    mat<float> to = gradient_of<T, WHICH>(p);
    uint32_t m = at.row * E::ROWS, n = at.col * E::COLS;
    typename E::sums sums = {};
    mat<T> left, right;

    if (s.rows == 0 || to.p == nullptr || m >= to.rows || n >= to.cols)
        return;
    left = WHICH == GRAD_A ? rows_of(p.dh, s)
                           : part_of(dy, s, p.col, p.w.rows);
    right = rows_of(WHICH == GRAD_B ? p.h : x, s);
    add_product<E, true, false>(sums, left, right, m, n);
    store_product<E>(to, m, n, sums, WHICH == GRAD_B ? p.scale : 1, true);
}

/* A gradient of some parts at least. */
template <class T, enum gradient WHICH>
static void
put_grads(struct call *c, const plan<T> &g, mat<T> x, mat<T> dy,
          uint32_t rows, uint32_t cols)
{
    typedef block_of<T, WHICH == GRAD_B ? FEW : MANY> block;

    rows = blocks_of(rows, block::ROWS);
    cols = blocks_of(cols, block::COLS);
    launch(c, grouped_grad<block, T, WHICH>,
           dim3(rows * cols, g.each * g.n_groups), block::THREADS,
           PRODUCT_BYTES<block>, x, dy, g, rows, cols);
}

template <class T>
void
run_grouped_bwd(struct call *c)
{
    typedef block_of<T, FEW> few;
    typedef block_of<T, MANY> many;
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), dy = mat_of<T>(c, &op->x[2]);
    mat<T> dx = mat_of<T>(c, &op->y[0]);
    plan<T> g = begin<T>(c, dx.p != nullptr);
    uint32_t rank = highest_rank(op), out = widest(op);
    uint32_t ranks = blocks_of(rank, FEW), cols = blocks_of(x.cols, MANY);
    bool grad_w = false, grad_lora = false;

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        grad_w |= op->u.lin.part[i].grad_w.buf != 0;
        grad_lora |= op->u.lin.part[i].grad_a.buf != 0;
    }
    if (ranks > 0)
        launch(c, grouped_dh<few, T>, dim3(g.n_spans * ranks, g.each),
               few::THREADS, PRODUCT_BYTES<few>, dy, g, ranks);
    if (dx.p != nullptr)
        launch(c, grouped_dx<many, T>, dim3(g.n_spans * cols),
               many::THREADS, PRODUCT_BYTES<many>, dx, dy, g, cols,
               (op->acc & 1) != 0);
    if (grad_lora) {
        put_grads<T, GRAD_A>(c, g, x, dy, rank, x.cols);
        put_grads<T, GRAD_B>(c, g, x, dy, out, rank);
    }
    if (grad_w)
        put_grads<T, GRAD_W>(c, g, x, dy, out, x.cols);
}

template void run_grouped<float>(struct call *c);
template void run_grouped<bf16>(struct call *c);
template void run_grouped_bwd<float>(struct call *c);
template void run_grouped_bwd<bf16>(struct call *c);
