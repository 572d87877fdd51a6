/* muon.cu - MUON: formulas in kernels/ops.h.
 *
 * Its products are the library's, of floats whatever activations are, since
 * the parameter and its state are. X lies as the parameter does. Where that has
 * more rows than columns, its transpose is meant: then X^T X takes the place of
 * X X^T, and X (bA + cA^2) that of (bA + cA^2) X. What a step leaves out is
 * known on the card alone: X is zero then, and nothing moves.
 */
#include "ops.cuh"
#include "reduce.cuh"
#include "tensor.cuh"

extern "C" {
#include "kernels/muon.h"
}

constexpr unsigned THREADS = 256, PARTS = SQNORM_PARTS;

struct muon {
    mat<float> param, mean, grad;
    float momentum, decay, lr_ratio, adjust;
    uint64_t n;
};

/* What is the same for all elements: what X is multiplied by, to have a norm
 * of 1; 1 - lr * decay; lr * adjust. */
struct common {
    float part, keep, rate;
};

static_assert(sizeof(struct common) <= MUON_COMMON);

/* The gradient into the mean, and X of both. */
static __global__ void
take_gradient(float *x, struct muon m, const struct step *step)
{
    uint64_t i = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    float own, *mean;

    if (i >= m.n)
        return;
    if (step->out.skipped) {
        x[i] = 0;
        return;
    }
    own = (1 - m.momentum)
          * ((float)step->out.scale * m.grad.p[flat(m.grad, i)]);
    mean = m.mean.p + flat(m.mean, i);
    *mean = fmaf(m.momentum, *mean, own);
    x[i] = fmaf(m.momentum, *mean, own);
}

static __global__ void
find_common(struct common *out, const double *part, struct muon m,
            const struct step *step)
{
    double sum = block_sum<PARTS>(part[threadIdx.x]);
    double lr = step->in.lr * (double)m.lr_ratio;

    if (threadIdx.x == 0)
        *out = { (float)(1 / fmax(sqrt(sum), MUON_EPS)),
                 (float)(1 - lr * (double)m.decay),
                 (float)(lr * (double)m.adjust) };
}

static __global__ void
scale(float *x, uint64_t n, const struct common *by)
{
    uint64_t i = (uint64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n)
        x[i] *= by->part;
}

static __global__ void
move(struct muon m, const float *x, const struct common *by,
     const struct step *step)
{
    uint64_t i = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    float *p;

    if (i >= m.n || step->out.skipped)
        return;
    p = m.param.p + flat(m.param, i);
    *p = fmaf(-by->rate, x[i], *p * by->keep);
}

/* next = a X + (b A + c A^2) X, or with X's transpose. */
static void
put_iteration(struct call *c, const struct muon_space &space, mat<float> x,
              mat<float> next)
{
    bool tall = x.rows > x.cols;
    uint32_t small = tall ? x.cols : x.rows;
    mat<float> gram = packed<float>(space.gram, small, small);
    mat<float> poly = packed<float>(space.poly, small, small);
    struct gemm last;

    multiply(c, gram, none<float>(), 1.0f, x, tall, x, !tall,
             space.workspace);
    last = product_of(poly, gram, (float)MUON_C, gram, false, gram, false);
    last.beta = (float)MUON_B;
    put_product(c, &last, space.workspace);
    last = product_of(next, x, 1.0f, tall ? x : poly, false, tall ? poly : x,
                      false);
    last.beta = (float)MUON_A;
    put_product(c, &last, space.workspace);
}

void
run_muon(struct call *c)
{
    const struct op *op = c->op;
    const struct muon m = {
        mat_of<float>(c, &op->y[0]), mat_of<float>(c, &op->y[1]),
        mat_of<float>(c, &op->x[0]), op->u.muon.momentum, op->u.muon.decay,
        op->u.muon.lr_ratio, op->u.muon.adjust,
        (uint64_t)op->y[0].rows * op->y[0].cols
    };
    const struct muon_space space = muon_space_at(view_at(c, &op->scratch),
                                                  &c->card->sizing, op);
    mat<float> x = packed<float>(space.x, m.param.rows, m.param.cols);
    mat<float> next = packed<float>(space.next, x.rows, x.cols), was;
    const struct step *step = c->step;
    auto *part = reinterpret_cast<double *>(space.part);
    auto *common = reinterpret_cast<struct common *>(space.common);
    unsigned blocks = blocks_of(m.n, THREADS);

    launch(c, take_gradient, blocks, THREADS, 0, x.p, m, step);
    put_squares(c, part, x);
    launch(c, find_common, 1, PARTS, block_sum_bytes(PARTS), common, part, m,
           step);
    launch(c, scale, blocks, THREADS, 0, x.p, m.n, common);
    for (int i = 0; i < MUON_STEPS; i++) {
        put_iteration(c, space, x, next);
        was = x;
        x = next;
        next = was;
    }
    launch(c, move, blocks, THREADS, 0, m, x.p, common, step);
}
