/* optim.cu - the norm of the gradient, clipping, AdamW, with moments in 8 bits,
 * too, and SGD: formulas in kernels/ops.h. All of it is floats, and sums of
 * squares are doubles. */
#include "ops.cuh"
#include "piece.cuh"
#include "reduce.cuh"
#include "tensor.cuh"
#include "view.cuh"

extern "C" {
#include "tensor/dynamic8.h"
}

constexpr unsigned THREADS = 256;
constexpr unsigned SQUARE_THREADS = 512, PARTS = SQNORM_PARTS;

/* Block i sums elements i * each to (i + 1) * each, N of them at a time:
 * bounds of the size alone. */
template <unsigned N>
static __global__ void
square_parts(double *part, mat<float> x, uint64_t n, uint64_t each)
{
    uint64_t at = blockIdx.x * each, end = at + each < n ? at + each : n;
    double sum = 0;

    for (at += N * threadIdx.x; at < end; at += N * SQUARE_THREADS) {
        float v[N];

        get_piece(x.p + flat(x, at), v);
        UNROLL
        for (unsigned e = 0; e < N; e++)
            sum += (double)v[e] * v[e];
    }
    sum = block_sum<SQUARE_THREADS>(sum);
    if (threadIdx.x == 0)
        part[blockIdx.x] = sum;
}

static __global__ void
square_sum(struct step *step, const double *part)
{
    double sum = block_sum<PARTS>(part[threadIdx.x]);

    if (threadIdx.x == 0)
        step->out.gnorm2 = sum;
}

void
put_squares(struct call *c, double *part, mat<float> x)
{
    uint64_t n = (uint64_t)x.rows * x.cols;
    bool wide = is_wide(x);
    unsigned at_once = wide ? 4 : 1;
    uint64_t each = (n / at_once + PARTS - 1) / PARTS * at_once;

    launch(c, wide ? square_parts<4> : square_parts<1>, PARTS, SQUARE_THREADS,
           block_sum_bytes(SQUARE_THREADS), part, x, n, each);
}

void
run_sqnorm(struct call *c)
{
    auto *part = reinterpret_cast<double *>(view_at(c, &c->op->scratch));

    put_squares(c, part, mat_of<float>(c, &c->op->x[0]));
    launch(c, square_sum, 1, PARTS, block_sum_bytes(PARTS), c->step,
           (const double *)part);
}

static __global__ void
clip(struct step *step, float max_norm)
{
    struct results *s = &step->out;

    s->skipped = !isfinite(s->gnorm2);
    s->scale = s->skipped ? 0 : 1;
    if (!s->skipped && max_norm > 0)
        s->scale = fmin(1.0, (double)max_norm / (sqrt(s->gnorm2) + 1e-6));
}

void
run_clip(struct call *c)
{
    launch(c, clip, 1, 1, 0, c->step, c->op->u.clip.max_norm);
}

struct adam {
    float beta1, beta2, eps, decay, lr_ratio;
};

static inline struct adam
adam_of(const struct op *op)
{
    return { op->u.opt.beta1, op->u.opt.beta2, op->u.opt.eps,
             op->u.opt.decay, op->u.opt.lr_ratio };
}

/* What is the same for all elements. */
static __global__ void
adam_step(struct step *s, struct adam o)
{
    double t = (double)(s->in.updates + s->out.updates + 1);
    double lr = s->in.lr * (double)o.lr_ratio;

    s->keep = (float)(1 - lr * (double)o.decay);
    s->rate = (float)(lr / (1 - pow((double)o.beta1, t)));
    s->root = (float)(1 / sqrt(1 - pow((double)o.beta2, t)));
}

/* One element: moments have the bits of a processor's. */
static __device__ __forceinline__ void
adam_element(float *p, float *m, float *v, float grad,
             const struct step *step, const struct adam &o)
{
    float g = (float)step->out.scale * grad;

    *m = fmaf(o.beta1, *m, (1 - o.beta1) * g);
    *v = fmaf(o.beta2, *v, (1 - o.beta2) * g * g);
    *p = *p * step->keep
         - step->rate * *m / fmaf(sqrtf(*v), step->root, o.eps);
}

/* What an optimiser's step reads and writes, and its elements. */
struct tensors {
    mat<float> param, mean, square, grad;
    uint64_t n;
};

static struct tensors
tensors_of(struct call *c)
{
    const struct op *op = c->op;

    return { mat_of<float>(c, &op->y[0]), mat_of<float>(c, &op->y[1]),
             mat_of<float>(c, &op->y[2]), mat_of<float>(c, &op->x[0]),
             (uint64_t)op->x[0].rows * op->x[0].cols };
}

static __global__ void
adamw(struct tensors t, const struct step *step, struct adam o)
{
    uint64_t i = (uint64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < t.n && !step->out.skipped)
        adam_element(t.param.p + flat(t.param, i), t.mean.p + flat(t.mean, i),
                     t.square.p + flat(t.square, i),
                     t.grad.p[flat(t.grad, i)], step, o);
}

