/* family_mamba.c - the tables of families whose layers are scans, all or
 * some; see family.c. */
#include "model/family_rows.h"

#define ACT_SILU_ALONE \
    { .name = "hidden_act", .kind = KEY_WORD, .offset = AT(act), \
      .def = ACT_SILU, .words = acts + SILU }

/* How steps begin. */
#define STEPS \
    REAL("time_step_min", step_least, 0.001, 1e-12, 1e6), \
    REAL("time_step_max", step_most, 0.1, 1e-12, 1e6), \
    REAL("time_step_floor", step_floor, 1e-4, 1e-12, 1e6)

/* transformers 5 does it to weights that it loads. */
#define NO_RESCALING OFF("rescale_prenorm_residual")

static const struct key_word step_schemes[] = {
    { "random", 0 }, { "constant", 1 }, { NULL, 0 },
};

/* How its scan is computed, and whether residuals are float32 in a narrower
 * model, is of no effect here; what they write of older keys says the same. */
const struct key mamba_keys[] = {
    COUNT("vocab_size", vocab, 50280, MAX_VOCAB),
    COUNT("hidden_size", dim, 768, MAX_DIM),
    COUNT("num_hidden_layers", n_layers, 32, MAX_LAYERS),
    COUNT("state_size", state, 16, MAX_STATE),
    COUNT("expand", expand, 2, 16),
    { .name = "intermediate_size", .kind = KEY_COUNT, .offset = AT(inner),
      .min = 1, .max = MAX_FF },
    COUNT("conv_kernel", width, 4, CONV_MAX),
    FREE("time_step_rank"), /* a number, or "auto" */
    ACT_SILU_ALONE,
    EPSILON("layer_norm_epsilon", 1e-5),
    FLAG("use_bias", attn_bias, false),
    FLAG("use_conv_bias", conv_bias, true),
    FLAG("tie_word_embeddings", tied, true),
    FLAG("residual_in_fp32", ignored, true),
    FLAG("use_mambapy", ignored, false),
    FLAG("use_associative_scan", ignored, true),
    INIT_RANGE(0.1),
    REAL("time_step_scale", step_scale, 1, 0, 1e6),
    STEPS,
    { .name = "time_step_init_scheme", .kind = KEY_WORD,
      .offset = AT(step_constant), .words = step_schemes },
    NO_RESCALING,
    END
};

/* time_step_rank and chunk_size change no number, but for rounding. */
const struct key mamba2_keys[] = {
    COUNT("vocab_size", vocab, 32768, MAX_VOCAB),
    COUNT("hidden_size", dim, 4096, MAX_DIM),
    COUNT("num_hidden_layers", n_layers, 64, MAX_LAYERS),
    COUNT("num_heads", heads, 128, MAX_HEADS),
    COUNT("head_dim", head_dim, 64, MAX_HEAD_DIM),
    COUNT("state_size", state, 128, MAX_STATE),
    COUNT("n_groups", groups, 8, MAX_HEADS),
    COUNT("expand", expand, 2, 16),
    COUNT("conv_kernel", width, 4, CONV_MAX),
    COUNT("chunk_size", ignored, 256, MAX_POSITIONS),
    FREE("time_step_rank"), /* a number, or "auto" */
    FREE("time_step_limit"), /* checked with the sizes */
    ACT("hidden_act", ACT_SILU),
    EPSILON("layer_norm_epsilon", 1e-5),
    FLAG("use_bias", attn_bias, false),
    FLAG("use_conv_bias", conv_bias, true),
    FLAG("tie_word_embeddings", tied, false),
    FLAG("residual_in_fp32", ignored, true),
    INIT_RANGE(0.1),
    STEPS,
    NO_RESCALING,
    END
};

