/* gguf_rows.c - the keys that describe a model. */
#include "weights/gguf_rows.h"

const struct gguf_row gguf_rows[] = {
    { "context_length", FIELD(max_pos), .required = true },
    { "embedding_length", FIELD(dim), .required = true },
    { "block_count", FIELD(n_layers), .required = true },
    { "feed_forward_length", FIELD(ff_dim), .required = true },
    { "attention.head_count", FIELD(heads), .required = true },
    { "attention.head_count_kv", FIELD(kv_heads) },
    { "attention.key_length", FIELD(head_dim) },
    { "attention.sliding_window", FIELD(window) },
    { "vocab_size", FIELD(vocab) },
    { "rope.freq_base", FIELD(theta), .real = true },
    { .key = NULL }
};

/* The epsilon's key, by the kind of norm. */
const struct gguf_row gguf_eps_rows[] = {
    [NORM_LAYER] = { "attention.layer_norm_epsilon", FIELD(eps),
                     .real = true, .required = true },
    [NORM_RMS] = { "attention.layer_norm_rms_epsilon", FIELD(eps),
                   .real = true, .required = true },
};

/* Numbers of the families that have them. */
const struct gguf_row gguf_own[] = {
    { "attention.scale", FIELD(attn_scale), .real = true },
    { "embedding_scale", FIELD(embed_scale), .real = true },
    { "residual_scale", FIELD(residual_scale), .real = true },
    { "logit_scale", FIELD(logits_divisor), .real = true },
    { "expert_count", FIELD(experts) },
    { "expert_used_count", FIELD(top_k) },
    { "expert_feed_forward_length", FIELD(expert_dim) },
    { .key = NULL }
};

const struct key *
gguf_family_key(const struct family *f, size_t field)
{
    for (const struct key *k = f->keys; k->name != NULL; k++)
        if (k->offset == field && !(k->flags & KEY_ALIAS)
            && (k->kind == KEY_COUNT || k->kind == KEY_REAL
                || k->kind == KEY_BOOL))
            return k;
    return NULL;
}
