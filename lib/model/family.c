/* family.c - the tables of the families.
 *
 * Defaults are those of the configuration classes of transformers 4 and 5
 * (src/transformers/models/NAME/configuration_NAME.py); module names are
 * those of the modelling classes beside them.
 */
#include "model/family.h"

#include <string.h>

#include "base/buf.h"
#include "kernels/ops.h"
#include "model/family_rows.h"

const struct key_word acts[] = {
    { "gelu_new", ACT_GELU_TANH }, { "gelu_pytorch_tanh", ACT_GELU_TANH },
    { "gelu_fast", ACT_GELU_TANH }, { "gelu", ACT_GELU_ERF },
    { "relu", ACT_RELU }, { "silu", ACT_SILU }, { "swish", ACT_SILU },
    { NULL, 0 },
};

const struct key common_keys[] = {
    FREE("architectures"),
    IDS("bos_token_id"),
    TEXT("dtype"),
    IDS("eos_token_id"),
    FREE("layer_types"), /* checked with the layers */
    TEXT("model_type"),
    IDS("pad_token_id"),
    OBJECT("rope_parameters"),
    OBJECT("rope_scaling"),
    TEXT("torch_dtype"),
    TEXT("transformers_version"),
    FLAG("use_cache", ignored, true),
    ON("is_causal"),
    OFF_OR_NULL("per_layer_config"),
    OFF_OR_NULL("pruned_heads"),
    OFF_OR_NULL("quantization_config"),
    END
};

static const struct key llama_keys[] = {
    SIZES(32000, 4096, 11008, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 0, MAX_HEADS),
    COUNT_OR_NULL("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 2048, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    FLAG("attention_bias", attn_bias, false),
    FLAG("mlp_bias", mlp_bias, false),
    COUNT_OR_NULL("pretraining_tp", ignored, 1, MAX_DIM), /* a rounding */
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP_OR_NULL("attention_dropout", drop[0], 0),
    END
};

static const struct module_row llama_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_ATTN),
    { ROLE_O, "self_attn.o_proj", BIAS_ATTN },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_NEVER },
    GATED_MLP(BIAS_MLP),
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

