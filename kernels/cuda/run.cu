/* run.cu - which function runs which kind of op. */
#include "ops.cuh"
#include "view.cuh"

/* A function for each type of activations; one for both. */
#define TYPED(kind, f, scratch) \
    { OP_##kind, { run_##f<float>, run_##f<bf16> }, scratch }
#define PLAIN(kind, f, scratch) \
    { OP_##kind, { run_##f, run_##f }, scratch }

static const struct op_impl impls[] = {
    TYPED(EMBED, embed, nullptr),
    TYPED(EMBED_BWD, embed_bwd, nullptr),
    TYPED(NORM, norm, nullptr),
    TYPED(NORM_BWD, norm_bwd, norm_bwd_scratch),
    TYPED(LINEAR, linear, linear_scratch),
    TYPED(LINEAR_BWD, linear_bwd, linear_bwd_scratch),
    TYPED(ROPE, rope, nullptr),
    TYPED(ATTENTION, attention, attention_scratch),
    TYPED(ATTENTION_BWD, attention_bwd, attention_bwd_scratch),
    TYPED(ACT, act, nullptr),
    TYPED(ACT_BWD, act_bwd, nullptr),
    TYPED(GLU, glu, nullptr),
    TYPED(GLU_BWD, glu_bwd, nullptr),
    TYPED(HEAD_CE, head_ce, head_scratch),
    TYPED(LOGITS, logits, head_scratch),
    TYPED(CACHE, cache, nullptr),
    TYPED(COPY, copy, nullptr),
    TYPED(ZERO, zero, nullptr),
    PLAIN(SQNORM, sqnorm, sqnorm_scratch),
    PLAIN(CLIP, clip, nullptr),
    PLAIN(ADAMW, adamw, nullptr),
    PLAIN(SGD, sgd, nullptr),
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
        impl->run[c->card->bf16](c);
    }
    return c->error;
}
