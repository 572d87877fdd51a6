/* family.c - the tables of the families.
 *
 * Defaults are those of the configuration classes of transformers 4 and 5
 * (src/transformers/models/NAME/configuration_NAME.py); module names are
 * those of the modelling classes beside them.
 */
#include "model/family.h"

#include <string.h>

#define AT(field) offsetof(struct config, field)

static const struct cfg_key llama_keys[] = {
    { "vocab_size", AT(vocab), 32000 },
    { "hidden_size", AT(dim), 4096 },
    { "intermediate_size", AT(ff_dim), 11008 },
    { "num_hidden_layers", AT(n_layers), 32 },
    { "num_attention_heads", AT(heads), 32 },
    { "num_key_value_heads", AT(kv_heads), 0 },
    { "head_dim", AT(head_dim), 0 },
    { "max_position_embeddings", AT(max_pos), 2048 },
    { "rms_norm_eps", AT(eps), 1e-6 },
    { "rope_theta", AT(theta), 10000 },
    { "attention_bias", AT(attn_bias), 0 },
    { "mlp_bias", AT(mlp_bias), 0 },
    { "tie_word_embeddings", AT(tied), 0 },
    { "initializer_range", AT(init_range), 0.02 },
    { NULL, 0, 0 },
};

static const struct wt_name llama_names[] = {
    { ROLE_EMBED, BIAS_NEVER, false, "embed_tokens" },
    { ROLE_NORM1, BIAS_NEVER, false, "input_layernorm" },
    { ROLE_Q, BIAS_ATTN, false, "self_attn.q_proj" },
    { ROLE_K, BIAS_ATTN, false, "self_attn.k_proj" },
    { ROLE_V, BIAS_ATTN, false, "self_attn.v_proj" },
    { ROLE_O, BIAS_ATTN, false, "self_attn.o_proj" },
    { ROLE_NORM2, BIAS_NEVER, false, "post_attention_layernorm" },
    { ROLE_GATE, BIAS_MLP, false, "mlp.gate_proj" },
    { ROLE_UP, BIAS_MLP, false, "mlp.up_proj" },
    { ROLE_DOWN, BIAS_MLP, false, "mlp.down_proj" },
    { ROLE_NORM_F, BIAS_NEVER, false, "norm" },
    { ROLE_HEAD, BIAS_NEVER, false, "lm_head" },
    { 0, 0, false, NULL },
};

static const struct cfg_key qwen2_keys[] = {
    { "vocab_size", AT(vocab), 151936 },
    { "hidden_size", AT(dim), 4096 },
    { "intermediate_size", AT(ff_dim), 22016 },
    { "num_hidden_layers", AT(n_layers), 32 },
    { "num_attention_heads", AT(heads), 32 },
    { "num_key_value_heads", AT(kv_heads), 32 },
    { "head_dim", AT(head_dim), 0 },
    { "max_position_embeddings", AT(max_pos), 32768 },
    { "rms_norm_eps", AT(eps), 1e-6 },
    { "rope_theta", AT(theta), 10000 },
    { "use_sliding_window", AT(use_window), 0 },
    { "sliding_window", AT(window), 4096 },
    { "max_window_layers", AT(window_from), 28 },
    { "tie_word_embeddings", AT(tied), 0 },
    { "initializer_range", AT(init_range), 0.02 },
    { NULL, 0, 0 },
};

static const struct wt_name qwen2_names[] = {
    { ROLE_EMBED, BIAS_NEVER, false, "embed_tokens" },
    { ROLE_NORM1, BIAS_NEVER, false, "input_layernorm" },
    { ROLE_Q, BIAS_ALWAYS, false, "self_attn.q_proj" },
    { ROLE_K, BIAS_ALWAYS, false, "self_attn.k_proj" },
    { ROLE_V, BIAS_ALWAYS, false, "self_attn.v_proj" },
    { ROLE_O, BIAS_NEVER, false, "self_attn.o_proj" },
    { ROLE_NORM2, BIAS_NEVER, false, "post_attention_layernorm" },
    { ROLE_GATE, BIAS_NEVER, false, "mlp.gate_proj" },
    { ROLE_UP, BIAS_NEVER, false, "mlp.up_proj" },
    { ROLE_DOWN, BIAS_NEVER, false, "mlp.down_proj" },
    { ROLE_NORM_F, BIAS_NEVER, false, "norm" },
    { ROLE_HEAD, BIAS_NEVER, false, "lm_head" },
    { 0, 0, false, NULL },
};

