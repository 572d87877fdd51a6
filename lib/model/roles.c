/* roles.c - the table of roles: shapes, and what the weights are for. */
#include "model/roles.h"

#include "model/family.h"

#define MATRIX (TENSOR_LINEAR | TENSOR_DECAYS)
#define TABLE (TENSOR_EMBEDDING | TENSOR_DECAYS)

static uint32_t
dim(const struct model_desc *d, const struct layer_desc *y)
{
    (void)y;
    return d->dim;
}

static uint32_t
vocab(const struct model_desc *d, const struct layer_desc *y)
{
    (void)y;
    return d->vocab;
}

static uint32_t
positions(const struct model_desc *d, const struct layer_desc *y)
{
    (void)y;
    return d->max_pos;
}

static uint32_t
queries(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->heads * y->head_dim;
}

static uint32_t
keys(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->kv_heads * y->head_dim;
}

static uint32_t
queries_keys_values(const struct model_desc *d, const struct layer_desc *y)
{
    return queries(d, y) + 2 * keys(d, y);
}

/* What is normed together: a head, or all of them. */
static uint32_t
normed_queries(const struct model_desc *d, const struct layer_desc *y)
{
    return d->family->qk_norm_whole ? queries(d, y) : y->head_dim;
}

static uint32_t
normed_keys(const struct model_desc *d, const struct layer_desc *y)
{
    return d->family->qk_norm_whole ? keys(d, y) : y->head_dim;
}

static uint32_t
ff_inner(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->ff_dim;
}

static uint32_t
ff_gate_up(const struct model_desc *d, const struct layer_desc *y)
{
    return 2 * ff_inner(d, y);
}

static uint32_t
experts(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->experts;
}

static uint32_t
expert_inner(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->expert_dim;
}

static uint32_t
shared_inner(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->shared_dim;
}

static uint32_t
one(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    (void)y;
    return 1;
}

static uint32_t
inner(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->inner;
}

/* What is convolved: of Mamba-2 B and C, too. */
static uint32_t
convolved(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->inner + 2 * y->groups * y->state;
}

static uint32_t
ways_in(const struct model_desc *d, const struct layer_desc *y)
{
    uint32_t steps = y->groups > 0 ? y->heads : 0;

    return y->inner + convolved(d, y) + steps;
}

static uint32_t
heads(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->heads;
}

static uint32_t
skips(const struct model_desc *d, const struct layer_desc *y)
{
    return y->groups > 0 ? heads(d, y) : inner(d, y);
}

static uint32_t
step_b_c(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->rank + 2 * y->state;
}

static uint32_t
step_rank(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->rank;
}

static uint32_t
state(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->state;
}

static uint32_t
width(const struct model_desc *d, const struct layer_desc *y)
{
    (void)d;
    return y->width;
}

