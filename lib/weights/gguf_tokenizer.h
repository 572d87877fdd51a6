/* gguf_tokenizer.h - the tokenizer in a GGUF file, as the files of a Hugging
 * Face directory. */
#ifndef WEIGHTS_GGUF_TOKENIZER_H
#define WEIGHTS_GGUF_TOKENIZER_H

#include <stdbool.h>

#include "base/buf.h"
#include "tensor/gguf.h"

#define GGUF_MAX_TOKENS (1u << 21) /* and merges */

/* Whether the file has a tokenizer at all. */
bool gguf_has_tokenizer(const struct gguf *g);

/* Appends its tokenizer.json (text/vocab_json.h). What puts a token before a
 * text is the post-processor. ERR_DATA, naming it, for a tokenizer that is no
 * byte-level BPE or has a pre-tokenizer that is not known, and for keys that
 * are missing, of another type or contradict each other; ERR_LIMIT. */
int gguf_tokenizer(struct buf *json, const struct gguf *g, struct err *e);

/* Appends a tokenizer_config.json, of a file that the above can read: the chat
 * template, and the tokens that it knows by name. */
int gguf_tokenizer_config(struct buf *json, const struct gguf *g,
                          struct err *e);

#endif