static const struct cfg_key starcoder2_keys[] = {
    { "vocab_size", AT(vocab), 49152 },
    { "hidden_size", AT(dim), 3072 },
    { "intermediate_size", AT(ff_dim), 12288 },
    { "num_hidden_layers", AT(n_layers), 30 },
    { "num_attention_heads", AT(heads), 24 },
    { "num_key_value_heads", AT(kv_heads), 2 },
    { "max_position_embeddings", AT(max_pos), 4096 },
    { "norm_epsilon", AT(eps), 1e-5 },
    { "rope_theta", AT(theta), 10000 },
    { "sliding_window", AT(window), 0 },
    { "use_bias", AT(attn_bias), 1 },
    { "tie_word_embeddings", AT(tied), 1 },
    { "initializer_range", AT(init_range), 0.018042 },
    { NULL, 0, 0 },
};

static const struct wt_name starcoder2_names[] = {
    { ROLE_EMBED, BIAS_NEVER, false, "embed_tokens" },
    { ROLE_NORM1, BIAS_ALWAYS, false, "input_layernorm" },
    { ROLE_Q, BIAS_ATTN, false, "self_attn.q_proj" },
    { ROLE_K, BIAS_ATTN, false, "self_attn.k_proj" },
    { ROLE_V, BIAS_ATTN, false, "self_attn.v_proj" },
    { ROLE_O, BIAS_ATTN, false, "self_attn.o_proj" },
    { ROLE_NORM2, BIAS_ALWAYS, false, "post_attention_layernorm" },
    { ROLE_UP, BIAS_ATTN, false, "mlp.c_fc" }, /* use_bias rules both */
    { ROLE_DOWN, BIAS_ATTN, false, "mlp.c_proj" },
    { ROLE_NORM_F, BIAS_ALWAYS, false, "norm" },
    { ROLE_HEAD, BIAS_NEVER, false, "lm_head" },
    { 0, 0, false, NULL },
};

static const struct cfg_key gpt2_keys[] = {
    { "vocab_size", AT(vocab), 50257 },
    { "n_embd", AT(dim), 768 },
    { "n_inner", AT(ff_dim), 0 },
    { "n_layer", AT(n_layers), 12 },
    { "n_head", AT(heads), 12 },
    { "n_positions", AT(max_pos), 1024 },
    { "layer_norm_epsilon", AT(eps), 1e-5 },
    { "tie_word_embeddings", AT(tied), 1 },
    { "initializer_range", AT(init_range), 0.02 },
    { NULL, 0, 0 },
};

static const struct wt_name gpt2_names[] = {
    { ROLE_EMBED, BIAS_NEVER, false, "wte" },
    { ROLE_POS, BIAS_NEVER, false, "wpe" },
    { ROLE_NORM1, BIAS_ALWAYS, false, "ln_1" },
    { ROLE_QKV, BIAS_ALWAYS, true, "attn.c_attn" },
    { ROLE_O, BIAS_ALWAYS, true, "attn.c_proj" },
    { ROLE_NORM2, BIAS_ALWAYS, false, "ln_2" },
    { ROLE_UP, BIAS_ALWAYS, true, "mlp.c_fc" },
    { ROLE_DOWN, BIAS_ALWAYS, true, "mlp.c_proj" },
    { ROLE_NORM_F, BIAS_ALWAYS, false, "ln_f" },
    { ROLE_HEAD, BIAS_NEVER, false, "lm_head" },
    { 0, 0, false, NULL },
};

