/* family.h - a family of models as a table.
 *
 * A family maps Hugging Face's config.json keys and module names onto a
 * model_desc. Adding a family is adding one of these.
 */
#ifndef MODEL_FAMILY_H
#define MODEL_FAMILY_H

#include "model/desc.h"
#include "model/keys.h"

#define MAX_HEAD_DIM 1024
#define PAD_NONE (-2)
#define MAX_POSITIONS (1 << 24) /* also of a model without any */

/* The numbers of a config.json before they are checked against each other
 * and turned into a description. 0: derive from the others (kv_heads,
 * head_dim, ff_dim) or none (window). */
struct config {
    double vocab, dim, n_layers, heads, kv_heads, head_dim, ff_dim, max_pos;
    double act, eps, theta, rotary, window, use_window, window_from, tied;
    double attn_scale; /* 0: 1 / sqrt(head_dim) */
    double query_scalar;  /* over 0: attn_scale is 1 / sqrt of it */
    double local_theta, pattern; /* pattern p over 0: but for each p-th, the
                                    layers have a window */
    double embed_scale, residual_scale, logits_divisor;
    double top_k, expert_dim; /* of experts; expert_dim 0: ff_dim */
    double shared_dim, route_norm;
    double balanced, balance; /* whether there is a load-balancing loss, and
                                 its coefficient */
    double inner, expand, state, width, rank; /* of Mamba; rank 0: dim / 16 */
    double groups, step_low, step_high; /* of Mamba-2 */
    double step_scale, step_least, step_most, step_floor, step_constant;
    double conv_bias;
    double attn_period, attn_offset; /* period p over 0: layer l is attention
                                        where l % p is the offset */
    double experts, expert_period, expert_offset; /* the same of mixtures; an
                                                     offset of -1: the last */
    double attn_bias, mlp_bias, init_range, drop[CONFIG_DROPS];
    double in_out;  /* 0: the matrices of rows that say in_out are stored as
                       all others are */
    double pad;     /* -1: the last id */
    double ignored; /* checked, and of no effect */
};

/* When a module has a bias. */
enum bias_rule { BIAS_NEVER, BIAS_ALWAYS, BIAS_ATTN, BIAS_MLP, BIAS_CONV };

/* A module of a family. */
struct module_row {
    uint8_t role;
    const char *name; /* layers' modules: below the layer's prefix; %u: the
                         expert */
    uint8_t bias;
    bool in_out;
    bool aside; /* of a linear: see TENSOR_ASIDE */
};

struct family {
    const char *model_type;
    const char *architecture;     /* config.json's architectures[0] */
    const char *body;             /* "model." or "transformer." */
    const char *layers;           /* "layers.%u." below body */
    const char *buffer;           /* in the names of tensors that old files
                                     hold and that are no weights; NULL: none
                                     do */
    uint8_t norm, pos;
    uint8_t mixer, ffn;           /* of every layer that a key of the
                                     family does not make another */
    uint8_t sparse;               /* the feed-forward of those that keys make
                                     a mixture of experts */
    const char *rank_key;         /* of Mamba: the key of the step's rank */
    bool parallel;
    bool local_rope;      /* layers with a window turn by settings of their
                             own, and all attention types have theirs */
    bool one_key_head;    /* all queries share a key and a value */
    bool long_rope;       /* rotary types are the default and longrope, which
                             other families have not */
    bool scaled_embedding; /* by sqrt(dim) */
    bool qk_norm_whole;   /* q and k are normed over all heads together */
    bool route_norm;      /* see struct model_desc */
    bool lone_dense;      /* a single expert is no mixture */
    bool even_windows;    /* of the layers below max_window_layers the first,
                             third, ... have a window, and not those from it
                             on */
    bool scaled_residual; /* init of outputs scaled by 1/sqrt(2 layers) */
    bool scan_init;       /* scans begin as Mamba's do, and not as other
                             linears */
    const struct key *keys;           /* into a struct config */
    const struct module_row *modules; /* the layers' stand together; ends
                                         with name NULL */
};

/* What any family's config.json may hold besides the family's own keys, and
 * what none of them does. */
extern const struct key common_keys[];

/* The family and the numbers of a config.json, as desc_read takes them: with
 * defaults, what is derived, and the checks. Fails as desc_read. */
int family_config(struct config *c, const struct family **f, const char *text,
                  size_t n, const char *where, struct err *e);

/* *f = the family of that model_type; ERR_DATA, naming those there are, for an
 * unknown one. */
int family_find(const struct family **f, const char *model_type,
                struct err *e);

/* Family i, NULL past the last. */
const struct family *family_at(size_t i);

#endif
