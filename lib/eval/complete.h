/* complete.h - completions of a generator's texts, a token at a time: how
 * each begins, what of it can be told so far, and how it ends.
 */
#ifndef EVAL_COMPLETE_H
#define EVAL_COMPLETE_H

#include "eval/generate.h"
#include "eval/prompts.h"
#include "eval/telling.h"
#include "eval/text_codec.h"

struct completing_opts {
    struct sampling sampling; /* max_tokens 0: as many as the context takes */
    const char *const *stop;  /* it ends before these; the caller's */
    size_t n_stop;
    uint8_t as;    /* enum tell_as */
    bool special;  /* special tokens are told, too, as they are spelt */
    bool answer;   /* it is an answer: no text goes before it, from which a
                      blank would part it */
    bool keep;     /* of the cache, what the text before began with alike */
};

struct completing {
    struct completing_opts o;
    struct telling telling;
    struct buf text;    /* what can be told, and was not taken out yet */
    struct buf token;   /* scratch */
    uint32_t n_prompt, n_kept; /* tokens of it; of these, in the cache */
    uint32_t n_tokens;  /* generated so far, the end token, too */
    bool done, full;    /* it has ended; because the context is full */
    enum finish finish; /* how */
};

/* Begins text i with the prompt. Fails as generator_begin; *c is released
 * then. */
int completing_begin(struct completing *c, struct generator *g, uint32_t i,
                     const struct ids *prompt,
                     const struct completing_opts *o, struct err *e);
void completing_release(struct completing *c);

/* The next token of text i, which has logits. */
void completing_step(struct completing *c, struct generator *g, uint32_t i,
                     const struct text_codec *codec);

/* It has ended here: tells the rest. */
void completing_end(struct completing *c, enum finish finish);

#endif
