/* dora.cu - what DoRA does to a LINEAR's output: see struct part in
 * kernels/ops.h.
 *
 *   y = c x + bias + residual, c = magnitude / norm by column
 *
 * A norm is a root of a sum of squares of W + s B A, of which a block makes
 * tiles in floats, OUTPUTS by INPUTS, and keeps none: it goes over all inputs,
 * and over the ranks of each tile, in their order.
 */
#include "ops.cuh"
#include "piece.cuh"
#include "reduce.cuh"
#include "tensor.cuh"

constexpr unsigned THREADS = 256;

/* ---- norms -------------------------------------------------------------- */

/* A warp has EACH outputs, and a lane every 32nd input. */
constexpr unsigned EACH = 4;
constexpr unsigned OUTPUTS = THREADS / 32 * EACH, INPUTS = 32 * EACH;
constexpr unsigned RANKS = 16;

struct adapted {
    table w;
    mat<float> a, b;
    float scale;
    uint32_t in, out;
    bool in_out;
};

/* RANKS rows of A and columns of B from rank r0 on, of the inputs from k0 and
 * the outputs from o0 on: a[rank][input], b[rank][output], 0 beyond. */
static __device__ __forceinline__ void
load_tiles(float *a, float *b, const struct adapted &p, uint32_t r0,
           uint32_t k0, uint32_t o0)
{
    for (unsigned i = threadIdx.x; i < RANKS * INPUTS; i += THREADS) {
        uint32_t r = r0 + i / INPUTS, k = k0 + i % INPUTS;

        a[i] = r < p.a.rows && k < p.in ? p.a.row(r)[k] : 0;
    }
    for (unsigned i = threadIdx.x; i < RANKS * OUTPUTS; i += THREADS) {
        uint32_t r = r0 + i % RANKS, o = o0 + i / RANKS;

        b[i % RANKS * OUTPUTS + i / RANKS]
            = r < p.a.rows && o < p.out ? p.b.row(o)[r] : 0;
    }
}

/* x[output][input] += b a, of the warp's outputs and the lane's inputs. */
static __device__ __forceinline__ void
add_ranks(float (&x)[EACH][EACH], const float *a, const float *b)
{
    unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;

    for (unsigned r = 0; r < RANKS; r++) {
        float of_b[EACH], of_a;

        get_four(b + r * OUTPUTS + warp * EACH, of_b);
        UNROLL
        for (unsigned k = 0; k < EACH; k++) {
            of_a = a[r * INPUTS + 32 * k + lane];
            UNROLL
            for (unsigned o = 0; o < EACH; o++)
                x[o][k] = fmaf(of_b[o], of_a, x[o][k]);
        }
    }
}

/* The squares of W + scale x, x of output o and the inputs k, k + 32, ... */
static __device__ __forceinline__ double
squares(const struct adapted &p, const float (&x)[EACH], uint32_t o,
        uint32_t k)
{
    float sum = 0;

    UNROLL
    for (unsigned e = 0; e < EACH; e++, k += 32) {
        float v;

        if (o >= p.out || k >= p.in)
            continue;
        v = fmaf(p.scale, x[e], p.in_out ? table_at(p.w, k, o)
                                         : table_at(p.w, o, k));
        sum = fmaf(v, v, sum);
    }
    return sum;
}

static __global__ void
dora_norm(float *y, struct adapted p)
{
    auto *a = reinterpret_cast<float *>(shared), *b = a + RANKS * INPUTS;
    uint32_t o0 = blockIdx.x * OUTPUTS, first = o0 + threadIdx.x / 32 * EACH;
    double sum[EACH] = {};

    for (uint32_t k0 = 0; k0 < p.in; k0 += INPUTS) {
        float x[EACH][EACH] = {};

        for (uint32_t r0 = 0; r0 < p.a.rows; r0 += RANKS) {
            __syncthreads(); /* the last tiles may still be read */
            load_tiles(a, b, p, r0, k0, o0);
            __syncthreads();
            add_ranks(x, a, b);
        }
        UNROLL
        for (unsigned o = 0; o < EACH; o++)
            sum[o] += squares(p, x[o], first + o, k0 + threadIdx.x % 32);
    }
    UNROLL
    for (unsigned o = 0; o < EACH; o++) {
        double all = warp_sum(sum[o]);

        if (threadIdx.x % 32 == 0 && first + o < p.out)
            y[first + o] = (float)sqrt(all);
    }
}

void
run_dora_norm(struct call *c)
{
    const struct part *p = c->op->u.lin.part;
    const struct adapted of = { table_of(c, &p->w), mat_of<float>(c, &p->a),
                                mat_of<float>(c, &p->b), p->lora_scale,
                                p->in, p->out, p->in_out != 0 };

    launch(c, dora_norm, blocks_of(p->out, OUTPUTS), THREADS,
           RANKS * (INPUTS + OUTPUTS) * sizeof(float),
           mat_of<float>(c, &c->op->y[0]).p, of);
}

/* ---- outputs and their gradients ---------------------------------------- */

