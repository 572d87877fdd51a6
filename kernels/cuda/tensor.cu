/* tensor.cu - widening, dropout, bias and column sums: see tensor.cuh. */
#include "tensor.cuh"

#include "philox.cuh"
#include "reduce.cuh"
#include "widen.cuh"

constexpr unsigned THREADS = 256;

template <class T>
static __global__ void
widen(mat<T> to, table from)
{
    uint32_t c = blockIdx.y * THREADS + threadIdx.x;

    if (c < to.cols)
        set(to.row(blockIdx.x) + c, table_at(from, blockIdx.x, c));
}

template <class T>
static __global__ void
widen_pieces(mat<T> to, table from)
{
    uint32_t i = blockIdx.x, c = (blockIdx.y * THREADS + threadIdx.x) * CODES;

    if (c < to.cols)
        widen_codes(to.row(i) + c, from, i, c);
}

template <class T>
void
put_widened(struct call *c, mat<T> to, const struct view *v)
{
    table from = table_of(c, v);
    bool codes = has_codes(from) && is_wide(to);
    unsigned each = codes ? CODES : 1;

    launch(c, codes ? widen_pieces<T> : widen<T>,
           dim3(v->rows, blocks_of(v->cols, each * THREADS)), THREADS, 0, to,
           from);
}

template <class T>
mat<T>
as_operand(struct call *c, const struct view *v, void *space)
{
    mat<T> m = { static_cast<T *>(space), v->rows, v->cols, v->cols };

    if (is_operand(&c->card->sizing, v->dtype))
        return mat_of<T>(c, v);
    put_widened(c, m, v);
    return m;
}

template <class T>
const T *
as_bias(struct call *c, const struct view *v, void *space)
{
    mat<T> row = { static_cast<T *>(space), 1, v->cols, v->cols };

    if (v->buf == 0)
        return nullptr;
    if (is_row_of(v->dtype, sizeof(T)))
        return mat_of<T>(c, v).p;
    put_widened(c, row, v);
    return row.p;
}

/* ---- dropout ------------------------------------------------------------ */

struct mask {
    uint64_t site, limit; /* the least draw that keeps an element */
    float kept;           /* 1 / (1 - dropout) */
};

static struct mask
mask_of(const struct part *p)
{
    return { p->site, (uint64_t)ceil((double)p->dropout * 0x1p32),
             (float)(1 / (1 - (double)p->dropout)) };
}

/* Drops some of four columns' elements. */
static __device__ __forceinline__ void
drop_four(float *x, uint4 draw, const struct mask &m)
{
    x[0] = draw.x >= m.limit ? x[0] * m.kept : 0;
    x[1] = draw.y >= m.limit ? x[1] * m.kept : 0;
    x[2] = draw.z >= m.limit ? x[2] * m.kept : 0;
    x[3] = draw.w >= m.limit ? x[3] * m.kept : 0;
}

/* The module's key, found once by each block. */
static __device__ __forceinline__ uint2
find_key(const struct step *step, const struct mask &m)
{
    auto *key = reinterpret_cast<uint2 *>(shared);

    if (threadIdx.x == 0)
        *key = dropout_key_of(step->in.seed, m.site);
    __syncthreads();
    return *key;
}

/* A thread has N columns: a piece. */
template <class T, unsigned N>
static __global__ void
drop_pieces(mat<T> to, mat<T> x, struct mask m, const struct step *step,
            bool add)
{
    uint32_t i = blockIdx.x, c = (blockIdx.y * THREADS + threadIdx.x) * N;
    uint2 key = find_key(step, m);
    float v[N];

    if (c >= x.cols)
        return;
    get_piece(x.row(i) + c, v);
    UNROLL
    for (unsigned k = 0; k < N; k += 4)
        drop_four(v + k, dropout_draw_of(step->in, key, i, (c + k) / 4), m);
    put_piece(to.row(i) + c, v, add);
}

