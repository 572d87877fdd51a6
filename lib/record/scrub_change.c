/* scrub_change.c - secrets of a change: its lines as they stand, once; each
 * side of each hunk for what spans lines; and scopes, which are lines that
 * were cut.
 */
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/change_parts.h"
#include "record/scrub_parts.h"
#include "text/pattern.h"

#define SCOPE_CUT (CHANGE_SCOPE_BYTES - 3) /* of UTF-8, 3 bytes may be gone */

/* Where a hunk's header has its scope; n where there is none. */
static size_t
header_bytes(const char *p, size_t n)
{
    const char *at = memmem(p + 1, n - 1, " @@ ", 4);

    return at ? (size_t)(at + 4 - p) : n;
}

/* Of a line as it is encoded: all but its text. */
static size_t
skip(const char *p, size_t n)
{
    if (n == 0)
        return 0;
    switch (*p) {
    case ' ':
    case '-':
    case '+':
        return 1;
    case '@':
        return header_bytes(p, n);
    default: /* the first line, and marks of missing newlines */
        return n;
    }
}

/* ---- sides ---- */

/* The side of the hunk into w->view, and where its lines are into w->line;
 * how many. p: what the change was decoded from. */
static size_t
make_view(struct scrub_worker *w, const struct change_hunk *h, int side,
          const char *p)
{
    size_t n = 0;

    buf_reset(&w->view);
    if (w->lines_cap < h->n_lines) {
        w->lines_cap = h->n_lines;
        w->line = mem_grow(w->line, w->lines_cap * sizeof(*w->line));
    }
    for (size_t i = 0; i < h->n_lines; i++) {
        const struct change_line *line = &w->change.line[h->line + i];

        if (!change_on_side(line->kind, side))
            continue;
        w->line[n++] = (struct scrub_line){ w->view.len,
                                            (size_t)(line->p - p) };
        buf_add(&w->view, line->p, line->n);
        buf_addc(&w->view, '\n');
    }
    return n;
}

/* Whether the side's first line is one of a key's. */
static bool
begins_in_armour(const struct scrub_worker *w, const struct change_hunk *h,
                 int side)
{
    for (size_t i = 0; i < h->n_lines; i++) {
        const struct change_line *line = &w->change.line[h->line + i];

        if (change_on_side(line->kind, side))
            return scrub_is_armour(line->p, line->n);
    }
    return false;
}

static int
find_in_hunk(struct scrub_worker *w, const struct change_hunk *h,
             const char *p, struct err *e)
{
    struct scrub_finder *f = &w->finder;
    bool armour = f->armour, cut;
    size_t n_lines;
    int rc = 0;

    for (int side = 0; side < 2 && rc == 0; side++) {
        cut = h->start[side] > 1;
        f->armour = armour || (cut && begins_in_armour(w, h, side));
        if (!f->armour && !f->multiline)
            continue;
        n_lines = make_view(w, h, side, p);
        if (n_lines > 0)
            rc = scrub_find_view(f, w->view.data, w->view.len, w->line,
                                 n_lines, cut, e);
    }
    f->armour = armour;
    return rc;
}

/* ---- scopes ---- */

/* A scope that may have been cut within a secret. */
struct cut_scope {
    struct scrub_finder *finder;
    const char *p;
    size_t n, word; /* of the scope; where its last word begins */
    bool found;
    uint32_t rule;
};

#define CUT_BYTES 12 /* of a secret's beginning that may give it away */

/* Whether a match may have begun before the scope's end, the keyword that ends
 * at `end` in it, and of a key enough is seen. */
static bool
begins(struct cut_scope *c, const struct scrub_rule *r, size_t end)
{
    size_t at;

    if (!pattern_begins(&r->regex, &c->finder->search, c->p, c->n, &at)
        || end <= at)
        return false;
    if (r->check)
        return true;
    if (c->n - at < CUT_BYTES)
        return false;
    for (size_t i = at; i < c->n; i++)
        if (c->p[i] >= '0' && c->p[i] <= '9')
            return true;
    return false;
}

static int
on_scope(void *ctx, uint32_t value, size_t end)
{
    struct cut_scope *c = ctx;
    const struct scrub_rule *r;

    if (value >= c->finder->rules->n || c->found)
        return 0;
    r = &c->finder->rules->rule[value];
    c->found = begins(c, r, end);
    c->rule = value;
    return 0;
}

