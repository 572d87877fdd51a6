/* adapter.h - a LoRA adapter in memory, and as PEFT's directory of two files.
 * mlx-lm's is read, too (adapter_mlx.h).
 *
 * adapter_model.safetensors holds, in F32,
 *   base_model.model.MODULE.lora_A.weight [rank, in]
 *   base_model.model.MODULE.lora_B.weight [out, rank]
 * whatever way round the base stores the module's weight, and with DoRA
 *   base_model.model.MODULE.lora_magnitude_vector [out]
 * The layer then is
 *   y = x W^T + bias + scale * (x A^T) B^T
 *   scale = alpha / rank, with rsLoRA alpha / sqrt(rank)
 * and with DoRA, of every output o,
 *   y = c x (W + scale * B A)^T + bias
 *   c[o] = magnitude[o] / |(W + scale * B A)[o, :]|
 * Of a module that was trained in full beside them (adapter_saved.h) it holds
 *   base_model.model.MODULE.weight, and .bias where it has one,
 * which take the base's place; and so do rows of an embedding, of
 *   base_model.model.MODULE.token_adapter.trainable_tokens_delta [n, dim]
 * (adapter_tokens.h). adapter_config.json holds the rest.
 *
 * Reading is strict, because an adapter that is half understood is an
 * adapter of half strength: a tensor that is not one of these, a matrix
 * without its partner, a value that is not finite, a key of the config that
 * is set and that we do not know or that has a wrong type, a module that PEFT
 * would leave out by its config are errors.
 */
#ifndef WEIGHTS_ADAPTER_H
#define WEIGHTS_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"
#include "model/desc.h"
#include "tensor/safetensors.h"

#define ADAPTER_CONFIG "adapter_config.json"
#define ADAPTER_WEIGHTS "adapter_model.safetensors"

struct adapter_module {
    const char *name;  /* "model.layers.0.self_attn.q_proj" */
    uint32_t in, out, rank;
    double alpha;
    const float *a, *b; /* a[rank, in], b[out, rank] */
    const float *magnitude; /* DoRA: [out]; NULL: none */
};

/* A tensor of a module that is saved whole. */
struct adapter_tensor {
    const char *name;    /* "model.embed_tokens.weight" */
    uint32_t n_dims;     /* 1 or 2 */
    uint64_t rows, cols; /* a vector has one row */
    const float *data;
};

/* Rows of an embedding, or a head, that are trained: adapter_tokens.h. */
struct adapter_tokens {
    const char *key;    /* that the config has for it; NULL: the embedding */
    int32_t *id;        /* rising */
    uint32_t n, cols;
    const char *module; /* whose rows these are; NULL: there are none */
    float *rows;        /* [n, cols] */
};

/* Modules whose rank or alpha is another than the adapter's: the first key
 * that matches (module_ends) counts. */
struct adapter_patterns {
    struct adapter_pattern { const char *key; double value; } *item;
    size_t n;
};

struct adapter {
    uint32_t rank;          /* of modules that no pattern matches */
    double alpha, dropout;
    struct adapter_patterns rank_pattern, alpha_pattern;
    bool rslora, dora;
    bool fan_in_fan_out;    /* the base stores weights [in, out] (GPT-2) */
    const char *base;       /* base_model_name_or_path; NULL: none */
    const char **target;    /* target_modules: ends of module paths; none
                               when writing: taken from the items, which
                               then have to be in every layer */
    size_t n_targets;
    bool target_pattern;    /* the one target is a pattern (module_matches),
                               or all-linear */
    bool some_layers;       /* read: layers_to_transform leaves out layers */
    struct adapter_module *item; /* read: bytewise by name */
    size_t n;
    const char **save;      /* modules_to_save: see adapter_saved.h */
    size_t n_save;
    bool tied;              /* ensure_weight_tying */
    struct adapter_tensor *whole; /* of the modules that are saved */
    size_t n_whole;
    struct adapter_tokens *tokens; /* trainable_token_indices */
    size_t n_tokens;
    float *data;            /* read: the memory behind all of these */
};

/* The directory of the adapter that path names: path itself, or RUN/adapter
 * where it is the directory of a run; a run that is not complete is warned
 * of. ERR_IO when nothing is there, ERR_DATA when no adapter is, as in a run
 * of full training. The caller frees *dir. */
int adapter_find(char **dir, const char *path, struct err *e);

/* The content id of an adapter's directory, PEFT's or mlx-lm's: that of its
 * file of tensors. */
int adapter_id(struct id *id, const char *dir, struct err *e);

/* Reads and checks a directory. A missing file is ERR_IO, anything wrong in
 * it ERR_DATA. On failure *a is released. */
int adapter_read(struct adapter *a, const char *dir, struct err *e);

/* For what adapter_read filled only. */
void adapter_release(struct adapter *a);

/* Nobody reads its values any more, which adapter_read filled: they are given
 * back, and names, sizes and settings stay. */
void adapter_drop_values(struct adapter *a);
void adapter_patterns_release(struct adapter_patterns *p);

/* What a module's tensors are; without DoRA the first two. The last two are no
 * parts of an item, but one of the tensors in whole, and rows of tokens. */
enum adapter_part {
    ADAPTER_A,
    ADAPTER_B,
    ADAPTER_MAGNITUDE,
    ADAPTER_WHOLE,
    ADAPTER_TOKENS
};

/* Where tensors come from that are not in the items: put writes that part of
 * item i, or tensor i of those that are whole, or the rows of the i-th tokens,
 * as floats. */
struct adapter_source {
    int (*put)(void *ctx, size_t i, enum adapter_part part, struct out *out,
               struct err *e);
    void *ctx;
};

/* Writes the two files into dir, which is made if need be; each file is
 * replaced atomically, the config last. meta goes into the safetensors
 * header after format=pt. source NULL: the matrices are in the items. */
int adapter_write(const struct adapter *a, const char *dir,
                  const struct safetensors_meta *meta, size_t n_meta,
                  const struct adapter_source *source, struct err *e);

/* What B A of that module is multiplied by. */
double adapter_scale(const struct adapter *a, const struct adapter_module *m);

/* The rank and the alpha that the adapter's config gives a module. ERR_DATA
 * for a key that is no pattern. */
int adapter_strength(const struct adapter *a, const char *module,
                     uint32_t *rank, double *alpha, struct err *e);

/* What follows the layer's number in a module's name, which is the same in
 * every layer; *layer = the number. The whole name, and UINT32_MAX, when it
 * has none. */
const char *adapter_name_in_layer(const char *module, uint32_t *layer);

/* Does it belong to this model: every module is a linear of a layer, of
 * these sizes, there is at least one, and what is saved whole, and rows of
 * tokens, are d's (adapter_match_saved, adapter_tokens_match). ERR_DATA
 * naming the module and both sizes. *linears = how many such linears the model
 * has, of which the adapter covers a->n. */
int adapter_match(const struct adapter *a, const struct model_desc *d,
                  size_t *linears, struct err *e);

#endif
