/* family_moe.c - keys and modules of families with a mixture of experts:
 * Mixtral. See family.c. */
#include "model/family_rows.h"

const struct key mixtral_keys[] = {
    SIZES(32000, 4096, 14336, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 8, MAX_HEADS),
    COUNT_OR_NULL("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 131072, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-5),
    REAL("rope_theta", theta, 1e6, 1e-3, 1e15),
    COUNT_OR_NULL("sliding_window", window, 0, MAX_WINDOW),
    COUNT("num_local_experts", experts, 8, MAX_EXPERTS),
    COUNT_ALIAS("num_experts", experts, MAX_EXPERTS),
    COUNT("num_experts_per_tok", top_k, 2, MAX_EXPERTS),
    BALANCE,
    REAL("router_jitter_noise", ignored, 0, 0, 0),
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

const struct module_row mixtral_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_NEVER),
    { ROLE_O, "self_attn.o_proj", BIAS_NEVER },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_NEVER },
    { ROLE_ROUTER, "block_sparse_moe.gate", BIAS_NEVER },
    { ROLE_EXPERT_GATE, "block_sparse_moe.experts.%u.w1", BIAS_NEVER },
    { ROLE_EXPERT_DOWN, "block_sparse_moe.experts.%u.w2", BIAS_NEVER },
    { ROLE_EXPERT_UP, "block_sparse_moe.experts.%u.w3", BIAS_NEVER },
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};
