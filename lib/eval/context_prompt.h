/* context_prompt.h - prompts with the records before them that are most like
 * them. */
#ifndef EVAL_CONTEXT_PROMPT_H
#define EVAL_CONTEXT_PROMPT_H

#include "eval/context.h"
#include "text/tokenizer.h"

struct context_prompt {
    struct ids *ids;          /* of the prompt; of all, behind what is found */
    uint32_t room;            /* for so many tokens more, */
    struct context_size size; /* of which these are taken */
};

/* What a prompt of so many tokens leaves of a context for others: all but
 * max_tokens, which are to be completed; without that (0) half of the rest. */
uint32_t context_room(uint32_t context, size_t prompt, uint32_t max_tokens);

/* ERR_USAGE: a conversation has no place for records. */
int context_no_chat(struct err *e);

/* Puts before each of n prompts, which t encoded, what is most like it. A
 * prompt is of no time: all of the set's train split may stand before it. What
 * t puts before a text stays in front. *counts is added to. ERR_DATA for a set
 * of another tokenizer. */
int context_prompts(struct context_set *c, struct context_prompt *p, size_t n,
                    const struct tokenizer *t, struct context_counts *counts,
                    struct err *e);

#endif
