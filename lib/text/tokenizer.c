/* tokenizer.c - a tokenizer.json in memory, looked things up in.
 *
 * Reading it is in tokenizer_read.c (the model) and tokenizer_steps.c
 * (normaliser, pre-tokenizer, decoder), encoding in encode.c.
 */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"

int
tokenizer_open(struct tokenizer *t, const char *path, struct err *e)
{
    struct buf text;
    int rc;

    buf_init(&text);
    rc = file_read(&text, path, TOKENIZER_MAX_FILE, e);
    if (rc == 0)
        rc = tokenizer_read(t, text.data, text.len, path, e);
    buf_release(&text);
    return rc;
}

void
tokenizer_release(struct tokenizer *t)
{
    size_t i;

    for (i = 0; i < t->n_added; i++)
        free(t->added[i].content);
    free(t->added);
    free(t->added_at);
    free(t->span);
    if (t->normal_uclass != t->uclass)
        free(t->normal_uclass);
    free(t->uclass);
    normalizer_release(&t->normal);
    chars_release(&t->chars);
    pretok_release(&t->pre);
    merges_release(&t->merges);
    map_release(&t->name);
    map_release(&t->whole);
    buf_release(&t->bytes);
    added_set_release(&t->raw_set);
    added_set_release(&t->normal_set);
    added_set_release(&t->word_set);
    memset(t, 0, sizeof(*t));
}

uint32_t
tokenizer_find(const struct tokenizer *t, const char *name, size_t n)
{
    const struct map_entry *found = map_get(&t->name, name, n);

    return found ? (uint32_t)found->value : TOKEN_NONE;
}

uint32_t
tokenizer_end(const struct tokenizer *t)
{
    static const char *const name[] = {
        "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>",
        "<｜end▁of▁sentence｜>"
    };
    uint32_t id = TOKEN_NONE;
    size_t i;

    for (i = 0; i < sizeof(name) / sizeof(name[0]) && id == TOKEN_NONE; i++)
        id = tokenizer_find(t, name[i], strlen(name[i]));
    return id;
}

uint32_t
tokenizer_begin(const struct tokenizer *t)
{
    return t->begin;
}

bool
tokenizer_special(const struct tokenizer *t, uint32_t id)
{
    uint32_t at = t->n_added > 0 && id < t->n ? t->added_at[id] : 0;

    return at > 0 && t->added[at - 1].special;
}

void
tokenizer_decode(const struct tokenizer *t, const uint32_t *id, size_t n,
                 struct buf *b)
{
    size_t i;

    for (i = 0; i < n; i++)
        buf_add(b, t->bytes.data + t->span[id[i]].at, t->span[id[i]].len);
}

size_t
tokenizer_prepended(const struct tokenizer *t, const uint32_t *id, size_t n)
{
    const struct token_span *s;

    if (!t->chars.prepends || n == 0 || (t->n_added > 0 && t->added_at[id[0]]))
        return 0;
    s = &t->span[id[0]];
    return s->len > 0 && t->bytes.data[s->at] == ' ' ? 1 : 0;
}