/* A thread has four columns, or those that there are. */
template <class T>
static __global__ void
drop(mat<T> to, mat<T> x, struct mask m, const struct step *step, bool add)
{
    uint32_t i = blockIdx.x, c = (blockIdx.y * THREADS + threadIdx.x) * 4;
    uint2 key = find_key(step, m);
    float v[4];

    UNROLL
    for (uint32_t k = 0; k < 4; k++)
        v[k] = c + k < x.cols ? get(x.row(i) + c + k) : 0;
    drop_four(v, dropout_draw_of(step->in, key, i, c / 4), m);
    UNROLL
    for (uint32_t k = 0; k < 4; k++)
        if (c + k < x.cols)
            put(to.row(i) + c + k, v[k], add);
}

template <class T>
void
put_drop(struct call *c, mat<T> to, mat<T> x, const struct part *p, bool add)
{
    bool wide = are_wide(to, x);
    unsigned each = wide ? WIDE<T> : 4;

    launch(c, wide ? drop_pieces<T, WIDE<T>> : drop<T>,
           dim3(x.rows, blocks_of(x.cols, each * THREADS)), THREADS,
           sizeof(uint2), to, x, mask_of(p), (const struct step *)c->step,
           add);
}

/* ---- bias and its gradient ---------------------------------------------- */

template <class T>
static __global__ void
start(mat<T> y, mat<T> d, mat<T> residual, const T *bias)
{
    uint32_t i = blockIdx.x, c = blockIdx.y * THREADS + threadIdx.x;
    float sum = 0;

    if (c >= y.cols)
        return;
    if (d.p != nullptr)
        sum += get(d.row(i) + c);
    if (residual.p != nullptr)
        sum += get(residual.row(i) + c);
    if (bias != nullptr)
        sum += get(bias + c);
    set(y.row(i) + c, sum);
}

template <class T>
void
put_start(struct call *c, mat<T> y, mat<T> d, mat<T> residual, const T *bias)
{
    launch(c, start<T>, dim3(y.rows, blocks_of(y.cols, THREADS)), THREADS, 0,
           y, d, residual, bias);
}

template <class T>
static __global__ void
column_parts(float *part, mat<T> x)
{
    uint32_t c = blockIdx.x * THREADS + threadIdx.x;
    uint32_t from = blockIdx.y * SUM_GROUP;
    float sum = 0;

    if (c >= x.cols)
        return;
    for (uint32_t i = from; i < from + SUM_GROUP && i < x.rows; i++)
        sum += get(x.row(i) + c);
    part[(size_t)blockIdx.y * x.cols + c] = sum;
}

/* A block has columns of row blockIdx.x. */
template <class T>
static __global__ void
parts_sum(mat<T> to, const float *part, uint32_t parts, bool add)
{
    uint32_t c = blockIdx.y * THREADS + threadIdx.x;
    size_t all = (size_t)to.rows * to.cols;
    float sum = 0;

    if (c >= to.cols)
        return;
    part += (size_t)blockIdx.x * to.cols + c;
    for (uint32_t i = 0; i < parts; i++)
        sum += part[i * all];
    put(to.row(blockIdx.x) + c, sum, add);
}

template <class T>
void
put_parts_sum(struct call *c, mat<T> to, const float *part, unsigned parts,
              bool add)
{
    launch(c, parts_sum<T>, dim3(to.rows, blocks_of(to.cols, THREADS)),
           THREADS, 0, to, part, parts, add);
}

template <class T>
void
put_column_sums(struct call *c, float *to, mat<T> x, void *space)
{
    unsigned groups = blocks_of(x.rows, SUM_GROUP);
    auto *part = static_cast<float *>(space);

    launch(c, column_parts<T>, dim3(blocks_of(x.cols, THREADS), groups),
           THREADS, 0, part, x);
    put_parts_sum(c, packed<float>(to, 1, x.cols), part, groups, true);
}

#define INSTANCE(T)                                                         \
    template mat<T> as_operand(struct call *, const struct view *, void *); \
    template void put_widened(struct call *, mat<T>, const struct view *);  \
    template const T *as_bias(struct call *, const struct view *, void *);  \
    template void put_drop(struct call *, mat<T>, mat<T>,                   \
                           const struct part *, bool);                      \
    template void put_start(struct call *, mat<T>, mat<T>, mat<T>,          \
                            const T *);                                     \
    template void put_parts_sum(struct call *, mat<T>, const float *,       \
                                unsigned, bool);                            \
    template void put_column_sums(struct call *, float *, mat<T>, void *);

INSTANCE(float)
INSTANCE(bf16)
