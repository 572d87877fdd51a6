/* tokenizer_read.h - between the files that read a tokenizer.json; private
 * to lib/text.
 *
 *   tokenizer_read.c    the file: its parts in their order, what follows
 *   tokenizer_model.c   the model: settings, vocabulary, merges
 *   tokenizer_merges.c  its merges
 *   tokenizer_added.c   the added tokens
 *   tokenizer_steps.c   the pre-tokenizer
 *   tokenizer_text.c    normaliser, Metaspace, decoder
 *   tokenizer_post.c    the post-processor
 */
#ifndef TEXT_TOKENIZER_READ_H
#define TEXT_TOKENIZER_READ_H

#include "base/json.h"
#include "text/tokenizer.h"

/* Each reads the value of that key of the file, which may be null; ERR_DATA
 * names what is not supported. */
int tokenizer_read_normalizer(struct tokenizer *t, struct json *j,
                              struct err *e);
int tokenizer_read_pre(struct tokenizer *t, struct json *j, struct err *e);
int tokenizer_read_decoder(struct tokenizer *t, struct json *j,
                           struct err *e);

/* The expression that a scanner, but that of digits, stands for. */
const char *tokenizer_scan_regex(enum scan_kind scan);

/* Reads a pre-tokenizer that has no ByteLevel: the model is of chars.h. After
 * normalizer and model. */
int tokenizer_read_chars(struct tokenizer *t, struct json *j, struct err *e);

/* When normalizer and pre-tokenizer are read: texts keep the blank where
 * these two would replace it. j is named in messages. */
int tokenizer_settle_blank(struct tokenizer *t, const struct json *j,
                           struct err *e);

/* Where the big parts of a model are. */
struct tokenizer_model {
    struct json vocab, merges;
    struct map *names; /* the keys of vocab, to the bytes behind their colons */
    struct json unk; /* the unk_token; start NULL: none */
};

/* Reads the model's settings and finds its parts. */
int tokenizer_read_model(struct tokenizer *t, struct tokenizer_model *m,
                         struct json *j, struct err *e);

/* Reads its parts; takes *m->names. */
int tokenizer_read_vocab(struct tokenizer *t, const struct tokenizer_model *m,
                         struct err *e);

/* Reads the merges, after the vocabulary. */
int tokenizer_read_merges(struct tokenizer *t, const struct json *j,
                          struct err *e);

/* Reads the added tokens, after the vocabulary; j->start NULL: the file has
 * none. Sets t->n. */
int tokenizer_read_added(struct tokenizer *t, struct json *j, struct err *e);

/* Reads the post-processor, after all tokens: sets t->begin. */
int tokenizer_read_post(struct tokenizer *t, struct json *j, struct err *e);

/* ERR_LIMIT, worded as by json_error, when what has over `most` units. */
int tokenizer_limit(const struct json *j, const char *what, size_t n,
                    const char *unit, unsigned most, struct err *e);

#endif
