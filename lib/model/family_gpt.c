/* family_gpt.c - keys and modules of GPT-2 and of GPT-BigCode, StarCoder's
 * first. See family.c. */
#include "model/family_rows.h"

/* transformers knows four of them by the names of other families, too. */
#define GPT_SIZES \
    COUNT("vocab_size", vocab, 50257, MAX_VOCAB), \
    COUNT("n_embd", dim, 768, MAX_DIM), \
    COUNT_ALIAS("hidden_size", dim, MAX_DIM), \
    COUNT_OR_NULL("n_inner", ff_dim, 0, MAX_FF), \
    COUNT("n_layer", n_layers, 12, MAX_LAYERS), \
    COUNT_ALIAS("num_hidden_layers", n_layers, MAX_LAYERS), \
    COUNT("n_head", heads, 12, MAX_HEADS), \
    COUNT_ALIAS("num_attention_heads", heads, MAX_HEADS), \
    COUNT("n_positions", max_pos, 1024, MAX_POSITIONS), \
    COUNT_ALIAS("max_position_embeddings", max_pos, MAX_POSITIONS)
#define GPT_DROPS \
    DROP("resid_pdrop", drop[0], 0.1), \
    DROP("embd_pdrop", drop[1], 0.1), \
    DROP("attn_pdrop", drop[2], 0.1)

const struct key gpt2_keys[] = {
    GPT_SIZES,
    ACT("activation_function", ACT_GELU_TANH),
    EPSILON("layer_norm_epsilon", 1e-5),
    FLAG("tie_word_embeddings", tied, true),
    FLAG("fan_in_fan_out", in_out, true), /* graft's: of GGUF files, false */
    INIT_RANGE(0.02),
    GPT_DROPS,
    ON("scale_attn_weights"),
    OFF("scale_attn_by_inverse_layer_idx"),
    OFF("add_cross_attention"),
    FLAG("reorder_and_upcast_attn", ignored, false), /* float32 anyway */
    TEXT("summary_activation"), /* of other heads, as the next four */
    REAL("summary_first_dropout", ignored, 0.1, 0, 1),
    FLAG("summary_proj_to_labels", ignored, true),
    TEXT("summary_type"),
    FLAG("summary_use_proj", ignored, true),
    END
};

const struct module_row gpt2_modules[] = {
    { ROLE_EMBED, "wte", BIAS_NEVER },
    { ROLE_POS, "wpe", BIAS_NEVER },
    { ROLE_NORM1, "ln_1", BIAS_ALWAYS },
    { ROLE_QKV, "attn.c_attn", BIAS_ALWAYS, .in_out = true },
    { ROLE_O, "attn.c_proj", BIAS_ALWAYS, .in_out = true },
    { ROLE_NORM2, "ln_2", BIAS_ALWAYS },
    { ROLE_UP, "mlp.c_fc", BIAS_ALWAYS, .in_out = true },
    { ROLE_DOWN, "mlp.c_proj", BIAS_ALWAYS, .in_out = true },
    { ROLE_NORM_F, "ln_f", BIAS_ALWAYS },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};

/* With multi_query all queries share a key and a value. Without it they stand
 * head by head in c_attn. */
const struct key gpt_bigcode_keys[] = {
    GPT_SIZES,
    ACT("activation_function", ACT_GELU_TANH),
    EPSILON("layer_norm_epsilon", 1e-5),
    FLAG("tie_word_embeddings", tied, true),
    INIT_RANGE(0.02),
    GPT_DROPS,
    ON("multi_query"),
    ON("scale_attn_weights"),
    OFF("add_cross_attention"),
    FLAG("attention_softmax_in_fp32", ignored, true), /* float32 anyway */
    FLAG("scale_attention_softmax_in_fp32", ignored, true),
    END
};

const struct module_row gpt_bigcode_modules[] = {
    { ROLE_EMBED, "wte", BIAS_NEVER },
    { ROLE_POS, "wpe", BIAS_NEVER },
    { ROLE_NORM1, "ln_1", BIAS_ALWAYS },
    { ROLE_QKV, "attn.c_attn", BIAS_ALWAYS },
    { ROLE_O, "attn.c_proj", BIAS_ALWAYS },
    { ROLE_NORM2, "ln_2", BIAS_ALWAYS },
    { ROLE_UP, "mlp.c_fc", BIAS_ALWAYS },
    { ROLE_DOWN, "mlp.c_proj", BIAS_ALWAYS },
    { ROLE_NORM_F, "ln_f", BIAS_ALWAYS },
    { ROLE_HEAD, "lm_head", BIAS_NEVER },
    END
};
