/* desc.h - what a model is: numbers and names, no weights.
 *
 * A layer is a mixer and a feed-forward, each behind a norm, with residuals
 * in sequence or in parallel. A model is layers between an embedding and a
 * head. Every module that has weights is listed by its Hugging Face name, and
 * every tensor that is stored, with its shape and what it is for: whoever
 * needs "all tensors of this model" (the builder, a base's check, initmodel,
 * the adapter's targets) walks these lists and derives nothing again.
 */
#ifndef MODEL_DESC_H
#define MODEL_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum norm_kind { NORM_LAYER, NORM_RMS, NORM_RMS_ABOUT_1 }; /* 1 + gain */
enum pos_kind { POS_LEARNED, POS_ROTARY, POS_NONE };
enum mixer_kind { MIX_ATTENTION, MIX_MAMBA, MIX_MAMBA2, MIXER_KINDS };
enum ffn_kind { FF_MLP, FF_GATED, FF_EXPERTS, FF_SHARED, FF_NONE, FFN_KINDS };

/* What a module is for. */
enum role {
    ROLE_EMBED, /* token embedding [vocab, dim] */
    ROLE_POS,   /* learned positions [max_pos, dim] */
    ROLE_NORM1, /* before the mixer (of both, in a parallel layer) */
    ROLE_QKV,   /* one matrix for query, key and value */
    ROLE_Q,
    ROLE_K,
    ROLE_V,
    ROLE_Q_NORM, /* of the queries, before they turn: of a head, or of all */
    ROLE_K_NORM, /* of the keys */
    ROLE_O,     /* out of the mixer */
    ROLE_IN,    /* of Mamba: what is convolved, and the gate of the output; of
                   Mamba-2 the gate, what is convolved, and the heads' steps */
    ROLE_CONV,  /* a column's last rows, weighed: [columns, 1, width] */
    ROLE_X,     /* the step's low rank, B and C */
    ROLE_DT_NORM, /* of these three */
    ROLE_B_NORM,
    ROLE_C_NORM,
    ROLE_DT,    /* the step of a column */
    ROLE_A_LOG, /* [inner, state] */
    ROLE_HEAD_A_LOG, /* of Mamba-2, [heads] */
    ROLE_STEP_BIAS, /* the same */
    ROLE_SKIP,  /* D, [inner]; of Mamba-2 [heads] */
    ROLE_GATED_NORM, /* of Mamba-2's gated output, group by group */
    ROLE_OUT,   /* out of Mamba */
    ROLE_POST1, /* of what the mixer made */
    ROLE_NORM2, /* before the feed-forward */
    ROLE_GATE_UP, /* one matrix for the next two */
    ROLE_GATE,
    ROLE_UP,
    ROLE_DOWN,  /* out of the feed-forward */
    ROLE_ROUTER, /* which experts, [experts, dim] */
    ROLE_EXPERT_GATE, /* these three: of each expert */
    ROLE_EXPERT_UP,
    ROLE_EXPERT_DOWN,
    ROLE_SHARED_GATE, /* these three: of the expert that all tokens go
                         through */
    ROLE_SHARED_UP,
    ROLE_SHARED_DOWN,
    ROLE_SHARE, /* how much of that a token gets, [1, dim] */
    ROLE_POST2, /* of what the feed-forward made */
    ROLE_NORM_F, /* after the last layer */
    ROLE_HEAD,  /* [vocab, dim]; in a tied model the embedding's */
    ROLE_COUNT
};

#define NO_TENSOR UINT32_MAX

/* A module: NAME.weight and perhaps NAME.bias. A norm has out alone. */
struct module {
    char name[96];
    uint8_t role;
    uint32_t layer;   /* of the layers' modules */
    int32_t expert;   /* that it is of; -1: none */
    uint32_t in, out;
    bool has_bias;
    bool in_out;      /* the weight is stored [in, out] (Conv1D) */
    bool aside;       /* see TENSOR_ASIDE */
    uint32_t weight, bias; /* indices of its tensors, or NO_TENSOR; the
                              weight of a tied head is the embedding's */
};

enum tensor_flag {
    TENSOR_LINEAR = 1,    /* a layer's matrix: what adapters are for */
    TENSOR_NORM = 2,
    TENSOR_EMBEDDING = 4, /* its rows are looked up */
    TENSOR_BIAS = 8,
    TENSOR_DECAYS = 16,   /* full training: by AdamW's weight decay */
    TENSOR_ASIDE = 32,    /* of a linear: no target_modules of PEFT's reach
                             it, which refuses the module, or transformers
                             reads its weight and not the module */
    TENSOR_EXACT = 64     /* a matrix of few numbers that much depends on:
                             in floats where others are in codes */
};

/* Initial values. */
enum init_rule {
    INIT_ZEROS,
    INIT_ONES,
    INIT_NORMAL, /* of deviation init_range */
    INIT_SCALED, /* of init_range / sqrt(2 layers) */
    INIT_FAN_IN, /* uniform in 1 / sqrt(columns) about 0 */
    INIT_OUT,    /* the same, where outputs are scaled over sqrt(2 layers) */
    INIT_A_LOG,  /* log(1), log(2), ... of each row */
    INIT_STEP,   /* of steps' weights: see struct step_desc */
    INIT_STEP_BIAS
};

