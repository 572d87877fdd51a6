/* spans.c - one piece is encoded where it lies; offsets are asked for only
 * where some of a text is learned and some is not. */
#include "text/spans.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
spans_init(struct spans *s, const struct tokenizer *t)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->joined);
    offsets_init(&s->offsets, t);
}

void
spans_release(struct spans *s)
{
    free(s->span);
    free(s->run);
    buf_release(&s->joined);
    offsets_release(&s->offsets);
    memset(s, 0, sizeof(*s));
}

void
spans_reset(struct spans *s)
{
    s->n = 0;
    s->first = NULL;
    buf_reset(&s->joined);
}

static size_t
length(const struct spans *s)
{
    return s->n > 0 ? s->span[s->n - 1].end : 0;
}

const char *
spans_text(const struct spans *s, size_t *n)
{
    *n = length(s);
    return s->first ? s->first : s->joined.data;
}

void
spans_add(struct spans *s, const char *p, size_t n, bool learned, bool marks)
{
    size_t len = length(s);
    struct text_span *last;

    if (n == 0)
        return;
    if (len == 0) {
        s->first = p;
    } else {
        if (s->first)
            buf_add(&s->joined, s->first, len);
        s->first = NULL;
        buf_add(&s->joined, p, n);
    }
    last = s->n > 0 ? &s->span[s->n - 1] : NULL;
    if (last && last->learned == learned && last->marks == marks) {
        last->end = len + n;
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap * 2 + 16;
        s->span = mem_grow(s->span, s->cap * sizeof(s->span[0]));
    }
    s->span[s->n++] = (struct text_span){ len + n, learned, marks };
}

/* The runs in which marks are found, *n of them; NULL: everywhere. */
static const struct text_run *
runs_of_marks(struct spans *s, size_t *n_runs)
{
    size_t i, n = 0, start = 0;

    if (s->cap_runs < s->n) {
        s->cap_runs = s->n * 2;
        s->run = mem_grow(s->run, s->cap_runs * sizeof(s->run[0]));
    }
    for (i = 0; i < s->n; start = s->span[i++].end) {
        if (!s->span[i].marks)
            continue;
        if (n > 0 && s->run[n - 1].end == start)
            s->run[n - 1].end = s->span[i].end;
        else
            s->run[n++] = (struct text_run){ start, s->span[i].end };
    }
    *n_runs = n;
    return s->n == 1 && n == 1 ? NULL : s->run;
}

void
spans_encode(struct spans *s, struct encoder *en, struct ids *ids)
{
    const struct text_run *runs;
    const char *text;
    size_t len, n;

    if (s->n == 0)
        return;
    text = spans_text(s, &len);
    runs = runs_of_marks(s, &n);
    en->segments.behind = s->behind;
    en->segments.within = s->within;
    encoder_add_marked(en, text, len, runs, n, ids);
    en->segments.behind = en->segments.within = false;
}

static bool
is_learned(const struct spans *s)
{
    bool any = false;

    for (size_t i = 0; i < s->n; i++)
        any = any || s->span[i].learned;
    return any;
}

static bool
is_mixed(const struct spans *s)
{
    for (size_t i = 1; i < s->n; i++)
        if (s->span[i].learned != s->span[0].learned)
            return true;
    return false;
}

const struct text_run *
spans_offsets(struct spans *s, const uint32_t *id, size_t n)
{
    const struct text_run *runs;
    size_t len, n_runs;
    const char *text = spans_text(s, &len);

    runs = runs_of_marks(s, &n_runs);
    s->offsets.segments.behind = s->behind;
    s->offsets.segments.within = s->within;
    if (!offsets_find(&s->offsets, text, len, runs, n_runs, id, n))
        return NULL;
    return s->offsets.at;
}

void
spans_mask(struct spans *s, const uint32_t *id, size_t n, uint8_t *mask)
{
    const struct text_run *run;
    size_t i, k, at = 0;

    if (n == 0)
        return;
    memset(mask, is_learned(s), n);
    if (!is_mixed(s))
        return;
    /* Were the ids not the text's, all of it would be learned. */
    run = spans_offsets(s, id, n);
    for (i = 0; run && i < n; i++) {
        while (s->span[at].end <= run[i].start && at + 1 < s->n)
            at++;
        mask[i] = s->span[at].learned;
        for (k = at; k + 1 < s->n && s->span[k].end < run[i].end; k++)
            mask[i] |= s->span[k + 1].learned;
    }
}