void
run_adamw(struct call *c)
{
    const struct tensors t = tensors_of(c);
    const struct adam o = adam_of(c->op);

    launch(c, adam_step, 1, 1, 0, c->step, o);
    launch(c, adamw, blocks_of(t.n, THREADS), THREADS, 0, t,
           (const struct step *)c->step, o);
}

/* ---- moments in 8 bits: tensor/dynamic8.h ------------------------------- */

constexpr unsigned CODES = 256;

/* The values of the codes, of both moments. */
struct maps {
    float value[2][CODES];
};

/* Vectors of n elements, and of both moments codes and a scale for each
 * DYNAMIC8_BLOCK of them. */
struct eight {
    float *param;
    const float *grad;
    uint8_t *code[2];
    float *scale[2];
    uint64_t n;
};

static struct eight
eight_of(struct call *c)
{
    const struct op *op = c->op;
    auto *mean = reinterpret_cast<uint8_t *>(view_at(c, &op->y[1]));
    auto *square = reinterpret_cast<uint8_t *>(view_at(c, &op->y[2]));

    return { mat_of<float>(c, &op->y[0]).p, mat_of<float>(c, &op->x[0]).p,
             { mean, square }, { mat_of<float>(c, &op->y[3]).p,
                                 mat_of<float>(c, &op->y[4]).p },
             op->x[0].cols };
}

/* The code whose value is nearest to x, of two the lower one. */
static __device__ __forceinline__ uint8_t
nearest_code(const float *value, float x)
{
    unsigned code = 0;

    UNROLL
    for (unsigned half = CODES / 2; half > 0; half /= 2) {
        const float *v = value + code + half;

        if (x > (v[-1] + v[0]) / 2)
            code += half;
    }
    return (uint8_t)code;
}

/* A warp has a block of the codes; a lane has every 32nd element of it. */
constexpr unsigned LANE_CODES = DYNAMIC8_BLOCK / 32;

/* Codes of x, from element first of n on. */
static __device__ __forceinline__ void
encode(uint8_t *code, float *scale, const float *value, const float *x,
       uint64_t first, uint64_t n)
{
    float most = 0;

    UNROLL
    for (unsigned e = 0; e < LANE_CODES; e++)
        most = fmaxf(most, fabsf(x[e]));
    most = warp_max(most);
    UNROLL
    for (unsigned e = 0; e < LANE_CODES; e++)
        if (first + 32 * e < n)
            code[first + 32 * e]
                = nearest_code(value, most > 0 ? x[e] / most : 0);
    if (threadIdx.x % 32 == 0 && first < n)
        scale[first / DYNAMIC8_BLOCK] = most;
}

static __global__ void
adamw8(struct eight t, struct maps maps, const struct step *step,
       struct adam o)
{
    auto *value = reinterpret_cast<float *>(shared);
    uint64_t warp = ((uint64_t)blockIdx.x * THREADS + threadIdx.x) / 32;
    uint64_t first = warp * DYNAMIC8_BLOCK + threadIdx.x % 32;
    float mean[LANE_CODES] = {}, square[LANE_CODES] = {};

    if (step->out.skipped)
        return;
    for (unsigned k = threadIdx.x; k < 2 * CODES; k += THREADS)
        value[k] = maps.value[k / CODES][k % CODES];
    __syncthreads();
    UNROLL
    for (unsigned e = 0; e < LANE_CODES; e++) {
        uint64_t i = first + 32 * e;

        if (i >= t.n)
            break;
        mean[e] = value[t.code[0][i]] * t.scale[0][warp];
        square[e] = value[CODES + t.code[1][i]] * t.scale[1][warp];
        adam_element(t.param + i, mean + e, square + e, t.grad[i], step, o);
    }
    encode(t.code[0], t.scale[0], value, mean, first, t.n);
    encode(t.code[1], t.scale[1], value + CODES, square, first, t.n);
}

void
run_adamw8(struct call *c)
{
    const struct eight t = eight_of(c);
    const struct adam o = adam_of(c->op);
    struct maps maps;

    dynamic8_values(maps.value[0], true);
    dynamic8_values(maps.value[1], false);
    launch(c, adam_step, 1, 1, 0, c->step, o);
    launch(c, adamw8, blocks_of(t.n, THREADS * LANE_CODES), THREADS,
           sizeof(maps), t, maps, (const struct step *)c->step, o);
}

static __global__ void
sgd(struct tensors t, const struct step *step, float decay, float lr_ratio)
{
    uint64_t i = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    float *param;

    if (i >= t.n || step->out.skipped)
        return;
    param = t.param.p + flat(t.param, i);
    *param -= (float)(step->in.lr * (double)lr_ratio)
              * ((float)step->out.scale * t.grad.p[flat(t.grad, i)]
                 + decay * *param);
}

void
run_sgd(struct call *c)
{
    const struct tensors t = tensors_of(c);

    launch(c, sgd, blocks_of(t.n, THREADS), THREADS, 0, t,
           (const struct step *)c->step, c->op->u.opt.decay,
           c->op->u.opt.lr_ratio);
}
