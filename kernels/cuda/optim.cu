/* optim.cu - the norm of the gradient, clipping, AdamW and SGD: formulas in
 * kernels/ops.h. All of it is floats, and sums of squares are doubles. */
#include "ops.cuh"
#include "piece.cuh"
#include "reduce.cuh"
#include "view.cuh"

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
run_sqnorm(struct call *c)
{
    mat<float> x = mat_of<float>(c, &c->op->x[0]);
    uint64_t n = (uint64_t)x.rows * x.cols;
    bool wide = is_wide(x);
    unsigned at_once = wide ? 4 : 1;
    uint64_t each = (n / at_once + PARTS - 1) / PARTS * at_once;
    auto *part = reinterpret_cast<double *>(view_at(c, &c->op->scratch));

    launch(c, wide ? square_parts<4> : square_parts<1>, PARTS, SQUARE_THREADS,
           block_sum_bytes(SQUARE_THREADS), part, x, n, each);
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

/* How far the moments are from their start: for all elements the same. */
static __global__ void
adam_bias(struct step *s, struct adam o)
{
    double t = (double)(s->in.updates + s->out.updates + 1);

    s->bias1 = 1 - pow((double)o.beta1, t);
    s->bias2 = 1 - pow((double)o.beta2, t);
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
    float lr = (float)(step->in.lr * (double)o.lr_ratio), g, m, v;
    float *param, *mean, *square;

    if (i >= t.n || step->out.skipped)
        return;
    param = t.param.p + flat(t.param, i);
    mean = t.mean.p + flat(t.mean, i);
    square = t.square.p + flat(t.square, i);
    g = (float)step->out.scale * t.grad.p[flat(t.grad, i)];
    m = o.beta1 * *mean + (1 - o.beta1) * g;
    v = o.beta2 * *square + (1 - o.beta2) * g * g;
    *mean = m;
    *square = v;
    *param = *param - lr * o.decay * *param
             - lr * (m / (float)step->bias1)
                   / (sqrtf(v / (float)step->bias2) + o.eps);
}

void
run_adamw(struct call *c)
{
    const struct op *op = c->op;
    const struct tensors t = tensors_of(c);
    const struct adam o = { op->u.opt.beta1, op->u.opt.beta2, op->u.opt.eps,
                            op->u.opt.decay, op->u.opt.lr_ratio };

    launch(c, adam_bias, 1, 1, 0, c->step, o);
    launch(c, adamw, blocks_of(t.n, THREADS), THREADS, 0, t,
           (const struct step *)c->step, o);
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
