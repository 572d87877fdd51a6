/* text_codec.h - between text and a base's tokens: of prompts, of
 * conversations as the base's chat template spells them, and back.
 */
#ifndef EVAL_TEXT_CODEC_H
#define EVAL_TEXT_CODEC_H

#include "eval/ends.h"
#include "record/jsonl.h"
#include "record/text.h"
#include "text/chat.h"
#include "text/spans.h"
#include "text/tokenizer.h"
#include "weights/weights.h"

struct text_codec {
    struct tokenizer tokenizer;
    struct encoder encoder;
    uint32_t end;           /* the tokenizer's, or TOKEN_NONE */
    struct end_tokens ends; /* the model's */
    struct chat_template of;
    struct chat chat;
    struct jsonl jsonl;     /* a conversation's line */
    struct text_rec record; /* what it says */
    struct spans spans;
};

/* Files instead of the base's own, and the day "YYYY-MM-DD" that its chat
 * template is told; each may be NULL. */
struct text_codec_opts {
    const char *tokenizer, *chat_template, *date;
};

/* Of the base w, whose model has vocab tokens. ERR_USAGE where there is no
 * tokenizer, ERR_DATA where it has more tokens than the model. A chat
 * template need not be there, nor one that can be read: chat_template_ok of
 * ->of. On failure *c is released. */
int text_codec_open(struct text_codec *c, const struct weights *w,
                    uint32_t vocab, const struct text_codec_opts *o,
                    struct err *e);
void text_codec_release(struct text_codec *c);

/* Appends the tokens of a text that the model is to continue. It may hold
 * special tokens: they are what they are spelt. Before it stands what the
 * tokenizer puts before a text, unless it is there. */
int text_codec_text(struct text_codec *c, const char *text, size_t n,
                    struct ids *ids, struct err *e);

/* Appends the tokens of a conversation that the assistant is to answer: json
 * is a line as fromjsonl reads it, {"messages": [...]}. What messages spell
 * like special tokens is ordinary text. where begins messages of errors. */
int text_codec_chat(struct text_codec *c, const char *json, size_t n,
                    const char *where, struct ids *ids, struct err *e);

/* Whether the token ends a text. */
bool text_codec_ends(const struct text_codec *c, uint32_t id);

/* Appends the bytes of a token within a text; a row of the model beyond the
 * vocabulary stands for none. */
void text_codec_decode(const struct text_codec *c, uint32_t id,
                       struct buf *out);

#endif
