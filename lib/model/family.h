/* family.h - a family of models as a table.
 *
 * A family maps Hugging Face's config.json keys and module names onto a
 * model_desc. Adding a family is adding one of these.
 */
#ifndef MODEL_FAMILY_H
#define MODEL_FAMILY_H

#include "model/desc.h"

/* The numbers of a config.json before they are checked and turned into a
 * description. 0: derive from the others (kv_heads, head_dim, ff_dim) or
 * none (window). */
struct config {
    double vocab, dim, n_layers, heads, kv_heads, head_dim, ff_dim, max_pos;
    double eps, theta, rotary, window, use_window, window_from, tied;
    double attn_bias, mlp_bias, init_range;
};

struct cfg_key {
    const char *key;  /* NULL ends the list */
    size_t offset;    /* of a double in struct config */
    double def;       /* the class's own default */
};

/* When a module has a bias. */
enum bias_rule { BIAS_NEVER, BIAS_ALWAYS, BIAS_ATTN, BIAS_MLP };

struct wt_name {
    uint8_t role, bias;
    bool in_out;
    const char *name; /* layers' modules: below the layer's prefix */
};

struct family {
    const char *model_type;
    const char *architecture;     /* config.json's architectures[0] */
    const char *body;             /* "model." or "transformer." */
    const char *layers;           /* "layers.%u." below body */
    const char *act_key, *act;    /* key of the activation, its default */
    uint8_t norm, pos, ffn;
    bool parallel;
    bool scaled_residual; /* init of outputs scaled by 1/sqrt(2 layers) */
    const struct cfg_key *keys;
    const struct wt_name *names;  /* ends with name NULL */
    /* Behaviours that have no counterpart here: a key that must be absent,
     * null or false; with "!" before it, absent, null or true. */
    const char *const *refused;
};

/* NULL for an unknown model_type. */
const struct family *family_find(const char *model_type);

/* Family i, NULL past the last. */
const struct family *family_at(size_t i);

#endif
