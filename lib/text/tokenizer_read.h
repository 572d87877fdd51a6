/* tokenizer_read.h - between the files that read a tokenizer.json; private
 * to lib/text. */
#ifndef TEXT_TOKENIZER_READ_H
#define TEXT_TOKENIZER_READ_H

#include "base/json.h"
#include "text/tokenizer.h"

/* Each reads the value of that key of the file, which may be null; ERR_DATA
 * names what is not supported. */
int tokenizer_read_normalizer(struct tokenizer *t, struct json *j,
                              struct err *e);
int tokenizer_read_pre(struct tokenizer *t, struct json *j, struct err *e);
int tokenizer_read_decoder(struct json *j, struct err *e);

#endif
