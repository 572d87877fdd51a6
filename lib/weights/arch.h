/* arch.h - from an architecture that a user wrote to a config.json.
 *
 * The architecture holds config.json keys of Hugging Face, model_type among
 * them (schemas/arch.json). A key that the family does not have is an error,
 * because it would be ignored and the class's default taken instead.
 */
#ifndef WEIGHTS_ARCH_H
#define WEIGHTS_ARCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* What the config has to know about a tokenizer.json. */
struct vocab {
    uint64_t size;  /* the largest id plus 1 */
    uint64_t end;   /* the id of <|endoftext|>; UINT64_MAX: none */
};

/* Reads the ids of a tokenizer.json, text[n]. ERR_DATA with where in front
 * when it is none, or an id is no number below 2^31. */
int vocab_read(struct vocab *v, const char *text, size_t n,
               const char *where, struct err *e);

/* Appends the config.json of the architecture text[n]: its keys, and where
 * they are absent architectures, torch_dtype, vocab_size (from v, which may
 * be NULL), bos_token_id and eos_token_id (the tokenizer's <|endoftext|>, or
 * null). *dtype = the type of the weights. ERR_DATA for an unknown model_type
 * or key, naming the nearest one, and when v needs more rows than
 * vocab_size. The numbers are checked by desc_read, not here. */
int arch_config(struct buf *config, unsigned *dtype, const char *text,
                size_t n, const struct vocab *v, const char *where,
                struct err *e);

#endif
