/* tiny_model.h - small random models in memory, for tests of programs. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/prog.h"

static const char tiny_llama[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"head_dim\": 8, \"max_position_embeddings\": 64}";
static const char tiny_gpt2[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 61, \"n_embd\": 24,"
    " \"n_layer\": 3, \"n_head\": 3, \"n_positions\": 64}";
static const char tiny_phi[] =
    "{\"model_type\": \"phi\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 3, \"partial_rotary_factor\": 0.5,"
    " \"max_position_embeddings\": 64}";
static const char tiny_qwen2[] =
    "{\"model_type\": \"qwen2\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 1,"
    " \"head_dim\": 6, \"tie_word_embeddings\": true}";
static const char tiny_mistral[] =
    "{\"model_type\": \"mistral\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"sliding_window\": 6, \"max_position_embeddings\": 64}";
static const char tiny_qwen3[] =
    "{\"model_type\": \"qwen3\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"head_dim\": 10, \"tie_word_embeddings\": true}";
static const char tiny_granite[] =
    "{\"model_type\": \"granite\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"embedding_multiplier\": 1.5,"
    " \"attention_multiplier\": 0.3, \"residual_multiplier\": 0.6,"
    " \"logits_scaling\": 1.25}";
static const char tiny_olmo2[] =
    "{\"model_type\": \"olmo2\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2}";
static const char tiny_gemma3[] =
    "{\"model_type\": \"gemma3_text\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"head_dim\": 8, \"sliding_window\": 5, \"sliding_window_pattern\": 2}";
static const char tiny_starcoder2[] =
    "{\"model_type\": \"starcoder2\", \"vocab_size\": 61,"
    " \"hidden_size\": 24, \"intermediate_size\": 40,"
    " \"num_hidden_layers\": 3, \"num_attention_heads\": 4,"
    " \"num_key_value_heads\": 2, \"sliding_window\": 5}";

static const char tiny_mamba[] =
    "{\"model_type\": \"mamba\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"num_hidden_layers\": 3, \"state_size\": 5, \"time_step_rank\": 3}";
static const char tiny_mamba2[] =
    "{\"model_type\": \"mamba2\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"num_hidden_layers\": 3, \"state_size\": 5, \"num_heads\": 6,"
    " \"head_dim\": 8, \"n_groups\": 2}";
static const char tiny_jamba[] =
    "{\"model_type\": \"jamba\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"attn_layer_period\": 2, \"attn_layer_offset\": 1,"
    " \"num_experts\": 1, \"mamba_d_state\": 5, \"mamba_dt_rank\": 3}";

static const char tiny_mixtral[] =
    "{\"model_type\": \"mixtral\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 20, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"num_local_experts\": 5}";

static const char tiny_qwen2_moe[] =
    "{\"model_type\": \"qwen2_moe\", \"vocab_size\": 61,"
    " \"hidden_size\": 24, \"intermediate_size\": 40,"
    " \"num_hidden_layers\": 3, \"num_attention_heads\": 4,"
    " \"num_key_value_heads\": 2, \"num_experts\": 5,"
    " \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 12,"
    " \"shared_expert_intermediate_size\": 20, \"mlp_only_layers\": [1]}";

static const char tiny_qwen3_moe[] =
    "{\"model_type\": \"qwen3_moe\", \"vocab_size\": 61,"
    " \"hidden_size\": 24, \"intermediate_size\": 40,"
    " \"num_hidden_layers\": 3, \"num_attention_heads\": 4,"
    " \"num_key_value_heads\": 2, \"head_dim\": 8, \"num_experts\": 5,"
    " \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 12,"
    " \"mlp_only_layers\": [1]}";

static const char tiny_gemma[] =
    "{\"model_type\": \"gemma\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 1,"
    " \"head_dim\": 8}";

static const char tiny_phi3[] =
    "{\"model_type\": \"phi3\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 6, \"num_key_value_heads\": 2,"
    " \"pad_token_id\": null}";

static const char tiny_gpt_bigcode[] =
    "{\"model_type\": \"gpt_bigcode\", \"vocab_size\": 61, \"n_embd\": 24,"
    " \"n_inner\": 40, \"n_layer\": 3, \"n_head\": 3, \"n_positions\": 64}";

static const char *const tiny_configs[] = {
    tiny_llama, tiny_gpt2, tiny_phi, tiny_qwen2, tiny_starcoder2,
    tiny_mistral, tiny_qwen3, tiny_granite, tiny_olmo2, tiny_gemma3,
    tiny_mamba, tiny_mamba2, tiny_jamba, tiny_mixtral, tiny_qwen2_moe,
    tiny_qwen3_moe, tiny_gemma, tiny_phi3, tiny_gpt_bigcode
};
#define N_TINY (sizeof(tiny_configs) / sizeof(tiny_configs[0]))

struct tiny_model {
    struct model_desc desc;
    struct frozen base; /* F32 */
};

/* Normal numbers of deviation 0.3 (norm gains about 1), from the name. */
static inline void
tiny_fill(struct frozen_tensor *to, const struct model_tensor *t)
{
    size_t n = (size_t)t->rows * t->cols;
    float *data = mem_array(n, sizeof(*data));
    float add = t->flags & TENSOR_NORM ? 1 : 0;
    struct rng r;

    rng_init(&r, 7, rng_site(t->name));
    for (size_t i = 0; i < n; i++)
        data[i] = (float)(0.3 * rng_normal(&r)) + add;
    *to = (struct frozen_tensor){ t->name, data, NULL, DTYPE_F32 };
}

/* Exits when the configuration is bad: tests give good ones. */
static inline void
tiny_open(struct tiny_model *t, const char *config)
{
    struct model_desc *d = &t->desc;
    struct err e;

    if (desc_read(d, config, strlen(config), "tiny", &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    t->base = (struct frozen){ "tiny", 0,
                               mem_array(d->n_tensors,
                                         sizeof(*t->base.tensor)) };
    for (size_t i = 0; i < d->n_tensors; i++)
        tiny_fill(&t->base.tensor[i], &d->tensor[i]);
}

static inline void
tiny_close(struct tiny_model *t)
{
    for (size_t i = 0; i < t->desc.n_tensors; i++)
        free((void *)t->base.tensor[i].data);
    free(t->base.tensor);
    desc_release(&t->desc);
}

#endif
