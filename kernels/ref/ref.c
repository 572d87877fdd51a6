/* ref.c - the reference back end: which function runs an op. */
#include "kernels/ref/ref.h"

#include <string.h>

struct op_impl {
    void (*run)(struct run *r, const struct op *op);
    uint64_t (*scratch)(const struct op *op);
};

static const struct op_impl impls[OP_KINDS] = {
    [OP_EMBED] = { REF(embed), NULL },
    [OP_EMBED_BWD] = { REF(embed_bwd), NULL },
    [OP_EMBED_TOKENS] = { REF(embed_tokens), NULL },
    [OP_EMBED_TOKENS_BWD] = { REF(embed_tokens_bwd), NULL },
    [OP_NORM] = { REF(norm), NULL },
    [OP_NORM_BWD] = { REF(norm_bwd), NULL },
    [OP_LINEAR] = { REF(linear), REF(linear_scratch) },
    [OP_LINEAR_BWD] = { REF(linear_bwd), REF(linear_bwd_scratch) },
    [OP_DORA_NORM] = { REF(dora_norm), NULL },
    [OP_DORA] = { REF(dora), NULL },
    [OP_DORA_BWD] = { REF(dora_bwd), NULL },
    [OP_ROPE] = { REF(rope), NULL },
    [OP_ATTENTION] = { REF(attention), NULL },
    [OP_ATTENTION_BWD] = { REF(attention_bwd), NULL },
    [OP_ACT] = { REF(act), NULL },
    [OP_ACT_BWD] = { REF(act_bwd), NULL },
    [OP_GLU] = { REF(glu), NULL },
    [OP_GLU_BWD] = { REF(glu_bwd), NULL },
    [OP_ADD] = { REF(add), NULL },
    [OP_CONV1D] = { REF(conv1d), NULL },
    [OP_CONV1D_BWD] = { REF(conv1d_bwd), NULL },
    [OP_SCAN] = { REF(scan), NULL },
    [OP_SCAN_BWD] = { REF(scan_bwd), NULL },
    [OP_SSD] = { REF(scan), NULL },
    [OP_SSD_BWD] = { REF(scan_bwd), NULL },
    [OP_ROUTE] = { REF(route), REF(route_scratch) },
    [OP_ROUTE_BWD] = { REF(route_bwd), NULL },
    [OP_BALANCE] = { REF(balance), NULL },
    [OP_GATHER] = { REF(gather), NULL },
    [OP_COMBINE] = { REF(combine), NULL },
    [OP_COMBINE_BWD] = { REF(combine_bwd), NULL },
    [OP_GATE] = { REF(gate), NULL },
    [OP_GATE_BWD] = { REF(gate_bwd), NULL },
    [OP_GROUPED] = { REF(grouped), REF(linear_scratch) },
    [OP_GROUPED_BWD] = { REF(grouped_bwd), REF(linear_bwd_scratch) },
    [OP_HEAD_CE] = { REF(head_ce), REF(head_scratch) },
    [OP_LOGITS] = { REF(logits), NULL },
    [OP_CACHE] = { REF(cache), NULL },
    [OP_COPY] = { REF(copy), NULL },
    [OP_ZERO] = { REF(zero), NULL },
    [OP_SQNORM] = { REF(sqnorm), NULL },
    [OP_CLIP] = { REF(clip), NULL },
    [OP_ADAMW] = { REF(adamw), NULL },
    [OP_ADAMW8] = { REF(adamw8), NULL },
    [OP_MUON] = { REF(muon), REF(muon_scratch) },
    [OP_SGD] = { REF(sgd), NULL },
};

static uint64_t
scratch_of(const struct backend *b, const struct op *op)
{
    const struct op_impl *impl = &impls[op->kind];

    (void)b;
    return impl->scratch ? impl->scratch(op) : 0;
}

static void
run_op(const struct host *h, struct run *run, const struct op *op)
{
    (void)h;
    impls[op->kind].run(run, op);
}

void
REF(open)(struct backend *b)
{
    static struct host host = { run_op };

    memset(b, 0, sizeof(*b)); /* nothing is limited, nothing apart */
    b->name = sizeof(real) == sizeof(double) ? "ref64" : "ref";
    b->real_size = sizeof(real);
    for (unsigned k = 0; k < OP_KINDS; k++)
        b->kinds |= (uint64_t)(impls[k].run != NULL) << k;
    b->scratch = scratch_of;
    host_backend(b, &host);
}
