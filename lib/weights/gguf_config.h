/* gguf_config.h - what a GGUF file's keys say of its model, as a config.json;
 * private to weights_gguf*.c and gguf_*.c.
 *
 * Keys below the name of the architecture ("llama.block_count") describe the
 * model: each is obeyed, or refused by name if it is set to anything else
 * than what is done. Keys of general. and the tokenizer, and those that other
 * programs left, describe no model. What the keys leave open is as llama.cpp
 * takes it, and written down, as Hugging Face's classes may take it otherwise.
 */
#ifndef WEIGHTS_GGUF_CONFIG_H
#define WEIGHTS_GGUF_CONFIG_H

#include <stdbool.h>

#include "base/buf.h"
#include "model/desc.h"
#include "tensor/gguf_write.h"
#include "weights/weights.h"

/* What llama.cpp knows of the biases of an architecture's layers: those that
 * are there, none, or all of them. */
enum gguf_bias { GGUF_BIAS_ANY, GGUF_BIAS_NONE, GGUF_BIAS_ALL };

/* An architecture, by its name in GGUF files. */
struct gguf_arch {
    const char *name;       /* general.architecture */
    const char *model_type; /* the family (model/family.h) */
    const char *windowed;   /* that of a model with a window; NULL: the same */
    bool paired;            /* in q and k, the rows of the two halves of a
                               head take turns */
    uint8_t bias;           /* enum gguf_bias */
    bool own_head;          /* there is no model whose head is the embedding */
    bool unread;            /* adapters alone are written for it */
    bool experts;           /* layers have them, a token's weigh 1 together;
                               no such file is written */
};

/* *arch = the file's architecture. ERR_DATA, naming those there are, for
 * another, for a file that holds no model (an adapter, a projector) or a part
 * of one. */
int gguf_arch_find(const struct gguf_arch **arch, const struct gguf *g,
                   struct err *e);

/* The architecture of a family's models; NULL: no row here. */
const struct gguf_arch *gguf_arch_of(const char *model_type);

/* Appends to name what llama.cpp calls the module's weight,
 * "blk.0.attn_q.weight", or its bias. */
void gguf_weight_name(struct buf *name, const struct module *m);
void gguf_bias_name(struct buf *name, const struct module *m);

/* Appends the config.json of a file of that architecture. ERR_DATA naming the
 * key that is missing, of a wrong type or not implemented. */
int gguf_config(struct buf *config, const struct gguf_arch *arch,
                const struct gguf *g, struct err *e);

/* The same the other way round: puts the keys of a model of that architecture,
 * whose config.json w has and which d describes. What they can't say shows in
 * the config.json that gguf_config makes of them. Fails as desc_read. */
int gguf_put_config(struct gguf_out *g, const struct gguf_arch *arch,
                    const struct weights *w, const struct model_desc *d,
                    struct err *e);

/* What each pair of a head turns slower by than without Llama 3's scaling: as
 * many as d->rope[0].pairs, to be freed; NULL where d has no such scaling. */
int gguf_rope_factors(float **factor, const struct weights *w,
                      const struct model_desc *d, struct err *e);

/* The tensor of that name, or NULL. */
const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name);

/* The tensor of llama.cpp's converter that stands for a rope scaling of Llama
 * 3: a factor for each pair of a head. */
#define GGUF_ROPE_FREQS "rope_freqs.weight"

#endif
