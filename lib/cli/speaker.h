/* speaker.h - a base that completes and answers, as a user's options have it:
 * the model, its tokenizer and chat template, how tokens are drawn.
 */
#ifndef CLI_SPEAKER_H
#define CLI_SPEAKER_H

#include "cli/context_options.h"
#include "cli/machine.h"
#include "eval/complete.h"
#include "eval/context_prompt.h"
#include "weights/model.h"

struct speaker_options {
    const char *base, *tokenizer, *chat_template, *date, *system;
    struct opt_list adapters, stops;
    struct context_options from;
    uint64_t max_tokens, context, batch, top_k, seed;
    double temperature, top_p, min_p, repetition_penalty;
    struct machine_options machine;
    bool raw, special, force;
};

/* NAME=DIR, or DIR, which is its own name. */
struct named_adapter {
    char *name;
    const char *dir;
};

struct speaker {
    const struct speaker_options *o;
    struct model model;
    struct named_adapter *adapter;
    size_t n_adapters;
    struct text_codec codec;
    struct completing_opts c; /* sampling, stop strings */
    bool chats; /* what a user says is a message to the chat template */
    struct generator generator;
    bool open;               /* the generator is, of this adapter: */
    const char *with;        /* its name; NULL: the base alone */
};

/* Opens it, but for the generator. ERR_USAGE for options that can't be
 * obeyed; adapters are all read once. On failure *s is released. */
int speaker_open(struct speaker *s, const struct speaker_options *o,
                 const struct args *args, struct err *e);
void speaker_release(struct speaker *s);

/* Sets s->chats: whether what a user says is a message, which the chat
 * template lays out. ERR_DATA where there is one that can't be run. */
int speaker_chats(struct speaker *s, struct err *e);

/* The name of the adapter for who names none: of the first; or NULL. */
const char *speaker_adapter(const struct speaker *s);

/* Whether there is one of that name. */
bool speaker_has(const struct speaker *s, const char *name);

/* The most tokens of a text, where the user named none: what the model takes.
 */
uint32_t speaker_context(const struct speaker *s);

/* Opens the generator of so many texts of up to context tokens with that
 * adapter (NULL: without), unless it is. ERR_LIMIT where it does not fit into
 * the memory there is. */
int speaker_use(struct speaker *s, const char *adapter, uint32_t batch,
                uint32_t context, struct err *e);

/* Puts before each of n encoded texts the records of --context-from that are
 * most like it, where that was given; room is set here, by the most tokens that
 * the text is to be completed with (0: no such number). What it comes to is
 * said. */
int speaker_context_before(struct speaker *s, struct context_prompt *p,
                           const uint32_t *max_tokens, size_t n,
                           struct err *e);

/* Appends {"role": ..., "content": ...} to the JSON of messages, with a comma
 * before it unless it is the first; ERR_DATA where text[n] is no UTF-8. */
int speaker_say(struct buf *messages, const char *role, const char *text,
                size_t n, struct err *e);

/* The tokens of the conversation that these are. */
int speaker_encode(struct speaker *s, const struct buf *messages,
                   struct ids *ids, struct err *e);

#endif
