/* gguf_tokenizer.h - the tokenizer in a GGUF file, as the files of a Hugging
 * Face directory, and these as the keys of such a file. */
#ifndef WEIGHTS_GGUF_TOKENIZER_H
#define WEIGHTS_GGUF_TOKENIZER_H

#include <stdbool.h>

#include "base/buf.h"
#include "tensor/gguf_write.h"
#include "weights/weights.h"

#define GGUF_MAX_TOKENS (1u << 21) /* and merges */

#define GGUF_KEY "tokenizer.ggml."
#define GGUF_TOKENS GGUF_KEY "tokens"
#define GGUF_TYPES GGUF_KEY "token_type"
#define GGUF_MERGES GGUF_KEY "merges"
#define GGUF_TEMPLATE "tokenizer.chat_template"

/* The id of the tokenizer.json that gguf_put_tokenizer had: what is made of the
 * keys is another text of the same tokens, and data know theirs by the id. */
#define GGUF_MADE_OF "tokenizer.graft.id"

/* The tokens that tokenizer_config.json and keys name; NULL ends them. */
extern const char *const gguf_named[][2];

/* Whether the file has a tokenizer at all. */
bool gguf_has_tokenizer(const struct gguf *g);

/* Appends its tokenizer.json (text/vocab_json.h). What puts a token before a
 * text is the post-processor. ERR_DATA, naming it, for a tokenizer that is no
 * byte-level BPE or has a pre-tokenizer that is not known, and for keys that
 * are missing, of another type or contradict each other; ERR_LIMIT. */
int gguf_tokenizer(struct buf *json, const struct gguf *g, struct err *e);

/* GGUF_MADE_OF; "" where the file has none. */
void gguf_made_of(char hex[ID_HEX + 1], const struct gguf *g);

/* Appends a tokenizer_config.json, of a file that the above can read: the chat
 * template, and the tokens that it knows by name. */
int gguf_tokenizer_config(struct buf *json, const struct gguf *g,
                          struct err *e);

/* Puts the keys of the tokenizer that w has as files, for a model of so many
 * rows: those that no token has get a name and the type of what is not used.
 * ERR_USAGE where there is no tokenizer.json; ERR_DATA where that can't be
 * read, is no byte-level BPE, has more tokens than rows, or normalises and cuts
 * texts in a way that llama.cpp has no name for. */
int gguf_put_tokenizer(struct gguf_out *g, const struct weights *w,
                       uint32_t rows, struct err *e);

#endif
