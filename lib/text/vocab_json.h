/* vocab_json.h - a tokenizer.json for a vocabulary that came without one, as
 * those in GGUF files do: tokens, merges, and a name for the pre-tokenizer.
 *
 * The names are llama.cpp's (tokenizer.ggml.pre). For each that is known here
 * normaliser, pre-tokenizer and ignore_merges are those of the tokenizer.json
 * that the models so called were published with. All tokens are in the
 * model's vocabulary; control and user-defined ones are added tokens besides,
 * the former special. GGUF doesn't tell which of the latter are words of a
 * text: those that are nothing but white space, as phi-2's are.
 */
#ifndef TEXT_VOCAB_JSON_H
#define TEXT_VOCAB_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/tokenizer.h"

/* What a token is, by the numbers of ggml. */
enum vocab_kind {
    VOCAB_NORMAL = 1, VOCAB_UNKNOWN, VOCAB_CONTROL, VOCAB_USER, VOCAB_UNUSED,
    VOCAB_BYTE
};

struct vocab_token {
    const char *p; /* as it is spelled */
    size_t n;      /* 0: it has no spelling, and never comes up */
    uint8_t kind;
};

/* "LEFT RIGHT" */
struct vocab_merge {
    const char *p;
    size_t n;
};

struct vocab {
    const char *where; /* what messages begin with */
    const char *pre;   /* the pre-tokenizer's name */
    struct vocab_token *token; /* by id */
    size_t n_tokens;
    struct vocab_merge *merge;
    size_t n_merges;
    int begins;     /* whether token `begin` is put before a text; below 0: if
                       that is usual with pre, and there is a token */
    int64_t begin;  /* below 0: none */
};

/* Appends the tokenizer.json. ERR_DATA for a pre-tokenizer that is not known,
 * a beginning that is no token, tokens that are there twice or no UTF-8, and
 * merges that don't make a token of two; ERR_LIMIT for a file that
 * tokenizer_read would find too large. */
int vocab_json_put(struct buf *b, const struct vocab *v, struct err *e);

/* The other way round: what llama.cpp calls the normaliser and pre-tokenizer
 * of t. NULL: it is none of those known here. */
const char *vocab_json_pre(const struct tokenizer *t);

#endif
