/* tokens.cu - EMBED_TOKENS: rows of their own for some ids, and what their
 * gradient adds up to. Those of a head are in head.cu. */
#include "index.cuh"
#include "ops.cuh"
#include "table.cuh"

constexpr unsigned THREADS = 256;

/* A block has a row of y, which stays where its id is none of the tokens. */
template <class T>
static __global__ void
embed_tokens(mat<T> y, mat<float> rows, table pos, struct tokens of,
             struct arrays b)
{
    uint32_t i = blockIdx.x, k = of.find(b.ids[i]);

    for (uint32_t c = threadIdx.x; c < y.cols && k < of.n; c += THREADS) {
        float v = rows.row(k)[c];

        if (pos.p != nullptr)
            v += table_at(pos, (uint32_t)b.pos[i], c);
        set(y.row(i) + c, v);
    }
}

template <class T>
void
run_embed_tokens(struct call *c)
{
    const struct op *op = c->op;
    mat<T> y = mat_of<T>(c, &op->y[0]);

    launch(c, embed_tokens<T>, y.rows, THREADS, 0, y,
           mat_of<float>(c, &op->x[0]), table_of(c, &op->x[1]),
           tokens_of(c, &op->x[2]), c->batch);
}

/* A block has columns of a token, of whose rows it adds up the gradients in
 * their order; `step` tells which rows hold tokens. skip: 1 + the id that gets
 * nothing, 0 for none. */
template <class T>
static __global__ void
embed_tokens_bwd(mat<float> to, mat<T> dy, struct tokens of,
                 const int32_t *ids, const struct step *step, uint32_t skip)
{
    uint32_t id = (uint32_t)of.id[blockIdx.x], n = min(dy.rows, step->n);
    uint32_t c = blockIdx.y * THREADS + threadIdx.x;
    float sum = 0;

    if (id + 1 == skip)
        return;
    for (uint32_t k = 0; k < n; k += 32)
        for (uint32_t all = rows_with(ids, id, k, n); all; all &= all - 1)
            if (c < dy.cols)
                sum += get(dy.row(k + (uint32_t)__ffs((int)all) - 1) + c);
    if (c < dy.cols)
        to.row(blockIdx.x)[c] += sum;
}

template <class T>
void
run_embed_tokens_bwd(struct call *c)
{
    const struct op *op = c->op;
    const struct tokens of = tokens_of(c, &op->x[1]);
    mat<T> dy = mat_of<T>(c, &op->x[0]);

    launch(c, embed_tokens_bwd<T>, dim3(of.n, blocks_of(dy.cols, THREADS)),
           THREADS, 0, mat_of<float>(c, &op->y[0]), dy, of,
           (const int32_t *)c->batch.ids, (const struct step *)c->step,
           op->u.embed.skip);
}

template void run_embed_tokens<float>(struct call *c);
template void run_embed_tokens<bf16>(struct call *c);
template void run_embed_tokens_bwd<float>(struct call *c);
template void run_embed_tokens_bwd<bf16>(struct call *c);
