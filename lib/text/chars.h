/* chars.h - BPE over the characters of a text, as the models descended from
 * sentencepiece have it (Llama 2, Mistral, Phi-3, Gemma): no ByteLevel, the
 * blank spelled as another character, a whole text one piece.
 *
 * A character that is no token becomes the tokens <0xXX> of its bytes if all
 * of them are there (byte_fallback), else the unk_token if there is one, else
 * nothing. A byte that is no part of valid UTF-8 is a character, too.
 *
 * The blank: where the normaliser or Metaspace turns U+0020 into a character
 * such as U+2581, texts and tokens are held here with the blank in its place.
 *
 * A whole text as one piece would go through one heap. But two characters of
 * which no merge has the one at its left part's end and the other at its
 * right part's start stay apart for ever, and what is merged on one side of
 * such a place has no say on the other. There a text is cut, and the pieces
 * have the ids that the whole would have.
 */
#ifndef TEXT_CHARS_H
#define TEXT_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/merges.h"
#include "text/normal.h"

struct tokenizer;

/* When Metaspace puts a blank before a text that does not begin with one. */
enum blank_first { BLANK_NEVER, BLANK_FIRST, BLANK_ALWAYS };

struct chars {
    bool on;             /* the model is of this kind */
    bool byte_fallback, fuse_unk;
    bool metaspace;      /* the pre-tokenizer, with the settings below */
    bool split;          /* each blank begins a piece */
    enum blank_first first;
    bool prepends;       /* an encoded text has a blank before it */
    bool normal_blank;   /* the normaliser leaves no other blanks */
    uint32_t blank;      /* the character that it is spelled as; 0: itself */
    struct normalizer fold; /* from that character back to the blank */
    struct normalizer prepend; /* the same, with a blank before the text */
    uint32_t unk;        /* TOKEN_NONE: none */
    uint32_t *token;     /* by code point: 1 + id, or 0 */
    bool uncut;          /* nowhere is it certain that a cut is harmless */
    /* Pairs of ASCII, and of tokens that are others, that are not to be
     * parted. */
    uint64_t joined[128][2];
    struct merges pairs;
};

/* Fills token, joined and pairs; after vocabulary, merges and spans. */
void chars_prepare(struct tokenizer *t);
void chars_release(struct chars *c);

/* What Metaspace makes of p[n], n > 0, into the empty *b; false, and nothing,
 * where it stays as it is. first: p is the start of a whole text. *changes,
 * unless NULL, gets the differences. */
bool chars_metaspace(const struct chars *c, const uint8_t *uclass, bool first,
                     const uint8_t *p, size_t n, struct buf *b,
                     struct text_changes *changes);

/* Appends the byte that a token name[n] stands for; false if it is not one of
 * the <0xXX>. */
bool chars_put_byte(const struct tokenizer *t, const char *name, size_t n,
                    uint32_t id, struct buf *b);

/* Length of the first piece of [p, end), p < end. */
size_t chars_piece(const struct tokenizer *t, const uint8_t *p,
                   const uint8_t *end);

/* How many bytes of p[n], from its start, one unknown token stands for. */
size_t chars_unknown(const struct tokenizer *t, const uint8_t *p, size_t n);

/* The symbols of p[n] into id, which has room for n; returns how many.
 * *lost grows by the bytes that became nothing. */
size_t chars_symbols(const struct tokenizer *t, const uint8_t *p, size_t n,
                     uint32_t *id, uint64_t *lost);

#endif
