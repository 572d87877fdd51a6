/* run.cu - which function runs which kind of op. */
#include "ops.cuh"
#include "view.cuh"

/* A function for each type of activations, and for products of matrices; one
 * for both. */
#define TYPED(kind, f) \
    { OP_##kind, { run_##f<float>, run_##f<bf16> }, false }
#define PRODUCT(kind, f) \
    { OP_##kind, { run_##f<float>, run_##f<bf16> }, true }
#define PLAIN(kind, f) { OP_##kind, { run_##f, run_##f }, false }

static const struct op_impl impls[] = {
    TYPED(EMBED, embed),
    TYPED(EMBED_BWD, embed_bwd),
    TYPED(EMBED_TOKENS, embed_tokens),
    TYPED(EMBED_TOKENS_BWD, embed_tokens_bwd),
    TYPED(NORM, norm),
    TYPED(NORM_BWD, norm_bwd),
    PRODUCT(LINEAR, linear),
    PRODUCT(LINEAR_BWD, linear_bwd),
    PLAIN(DORA_NORM, dora_norm),
    TYPED(DORA, dora),
    TYPED(DORA_BWD, dora_bwd),
    TYPED(ROPE, rope),
    TYPED(CONV1D, conv1d),
    TYPED(CONV1D_BWD, conv1d_bwd),
    TYPED(SCAN, scan),
    TYPED(SCAN_BWD, scan_bwd),
    TYPED(SSD, ssd),
    TYPED(SSD_BWD, ssd_bwd),
    TYPED(ATTENTION, attention),
    TYPED(ATTENTION_BWD, attention_bwd),
    TYPED(ACT, act),
    TYPED(ACT_BWD, act_bwd),
    TYPED(GLU, glu),
    TYPED(GLU_BWD, glu_bwd),
    TYPED(ADD, add),
    TYPED(ROUTE, route),
    TYPED(ROUTE_BWD, route_bwd),
    PLAIN(BALANCE, balance),
    TYPED(GATHER, gather),
    TYPED(COMBINE, combine),
    TYPED(COMBINE_BWD, combine_bwd),
    TYPED(GATE, gate),
    TYPED(GATE_BWD, gate_bwd),
    TYPED(GROUPED, grouped),
    TYPED(GROUPED_BWD, grouped_bwd),
    PRODUCT(HEAD_CE, head_ce),
    PRODUCT(LOGITS, logits),
    TYPED(CACHE, cache),
    TYPED(COPY, copy),
    TYPED(ZERO, zero),
    PLAIN(STASH, stash),
    PLAIN(FETCH, fetch),
    PLAIN(WAIT, wait),
    PLAIN(SQNORM, sqnorm),
    PLAIN(CLIP, clip),
    PLAIN(ADAMW, adamw),
    PLAIN(ADAMW8, adamw8),
    { OP_MUON, { run_muon, run_muon }, true },
    PLAIN(SGD, sgd),
};

const struct op_impl *
op_impl_of(unsigned kind)
{
    for (const struct op_impl &impl : impls)
        if (impl.kind == kind)
            return &impl;
    return nullptr;
}

cudaError_t
run_ops(struct call *c, const struct op *op, size_t n)
{
    for (size_t i = 0; i < n && c->error == cudaSuccess; i++) {
        const struct op_impl *impl = op_impl_of(op[i].kind);

        if (impl == nullptr)
            return c->error = cudaErrorNotSupported;
        c->op = &op[i];
        impl->run[c->card->sizing.bf16](c);
    }
    return c->error;
}
