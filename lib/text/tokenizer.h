/* tokenizer.h - a Hugging Face tokenizer.json: read, encode, decode.
 *
 * What is read is byte-level BPE behind the pre-tokenizers of pretok.h, or
 * BPE over characters (chars.h) behind Metaspace or none; before either a
 * normaliser of Unicode's forms, Prepend and Replace (normal.h); and added
 * tokens. A file that asks for anything else is refused by name: ids are those
 * of Hugging Face's tokenizers, or there are none. Of the post-processor the
 * token that it puts before a text is known, but not put there; not looked at
 * are padding and truncation (a text is never cut here).
 *
 * Bytes that are not UTF-8 are encoded, too: each counts as a symbol to the
 * pre-tokenizer and merges like any other byte, or becomes <0xXX>, and
 * decoding gives it back. A byte that the vocabulary has no token for is left
 * out, as tokenizers does it, and counted.
 *
 * Limits: a file 64 MiB, a token 4 KiB, added tokens 4 MiB in all, ids from
 * 0 without gaps.
 */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "text/added.h"
#include "text/chars.h"
#include "text/merges.h"
#include "text/normal.h"
#include "text/pretok.h"
#include "text/segments.h"

#define TOKEN_NONE UINT32_MAX
#define TOKENIZER_MAX_FILE (64u << 20)
#define TOKENIZER_MAX_TOKEN (4u << 10)
#define TOKENIZER_MAX_ADDED (4u << 20)

/* Where the bytes of a token are. */
struct token_span {
    uint32_t at, len;
};

struct tokenizer {
    struct id id;       /* of the file's bytes */
    uint32_t n;         /* every id is below it */
    struct pretok pre;  /* n 0: of chars */
    struct normalizer normal;
    struct chars chars; /* on: its model is not byte-level */
    bool ignore_merges;
    bool lacks_bytes;   /* some byte[] is TOKEN_NONE */
    uint32_t begin;     /* what the post-processor puts before a text */
    uint32_t byte[256]; /* the token of each byte; of chars: <0xXX> */
    struct merges merges;
    struct map name;    /* tokens as the file spells them, to ids */
    struct map whole;   /* tokens as bytes to ids, for ignore_merges */
    struct token_span *span; /* by id, in bytes */
    struct buf bytes;
    struct added_token *added;
    uint32_t *added_at; /* by id: 1 + index into added, or 0 */
    size_t n_added, n_vocab;
    uint8_t *uclass, *normal_uclass; /* the latter of normalised texts */
    /* Looked for in the raw text, in the normalised text, and those of the
     * latter that are words of a text, not marks. */
    struct added_set raw_set, normal_set, word_set;
};

/* Reads a file, or text[n]; where is the message's prefix. On failure *t is
 * released: a file that is not there is ERR_IO, a limit ERR_LIMIT, all else
 * ERR_DATA. Afterwards it is not changed any more: threads may share it. */
int tokenizer_open(struct tokenizer *t, const char *path, struct err *e);
int tokenizer_read(struct tokenizer *t, const char *text, size_t n,
                   const char *where, struct err *e);
void tokenizer_release(struct tokenizer *t);

/* The id of a token by its name in the file, or TOKEN_NONE. */
uint32_t tokenizer_find(const struct tokenizer *t, const char *name,
                        size_t n);

/* The token that ends a document: the first of <|endoftext|>,
 * <|end_of_text|>, </s>, <eos> and DeepSeek's end of a sentence that the file
 * has, or TOKEN_NONE. */
uint32_t tokenizer_end(const struct tokenizer *t);

/* The token that the file's post-processor puts before a text, as <s> of
 * Llama 2, or TOKEN_NONE. */
uint32_t tokenizer_begin(const struct tokenizer *t);

/* Whether the id is an added token that is called special. */
bool tokenizer_special(const struct tokenizer *t, uint32_t id);

/* Appends the bytes of the tokens as they are within a text; an added token
 * gives its content. Ids must be below t->n. */
void tokenizer_decode(const struct tokenizer *t, const uint32_t *id,
                      size_t n, struct buf *b);

/* How many bytes that tokenizer_decode gives for id[n], which are a text from
 * its start, encoding had put before it: a blank or nothing. A text behind
 * Metaspace that began with a blank itself has the ids of the text without
 * it, and is given back so. */
size_t tokenizer_prepended(const struct tokenizer *t, const uint32_t *id,
                           size_t n);

/* ---- encoding ---- */

struct ids {
    uint32_t *id;
    size_t n, cap;
};

void ids_init(struct ids *s);
void ids_release(struct ids *s);
void ids_add(struct ids *s, uint32_t id);

/* What one thread needs to encode. */
struct encoder {
    const struct tokenizer *t;
    uint64_t n_lost; /* bytes left out, since encoder_init */
    struct encoder_slot *cache;
    struct encoder_wide *wide;
    struct merge_scratch scratch;
    struct segments segments;
    struct pretok_run pre;
    struct buf bytes; /* of a piece that was spelled out */
    bool gave_up;     /* see encoder_check */
    size_t enough;    /* set by the caller: once there are more ids than that
                         the rest may be left away; SIZE_MAX at first */
    struct ids *out;  /* of the text that is being encoded */
};

void encoder_init(struct encoder *en, const struct tokenizer *t);
void encoder_release(struct encoder *en);

/* Appends the ids of p[n] to *out. marks false: p is content, and what is
 * spelled like a special token is ordinary text; only added tokens that are
 * not special and are `normalized` (words, such as the runs of spaces of
 * phi-2) are found. marks true: every added token is found, as by
 * Tokenizer.encode(text, add_special_tokens=False). */
void encoder_add(struct encoder *en, const void *p, size_t n, bool marks,
                 struct ids *out);

/* The same where some of the text is content and some is not: marks are
 * found inside the runs marks[n_marks], which are in order and do not touch;
 * marks NULL: everywhere. It is one text for all that. */
void encoder_add_marked(struct encoder *en, const void *p, size_t n,
                        const struct text_run *marks, size_t n_marks,
                        struct ids *out);

/* 0, or ERR_LIMIT when since the last time there was a text that the
 * pre-tokenizer gave up on (the limits of regex.h): its ids are not all. */
int encoder_check(struct encoder *en, struct err *e);

#endif
