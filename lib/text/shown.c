/* shown.c - ranges of each text between two tokens, moved to where that text
 * begins in the record's. */
#include "text/shown.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
shown_init(struct shown *s)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->text);
}

void
shown_release(struct shown *s)
{
    buf_release(&s->text);
    free(s->at);
    shown_init(s);
}

void
shown_reset(struct shown *s)
{
    buf_reset(&s->text);
    s->n = 0;
}

/* Room for the ranges of n more ids, which are then there. */
static struct text_run *
more(struct shown *s, size_t n)
{
    if (s->cap - s->n < n) {
        s->cap = s->cap + s->cap / 2 + n;
        s->at = mem_grow(s->at, s->cap * sizeof(s->at[0]));
    }
    s->n += n;
    return s->at + s->n - n;
}

void
shown_empty(struct shown *s)
{
    if (s->wanted)
        *more(s, 1) = (struct text_run){ s->text.len, s->text.len };
}

void
shown_token(struct shown *s, const struct tokenizer *t, uint32_t id)
{
    struct text_run *at;

    if (!s->wanted)
        return;
    at = more(s, 1);
    at->start = s->text.len;
    tokenizer_decode(t, &id, 1, &s->text);
    at->end = s->text.len;
}

void
shown_spans(struct shown *s, struct spans *spans, const struct ids *ids,
            size_t from)
{
    size_t start = s->text.len, n = ids->n - from, len, i;
    const struct text_run *found;
    struct text_run *at;
    const char *p;

    if (!s->wanted)
        return;
    p = spans_text(spans, &len);
    buf_add(&s->text, p, len);
    if (n == 0)
        return;
    found = spans_offsets(spans, ids->id + from, n);
    at = more(s, n);
    for (i = 0; i < n; i++) {
        at[i].start = start + (found ? found[i].start : 0);
        at[i].end = start + (found ? found[i].end : len);
    }
}

void
shown_drop_first(struct shown *s)
{
    if (s->wanted)
        memmove(s->at, s->at + 1, --s->n * sizeof(s->at[0]));
}