static const struct cfg_key phi_keys[] = {
    { "vocab_size", AT(vocab), 51200 },
    { "hidden_size", AT(dim), 2048 },
    { "intermediate_size", AT(ff_dim), 8192 },
    { "num_hidden_layers", AT(n_layers), 24 },
    { "num_attention_heads", AT(heads), 32 },
    { "num_key_value_heads", AT(kv_heads), 0 },
    { "max_position_embeddings", AT(max_pos), 2048 },
    { "layer_norm_eps", AT(eps), 1e-5 },
    { "rope_theta", AT(theta), 10000 },
    { "partial_rotary_factor", AT(rotary), 0.5 },
    { "tie_word_embeddings", AT(tied), 0 },
    { "initializer_range", AT(init_range), 0.02 },
    { NULL, 0, 0 },
};

static const struct wt_name phi_names[] = {
    { ROLE_EMBED, BIAS_NEVER, false, "embed_tokens" },
    { ROLE_NORM1, BIAS_ALWAYS, false, "input_layernorm" },
    { ROLE_Q, BIAS_ALWAYS, false, "self_attn.q_proj" },
    { ROLE_K, BIAS_ALWAYS, false, "self_attn.k_proj" },
    { ROLE_V, BIAS_ALWAYS, false, "self_attn.v_proj" },
    { ROLE_O, BIAS_ALWAYS, false, "self_attn.dense" },
    { ROLE_UP, BIAS_ALWAYS, false, "mlp.fc1" },
    { ROLE_DOWN, BIAS_ALWAYS, false, "mlp.fc2" },
    { ROLE_NORM_F, BIAS_ALWAYS, false, "final_layernorm" },
    { ROLE_HEAD, BIAS_ALWAYS, false, "lm_head" },
    { 0, 0, false, NULL },
};

static const char *const gpt2_refused[] = {
    "scale_attn_by_inverse_layer_idx", "add_cross_attention",
    "!scale_attn_weights", NULL
};

static const char *const phi_refused[] = { "qk_layernorm", NULL };

static const char *const none_refused[] = { NULL };

static const struct family families[] = {
    { .model_type = "llama", .architecture = "LlamaForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .act_key = "hidden_act", .act = "silu",
      .norm = NORM_RMS, .pos = POS_ROTARY, .ffn = FF_GATED,
      .keys = llama_keys, .names = llama_names, .refused = none_refused },
    { .model_type = "qwen2", .architecture = "Qwen2ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .act_key = "hidden_act", .act = "silu",
      .norm = NORM_RMS, .pos = POS_ROTARY, .ffn = FF_GATED,
      .keys = qwen2_keys, .names = qwen2_names, .refused = none_refused },
    { .model_type = "starcoder2", .architecture = "Starcoder2ForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .act_key = "hidden_act", .act = "gelu_pytorch_tanh",
      .norm = NORM_LAYER, .pos = POS_ROTARY, .ffn = FF_MLP,
      .keys = starcoder2_keys, .names = starcoder2_names,
      .refused = none_refused },
    { .model_type = "gpt2", .architecture = "GPT2LMHeadModel",
      .body = "transformer.", .layers = "h.%u.",
      .act_key = "activation_function", .act = "gelu_new",
      .norm = NORM_LAYER, .pos = POS_LEARNED, .ffn = FF_MLP,
      .scaled_residual = true,
      .keys = gpt2_keys, .names = gpt2_names, .refused = gpt2_refused },
    { .model_type = "phi", .architecture = "PhiForCausalLM",
      .body = "model.", .layers = "layers.%u.",
      .act_key = "hidden_act", .act = "gelu_new",
      .norm = NORM_LAYER, .pos = POS_ROTARY, .ffn = FF_MLP,
      .parallel = true,
      .keys = phi_keys, .names = phi_names, .refused = phi_refused },
};

const struct family *
family_at(size_t i)
{
    return i < sizeof(families) / sizeof(families[0]) ? &families[i] : NULL;
}

const struct family *
family_find(const char *model_type)
{
    const struct family *f;

    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        if (strcmp(f->model_type, model_type) == 0)
            return f;
    }
    return NULL;
}
