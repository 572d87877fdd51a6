/* changes.c - from a byte of one text to that of the other by the last
 * change that begins before it. */
#include "text/changes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
text_changes_init(struct text_changes *c)
{
    memset(c, 0, sizeof(*c));
}

void
text_changes_release(struct text_changes *c)
{
    free(c->change);
    text_changes_init(c);
}

void
text_changes_reset(struct text_changes *c)
{
    c->n = 0;
}

void
text_changes_add(struct text_changes *c, const struct text_change *one)
{
    if (c->n == c->cap) {
        c->cap = c->cap * 2 + 16;
        c->change = mem_grow(c->change, c->cap * sizeof(c->change[0]));
    }
    c->change[c->n++] = *one;
}

/* Whether a change of n bytes at `at` belongs to the group [lo, hi): they
 * overlap, or touch where one of them is empty. */
static bool
belongs(size_t at, size_t n, size_t lo, size_t hi)
{
    return at < hi || (at == hi && (n == 0 || lo == hi));
}

/* Where byte `at` of the text between is in the given one, behind the first
 * i changes of c, and in the one that the first k changes of next lead to. */
static size_t
back(const struct text_changes *c, size_t i, size_t at)
{
    const struct text_change *ch = i > 0 ? &c->change[i - 1] : NULL;

    return ch ? at - (ch->at + ch->n) + (ch->from + ch->len) : at;
}

static size_t
forth(const struct text_changes *next, size_t k, size_t at)
{
    const struct text_change *ch = k > 0 ? &next->change[k - 1] : NULL;

    return ch ? at - (ch->from + ch->len) + (ch->at + ch->n) : at;
}

/* Adds the changes of both, from i and k on, that make the first group of
 * them; i and k move on. */
static void
add_group(struct text_changes *out, const struct text_changes *c, size_t *i,
          const struct text_changes *next, size_t *k)
{
    const struct text_change *a = c->change, *b = next->change;
    size_t lo = SIZE_MAX, hi, end;
    struct text_change one;

    if (*i < c->n)
        lo = a[*i].at;
    if (*k < next->n && b[*k].from < lo)
        lo = b[*k].from;
    hi = lo;
    one.from = back(c, *i, lo);
    one.at = forth(next, *k, lo);
    for (;;) {
        if (*i < c->n && belongs(a[*i].at, a[*i].n, lo, hi)) {
            end = a[*i].at + a[*i].n;
            ++*i;
        } else if (*k < next->n
                   && belongs(b[*k].from, b[*k].len, lo, hi)) {
            end = b[*k].from + b[*k].len;
            ++*k;
        } else {
            break;
        }
        hi = end > hi ? end : hi;
    }
    one.len = back(c, *i, hi) - one.from;
    one.n = forth(next, *k, hi) - one.at;
    text_changes_add(out, &one);
}

void
text_changes_then(struct text_changes *c, const struct text_changes *next)
{
    struct text_changes out;
    size_t i = 0, k = 0;

    text_changes_init(&out);
    while (i < c->n || k < next->n)
        add_group(&out, c, &i, next, &k);
    text_changes_release(c);
    *c = out;
}

/* How many changes begin at or before that byte of the given text, or of the
 * normal one. */
static size_t
begun(const struct text_changes *c, size_t at, bool given)
{
    size_t lo = 0, hi = c->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if ((given ? c->change[mid].from : c->change[mid].at) <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* What one byte of the normal text stands for. */
static struct text_run
given_of(const struct text_changes *c, size_t at)
{
    size_t i = begun(c, at, false);
    const struct text_change *ch = i > 0 ? &c->change[i - 1] : NULL;

    if (!ch)
        return (struct text_run){ at, at + 1 };
    if (at < ch->at + ch->n)
        return (struct text_run){ ch->from, ch->from + ch->len };
    at = ch->from + ch->len + (at - ch->at - ch->n);
    return (struct text_run){ at, at + 1 };
}

struct text_run
text_changes_given(const struct text_changes *c, struct text_run normal)
{
    struct text_run first = given_of(c, normal.start);

    if (normal.start == normal.end)
        return (struct text_run){ first.start, first.start };
    return (struct text_run){ first.start, given_of(c, normal.end - 1).end };
}

struct text_run
text_changes_normal(const struct text_changes *c, struct text_run given)
{
    size_t i = begun(c, given.start, true);
    size_t k = begun(c, given.end, true);
    struct text_run run = given;
    const struct text_change *ch;

    while (i > 0 && c->change[i - 1].from >= given.start)
        i--;
    if (i > 0) {
        ch = &c->change[i - 1];
        run.start = ch->at + ch->n;
        if (ch->from + ch->len < given.start)
            run.start += given.start - ch->from - ch->len;
    }
    while (k > 0 && c->change[k - 1].from + c->change[k - 1].len > given.end)
        k--;
    if (k > 0) {
        ch = &c->change[k - 1];
        run.end = ch->at + ch->n + (given.end - ch->from - ch->len);
    }
    if (k < c->n && c->change[k].from < given.end)
        run.end = c->change[k].at;
    if (run.end < run.start)
        run.end = run.start;
    return run;
}