/* Of each column; both absent: c is 1. */
struct lengths {
    const float *magnitude, *norm;
};

static struct lengths
lengths_of(struct call *c)
{
    return { mat_of<float>(c, &c->op->x[1]).p,
             mat_of<float>(c, &c->op->x[2]).p };
}

static __device__ __forceinline__ float
factor(const struct lengths &l, uint32_t c)
{
    if (l.magnitude == nullptr)
        return 1;
    return l.norm[c] > 0 ? l.magnitude[c] / l.norm[c] : 0;
}

/* The first column of a thread's piece. */
template <unsigned N>
static __device__ __forceinline__ uint32_t
own_column()
{
    return (blockIdx.y * THREADS + threadIdx.x) * N;
}

/* bias and residual may be absent. */
template <class T, unsigned N>
static __global__ void
dora(mat<T> y, mat<T> x, struct lengths l, table bias, mat<T> residual)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float v[N], b[N] = {}, r[N] = {};

    if (c >= y.cols)
        return;
    get_piece(x.row(i) + c, v);
    if (bias.p != nullptr)
        get_piece(bias, c, b);
    if (residual.p != nullptr)
        get_piece(residual.row(i) + c, r);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        v[e] = factor(l, c + e) * v[e] + b[e] + r[e];
    set_piece(y.row(i) + c, v);
}

template <class T>
void
run_dora(struct call *c)
{
    const struct op *op = c->op;
    mat<T> y = mat_of<T>(c, &op->y[0]), x = mat_of<T>(c, &op->x[0]);
    mat<T> residual = mat_of<T>(c, &op->x[4]);
    table bias = table_of(c, &op->x[3]);
    bool wide = are_wide(y, x, residual, bias);
    unsigned each = wide ? WIDE<T> : 1;

    launch(c, wide ? dora<T, WIDE<T>> : dora<T, 1>,
           dim3(y.rows, blocks_of(y.cols, each * THREADS)), THREADS, 0, y, x,
           lengths_of(c), bias, residual);
}

template <class T, unsigned N>
static __global__ void
dora_dx(mat<T> dx, mat<T> dy, struct lengths l)
{
    uint32_t i = blockIdx.x, c = own_column<N>();
    float d[N];

    if (c >= dx.cols)
        return;
    get_piece(dy.row(i) + c, d);
    UNROLL
    for (unsigned e = 0; e < N; e++)
        d[e] *= factor(l, c + e);
    set_piece(dx.row(i) + c, d);
}

/* Sums of dy x over SUM_GROUP rows each, column c's at
 * part[group * cols + c]. */
template <class T>
static __global__ void
product_parts(float *part, mat<T> x, mat<T> dy)
{
    uint32_t c = blockIdx.x * THREADS + threadIdx.x;
    uint32_t from = blockIdx.y * SUM_GROUP;
    float sum = 0;

    if (c >= x.cols)
        return;
    for (uint32_t i = from; i < from + SUM_GROUP && i < x.rows; i++)
        sum = fmaf(get(dy.row(i) + c), get(x.row(i) + c), sum);
    part[(size_t)blockIdx.y * x.cols + c] = sum;
}

/* grad += the parts' sums over the norm, but where that is 0. */
static __global__ void
add_over_norm(float *grad, const float *part, const float *norm,
              uint32_t cols, uint32_t groups)
{
    uint32_t c = blockIdx.x * THREADS + threadIdx.x;
    float sum = 0;

    if (c >= cols || !(norm[c] > 0))
        return;
    for (uint32_t i = 0; i < groups; i++)
        sum += part[(size_t)i * cols + c];
    grad[c] += sum / norm[c];
}

template <class T>
void
run_dora_bwd(struct call *c)
{
    const struct op *op = c->op;
    mat<T> x = mat_of<T>(c, &op->x[0]), dy = mat_of<T>(c, &op->x[3]);
    mat<T> dx = mat_of<T>(c, &op->y[0]);
    const struct lengths l = lengths_of(c);
    float *grad = mat_of<float>(c, &op->y[1]).p;
    auto *part = reinterpret_cast<float *>(view_at(c, &op->scratch));
    bool wide = are_wide(dx, dy);
    unsigned each = wide ? WIDE<T> : 1;
    unsigned groups = blocks_of(x.rows, SUM_GROUP);
    unsigned across = blocks_of(x.cols, THREADS);

    if (grad != nullptr) {
        launch(c, product_parts<T>, dim3(across, groups), THREADS, 0, part, x,
               dy);
        launch(c, add_over_norm, across, THREADS, 0, grad,
               (const float *)part, l.norm, x.cols, groups);
    }
    launch(c, wide ? dora_dx<T, WIDE<T>> : dora_dx<T, 1>,
           dim3(dx.rows, blocks_of(dx.cols, each * THREADS)), THREADS, 0, dx,
           dy, l);
}

template void run_dora<float>(struct call *c);
template void run_dora<bf16>(struct call *c);
template void run_dora_bwd<float>(struct call *c);
template void run_dora_bwd<bf16>(struct call *c);