static const struct key mistral_keys[] = {
    SIZES(32000, 4096, 14336, 32, 32),
    COUNT("num_key_value_heads", kv_heads, 8, MAX_HEADS),
    COUNT_OR_NULL("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 131072, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    COUNT_OR_NULL("sliding_window", window, 4096, MAX_WINDOW),
    FREE("layer_types"), /* AutoModel makes a Ministral of it, which reads it */
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

static const struct key qwen2_keys[] = {
    SIZES(151936, 4096, 22016, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 32, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 32768, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    SLIDING_FROM,
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

static const struct module_row qwen2_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_ALWAYS),
    { ROLE_O, "self_attn.o_proj", BIAS_NEVER },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_NEVER },
    GATED_MLP(BIAS_NEVER),
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

static const struct key qwen3_keys[] = {
    SIZES(151936, 4096, 22016, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 32, MAX_HEADS),
    COUNT("head_dim", head_dim, 128, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 32768, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    FLAG("attention_bias", attn_bias, false),
    SLIDING_FROM,
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

static const struct module_row qwen3_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    Q_K_V(BIAS_ATTN),
    Q_K_NORMS,
    { ROLE_O, "self_attn.o_proj", BIAS_ATTN },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_NEVER },
    GATED_MLP(BIAS_NEVER),
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

static const struct key granite_keys[] = {
    SIZES(32000, 4096, 11008, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 0, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 2048, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-6),
    THETA,
    SCALE("embedding_multiplier", embed_scale),
    SCALE("attention_multiplier", attn_scale),
    SCALE("residual_multiplier", residual_scale),
    SCALE("logits_scaling", logits_divisor),
    FLAG("attention_bias", attn_bias, false),
    FLAG("mlp_bias", mlp_bias, false),
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

static const struct key olmo2_keys[] = {
    SIZES(50304, 4096, 11008, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 0, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 2048, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-5),
    THETA,
    FLAG("attention_bias", attn_bias, false),
    FLAG("tie_word_embeddings", tied, false),
    PAD_OR(1),
    INIT_RANGE(0.02),
    DROP("attention_dropout", drop[0], 0),
    END
};

static const struct module_row olmo2_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    Q_K_V(BIAS_ATTN),
    Q_K_NORMS,
    { ROLE_O, "self_attn.o_proj", BIAS_ATTN },
    { ROLE_POST1, "post_attention_layernorm", BIAS_NEVER },
    GATED_MLP(BIAS_NEVER),
    { ROLE_POST2, "post_feedforward_layernorm", BIAS_NEVER },
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

/* Of rotary types transformers takes the default and longrope there. */
static const struct key phi3_keys[] = {
    SIZES(32064, 3072, 8192, 32, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 0, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 4096, MAX_POSITIONS),
    COUNT("original_max_position_embeddings", ignored, 4096, MAX_POSITIONS),
    ACT("hidden_act", ACT_SILU),
    EPSILON("rms_norm_eps", 1e-5),
    THETA,
    REAL("partial_rotary_factor", rotary, 1, 1e-6, 1),
    COUNT_OR_NULL("sliding_window", window, 0, MAX_WINDOW),
    FLAG("tie_word_embeddings", tied, false),
    PAD_OR(32000),
    INIT_RANGE(0.02),
    DROP("resid_pdrop", drop[0], 0),
    DROP("embd_pdrop", drop[1], 0),
    DROP("attention_dropout", drop[2], 0),
    END
};

static const struct module_row phi3_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_NEVER },
    { ROLE_QKV, "self_attn.qkv_proj", BIAS_NEVER },
    { ROLE_O, "self_attn.o_proj", BIAS_NEVER },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_NEVER },
    { ROLE_GATE_UP, "mlp.gate_up_proj", BIAS_NEVER },
    { ROLE_DOWN, "mlp.down_proj", BIAS_NEVER },
    { ROLE_NORM_F, "norm", BIAS_NEVER },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

static const struct key starcoder2_keys[] = {
    SIZES(49152, 3072, 12288, 30, 24),
    COUNT("num_key_value_heads", kv_heads, 2, MAX_HEADS),
    COUNT_OR_NULL("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 4096, MAX_POSITIONS),
    ACT("hidden_act", ACT_GELU_TANH),
    EPSILON("norm_epsilon", 1e-5),
    THETA,
    COUNT_OR_NULL("sliding_window", window, 0, MAX_WINDOW),
    FLAG("use_bias", attn_bias, true),
    FLAG("tie_word_embeddings", tied, true),
    PAD,
    INIT_RANGE(0.018042),
    DROP("attention_dropout", drop[0], 0),
    DROP("residual_dropout", drop[1], 0),
    DROP("embedding_dropout", drop[2], 0),
    END
};

static const struct module_row starcoder2_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_ALWAYS },
    Q_K_V(BIAS_ATTN),
    { ROLE_O, "self_attn.o_proj", BIAS_ATTN },
    { ROLE_NORM2, "post_attention_layernorm", BIAS_ALWAYS },
    { ROLE_UP, "mlp.c_fc", BIAS_ATTN }, /* use_bias rules both */
    { ROLE_DOWN, "mlp.c_proj", BIAS_ATTN },
    { ROLE_NORM_F, "norm", BIAS_ALWAYS },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

static const struct key phi_keys[] = {
    SIZES(51200, 2048, 8192, 24, 32),
    COUNT_OR_NULL("num_key_value_heads", kv_heads, 0, MAX_HEADS),
    COUNT("head_dim", head_dim, 0, MAX_HEAD_DIM),
    COUNT("max_position_embeddings", max_pos, 2048, MAX_POSITIONS),
    ACT("hidden_act", ACT_GELU_TANH),
    EPSILON("layer_norm_eps", 1e-5),
    THETA,
    REAL("partial_rotary_factor", rotary, 0.5, 1e-6, 1),
    FLAG("tie_word_embeddings", tied, false),
    PAD,
    INIT_RANGE(0.02),
    DROP("resid_pdrop", drop[0], 0),
    DROP("embd_pdrop", drop[1], 0),
    DROP_OR_NULL("attention_dropout", drop[2], 0),
    OFF("qk_layernorm"),
    END
};

static const struct module_row phi_modules[] = {
    { ROLE_EMBED, "embed_tokens", BIAS_NEVER },
    { ROLE_NORM1, "input_layernorm", BIAS_ALWAYS },
    Q_K_V(BIAS_ALWAYS),
    { ROLE_O, "self_attn.dense", BIAS_ALWAYS },
    { ROLE_UP, "mlp.fc1", BIAS_ALWAYS },
    { ROLE_DOWN, "mlp.fc2", BIAS_ALWAYS },
    { ROLE_NORM_F, "final_layernorm", BIAS_ALWAYS },
    { ROLE_HEAD, "lm_head", BIAS_ALWAYS },
    END
};

static const struct family families[] = {
    { .model_type = "llama", .architecture = "LlamaForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED,
      .buffer = ".rotary_emb.inv_freq",
      .keys = llama_keys, .modules = llama_modules },
    { .model_type = "mistral", .architecture = "MistralForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED,
      .buffer = ".rotary_emb.inv_freq",
      .keys = mistral_keys, .modules = llama_modules },
    { .model_type = "qwen2", .architecture = "Qwen2ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED,
      .buffer = ".rotary_emb.inv_freq",
      .keys = qwen2_keys, .modules = qwen2_modules },
    { .model_type = "qwen3", .architecture = "Qwen3ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED,
      .buffer = ".rotary_emb.inv_freq",
      .keys = qwen3_keys, .modules = qwen3_modules },
    { .model_type = "granite", .architecture = "GraniteForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED,
      .buffer = ".rotary_emb.inv_freq",
      .keys = granite_keys, .modules = llama_modules },
    { .model_type = "olmo2", .architecture = "Olmo2ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED, .qk_norm_whole = true,
      .buffer = ".rotary_emb.inv_freq",
      .keys = olmo2_keys, .modules = olmo2_modules },
    { .model_type = "gemma", .architecture = "GemmaForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS_ABOUT_1, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED, .scaled_embedding = true,
      .buffer = ".rotary_emb.inv_freq",
      .keys = gemma_keys, .modules = llama_modules },
    { .model_type = "gemma3_text", .architecture = "Gemma3ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS_ABOUT_1, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED,
      .local_rope = true, .scaled_embedding = true,
      .buffer = ".rotary_emb.inv_freq",
      .keys = gemma3_keys, .modules = gemma3_modules },
    { .model_type = "starcoder2", .architecture = "Starcoder2ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_LAYER, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_MLP,
      .buffer = ".rotary_emb.inv_freq",
      .keys = starcoder2_keys, .modules = starcoder2_modules },
    { .model_type = "gpt2", .architecture = "GPT2LMHeadModel",
      .body = "transformer.", .layers = "h.%u.",
      .norm = NORM_LAYER, .pos = POS_LEARNED,
      .mixer = MIX_ATTENTION, .ffn = FF_MLP,
      .scaled_residual = true,
      .buffer = ".attn.bias", .keys = gpt2_keys, .modules = gpt2_modules },
    { .model_type = "gpt_bigcode",
      .architecture = "GPTBigCodeForCausalLM",
      .body = "transformer.", .layers = "h.%u.",
      .norm = NORM_LAYER, .pos = POS_LEARNED,
      .mixer = MIX_ATTENTION, .ffn = FF_MLP, .one_key_head = true,
      .scaled_residual = true, .buffer = ".attn.bias",
      .keys = gpt_bigcode_keys, .modules = gpt_bigcode_modules },
    { .model_type = "phi", .architecture = "PhiForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_LAYER, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_MLP,
      .parallel = true,
      .buffer = ".rotary_emb.inv_freq",
      .keys = phi_keys, .modules = phi_modules },
    { .model_type = "phi3", .architecture = "Phi3ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED, .long_rope = true,
      .buffer = ".rotary_emb.inv_freq",
      .keys = phi3_keys, .modules = phi3_modules },
    { .model_type = "mixtral", .architecture = "MixtralForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_EXPERTS, .route_norm = true,
      .buffer = ".rotary_emb.inv_freq",
      .keys = mixtral_keys, .modules = mixtral_modules },
    { .model_type = "qwen2_moe", .architecture = "Qwen2MoeForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED, .sparse = FF_SHARED,
      .even_windows = true, .buffer = ".rotary_emb.inv_freq",
      .keys = qwen2_moe_keys, .modules = qwen2_moe_modules },
    { .model_type = "qwen3_moe", .architecture = "Qwen3MoeForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_ROTARY,
      .mixer = MIX_ATTENTION, .ffn = FF_GATED, .sparse = FF_EXPERTS,
      .buffer = ".rotary_emb.inv_freq",
      .keys = qwen3_moe_keys, .modules = qwen3_moe_modules },
    { .model_type = "mamba", .architecture = "MambaForCausalLM",
      .body = "backbone.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_NONE,
      .mixer = MIX_MAMBA, .ffn = FF_NONE, .scan_init = true,
      .rank_key = "time_step_rank",
      .keys = mamba_keys, .modules = mamba_modules },
    { .model_type = "mamba2", .architecture = "Mamba2ForCausalLM",
      .body = "backbone.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_NONE,
      .mixer = MIX_MAMBA2, .ffn = FF_NONE, .scan_init = true,
      .rank_key = "time_step_rank",
      .keys = mamba2_keys, .modules = mamba2_modules },
    { .model_type = "jamba", .architecture = "JambaForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .norm = NORM_RMS, .pos = POS_NONE,
      .mixer = MIX_MAMBA, .ffn = FF_GATED, .rank_key = "mamba_dt_rank",
      .sparse = FF_EXPERTS, .lone_dense = true,
      .keys = jamba_keys, .modules = jamba_modules },
};

const struct family *
family_at(size_t i)
{
    return i < sizeof(families) / sizeof(families[0]) ? &families[i] : NULL;
}

int
family_find(const struct family **f, const char *model_type, struct err *e)
{
    struct buf names;
    int rc;

    for (size_t i = 0; (*f = family_at(i)) != NULL; i++) {
        if (strcmp((*f)->model_type, model_type) == 0)
            return 0;
    }
    buf_init(&names);
    for (size_t i = 0; family_at(i) != NULL; i++)
        buf_addf(&names, "%s%s", i == 0 ? "" : ", ",
                 family_at(i)->model_type);
    rc = err_set(e, ERR_DATA, "unknown model_type \"%s\" (expected one of %s)",
                 model_type, names.data);
    buf_release(&names);
    return rc;
}
