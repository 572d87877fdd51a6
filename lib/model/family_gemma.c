/* family_gemma.c - keys of the Gemma families, and modules of Gemma 3. See
 * family.c. */
#include "model/family_rows.h"

/* "gelu" is what the first configurations say and has always meant this. */
static const struct key_word gemma_acts[] = {
    { "gelu_new", ACT_GELU_TANH }, { "gelu_pytorch_tanh", ACT_GELU_TANH },
    { "gelu_fast", ACT_GELU_TANH }, { "gelu", ACT_GELU_TANH },
    { "relu", ACT_RELU }, { "silu", ACT_SILU }, { "swish", ACT_SILU },
    { NULL, 0 },
};

/* Of an older name for hidden_act, which only says what that does. */
static const struct key_word gelu_tanh[] = {
    { "gelu_pytorch_tanh", 0 }, { NULL, 0 },
};

const struct key gemma_keys[] = {
    SIZES(256000, 3072, 24576, 28, 16),
    COUNT("num_key_value_heads", kv_heads, 16, MAX_HEADS),
    COUNT("head_dim", head_dim, 256, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 8192, MAX_POSITIONS),
    { .name = "hidden_act", .kind = KEY_WORD, .offset = AT(act),
      .def = ACT_GELU_TANH, .words = gemma_acts },
    { .name = "hidden_activation", .kind = KEY_WORD, .flags = KEY_NULL,
      .offset = AT(ignored), .words = gelu_tanh },
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    FLAG("attention_bias", attn_bias, false),
    OFF_OR_NULL("use_bidirectional_attention"),
    FLAG("tie_word_embeddings", tied, true),
    PAD_OR(0),
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

const struct key gemma3_keys[] = {
    SIZES(262208, 2304, 9216, 26, 8),
    COUNT("num_key_value_heads", kv_heads, 4, MAX_HEADS),
    COUNT("head_dim", head_dim, 256, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 131072, MAX_POSITIONS),
    ACT("hidden_activation", ACT_GELU_TANH),
    EPSILON("rms_norm_eps", 1e-6),
    REAL("rope_theta", theta, 1e6, 1e-3, 1e15),
    REAL("rope_local_base_freq", local_theta, 1e4, 1e-3, 1e15),
    COUNT("query_pre_attn_scalar", query_scalar, 256, MAX_DIM),
    COUNT_OR_NULL("sliding_window", window, 4096, MAX_WINDOW),
    COUNT("sliding_window_pattern", pattern, 6, MAX_LAYERS),
    FREE("layer_types"),
    FLAG("attention_bias", attn_bias, false),
    OFF_OR_NULL("final_logit_softcapping"),
    OFF_OR_NULL("attn_logit_softcapping"),
    OFF_OR_NULL("use_bidirectional_attention"),
    FLAG("tie_word_embeddings", tied, true),
    PAD_OR(0),
    INIT_RANGE(0.02),
    DROP_OR_NULL("attention_dropout", drop[0], 0),
    END
};

const struct module_row gemma3_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_ATTN),
    Q_K_NORMS,
    { ROLE_O, "self_attn.o_proj", BIAS_ATTN },
    { ROLE_POST1, "post_attention_layernorm", BIAS_NEVER },
    { ROLE_NORM2, "pre_feedforward_layernorm", BIAS_NEVER },
    GATED_MLP(BIAS_NEVER),
    { ROLE_POST2, "post_feedforward_layernorm", BIAS_NEVER },
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};
