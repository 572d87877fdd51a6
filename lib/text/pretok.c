/* pretok.c - the steps of a pre-tokenizer, one inside the other.
 *
 * Level 0 is the text; level i cuts the piece of level i - 1 that it was
 * given, a part after the other, by step i - 1. The deepest level that has a
 * part left gives the next one.
 */
#include "text/pretok.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/alphabet.h"

/* A match, or what is between two. */
struct part {
    size_t start, end;
    bool match;
};

struct pretok_level {
    const struct pretok_step *step;
    struct regex_search search;
    const uint8_t *p; /* what is cut, and how much of it has come out */
    size_t n, done;
    size_t n_put;     /* bytes at its start that were put there */
    size_t from;      /* where the byte behind these is in the text */
    bool spelled;     /* both count characters: */
    size_t at_char, at_byte; /* the same place */
    bool whole;       /* it comes out as one piece */
    bool has_match, has_ahead;
    struct part match, ahead; /* found, and come back to */
    struct buf text;  /* of a step that changes it */
};

void
pretok_release(struct pretok *t)
{
    for (size_t i = 0; i < t->n; i++) {
        regex_free(t->step[i].regex);
        free(t->step[i].table);
        buf_release(&t->step[i].string);
    }
    memset(t, 0, sizeof(*t));
}

struct pretok_step *
pretok_add(struct pretok *t, enum pretok_kind kind)
{
    struct pretok_step *s = t->n < PRETOK_MAX ? &t->step[t->n++] : NULL;

    if (!s)
        return NULL;
    s->kind = kind;
    buf_init(&s->string);
    return s;
}

bool
pretok_same(const struct pretok *a, const struct pretok *b)
{
    bool same = a->n == b->n && a->byte_level == b->byte_level
                && a->spelled == b->spelled;

    for (size_t i = 0; i < a->n && same; i++) {
        const struct pretok_step *s = &a->step[i], *t = &b->step[i];

        same = s->kind == t->kind && s->behavior == t->behavior
               && s->invert == t->invert && s->digits == t->digits
               && (s->kind != PRETOK_SCAN || s->scan == t->scan)
               && s->string.len == t->string.len
               && (s->string.len == 0
                   || memcmp(s->string.data, t->string.data, s->string.len)
                      == 0);
    }
    return same;
}

bool
pretok_scans(const struct pretok *t)
{
    return t->n == 1 && t->step[0].kind == PRETOK_SCAN
           && t->step[0].behavior == PRETOK_ISOLATED;
}

void
pretok_run_init(struct pretok_run *r, const struct pretok *t,
                const uint8_t *uclass)
{
    r->t = t;
    r->uclass = uclass;
    r->at = 0;
    r->level = mem_array(t->n + 1, sizeof(r->level[0]));
    for (size_t i = 0; i <= t->n; i++) {
        struct pretok_level *l = &r->level[i];

        buf_init(&l->text);
        l->step = i > 0 ? &t->step[i - 1] : NULL;
        if (l->step && l->step->kind == PRETOK_REGEX)
            regex_search_init(&l->search, l->step->regex);
        else
            buf_init(&l->search.classes);
    }
}

void
pretok_run_release(struct pretok_run *r)
{
    for (size_t i = 0; r->level && i <= r->t->n; i++) {
        regex_search_release(&r->level[i].search);
        buf_release(&r->level[i].text);
    }
    free(r->level);
    memset(r, 0, sizeof(*r));
}

/* ---- what a step makes of a piece ---- */

static bool
begins(const struct pretok_level *l, const struct buf *string)
{
    return l->n >= string->len && memcmp(l->p, string->data, string->len) == 0;
}

/* What a step that does not cut makes of the piece. */
static void
change(struct pretok_level *l)
{
    const struct pretok_step *s = l->step;

    buf_reset(&l->text);
    if (s->kind == PRETOK_SPELL) {
        alphabet_spell(&l->text, l->p, l->n);
        l->spelled = true;
    } else if (!begins(l, &s->string)) {
        buf_add(&l->text, s->string.data, s->string.len);
        buf_add(&l->text, l->p, l->n);
        l->n_put += s->string.len;
    } else {
        return;
    }
    l->p = (const uint8_t *)l->text.data;
    l->n = l->text.len;
}

static void
level_start(struct pretok_level *l, const uint8_t *p, size_t n)
{
    l->p = p;
    l->n = n;
    l->done = l->at_char = l->at_byte = 0;
    l->has_match = l->has_ahead = false;
    l->whole = !l->step || l->step->kind >= PRETOK_SPELL;
    if (l->step && l->whole)
        change(l);
    else if (l->step && l->step->kind == PRETOK_REGEX)
        regex_search_start(&l->search, p, n);
}

