/* tokenizer_file.h - a tokenizer from a tokenizer.json, or from a GGUF file as
 * if it were one (weights/gguf_tokenizer.h). */
#ifndef WEIGHTS_TOKENIZER_FILE_H
#define WEIGHTS_TOKENIZER_FILE_H

#include "text/chat.h"
#include "text/tokenizer.h"

/* As tokenizer_open: t->id is of what tokenizer_file_json gives. */
int tokenizer_file_open(struct tokenizer *t, const char *path, struct err *e);

/* Appends the tokenizer.json: the file's bytes, or a GGUF file's tokenizer. */
int tokenizer_file_json(struct buf *json, const char *path, struct err *e);

/* As chat_template_open: a GGUF file has what would be beside it. */
int tokenizer_file_chat(struct chat_template *c, const char *tokenizer,
                        const struct tokenizer *t, const char *path,
                        struct err *e);

#endif
