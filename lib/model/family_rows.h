/* family_rows.h - what the tables of families are written in; private to
 * lib/model.
 *
 * Limits: 512 layers, 65536 columns, 2^20 rows of vocabulary, 256 heads.
 */
#ifndef MODEL_FAMILY_ROWS_H
#define MODEL_FAMILY_ROWS_H

#include "kernels/ops.h"
#include "model/family.h"

#define AT(field) offsetof(struct config, field)

#define MAX_LAYERS 512
#define MAX_DIM 65536
#define MAX_FF (16 * MAX_DIM)
#define MAX_VOCAB (1 << 20)
#define MAX_HEADS 256
#define MAX_WINDOW (1 << 30)
#define MAX_STATE 256
#define MAX_EXPERTS 1024

/* Rows of a family's keys. */
#define COUNT(key, field, preset, most) \
    { .name = key, .kind = KEY_COUNT, .offset = AT(field), .def = preset, \
      .min = 1, .max = most }
#define COUNT_OR_NULL(key, field, preset, most) \
    { .name = key, .kind = KEY_COUNT, .flags = KEY_NULL, \
      .offset = AT(field), .def = preset, .min = 1, .max = most }
#define COUNT_ALIAS(key, field, most) \
    { .name = key, .kind = KEY_COUNT, .flags = KEY_ALIAS, \
      .offset = AT(field), .min = 1, .max = most }
#define REAL(key, field, preset, least, most) \
    { .name = key, .kind = KEY_REAL, .offset = AT(field), .def = preset, \
      .min = least, .max = most }
#define EPSILON(key, preset) REAL(key, eps, preset, 1e-12, 1)
#define THETA REAL("rope_theta", theta, 1e4, 1e-3, 1e15)
#define INIT_RANGE(preset) \
    REAL("initializer_range", init_range, preset, 0, 100)
#define FLAG(key, field, preset) \
    { .name = key, .kind = KEY_BOOL, .offset = AT(field), .def = preset }
#define PAD_OR(preset) \
    { .name = "pad_token_id", .kind = KEY_COUNT, .flags = KEY_NULL, \
      .offset = AT(pad), .def = preset, .min = -1, .max = MAX_VOCAB, \
      .none = PAD_NONE }
#define PAD PAD_OR(PAD_NONE)
#define SCALE(key, field) REAL(key, field, 1, 1e-9, 1e9)
#define ACT(key, preset) \
    { .name = key, .kind = KEY_WORD, .offset = AT(act), .def = preset, \
      .words = acts }
#define DROP(key, field, preset) \
    { .name = key, .kind = KEY_DROP, .offset = AT(field), .def = preset, \
      .max = 1 }
#define DROP_OR_NULL(key, field, preset) \
    { .name = key, .kind = KEY_DROP, .flags = KEY_NULL, \
      .offset = AT(field), .def = preset, .max = 1 }
#define SIZES(v, d, ff, n, h) \
    COUNT("vocab_size", vocab, v, MAX_VOCAB), \
    COUNT("hidden_size", dim, d, MAX_DIM), \
    COUNT("intermediate_size", ff_dim, ff, MAX_FF), \
    COUNT("num_hidden_layers", n_layers, n, MAX_LAYERS), \
    COUNT("num_attention_heads", heads, h, MAX_HEADS)
#define BALANCE \
    FLAG("output_router_logits", balanced, false), \
    REAL("router_aux_loss_coef", balance, 0.001, 0, 1e9)
#define FREE(key) { .name = key, .kind = KEY_FREE }
#define IDS(key) { .name = key, .kind = KEY_IDS, .flags = KEY_NULL }
#define TEXT(key) { .name = key, .kind = KEY_TEXT, .flags = KEY_NULL }
#define OBJECT(key) { .name = key, .kind = KEY_OBJECT, .flags = KEY_NULL }
#define OFF(key) { .name = key, .kind = KEY_OFF }
#define OFF_OR_NULL(key) { .name = key, .kind = KEY_OFF, .flags = KEY_NULL }
#define ON(key) { .name = key, .kind = KEY_ON }
#define END { .name = NULL }

/* Rows of a family's modules. */
#define Q_K_V(bias) \
    { ROLE_Q, "self_attn.q_proj", bias }, \
    { ROLE_K, "self_attn.k_proj", bias }, \
    { ROLE_V, "self_attn.v_proj", bias }
#define Q_K_NORMS \
    { ROLE_Q_NORM, "self_attn.q_norm", BIAS_NEVER }, \
    { ROLE_K_NORM, "self_attn.k_norm", BIAS_NEVER }
#define GATED_MLP(bias) \
    { ROLE_GATE, "mlp.gate_proj", bias }, \
    { ROLE_UP, "mlp.up_proj", bias }, \
    { ROLE_DOWN, "mlp.down_proj", bias }

/* The windows of the layers; layer_types is read with them. */
#define SLIDING_FROM \
    FLAG("use_sliding_window", use_window, false), \
    COUNT_OR_NULL("sliding_window", window, 4096, MAX_WINDOW), \
    WINDOW_LAYERS
#define WINDOW_LAYERS \
    { .name = "max_window_layers", .kind = KEY_COUNT, \
      .offset = AT(window_from), .def = 28, .max = MAX_WINDOW }, \
    FREE("layer_types")

/* Activations by the names of configurations; from SILU on it is that
 * alone. */
extern const struct key_word acts[];
enum { SILU = 5 };

/* family_mamba.c */
extern const struct key mamba_keys[], mamba2_keys[], jamba_keys[];
extern const struct module_row mamba_modules[], mamba2_modules[],
    jamba_modules[];

/* family_moe.c */
extern const struct key mixtral_keys[], qwen2_moe_keys[], qwen3_moe_keys[];
extern const struct module_row mixtral_modules[], qwen2_moe_modules[],
    qwen3_moe_modules[];

/* family_gpt.c */
extern const struct key gpt2_keys[], gpt_bigcode_keys[];
extern const struct module_row gpt2_modules[], gpt_bigcode_modules[];

/* family_gemma.c */
extern const struct key gemma_keys[], gemma3_keys[];
extern const struct module_row gemma3_modules[];

#endif