/* A tensor as a checkpoint stores it: MODULE.weight or MODULE.bias. */
struct model_tensor {
    char name[128];
    uint32_t module;     /* index */
    int32_t expert;      /* that it belongs to; -1: none */
    uint32_t n_dims;     /* 1, 2, or 3: [rows, 1, cols] */
    uint32_t rows, cols; /* a vector has one row */
    uint8_t flags, init; /* enum tensor_flag, enum init_rule */
};

struct layer_desc {
    size_t first, end;  /* its modules are those from first to end */
    uint8_t mixer, ffn; /* rows of layer_kind.h */
    uint32_t heads, kv_heads, head_dim;
    uint8_t rope;     /* of the model's: 0, or 1 */
    uint32_t window;  /* tokens a query sees, itself included; 0: all */
    uint32_t ff_dim;
    uint32_t experts, top_k, expert_dim; /* of a mixture of experts: how many
                         there are, a token goes through, columns of each */
    uint32_t shared_dim; /* of the expert that all tokens go through */
    uint32_t inner, state, width, rank; /* of Mamba: columns, numbers of a
                         column's state, rows it convolves, the step's rank */
    uint32_t groups;  /* of Mamba-2, whose heads are the layer's, and whose
                         steps have no rank: those that have a B and a C of
                         their own; 0: of Mamba */
};

/* Mamba: how the steps' weights begin. Of the weight uniform in scale /
 * sqrt(rank) about 0, or that itself (constant); of the bias such that
 * softplus makes of it a step whose logarithm is uniform between those of
 * least and most, of no less than floor. */
struct step_desc {
    double scale, least, most, floor;
    bool constant;
};

/* Rotary positions: pair j of a head turns by position * freq[j], and cosine
 * and sine are multiplied by factor. */
struct rope_desc {
    uint32_t pairs; /* two columns each; those after them do not turn */
    double factor;
    float *freq;
    uint32_t positions;       /* up to which freq is so; 0: all */
    const char *type;         /* what they were made by: rope_type, and its */
    double stretch, original; /* factor and length, where it has them */
};

/* A dropout of the configuration: its key and probability, over 0. */
struct dropout_desc {
    const char *key;
    double p;
};

#define CONFIG_DROPS 3
#define MODEL_ROPES 2

struct model_desc {
    const struct family *family;
    uint32_t vocab, dim, n_layers, max_pos;
    uint8_t norm, act, pos;
    bool parallel;     /* x + mixer(n) + ffn(n), one norm */
    bool bounded;      /* there is no position from max_pos on */
    bool tied;         /* the head is the embedding */
    bool turned;       /* some matrices are stored [out, in] that transformers'
                          class has the other way round (GPT-2 in GGUF) */
    float eps;
    float attn_scale;      /* of queries times keys */
    double embed_scale, residual_scale, hidden_scale; /* of the embedding, of
                              what a branch adds, of the final norm */
    struct rope_desc rope[MODEL_ROPES]; /* of POS_ROTARY: of all layers; or
                              of those that see all, and those with a window */
    uint32_t pad;      /* 1 + the id of pad_token_id, whose embedding learns
                          nothing from where it stands; 0: none */
    bool route_norm;   /* the weights of a token's experts add up to 1 */
    float balance;     /* coefficient of the load-balancing loss; 0: none */
    float init_range;  /* standard deviation of initial weights */
    struct step_desc step;
    float step_low, step_high; /* between which Mamba-2's steps are kept */
    struct dropout_desc drop[CONFIG_DROPS]; /* none of them is applied */
    uint32_t n_drops;
    struct layer_desc *layer;
    struct module *module; /* embedding, layers in order, norm, head */
    size_t n_modules;
    struct model_tensor *tensor; /* in the order of the modules */
    size_t n_tensors;
};

/* Reads the text of a config.json (of transformers 4 or 5). Keys that are
 * absent take the class's own default. ERR_DATA for an unknown model_type, a
 * value of a wrong type, and anything this program can't do exactly (a type
 * of rope scaling, an activation), by name; sizes are bounded and must fit
 * together. where is the file's name for messages. On failure *d is
 * released. */
int desc_read(struct model_desc *d, const char *text, size_t n,
              const char *where, struct err *e);
void desc_release(struct model_desc *d);

/* The head of a tied model gets a weight of its own. */
void desc_untie(struct model_desc *d);

/* The module of that role (in that layer); NULL when there is none. */
const struct module *desc_module(const struct model_desc *d, enum role role,
                                 uint32_t layer);

/* The module of that role of an expert. */
const struct module *desc_expert(const struct model_desc *d, enum role role,
                                 uint32_t layer, uint32_t expert);

/* Whether it is one of the layers' matrices that adapters are for. */
bool module_is_linear(const struct model_desc *d, const struct module *m);

/* Whether what decoding keeps of the past, in some layer, is a state that
 * can't be cut back to fewer tokens. */
bool desc_recurs(const struct model_desc *d);

/* Whether there are positions for so many tokens. */
bool desc_reaches(const struct model_desc *d, uint32_t tokens);

/* What positions a bounded model has max_pos of, and the key that says how
 * many: for messages. */
const char *desc_positions(const struct model_desc *d);

/* Parameters of the model: every weight and bias once. */
uint64_t desc_params(const struct model_desc *d);

#endif
