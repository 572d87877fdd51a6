/* context_prompt.c - encoded prompts are looked for some at a time, and each
 * gets its context in front. */
#include "eval/context_prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

uint32_t
context_room(uint32_t context, size_t prompt, uint32_t max_tokens)
{
    uint32_t left = prompt < context ? context - (uint32_t)prompt : 0;

    if (max_tokens == 0)
        return left / 2;
    return left > max_tokens ? left - max_tokens : 0;
}

int
context_no_chat(struct err *e)
{
    return err_set(e, ERR_USAGE, "--context-from with a conversation: "
                   "records stand before a text that is gone on from");
}

/* Whether the prompt begins with the token that stands before a text. */
static uint32_t
n_begin(const struct ids *ids, uint32_t begin)
{
    return begin != TOKEN_NONE && ids->n > 0 && ids->id[0] == begin;
}

static int
put_before(struct context_set *c, struct context_prompt *p,
           const uint32_t *found, uint32_t begin, struct err *e)
{
    uint32_t at = n_begin(p->ids, begin), n, *text;
    int rc;

    p->size = context_fit(c, found, p->room);
    n = p->size.tokens;
    text = mem_array(n + 1, sizeof(*text));
    rc = context_put(c, found, p->room, text, e);
    for (uint32_t i = 0; i < n; i++) /* room for them */
        ids_add(p->ids, 0);
    memmove(p->ids->id + at + n, p->ids->id + at,
            (p->ids->n - at - n) * sizeof(*text));
    memcpy(p->ids->id + at, text, n * sizeof(*text));
    free(text);
    return rc;
}

int
context_prompts(struct context_set *c, struct context_prompt *p, size_t n,
                const struct tokenizer *t, struct context_counts *counts,
                struct err *e)
{
    uint32_t k = c->o.records, begin = tokenizer_begin(t), *found;
    struct context_text *text;
    char hex[ID_HEX + 1];
    int rc = context_made_with(c, id_hex(&t->id, hex), e);

    if (rc < 0)
        return rc;
    found = mem_array(n * k, sizeof(*found));
    text = mem_array(n, sizeof(*text));
    for (size_t i = 0; i < n; i++) {
        uint32_t at = n_begin(p[i].ids, begin);

        text[i].ids = p[i].ids->id + at;
        text[i].n = (uint32_t)p[i].ids->n - at;
    }
    rc = context_find(c, text, n, found, e);
    context_found(c);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = put_before(c, &p[i], found + i * k, begin, e);
        context_count(counts, &p[i].size, found + i * k);
    }
    free(text);
    free(found);
    return rc;
}