static const struct role_info table[ROLE_COUNT] = {
    [ROLE_EMBED] = { .name = "embed", .flags = TABLE, .in = dim,
                     .out = vocab },
    [ROLE_POS] = { .name = "pos", .flags = TABLE, .in = dim,
                   .out = positions },
    [ROLE_NORM1] = { .name = "norm1", .in_layer = true, .flags = TENSOR_NORM,
                     .out = dim },
    [ROLE_QKV] = { .name = "qkv", .in_layer = true, .flags = MATRIX,
                   .in = dim, .out = queries_keys_values },
    [ROLE_Q] = { .name = "q", .in_layer = true, .flags = MATRIX, .in = dim,
                 .out = queries },
    [ROLE_K] = { .name = "k", .in_layer = true, .flags = MATRIX, .in = dim,
                 .out = keys },
    [ROLE_V] = { .name = "v", .in_layer = true, .flags = MATRIX, .in = dim,
                 .out = keys },
    [ROLE_Q_NORM] = { .name = "q_norm", .in_layer = true,
                      .flags = TENSOR_NORM, .out = normed_queries },
    [ROLE_K_NORM] = { .name = "k_norm", .in_layer = true,
                      .flags = TENSOR_NORM, .out = normed_keys },
    [ROLE_O] = { .name = "o", .in_layer = true, .residual = true,
                 .flags = MATRIX, .in = queries, .out = dim },
    [ROLE_NORM2] = { .name = "norm2", .in_layer = true, .flags = TENSOR_NORM,
                     .out = dim },
    [ROLE_POST1] = { .name = "post1", .in_layer = true,
                     .flags = TENSOR_NORM, .out = dim },
    [ROLE_POST2] = { .name = "post2", .in_layer = true,
                     .flags = TENSOR_NORM, .out = dim },
    [ROLE_GATE_UP] = { .name = "gate_up", .in_layer = true, .flags = MATRIX,
                       .in = dim, .out = ff_gate_up },
    [ROLE_GATE] = { .name = "gate", .in_layer = true, .flags = MATRIX,
                    .in = dim, .out = ff_inner },
    [ROLE_UP] = { .name = "up", .in_layer = true, .flags = MATRIX, .in = dim,
                  .out = ff_inner },
    [ROLE_DOWN] = { .name = "down", .in_layer = true, .residual = true,
                    .flags = MATRIX, .in = ff_inner, .out = dim },
    [ROLE_ROUTER] = { .name = "router", .in_layer = true,
                      .flags = TENSOR_DECAYS | TENSOR_EXACT, .in = dim,
                      .out = experts },
    [ROLE_EXPERT_GATE] = { .name = "expert_gate", .in_layer = true,
                           .each = true, .flags = MATRIX, .in = dim,
                           .out = expert_inner },
    [ROLE_EXPERT_UP] = { .name = "expert_up", .in_layer = true,
                         .each = true, .flags = MATRIX, .in = dim,
                         .out = expert_inner },
    [ROLE_EXPERT_DOWN] = { .name = "expert_down", .in_layer = true,
                           .each = true, .residual = true, .flags = MATRIX,
                           .in = expert_inner, .out = dim },
    [ROLE_SHARED_GATE] = { .name = "shared_gate", .in_layer = true,
                           .flags = MATRIX, .in = dim, .out = shared_inner },
    [ROLE_SHARED_UP] = { .name = "shared_up", .in_layer = true,
                         .flags = MATRIX, .in = dim, .out = shared_inner },
    [ROLE_SHARED_DOWN] = { .name = "shared_down", .in_layer = true,
                           .residual = true, .flags = MATRIX,
                           .in = shared_inner, .out = dim },
    [ROLE_SHARE] = { .name = "share", .in_layer = true,
                     .flags = MATRIX | TENSOR_EXACT, .in = dim, .out = one },
    [ROLE_IN] = { .name = "in", .in_layer = true, .flags = MATRIX,
                  .in = dim, .out = ways_in },
    [ROLE_CONV] = { .name = "conv", .in_layer = true, .spread = true,
                    .flags = TENSOR_DECAYS, .scan_init = INIT_FAN_IN,
                    .in = width, .out = convolved },
    [ROLE_X] = { .name = "x", .in_layer = true, .flags = MATRIX, .in = inner,
                 .out = step_b_c },
    [ROLE_DT_NORM] = { .name = "dt_norm", .in_layer = true,
                       .flags = TENSOR_NORM, .out = step_rank },
    [ROLE_B_NORM] = { .name = "b_norm", .in_layer = true,
                      .flags = TENSOR_NORM, .out = state },
    [ROLE_C_NORM] = { .name = "c_norm", .in_layer = true,
                      .flags = TENSOR_NORM, .out = state },
    [ROLE_DT] = { .name = "dt", .in_layer = true, .flags = MATRIX,
                  .scan_init = INIT_STEP, .bias_init = INIT_STEP_BIAS,
                  .in = step_rank, .out = inner },
    [ROLE_A_LOG] = { .name = "a_log", .in_layer = true, .bare = true,
                     .flags = TENSOR_EXACT, .init = INIT_A_LOG, .in = state,
                     .out = inner },
    [ROLE_HEAD_A_LOG] = { .name = "head_a_log", .in_layer = true,
                          .bare = true, .init = INIT_A_LOG, .out = heads },
    [ROLE_STEP_BIAS] = { .name = "step_bias", .in_layer = true,
                         .bare = true, .init = INIT_STEP_BIAS,
                         .out = heads },
    [ROLE_SKIP] = { .name = "skip", .in_layer = true, .bare = true,
                    .init = INIT_ONES, .out = skips },
    [ROLE_GATED_NORM] = { .name = "gated_norm", .in_layer = true,
                          .flags = TENSOR_NORM, .out = inner },
    [ROLE_OUT] = { .name = "out", .in_layer = true, .residual = true,
                   .flags = MATRIX, .scan_init = INIT_OUT, .in = inner,
                   .out = dim },
    [ROLE_NORM_F] = { .name = "norm_f", .flags = TENSOR_NORM, .out = dim },
    [ROLE_HEAD] = { .name = "head", .top = true, .flags = TENSOR_DECAYS,
                    .in = dim, .out = vocab },
};

const struct role_info *
role_info(unsigned role)
{
    return &table[role];
}
