/* family_moe.c - keys and modules of families with a mixture of experts:
 * Mixtral, Qwen2-MoE, Qwen3-MoE. See family.c. */
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

/* PEFT makes no adapters of them by target_modules. */
#define EXPERTS_ASIDE \
    { ROLE_ROUTER, "mlp.gate", BIAS_NEVER }, \
    { ROLE_EXPERT_GATE, "mlp.experts.%u.gate_proj", BIAS_NEVER, \
      .aside = true }, \
    { ROLE_EXPERT_UP, "mlp.experts.%u.up_proj", BIAS_NEVER, \
      .aside = true }, \
    { ROLE_EXPERT_DOWN, "mlp.experts.%u.down_proj", BIAS_NEVER, \
      .aside = true }

/* Of the layers each decoder_sparse_step'th is a mixture, but for those of
 * mlp_only_layers (read_dense). */
#define SPARSE_LAYERS(n, k, columns) \
    COUNT("num_experts", experts, n, MAX_EXPERTS), \
    COUNT("num_experts_per_tok", top_k, k, MAX_EXPERTS), \
    COUNT("moe_intermediate_size", expert_dim, columns, MAX_FF), \
    COUNT("decoder_sparse_step", expert_period, 1, MAX_LAYERS), \
    FREE("mlp_only_layers"), \
    FLAG("norm_topk_prob", route_norm, false), \
    BALANCE

const struct key qwen2_moe_keys[] = {
    SIZES(151936, 2048, 5632, 24, 16),
    COUNT("num_key_value_heads", kv_heads, 16, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 32768, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    FLAG("qkv_bias", attn_bias, true),
    FLAG("use_sliding_window", use_window, false),
    { .name = "sliding_window", .kind = KEY_COUNT, .flags = KEY_NULL,
      .offset = AT(window), .def = 4096, .max = MAX_WINDOW },
    WINDOW_LAYERS,
    SPARSE_LAYERS(60, 4, 1408),
    COUNT("shared_expert_intermediate_size", shared_dim, 5632, MAX_FF),
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

const struct module_row qwen2_moe_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_ATTN),
    { ROLE_O, "self_attn.o_proj", BIAS_NEVER },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_NEVER },
    GATED_MLP(BIAS_NEVER),
    EXPERTS_ASIDE,
    { ROLE_SHARED_GATE, "mlp.shared_expert.gate_proj", BIAS_NEVER },
    { ROLE_SHARED_UP, "mlp.shared_expert.up_proj", BIAS_NEVER },
    { ROLE_SHARED_DOWN, "mlp.shared_expert.down_proj", BIAS_NEVER },
    { ROLE_SHARE, "mlp.shared_expert_gate", BIAS_NEVER },
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

/* A window is every layer's. */
const struct key qwen3_moe_keys[] = {
    SIZES(151936, 2048, 6144, 24, 32),
    COUNT("num_key_value_heads", kv_heads, 4, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 32768, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    FLAG("attention_bias", attn_bias, false),
    FLAG("use_sliding_window", use_window, false),
    COUNT_OR_NULL("sliding_window", window, 4096, MAX_WINDOW),
    { .name = "max_window_layers", .kind = KEY_COUNT, .offset = AT(ignored),
      .max = MAX_WINDOW },
    SPARSE_LAYERS(128, 8, 768),
    COUNT_ALIAS("num_local_experts", experts, MAX_EXPERTS),
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

/* PEFT takes the names of a plain feed-forward for those of experts. */
const struct module_row qwen3_moe_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_ATTN),
    Q_K_NORMS,
    { ROLE_O, "self_attn.o_proj", BIAS_ATTN },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_NEVER },
    { ROLE_GATE, "mlp.gate_proj", BIAS_NEVER, .aside = true },
    { ROLE_UP, "mlp.up_proj", BIAS_NEVER, .aside = true },
    { ROLE_DOWN, "mlp.down_proj", BIAS_NEVER, .aside = true },
    EXPERTS_ASIDE,
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};
