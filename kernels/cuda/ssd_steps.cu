/* ssd_steps.cu - the steps of SSD, and their gradients: see ssd.cuh.
 *
 * What a row's L gets from its document's rows, S and R is summed from the
 * last row of the document backward: that is what the logarithm of a row's
 * decay, delta A, gets. A thread has a head's rows of a chunk, and sums are
 * doubles.
 */
#include "ssd.cuh"

constexpr unsigned THREADS = 128;

template <class T>
static uint32_t
chunks_of(const struct ssd<T> &f)
{
    return f.order.rows / f.order.seq * f.chunks;
}

template <class T>
static __global__ void
sum_steps(struct ssd<T> f, uint32_t chunks)
{
    uint32_t at = blockIdx.x * THREADS + threadIdx.x;
    uint32_t head = at % f.heads;
    double sum = 0;
    float a;

    if (at / f.heads >= chunks)
        return;
    struct chunk_rows rows(f, at / f.heads);
    a = decay_of(f, head);
    for (uint32_t i = rows.from; i < rows.from + rows.n; i++) {
        size_t to = (size_t)i * f.heads + head;
        float delta = step_of(f, i, head);

        if (f.order.begins(i))
            sum = 0; /* whose bits depend on no other document */
        sum += fade_log(delta, a);
        f.delta[to] = delta;
        f.sum[to] = (float)sum;
        f.rest[to] = (float)(sum - (double)f.sum[to]);
    }
}

template <class T>
void
put_ssd_steps(struct call *c, const struct ssd<T> &f)
{
    uint32_t chunks = chunks_of(f);

    launch(c, sum_steps<T>,
           dim3(blocks_of((uint64_t)chunks * f.heads, THREADS)),
           THREADS, 0, f, chunks);
}

/* The derivative of a step by what it is made from. */
template <class T>
static __device__ __forceinline__ float
step_slope(const struct ssd<T> &f, uint32_t i, uint32_t head)
{
    float x = step_input(f, i, head), step = softplus(x);

    return step < f.least || step > f.most ? 0 : 1 / (1 + expf(-x));
}

/* What the last row's L gets from R by way of a row that it sees, but for
 * that row's delta: at their places among all rows and heads. */
template <class T>
static __device__ __forceinline__ double
last_gets(const struct ssd<T> &f, const struct ssd_sums &of, size_t at,
          size_t end)
{
    float e = power_of_2((f.sum[end] - f.sum[at])
                         + (f.rest[end] - f.rest[at]));

    return e > 0 ? (double)e * (double)of.b[at] : 0;
}

/* The gradients of steps; sums of what A_log, D and the bias get. */
template <class T>
static __global__ void
steps_bwd(mat<T> dd, struct ssd_sums of, struct ssd<T> f, uint32_t chunks,
          bool add)
{
    uint32_t at = blockIdx.x * THREADS + threadIdx.x, head = at % f.heads;
    double behind = 0, da = 0, dskip = 0, dbias = 0;

    if (at / f.heads >= chunks)
        return;
    struct chunk_rows rows(f, at / f.heads);
    size_t first = (size_t)rows.from * f.heads + head;
    size_t end = first + (size_t)(rows.n - 1) * f.heads;
    uint32_t seen = rows.first(f, rows.n - 1);
    double a = (double)decay_of(f, head);

    if (rows.carried(f, rows.n - 1)) {
        float fade = power_of_2(f.sum[end]);

        behind = fade > 0 ? (double)fade * (double)of.states[at] : 0;
    }
    for (uint32_t r = seen; r < rows.n; r++) {
        size_t k = first + (size_t)r * f.heads;

        behind += (double)f.delta[k] * last_gets(f, of, k, end);
    }
    for (uint32_t r = rows.n; r-- > 0;) {
        size_t k = first + (size_t)r * f.heads;
        double own = (double)of.cols[k], d;
        float carry = rows.carried(f, r) ? power_of_2(f.sum[k]) : 0;

        if (r >= seen)
            own += last_gets(f, of, k, end);
        behind += (double)of.rows[k] - (double)f.delta[k] * own;
        if (carry > 0)
            behind += (double)carry * (double)of.c[k];
        if (f.order.begins(rows.from + r))
            behind = 0;
        da += behind * (double)f.delta[k];
        dskip += (double)of.skip[k];
        d = (behind * a + own)
            * (double)step_slope(f, rows.from + r, head);
        dbias += d;
        if (dd.p != nullptr)
            put(dd.row(rows.from + r) + head, (float)d, add);
    }
    of.parts[at] = (float)(da * a); /* the derivative of A is A itself */
    of.parts[(size_t)chunks * f.heads + at] = (float)dskip;
    of.parts[(size_t)2 * chunks * f.heads + at] = (float)dbias;
}

/* What A_log, D and the bias get of all chunks, in order; blockIdx.y says
 * which of them. */
static __global__ void
sum_chunks(float *da, float *dskip, float *dbias, const float *part,
           uint32_t heads, uint32_t chunks)
{
    uint32_t head = blockIdx.x * THREADS + threadIdx.x, which = blockIdx.y;
    float *to = which == 0 ? da : which == 1 ? dskip : dbias;
    double sum = 0;

    if (head >= heads || to == nullptr)
        return;
    part += (size_t)which * chunks * heads + head;
    for (uint32_t k = 0; k < chunks; k++)
        sum += (double)part[(size_t)k * heads];
    to[head] += (float)sum;
}

template <class T>
void
put_ssd_steps_bwd(struct call *c, const struct ssd<T> &f, struct ssd_sums of)
{
    const struct op *op = c->op;
    uint32_t chunks = chunks_of(f);

    launch(c, steps_bwd<T>,
           dim3(blocks_of((uint64_t)chunks * f.heads, THREADS)), THREADS, 0,
           mat_of<T>(c, &op->y[1]), of, f, chunks, (op->acc & 2) != 0);
    launch(c, sum_chunks, dim3(blocks_of(f.heads, THREADS), 3), THREADS, 0,
           mat_of<float>(c, &op->y[2]).p, mat_of<float>(c, &op->y[4]).p,
           mat_of<float>(c, &op->y[5]).p, (const float *)of.parts, f.heads,
           chunks);
}

template void put_ssd_steps(struct call *c, const struct ssd<float> &f);
template void put_ssd_steps(struct call *c, const struct ssd<bf16> &f);
template void put_ssd_steps_bwd(struct call *c, const struct ssd<float> &f,
                                struct ssd_sums of);
template void put_ssd_steps_bwd(struct call *c, const struct ssd<bf16> &f,
                                struct ssd_sums of);