/* The next match from l->done on: 1, 0 or ERR_LIMIT. */
static int
find_match(struct pretok_level *l, const uint8_t *uclass, struct part *m)
{
    const struct pretok_step *s = l->step;
    const uint8_t *at;

    m->match = true;
    if (s->kind == PRETOK_REGEX)
        return regex_search_next(&l->search, &m->start, &m->end);
    if (l->done == l->n)
        return 0;
    if (s->kind == PRETOK_SCAN) {
        m->start = l->done;
        m->end = m->start + scan_piece(s->scan, s->table ? s->table : uclass,
                                       l->p + l->done, l->p + l->n);
        return 1;
    }
    at = memmem(l->p + l->done, l->n - l->done, s->string.data,
                s->string.len);
    if (at) {
        m->start = (size_t)(at - l->p);
        m->end = m->start + s->string.len;
    }
    return at != NULL;
}

/* The next match, or what is before it. */
static int
next_raw(struct pretok_level *l, const uint8_t *uclass, struct part *a)
{
    int rc;

    if (!l->has_match) {
        rc = find_match(l, uclass, &l->match);
        if (rc < 0)
            return rc;
        if (rc == 0)
            l->match = (struct part){ l->n, l->n, false };
        l->has_match = true;
    }
    if (l->done < l->match.start) {
        *a = (struct part){ l->done, l->match.start, false };
    } else if (l->match.match) {
        *a = l->match;
        l->has_match = false;
    } else {
        return 0;
    }
    l->done = a->end;
    a->match ^= l->step->invert;
    return 1;
}

static int
next_or_ahead(struct pretok_level *l, const uint8_t *uclass, struct part *a)
{
    if (!l->has_ahead)
        return next_raw(l, uclass, a);
    l->has_ahead = false;
    *a = l->ahead;
    return 1;
}

/* Whether b goes with a, which is before it. */
static bool
joins(const struct pretok_step *s, const struct part *a, const struct part *b)
{
    switch (s->behavior) {
    case PRETOK_MERGED_WITH_PREVIOUS:
        return !a->match && b->match;
    case PRETOK_MERGED_WITH_NEXT:
        return a->match && !b->match;
    case PRETOK_CONTIGUOUS:
        return a->match == b->match;
    default:
        return false;
    }
}

/* The next part together with those that join it. */
static int
next_joined(struct pretok_level *l, const uint8_t *uclass, struct part *a)
{
    int rc = next_or_ahead(l, uclass, a), more;

    while (rc > 0 && l->step->behavior > PRETOK_REMOVED) {
        more = next_raw(l, uclass, &l->ahead);
        if (more < 0)
            return more;
        l->has_ahead = more > 0 && !joins(l->step, a, &l->ahead);
        if (more == 0 || l->has_ahead)
            break;
        a->end = l->ahead.end;
        a->match = l->ahead.match;
    }
    return rc;
}

/* The level's next part that comes out of it: 1, 0 or ERR_LIMIT. */
static int
level_next(struct pretok_level *l, const uint8_t *uclass, struct part *a)
{
    int rc;

    if (l->whole) {
        *a = (struct part){ 0, l->n, false };
        rc = l->done == 0 && l->n > 0;
        l->done = l->n;
        return rc;
    }
    do
        rc = next_joined(l, uclass, a);
    while (rc > 0
           && (a->start == a->end
            || (a->match && l->step->behavior == PRETOK_REMOVED)));
    return rc;
}

/* How many bytes, not spelled, are before that place of the level's piece;
 * places are asked for in order. */
static size_t
bytes_before(struct pretok_level *l, size_t at)
{
    if (!l->spelled)
        return at;
    for (; l->at_byte < at; l->at_byte++)
        l->at_char += (l->p[l->at_byte] & 0xc0) != 0x80;
    return l->at_char;
}

/* What of the level's piece the part is: of what was put before it and of
 * the text. */
static void
trace(struct pretok_run *r, struct pretok_level *l, const struct part *a)
{
    size_t start = bytes_before(l, a->start), end = bytes_before(l, a->end);
    size_t put = l->n_put;

    r->n_put = (end < put ? end : put) - (start < put ? start : put);
    r->from = l->from + (start > put ? start - put : 0);
    r->n_from = end - start - r->n_put;
}

void
pretok_start(struct pretok_run *r, const uint8_t *p, size_t n)
{
    r->at = 0;
    r->level[0].n_put = r->level[0].from = 0;
    level_start(&r->level[0], p, n);
}

int
pretok_next(struct pretok_run *r, const uint8_t **p, size_t *n)
{
    struct pretok_level *l;
    struct part a;
    int rc;

    for (;;) {
        l = &r->level[r->at];
        rc = level_next(l, r->uclass, &a);
        if (rc < 0 || (rc == 0 && r->at == 0))
            return rc;
        if (rc == 0) {
            r->at--;
            continue;
        }
        *p = l->p + a.start;
        *n = a.end - a.start;
        trace(r, l, &a);
        if (r->at == r->t->n)
            return 1;
        l[1].n_put = r->n_put;
        l[1].from = r->from;
        l[1].spelled = l->spelled;
        level_start(l + 1, *p, *n);
        r->at++;
    }
}