const struct module_row mamba_modules[] = {
    { ROLE_EMBED, "embeddings", BIAS_NEVER },
    { ROLE_NORM1, "norm", BIAS_NEVER },
    { ROLE_IN, "mixer.in_proj", BIAS_ATTN },
    { ROLE_CONV, "mixer.conv1d", BIAS_CONV },
    { ROLE_X, "mixer.x_proj", BIAS_NEVER },
    { ROLE_DT, "mixer.dt_proj", BIAS_ALWAYS, .aside = true },
    { ROLE_A_LOG, "mixer.A_log", BIAS_NEVER },
    { ROLE_SKIP, "mixer.D", BIAS_NEVER },
    { ROLE_OUT, "mixer.out_proj", BIAS_ATTN, .aside = true },
    { ROLE_NORM_F, "norm_f", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

const struct module_row mamba2_modules[] = {
    { ROLE_EMBED, "embeddings", BIAS_NEVER },
    { ROLE_NORM1, "norm", BIAS_NEVER },
    { ROLE_IN, "mixer.in_proj", BIAS_ATTN },
    { ROLE_CONV, "mixer.conv1d", BIAS_CONV },
    { ROLE_STEP_BIAS, "mixer.dt_bias", BIAS_NEVER },
    { ROLE_HEAD_A_LOG, "mixer.A_log", BIAS_NEVER },
    { ROLE_SKIP, "mixer.D", BIAS_NEVER },
    { ROLE_GATED_NORM, "mixer.norm", BIAS_NEVER },
    { ROLE_OUT, "mixer.out_proj", BIAS_ATTN, .aside = true },
    { ROLE_NORM_F, "norm_f", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

/* Of its layers each attn_layer_period'th is attention, which knows no
 * positions, and each expert_layer_period'th a mixture of experts. */
const struct key jamba_keys[] = {
    SIZES(65536, 4096, 14336, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 8, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 262144, MAX_POSITIONS),
    ACT_SILU_ALONE,
    EPSILON("rms_norm_eps", 1e-6),
    COUNT("attn_layer_period", attn_period, 8, MAX_LAYERS),
    { .name = "attn_layer_offset", .kind = KEY_COUNT,
      .offset = AT(attn_offset), .def = 4, .max = MAX_LAYERS },
    COUNT("num_experts", experts, 16, MAX_EXPERTS),
    COUNT_ALIAS("num_local_experts", experts, MAX_EXPERTS),
    COUNT("num_experts_per_tok", top_k, 2, MAX_EXPERTS),
    COUNT("expert_layer_period", expert_period, 2, MAX_LAYERS),
    { .name = "expert_layer_offset", .kind = KEY_COUNT,
      .offset = AT(expert_offset), .def = 1, .max = MAX_LAYERS },
    BALANCE,
    COUNT("mamba_d_state", state, 16, MAX_STATE),
    COUNT("mamba_d_conv", width, 4, CONV_MAX),
    COUNT("mamba_expand", expand, 2, 16),
    FREE("mamba_dt_rank"), /* a number, or "auto" */
    FLAG("mamba_conv_bias", conv_bias, true),
    FLAG("mamba_proj_bias", attn_bias, false),
    FLAG("use_mamba_kernels", ignored, true),
    FLAG("use_mambapy", ignored, false),
    FLAG("use_associative_scan", ignored, true),
    FLAG("tie_word_embeddings", tied, false),
    PAD_OR(0),
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

const struct module_row jamba_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_NEVER),
    { ROLE_O, "self_attn.o_proj", BIAS_NEVER },
    { ROLE_IN, "mamba.in_proj", BIAS_ATTN },
    { ROLE_CONV, "mamba.conv1d", BIAS_CONV },
    { ROLE_X, "mamba.x_proj", BIAS_NEVER },
    { ROLE_DT_NORM, "mamba.dt_layernorm", BIAS_NEVER },
    { ROLE_B_NORM, "mamba.b_layernorm", BIAS_NEVER },
    { ROLE_C_NORM, "mamba.c_layernorm", BIAS_NEVER },
    { ROLE_DT, "mamba.dt_proj", BIAS_ALWAYS, .aside = true },
    { ROLE_A_LOG, "mamba.A_log", BIAS_NEVER },
    { ROLE_SKIP, "mamba.D", BIAS_NEVER },
    { ROLE_OUT, "mamba.out_proj", BIAS_ATTN },
    { ROLE_NORM2, "pre_ff_layernorm", BIAS_NEVER },
    { ROLE_GATE, "feed_forward.gate_proj", BIAS_NEVER },
    { ROLE_UP, "feed_forward.up_proj", BIAS_NEVER },
    { ROLE_DOWN, "feed_forward.down_proj", BIAS_NEVER },
    { ROLE_ROUTER, "feed_forward.router", BIAS_NEVER },
    { ROLE_EXPERT_GATE, "feed_forward.experts.%u.gate_proj", BIAS_NEVER,
      .aside = true },
    { ROLE_EXPERT_UP, "feed_forward.experts.%u.up_proj", BIAS_NEVER,
      .aside = true },
    { ROLE_EXPERT_DOWN, "feed_forward.experts.%u.down_proj", BIAS_NEVER,
      .aside = true },
    { ROLE_NORM_F, "final_layernorm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};
