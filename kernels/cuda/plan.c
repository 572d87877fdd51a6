/* plan.c - what the back end says of itself, which is all that a plan asks.
 *
 * The plugin says it on a card; a program says it of a card that is not
 * there, by the same function.
 */
#include <string.h>

#include "kernels/cuda/space.h"
#include "kernels/plugin.h"

bool
sizing_of(struct sizing *s, const char *compute, uint64_t workspace)
{
    *s = (struct sizing){ strcmp(compute, "bf16") == 0, workspace };
    return s->bf16 || strcmp(compute, "f32") == 0;
}

static uint64_t
scratch(const struct backend *b, const struct op *op)
{
    return space_bytes(b->priv, op);
}

void
cuda_describe(struct backend *b, struct sizing *s)
{
    memset(b, 0, sizeof(*b));
    b->name = "cuda";
    b->real_size = sizeof(float);
    b->activation = b->kept = s->bf16 ? DTYPE_BF16 : DTYPE_REAL;
    b->apart = true;
    b->operand = s->bf16 ? DTYPE_BF16 : DTYPE_NONE;
    b->head_dim = ATTENTION_HEAD;
    b->kinds = ((uint64_t)1 << OP_KINDS) - 2; /* all but OP_NONE */
    b->workspace = s->workspace;
    b->pinned = UPLOAD_PIECES * UPLOAD_PIECE;
    b->scratch = scratch;
    b->priv = s;
}

bool
cuda_plan(struct backend *b, const char *compute)
{
    static struct sizing f32 = { false, GEMM_WORKSPACE };
    static struct sizing bf16 = { true, GEMM_WORKSPACE };
    struct sizing s;

    if (!sizing_of(&s, compute, GEMM_WORKSPACE))
        return false;
    cuda_describe(b, s.bf16 ? &bf16 : &f32);
    return true;
}
