/* segments.c - added tokens of the raw text first, then normalisation, then
 * added tokens of the normalised text, as Hugging Face's tokenizers does it.
 */
#include "text/segments.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/tokenizer.h"

struct text_run
segment_given(const struct segment *s, size_t start, size_t end)
{
    struct text_run run = { start, end };

    if (s->blanks)
        run = text_changes_given(s->blanks, run);
    run.start += s->normal.start;
    run.end += s->normal.start;
    if (s->changes)
        run = text_changes_given(s->changes, run);
    run.start += s->from;
    run.end += s->from;
    return run;
}

void
segments_init(struct segments *g, const struct tokenizer *t)
{
    memset(g, 0, sizeof(*g));
    g->t = t;
    buf_init(&g->normal);
    buf_init(&g->blank);
    text_changes_init(&g->changes);
    text_changes_init(&g->blanks);
}

void
segments_release(struct segments *g)
{
    buf_release(&g->normal);
    buf_release(&g->blank);
    text_changes_release(&g->changes);
    text_changes_release(&g->blanks);
    free(g->run);
    memset(g, 0, sizeof(*g));
}

/* Lets Metaspace work on the segment's text. */
static void
put_blanks(struct segments *g, struct segment *s)
{
    bool first = s->from == 0 && s->normal.start == 0 && !g->behind;

    s->blanks = NULL;
    if (s->token != TOKEN_NONE || !g->t->chars.metaspace)
        return;
    buf_reset(&g->blank);
    text_changes_reset(&g->blanks);
    if (!chars_metaspace(&g->t->chars, g->t->uclass, first, s->p, s->n,
                         &g->blank, g->want_changes ? &g->blanks : NULL))
        return;
    s->p = (const uint8_t *)g->blank.data;
    s->n = g->blank.len;
    s->blanks = &g->blanks;
}

/* Tells of text[start, end) of the normalised text that *s is about. */
static void
tell(struct segments *g, struct segment *s, const uint8_t *text,
     size_t start, size_t end, uint32_t token)
{
    if (start == end)
        return;
    s->token = token;
    s->p = text + start;
    s->n = end - start;
    s->normal = (struct text_run){ start, end };
    put_blanks(g, s);
    g->found(g->ctx, s);
}

/* The runs of marks that lie in given[from, from + n), as runs of its
 * normalised text. */
static size_t
part_of_runs(struct segments *g, const struct text_run *marks,
             size_t n_marks, size_t from, size_t n)
{
    size_t i, k = 0;

    while (g->mark_at < n_marks && marks[g->mark_at].end <= from)
        g->mark_at++;
    for (i = g->mark_at; i < n_marks && marks[i].start < from + n; i++) {
        struct text_run r = {
            marks[i].start > from ? marks[i].start - from : 0,
            marks[i].end < from + n ? marks[i].end - from : n
        };

        if (k == g->cap) {
            g->cap = g->cap * 2 + 16;
            g->run = mem_grow(g->run, g->cap * sizeof(g->run[0]));
        }
        g->run[k++] = text_changes_normal(&g->changes, r);
    }
    return k;
}

/* Puts given[from, from + n), which is p, in normal form. */
static void
normalise(struct segments *g, struct added_search *q, struct segment *s,
          bool want_changes)
{
    const struct tokenizer *t = g->t;
    struct normalizer z = t->normal;

    if (g->within && s->from == 0 && z.n > 0
        && z.step->kind == NORMAL_PREPEND) {
        z.step++;
        z.n--;
    }
    text_changes_reset(&g->changes);
    if (!normal_needed(&z, t->uclass, q->p, q->n))
        return;
    buf_reset(&g->normal);
    normal_add(&g->normal, &z, t->uclass, q->p, q->n,
               want_changes ? &g->changes : NULL);
    s->changes = &g->changes;
    q->p = (const uint8_t *)g->normal.data;
    q->n = g->normal.len;
}

/* Text without raw added tokens, p[n], which begins at byte `from`. */
static void
walk_raw(struct segments *g, const uint8_t *p, size_t n, size_t from,
         const struct text_run *marks, size_t n_marks)
{
    const struct tokenizer *t = g->t;
    struct segment s = { .from = from };
    struct added_search q = { .uclass = t->normal_uclass, .p = p, .n = n };
    struct added_match m;
    size_t done = 0;

    normalise(g, &q, &s, g->want_changes || n_marks > 0);
    q.set = marks && n_marks == 0 ? &t->word_set : &t->normal_set;
    if (marks && n_marks > 0) {
        q.n_marks = part_of_runs(g, marks, n_marks, from, n);
        q.marks = q.n_marks > 0 ? g->run : marks;
    }
    while (added_next(&q, &m)) {
        tell(g, &s, q.p, done, m.start, TOKEN_NONE);
        tell(g, &s, q.p, m.start, m.end, t->added[m.token].id);
        done = m.end;
    }
    tell(g, &s, q.p, done, q.n, TOKEN_NONE);
}

void
segments_walk(struct segments *g, const void *text, size_t n,
              const struct text_run *marks, size_t n_marks)
{
    const uint8_t *p = text;
    struct added_search q = {
        .set = &g->t->raw_set, .uclass = g->t->uclass, .p = p, .n = n,
        .marks = marks, .n_marks = n_marks
    };
    struct segment s = { .from = 0 };
    struct added_match m;
    size_t done = 0;

    g->mark_at = 0;
    while ((!marks || n_marks > 0) && added_next(&q, &m)) {
        walk_raw(g, p + done, m.start - done, done, marks, n_marks);
        tell(g, &s, p, m.start, m.end, g->t->added[m.token].id);
        done = m.end;
    }
    walk_raw(g, p + done, n - done, done, marks, n_marks);
}
