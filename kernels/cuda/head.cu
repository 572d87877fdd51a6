/* head.cu - HEAD_CE and LOGITS: see struct head_args in kernels/ops.h.
 *
 * A chunk of the supervised rows is gathered, multiplied by the head's
 * weight, and turned into losses and the logits' gradient in place, a block a
 * row; rows of the chunk beyond n_head are zero throughout. Losses are added
 * in the order of k. Words that have rows of their own get their columns from
 * products of these, in a place beside.
 */
#include "index.cuh"
#include "ops.cuh"
#include "piece.cuh"
#include "reduce.cuh"
#include "tensor.cuh"

constexpr unsigned THREADS = 512;

/* x[k] = hidden[head_row[head_at + k]]; zero beyond n_head. */
template <class T>
static __global__ void
gather(mat<T> x, mat<T> hidden, const int32_t *head_row,
       const struct step *step)
{
    uint32_t k = step->head_at + blockIdx.x;
    bool there = k < step->in.n_head;
    const T *from = hidden.row(there ? (uint32_t)head_row[k] : 0);

    for (uint32_t c = threadIdx.x; c < x.cols; c += THREADS)
        set(x.row(blockIdx.x) + c, there ? get(from + c) : 0);
}

template <class T>
static __global__ void
scatter(mat<T> to, mat<T> dx, const int32_t *head_row,
        const struct step *step, bool add)
{
    uint32_t k = step->head_at + blockIdx.x;
    T *row;

    if (k >= step->in.n_head)
        return;
    row = to.row((uint32_t)head_row[k]);
    for (uint32_t c = threadIdx.x; c < dx.cols; c += THREADS)
        put(row + c, get(dx.row(blockIdx.x) + c), add);
}

/* The largest of a row's logits, and the sum of exp(logit - largest). */
struct peak {
    float top, sum;
};

static __device__ __forceinline__ struct peak
find_peak(const float *x, uint32_t n)
{
    struct peak p = { -INFINITY, 0 };

    for (uint32_t c = 4 * threadIdx.x; c < n; c += 4 * THREADS) {
        float v[4], top = p.top, sum = 0;

        get_piece(x + c, v);
        UNROLL
        for (unsigned e = 0; e < 4; e++) {
            v[e] = c + e < n ? v[e] : -INFINITY;
            top = fmaxf(top, v[e]);
        }
        UNROLL
        for (unsigned e = 0; e < 4; e++)
            sum += expf(v[e] - top);
        p.sum = p.sum * expf(p.top - top) + sum;
        p.top = top;
    }
    float top = block_max<THREADS>(p.top);
    p.sum = p.top > -INFINITY ? p.sum * expf(p.top - top) : 0;
    return { top, block_sum<THREADS>(p.sum) };
}

/* What a row's gradient is made of. */
struct softmax {
    float top, over; /* the largest logit; weight / tokens / sum */
    float hot;       /* weight / tokens, off the target's */
    uint32_t target;
};

/* d[c] of T over x[c] of floats, four to a thread: all threads read theirs
 * before any writes, and none writes beyond what has been read by then. */
template <class T>
static __device__ __forceinline__ void
write_gradient(float *x, uint32_t n, const struct softmax &s)
{
    T *d = reinterpret_cast<T *>(x);

    for (uint32_t at = 0; at < n; at += 4 * THREADS) {
        uint32_t c = at + 4 * threadIdx.x;
        float v[4] = {};

        if (c < n && s.over != 0) {
            get_piece(x + c, v);
            UNROLL
            for (unsigned e = 0; e < 4; e++)
                v[e] = expf(v[e] - s.top) * s.over
                       - (c + e == s.target ? s.hot : 0);
        }
        __syncthreads();
        if (c < n)
            set_piece(d + c, v);
    }
}

struct labels {
    const int32_t *head_row, *target;
    const float *weight;
};

/* What a chunk's rows add to the results: weight * loss, and, of a z-loss, as
 * much of it; z is 0 where there is none. */
struct losses {
    double *loss, *of_z;
    float z;
};

/* Of the row that has a loss own, and a logsumexp. */
static __device__ __forceinline__ void
note_loss(const struct losses &to, uint32_t k, double weight, float own,
          float lse)
{
    to.loss[k] = weight * (double)own;
    if (to.z > 0)
        to.of_z[k] = weight * (double)to.z * (double)lse * (double)lse;
}

