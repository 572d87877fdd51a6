/* rows.cu - ops that treat each element, or each row, by itself.
 *
 * A block takes a row, or a piece of one: blockIdx.x is the row, blockIdx.y
 * the piece.
 */
#include "act.cuh"
#include "ops.cuh"
#include "view.cuh"

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
    uint32_t at = (uint32_t)index[i];

    if (i >= n || at + 1 == skip)
        return;
    for (uint32_t k = 0; k < i; k++)
        if ((uint32_t)index[k] == at)
            return;
    EACH_COLUMN(c, dy.cols) {
        float sum = 0;

        for (uint32_t k = i; k < n; k++)
            if ((uint32_t)index[k] == at)
                sum += get(dy.row(k) + c);
        to.row(at)[c] += sum;
    }
}

template <class T>
void
run_embed_bwd(struct call *c)
{
    mat<T> dy = mat_of<T>(c, &c->op->x[0]);
    mat<float> ids = mat_of<float>(c, &c->op->y[0]);
    mat<float> pos = mat_of<float>(c, &c->op->y[1]);
    dim3 grid = grid_of(dy.rows, dy.cols);

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
    uint32_t heads, head_dim, rope_dim;
    float theta, sign;
    bool add;
};

/* Thread t of a row turns pairs t, t + THREADS, ... of all heads; what does
 * not turn is copied by those whose pair number is beyond the last. */
template <class T>
static __global__ void
rotate(mat<T> y, mat<T> x, const int32_t *pos, struct rope r)
{
    uint32_t i = blockIdx.x, half = r.rope_dim / 2;
    uint32_t rest = r.head_dim - r.rope_dim, each = half + rest;

    for (uint32_t k = threadIdx.x; k < r.heads * each; k += THREADS) {
        uint32_t j = k % each, at = k / each * r.head_dim;
        T *to = y.row(i) + at;
        const T *from = x.row(i) + at;
        double angle;
        float c, s, a, b;

        if (j >= half) {
            j += half;
            put(to + j, get(from + j), r.add);
            continue;
        }
        angle = pos[i] * pow((double)r.theta, -2.0 * j / r.rope_dim);
        c = (float)cos(angle);
        s = r.sign * (float)sin(angle);
        a = get(from + j);
        b = get(from + j + half);
        put(to + j, a * c - b * s, r.add);
        put(to + j + half, b * c + a * s, r.add);
    }
}

template <class T>
void
run_rope(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]), x = mat_of<T>(c, &c->op->x[0]);
    struct rope r = { c->op->u.rope.heads, c->op->u.rope.head_dim,
                      c->op->u.rope.rope_dim, c->op->u.rope.theta,
                      c->op->u.rope.sign, (c->op->acc & 1) != 0 };

    launch(c, rotate<T>, dim3(y.rows), THREADS, 0, y, x,
           (const int32_t *)c->batch.pos, r);
}

/* ---- activation functions ----------------------------------------------- */

template <class T>
static __global__ void
act(mat<T> y, mat<T> x, uint8_t kind, bool add)
{
    uint32_t i = blockIdx.x;

    EACH_COLUMN(c, y.cols)
        put(y.row(i) + c, act_value(kind, get(x.row(i) + c)), add);
}

template <class T>
void
run_act(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]), x = mat_of<T>(c, &c->op->x[0]);

    launch(c, act<T>, grid_of(y.rows, y.cols), THREADS, 0, y, x,
           c->op->u.act.kind, (c->op->acc & 1) != 0);
}

/* dx may be dy's place. */
template <class T>
static __global__ void
act_bwd(mat<T> dx, mat<T> x, mat<T> dy, uint8_t kind, bool add)
{
    uint32_t i = blockIdx.x;

    EACH_COLUMN(c, dx.cols)
        put(dx.row(i) + c,
            get(dy.row(i) + c) * act_slope(kind, get(x.row(i) + c)), add);
}

template <class T>
void
run_act_bwd(struct call *c)
{
    mat<T> dx = mat_of<T>(c, &c->op->y[0]);

    launch(c, act_bwd<T>, grid_of(dx.rows, dx.cols), THREADS, 0, dx,
           mat_of<T>(c, &c->op->x[0]), mat_of<T>(c, &c->op->x[1]),
           c->op->u.act.kind, (c->op->acc & 1) != 0);
}

template <class T>
static __global__ void
glu(mat<T> y, mat<T> gate, mat<T> up, uint8_t kind, bool add)
{
    uint32_t i = blockIdx.x;

    EACH_COLUMN(c, y.cols)
        put(y.row(i) + c,
            act_value(kind, get(gate.row(i) + c)) * get(up.row(i) + c), add);
}

template <class T>
void
run_glu(struct call *c)
{
    mat<T> y = mat_of<T>(c, &c->op->y[0]);

    launch(c, glu<T>, grid_of(y.rows, y.cols), THREADS, 0, y,
           mat_of<T>(c, &c->op->x[0]), mat_of<T>(c, &c->op->x[1]),
           c->op->u.act.kind, (c->op->acc & 1) != 0);
}

template <class T>
static __global__ void
glu_bwd(mat<T> dgate, mat<T> dup, mat<T> gate, mat<T> up, mat<T> dy,
        uint8_t kind, uint8_t acc)
{
    uint32_t i = blockIdx.x;

    EACH_COLUMN(c, dy.cols) {
        float g = get(gate.row(i) + c), d = get(dy.row(i) + c);
        float u = get(up.row(i) + c);

        put(dgate.row(i) + c, d * u * act_slope(kind, g), acc & 1);
        put(dup.row(i) + c, d * act_value(kind, g), acc >> 1 & 1);
    }
}

template <class T>
void
run_glu_bwd(struct call *c)
{
    mat<T> dy = mat_of<T>(c, &c->op->x[2]);

    launch(c, glu_bwd<T>, grid_of(dy.rows, dy.cols), THREADS, 0,
           mat_of<T>(c, &c->op->y[0]), mat_of<T>(c, &c->op->y[1]),
           mat_of<T>(c, &c->op->x[0]), mat_of<T>(c, &c->op->x[1]), dy,
           c->op->u.act.kind, c->op->acc);
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
INSTANCE(cache)
INSTANCE(copy)
INSTANCE(zero)