/* Of a scope that may have been cut within what a rule looks for, its last
 * word goes. */
static void
find_in_cut(struct scrub_worker *w, const struct change_scope *s,
            const char *p)
{
    struct cut_scope c = { &w->finder, s->p, s->n, s->n, false, 0 };
    size_t from = (size_t)(s->p - p);

    if (s->n < SCOPE_CUT)
        return;
    while (c.word > 0 && !memchr(" \t\"'", s->p[c.word - 1], 4))
        c.word--;
    keywords_find(&w->finder.rules->keywords, s->p, s->n, on_scope, &c);
    if (c.found && c.word < s->n)
        scrub_add(&w->finder, from + c.word, from + s->n, c.rule);
}

static bool
is_header(const char *p, size_t n)
{
    return n > 2 && memcmp(p, "@@", 2) == 0;
}

void
scrub_clip_scopes(struct buf *out, size_t at)
{
    size_t to = at, end, from, kept;
    const char *eol;

    for (; at < out->len; at = end + 1) {
        eol = memchr(out->data + at, '\n', out->len - at);
        end = eol ? (size_t)(eol - out->data) : out->len - 1;
        kept = end - at;
        if (is_header(out->data + at, kept)) {
            from = header_bytes(out->data + at, kept);
            if (kept - from > CHANGE_SCOPE_BYTES)
                kept = from + utf8_valid(out->data + at + from,
                                         CHANGE_SCOPE_BYTES);
        }
        memmove(out->data + to, out->data + at, kept);
        to += kept;
        out->data[to++] = '\n';
    }
    out->len = to;
    out->data[to] = '\0';
}

int
scrub_find_in_change(struct scrub_worker *w, const char *p, size_t n,
                     struct err *e)
{
    const struct change *c = &w->change;
    int rc = scrub_find(&w->finder, p, n, skip, e);

    for (size_t i = 0; i < c->n_hunks && rc == 0; i++) {
        find_in_cut(w, &c->hunk[i].scope, p);
        rc = find_in_hunk(w, &c->hunk[i], p, e);
    }
    if (rc == 0)
        scrub_settle(&w->finder);
    return rc;
}

/* ---- places ---- */

/* Whether hunk i, or its header, is not behind the byte. */
static bool
has_begun(const struct change *c, size_t i, const char *at)
{
    const struct change_hunk *h = &c->hunk[i];

    return i < c->n_hunks
           && (c->line[h->line].p <= at
               || (h->scope.n > 0 && h->scope.p <= at));
}

static void
enter_hunk(struct scrub_worker *w, size_t i)
{
    w->near.hunk = i;
    w->near.line = w->change.hunk[i].line;
    w->near.number[0] = w->change.hunk[i].start[0];
    w->near.number[1] = w->change.hunk[i].start[1];
}

static void
locate_in_change(struct scrub_worker *w, const char *at, bool first,
                 struct scrub_place *place)
{
    const struct change *c = &w->change;
    size_t hunk = first ? 0 : w->near.hunk, last;
    const struct change_line *line;

    while (has_begun(c, hunk + 1, at))
        hunk++;
    if (first || hunk != w->near.hunk)
        enter_hunk(w, hunk);
    last = c->hunk[hunk].line + c->hunk[hunk].n_lines - 1;
    line = &c->line[w->near.line];
    place->side = '@';
    if (line->p > at)
        return;
    for (; w->near.line < last && line[1].p <= at; line++, w->near.line++)
        for (int side = 0; side < 2; side++)
            w->near.number[side] += change_on_side(line->kind, side);
    place->side = line->kind;
    place->line = w->near.number[line->kind == '-' ? CHANGE_BEFORE
                                                   : CHANGE_AFTER];
}

void
scrub_locate(struct scrub_worker *w, size_t at, struct scrub_place *place)
{
    const struct text_field *f = &w->rec.field[place->field];
    bool first = w->near.field != place->field || w->near.at > at;

    if (strcmp(f->name, "message_json") == 0 || text_is_json(f->name))
        return;
    if (strcmp(f->name, "change") == 0) {
        locate_in_change(w, f->data + at, first, place);
    } else {
        if (first) {
            w->near.number[0] = 1;
            w->near.at = 0;
        }
        w->near.number[0] += newlines_count(f->data + w->near.at,
                                            at - w->near.at);
        place->line = w->near.number[0];
    }
    w->near.field = place->field;
    w->near.at = at;
}