/* row_loss gets the loss; logits become their gradient where one is wanted. */
template <class T>
static __global__ void
cross_entropy(mat<float> logits, struct losses to, mat<float> row_loss,
              struct labels l, const struct step *step, bool gradient,
              bool add)
{
    float *x = logits.row(blockIdx.x);
    uint32_t k = step->head_at + blockIdx.x, n = logits.cols, row;
    bool there = k < step->in.n_head;
    struct softmax s = { 0, 0, 0, n };
    struct peak p;
    float own, lse;

    if (there) {
        row = (uint32_t)l.head_row[k];
        p = find_peak(x, n);
        s.target = (uint32_t)l.target[row];
        lse = p.top + logf(p.sum);
        own = lse - x[s.target];
        s.top = p.top;
        s.hot = l.weight[row] * (float)step->in.inv_tokens;
        s.over = s.hot * (1 + 2 * to.z * lse) / p.sum;
        if (threadIdx.x == 0 && row_loss.p != nullptr)
            put(row_loss.row(row), own, add);
        if (threadIdx.x == 0)
            note_loss(to, blockIdx.x, (double)l.weight[row], own, lse);
    } else if (threadIdx.x == 0) {
        note_loss(to, blockIdx.x, 0, 0, 0);
    }
    __syncthreads(); /* x[target] has been read */
    if (gradient)
        write_gradient<T>(x, n, s);
}

/* to += the chunk's losses, in order: one thread adds what all load. */
static __global__ void
add_losses(double *to, const double *loss, uint32_t n)
{
    auto *some = reinterpret_cast<double *>(shared);
    double sum = *to;

    for (uint32_t at = 0; at < n; at += THREADS) {
        if (at + threadIdx.x < n)
            some[threadIdx.x] = loss[at + threadIdx.x];
        __syncthreads();
        for (uint32_t k = 0; threadIdx.x == 0 && k < min(n - at, THREADS); k++)
            sum += some[k];
        __syncthreads();
    }
    if (threadIdx.x == 0)
        *to = sum;
}

static void
put_losses(struct call *c, double *to, const double *loss, uint32_t n)
{
    launch(c, add_losses, 1, THREADS, THREADS * sizeof(double), to, loss, n);
}

template <class T>
static mat<T>
gathered(struct call *c, char *space, uint32_t chunk)
{
    mat<T> hidden = mat_of<T>(c, &c->op->x[0]);
    mat<T> x = packed<T>(space, chunk, hidden.cols);

    launch(c, gather<T>, chunk, THREADS, 0, x, hidden,
           (const int32_t *)c->batch.head_row, (const struct step *)c->step);
    return x;
}

/* Words that have rows of their own, and what of logits, then of their
 * gradient, is theirs, side by side in one place. */
template <class T>
struct own {
    struct tokens of;
    mat<T> rows;
    mat<float> logits;
    mat<T> d;
};

template <class T>
static struct own<T>
own_of(struct call *c, const struct head_space &space, uint32_t chunk)
{
    const struct part *p = c->op->u.head.part;
    const struct tokens of = tokens_of(c, &p->tokens);
    uint32_t ld = head_tokens_ld(c->op);
    auto *at = space.of_tokens;

    if (of.n == 0)
        return {};
    return { of, as_operand<T>(c, &p->rows, space.rows),
             columns(packed<float>(at, chunk, ld), 0, of.n),
             columns(packed<T>(at, chunk, ld), 0, of.n) };
}

/* to = bias, and old where there is one, of the words. */
static __global__ void
start_own(mat<float> to, mat<float> old, const float *bias, struct tokens of)
{
    uint32_t i = blockIdx.x;

    for (uint32_t k = threadIdx.x; k < of.n; k += THREADS) {
        uint32_t at = (uint32_t)of.id[k];

        to.row(i)[k] = (bias != nullptr ? bias[at] : 0)
                       + (old.p != nullptr ? old.row(i)[at] : 0);
    }
}

static __global__ void
put_own(mat<float> logits, mat<float> own, struct tokens of)
{
    uint32_t i = blockIdx.x;

    for (uint32_t k = threadIdx.x; k < of.n; k += THREADS)
        logits.row(i)[of.id[k]] = own.row(i)[k];
}

/* own = the words' columns of d, which become 0. */
template <class T>
static __global__ void
take_own(mat<T> own, mat<T> d, struct tokens of)
{
    uint32_t i = blockIdx.x;

    for (uint32_t k = threadIdx.x; k < of.n; k += THREADS) {
        own.row(i)[k] = d.row(i)[of.id[k]];
        set(d.row(i) + of.id[k], 0);
    }
}

/* logits = x W^T + bias, in floats, and old where there is one. */
template <class T>
static void
put_logits(struct call *c, mat<float> logits, mat<T> x, mat<T> w,
           mat<float> old, const struct own<T> &own,
           const struct head_space &space)
{
    const float *bias = as_bias<float>(c, &c->op->u.head.part->bias,
                                       space.bias);

    if (own.of.n > 0) {
        launch(c, start_own, x.rows, THREADS, 0, own.logits, old, bias,
               own.of);
        multiply(c, own.logits, own.logits, 1.0f, x, false, own.rows, true,
                 space.workspace);
    }
    multiply(c, logits, old, 1.0f, x, false, w, true, space.workspace, bias);
    if (own.of.n > 0)
        launch(c, put_own, x.rows, THREADS, 0, logits, own.logits, own.of);
}

