/* layer_kind.c - the tables of mixers and feed-forwards. */
#include "model/layer_kind.h"

/* What a layer has of whatever kinds it is. */
#define EVERY_LAYER (ROLE_BIT(ROLE_NORM1) | ROLE_BIT(ROLE_POST1) \
                     | ROLE_BIT(ROLE_NORM2) | ROLE_BIT(ROLE_POST2))

_Static_assert(ROLE_COUNT <= 64, "a role has a bit");

static const struct layer_kind mixers[MIXER_KINDS] = {
    [MIX_ATTENTION] = {
        .name = "attention",
        .roles = ROLE_BIT(ROLE_QKV) | ROLE_BIT(ROLE_Q) | ROLE_BIT(ROLE_K)
                 | ROLE_BIT(ROLE_V) | ROLE_BIT(ROLE_Q_NORM)
                 | ROLE_BIT(ROLE_K_NORM) | ROLE_BIT(ROLE_O),
        .emit = mix_attention,
    },
    [MIX_MAMBA] = {
        .name = "mamba",
        .roles = ROLE_BIT(ROLE_IN) | ROLE_BIT(ROLE_CONV) | ROLE_BIT(ROLE_X)
                 | ROLE_BIT(ROLE_DT_NORM) | ROLE_BIT(ROLE_B_NORM)
                 | ROLE_BIT(ROLE_C_NORM) | ROLE_BIT(ROLE_DT)
                 | ROLE_BIT(ROLE_A_LOG) | ROLE_BIT(ROLE_SKIP)
                 | ROLE_BIT(ROLE_OUT),
        .emit = mix_mamba,
    },
    [MIX_MAMBA2] = {
        .name = "mamba2",
        .roles = ROLE_BIT(ROLE_IN) | ROLE_BIT(ROLE_CONV)
                 | ROLE_BIT(ROLE_HEAD_A_LOG) | ROLE_BIT(ROLE_STEP_BIAS)
                 | ROLE_BIT(ROLE_SKIP) | ROLE_BIT(ROLE_GATED_NORM)
                 | ROLE_BIT(ROLE_OUT),
        .emit = mix_mamba2,
    },
};

#define EXPERTS (ROLE_BIT(ROLE_ROUTER) | ROLE_BIT(ROLE_EXPERT_GATE) \
                 | ROLE_BIT(ROLE_EXPERT_UP) | ROLE_BIT(ROLE_EXPERT_DOWN))

static const struct layer_kind ffns[FFN_KINDS] = {
    [FF_MLP] = {
        .name = "mlp",
        .roles = ROLE_BIT(ROLE_UP) | ROLE_BIT(ROLE_DOWN),
        .emit = ffn_mlp,
    },
    [FF_GATED] = {
        .name = "gated",
        .roles = ROLE_BIT(ROLE_GATE_UP) | ROLE_BIT(ROLE_GATE)
                 | ROLE_BIT(ROLE_UP) | ROLE_BIT(ROLE_DOWN),
        .emit = ffn_gated,
    },
    [FF_EXPERTS] = {
        .name = "experts",
        .roles = EXPERTS,
        .emit = ffn_experts,
    },
    [FF_SHARED] = {
        .name = "experts_shared",
        .roles = EXPERTS | ROLE_BIT(ROLE_SHARED_GATE)
                 | ROLE_BIT(ROLE_SHARED_UP) | ROLE_BIT(ROLE_SHARED_DOWN)
                 | ROLE_BIT(ROLE_SHARE),
        .emit = ffn_shared,
    },
    [FF_NONE] = { .name = "none" },
};

const struct layer_kind *
mixer_kind(unsigned kind)
{
    return &mixers[kind];
}

const struct layer_kind *
ffn_kind(unsigned kind)
{
    return &ffns[kind];
}

bool
layer_has_role(const struct layer_desc *y, unsigned role)
{
    uint64_t roles = EVERY_LAYER | mixers[y->mixer].roles
                     | ffns[y->ffn].roles;

    return roles & ROLE_BIT(role);
}