/* The gradient by the hidden rows, from d, whose words of own rows are 0. */
template <class T>
static void
put_head_dx(struct call *c, mat<T> d, mat<T> w, const struct own<T> &own,
            const struct head_space &space)
{
    mat<T> to = mat_of<T>(c, &c->op->y[1]);
    mat<T> dx = packed<T>(space.dx, d.rows, w.cols);

    multiply(c, dx, none<T>(), 1.0f, d, false, w, false, space.workspace);
    if (own.of.n > 0)
        multiply(c, dx, dx, 1.0f, own.d, false, own.rows, false,
                 space.workspace);
    launch(c, scatter<T>, dx.rows, THREADS, 0, to, dx,
           (const int32_t *)c->batch.head_row, (const struct step *)c->step,
           (c->op->acc & 2) != 0);
}

/* From d, the loss's gradient by the logits, of which own takes its words. */
template <class T>
static void
put_head_grads(struct call *c, mat<T> d, mat<T> x, mat<T> w,
               const struct own<T> &own, const struct head_space &space)
{
    const struct part *p = c->op->u.head.part;
    mat<float> grad_w = mat_of<float>(c, &p->grad_w);
    mat<float> grad_bias = mat_of<float>(c, &p->grad_bias);
    mat<float> grad_rows = mat_of<float>(c, &p->grad_rows);

    if (grad_w.p != nullptr)
        multiply(c, grad_w, grad_w, 1.0f, d, true, x, false,
                 space.workspace);
    if (grad_bias.p != nullptr)
        put_column_sums(c, grad_bias.p, d, space.sums);
    if (own.of.n > 0)
        launch(c, take_own<T>, d.rows, THREADS, 0, own.d, d, own.of);
    if (c->op->y[1].buf != 0)
        put_head_dx(c, d, w, own, space);
    if (grad_rows.p != nullptr)
        multiply(c, grad_rows, grad_rows, 1.0f, own.d, true, x, false,
                 space.workspace);
}

template <class T>
void
run_head_ce(struct call *c)
{
    const struct op *op = c->op;
    const struct part *p = op->u.head.part;
    uint32_t chunk = head_chunk_of(op), vocab = p->w.rows;
    uint32_t ld = head_logits_ld(op);
    struct head_space space = head_space_at(view_at(c, &op->scratch),
                                            &c->card->sizing, op);
    mat<T> x = gathered<T>(c, space.x, chunk);
    mat<T> w = as_operand<T>(c, &p->w, space.w);
    mat<float> logits = { reinterpret_cast<float *>(space.logits), chunk,
                          vocab, ld };
    mat<T> d = { reinterpret_cast<T *>(space.logits), chunk, vocab,
                 (uint32_t)(ld * sizeof(float) / sizeof(T)) };
    const struct own<T> own = own_of<T>(c, space, chunk);
    bool gradient = op->y[1].buf || p->grad_w.buf || p->grad_bias.buf
                    || p->grad_rows.buf;
    const struct losses losses = { reinterpret_cast<double *>(space.loss),
                                   reinterpret_cast<double *>(space.of_z),
                                   op->u.head.z };
    const struct labels l = { c->batch.head_row, c->batch.target,
                              c->batch.weight };

    put_logits(c, logits, x, w, none<float>(), own, space);
    launch(c, cross_entropy<T>, chunk, THREADS, block_sum_bytes(THREADS),
           logits, losses, mat_of<float>(c, &op->y[0]), l,
           (const struct step *)c->step, gradient, (op->acc & 1) != 0);
    put_losses(c, &c->step->out.loss_sum, losses.loss, chunk);
    if (losses.z > 0)
        put_losses(c, &c->step->out.z_sum, losses.of_z, chunk);
    if (gradient)
        put_head_grads(c, d, x, w, own, space);
}

template <class T>
void
run_logits(struct call *c)
{
    const struct op *op = c->op;
    const struct part *p = op->u.head.part;
    struct head_space space = head_space_at(view_at(c, &op->scratch),
                                            &c->card->sizing, op);
    mat<float> y = mat_of<float>(c, &op->y[0]);

    put_logits(c, y, gathered<T>(c, space.x, y.rows),
               as_operand<T>(c, &p->w, space.w),
               op->acc & 1 ? y : none<float>(),
               own_of<T>(c, space, y.rows), space);
}

template void run_head_ce<float>(struct call *c);
template void run_head_ce<bf16>(struct call *c);
template void run_logits<float>(struct call *c);
template void run_logits<bf16>(struct call *c);
