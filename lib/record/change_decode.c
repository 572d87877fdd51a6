/* change_decode.c - reading an encoded change, which may be anybody's.
 *
 * Everything that change.h says of one is checked on the way, so that whoever
 * has a struct change need not: numbers against lines, hunks against each
 * other and against both sides' lengths.
 */
#include <string.h>

#include "record/change_parts.h"

struct parser {
    struct change *c;
    const char *start, *p, *end;
    uint64_t done[2];     /* lines behind us on each side */
    bool closed[2];       /* a line without newline has come */
};

static int
bad(const struct parser *r, const char *what, struct err *e)
{
    return err_set(e, ERR_DATA, "change: byte %td: %s", r->p - r->start,
                   what);
}

static bool
take(struct parser *r, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
        return false;
    r->p += n;
    return true;
}

/* A decimal without leading zeros, below 2^62. */
static bool
take_number(struct parser *r, uint64_t *out)
{
    const char *p = r->p;
    uint64_t v = 0;

    while (p < r->end && *p >= '0' && *p <= '9' && p - r->p < 18)
        v = v * 10 + (uint64_t)(*p++ - '0');
    if (p == r->p || (*r->p == '0' && p - r->p > 1))
        return false;
    r->p = p;
    *out = v;
    return true;
}

static bool
take_side(struct parser *r, int side)
{
    r->c->present[side] = !take(r, "-");
    r->c->total[side] = 0;
    return !r->c->present[side] || take_number(r, &r->c->total[side]);
}

static int
take_sides(struct parser *r, struct err *e)
{
    if (!take_side(r, 0) || !take(r, " ") || !take_side(r, 1)
        || !take(r, "\n"))
        return bad(r, "bad first line", e);
    if (!r->c->present[0] && !r->c->present[1])
        return bad(r, "both sides are absent", e);
    return 0;
}

/* What follows the second @@: nothing, or a blank and the scope. */
static bool
take_scope(struct parser *r, struct change_scope *s)
{
    const char *eol;

    if (take(r, "\n"))
        return true;
    if (!take(r, " "))
        return false;
    eol = memchr(r->p, '\n', (size_t)(r->end - r->p));
    if (!eol || eol == r->p || eol - r->p > CHANGE_SCOPE_BYTES)
        return false;
    *s = (struct change_scope){ r->p, (size_t)(eol - r->p) };
    r->p = eol + 1;
    return true;
}

/* "@@ -START,COUNT +START,COUNT @@ SCOPE" */
static int
take_header(struct parser *r, struct change_hunk *h, struct err *e)
{
    uint64_t first[2];
    int i;

    if (!take(r, "@@ -") || !take_number(r, &h->start[0])
        || !take(r, ",") || !take_number(r, &h->count[0])
        || !take(r, " +") || !take_number(r, &h->start[1])
        || !take(r, ",") || !take_number(r, &h->count[1])
        || !take(r, " @@") || !take_scope(r, &h->scope))
        return bad(r, "bad hunk header", e);
    for (i = 0; i < 2; i++) {
        if (h->count[i] > 0 && h->start[i] == 0)
            return bad(r, "line numbers begin at 1", e);
        first[i] = h->start[i] - (h->count[i] > 0);
        if (first[i] < r->done[i])
            return bad(r, "hunks overlap", e);
        if (first[i] + h->count[i] > r->c->total[i])
            return bad(r, "hunk beyond the end of the file", e);
    }
    if (first[0] - r->done[0] != first[1] - r->done[1])
        return bad(r, "line numbers do not agree", e);
    r->done[0] = first[0] + h->count[0];
    r->done[1] = first[1] + h->count[1];
    return 0;
}

/* Marks the line just read as the last of its sides. */
static int
take_no_newline(struct parser *r, struct change_line *line,
                const uint64_t left[2], struct err *e)
{
    int i;

    for (i = 0; i < 2; i++) {
        if (!change_on_side(line->kind, i))
            continue;
        if (left[i] > 0 || r->done[i] != r->c->total[i])
            return bad(r, "a line without newline is not the last", e);
        r->closed[i] = true;
    }
    if (line->kind == ' ' && left[0] + left[1] > 0)
        return bad(r, "a line without newline is not the last", e);
    line->no_newline = true;
    return 0;
}

static int
take_line(struct parser *r, uint64_t left[2], struct err *e)
{
    struct change_line *line;
    const char *eol;
    char kind;
    int i;

    if (r->p == r->end)
        return bad(r, "hunk is cut short", e);
    kind = *r->p;
    eol = memchr(r->p, '\n', (size_t)(r->end - r->p));
    if ((kind != ' ' && kind != '-' && kind != '+') || !eol)
        return bad(r, "bad line", e);
    for (i = 0; i < 2; i++) {
        if (change_on_side(kind, i) && left[i]-- == 0)
            return bad(r, "more lines than the hunk's header says", e);
    }
    line = change_add_line(r->c);
    line->kind = kind;
    line->no_newline = false;
    line->p = r->p + 1;
    line->n = (size_t)(eol - line->p);
    r->p = eol + 1;
    if (r->p < r->end && *r->p == '\\') {
        if (!take(r, CHANGE_NO_NEWLINE))
            return bad(r, "bad line", e);
        return take_no_newline(r, line, left, e);
    }
    return 0;
}

static int
take_hunk(struct parser *r, struct err *e)
{
    struct change_hunk *h = change_add_hunk(r->c);
    uint64_t left[2];
    int rc;

    rc = take_header(r, h, e);
    if (rc < 0)
        return rc;
    left[0] = h->count[0];
    left[1] = h->count[1];
    while (left[0] + left[1] > 0) {
        rc = take_line(r, left, e);
        if (rc < 0)
            return rc;
    }
    h->n_lines = r->c->n_lines - h->line;
    if (h->n_lines == 0)
        return bad(r, "empty hunk", e);
    return 0;
}

int
change_decode(struct change *c, const void *p, size_t n, struct err *e)
{
    struct parser r = {.c = c, .start = p, .p = p,
                       .end = (const char *)p + n};
    int rc;

    change_clear(c);
    rc = take_sides(&r, e);
    while (rc == 0 && r.p < r.end)
        rc = take_hunk(&r, e);
    if (rc == 0 && c->total[0] - r.done[0] != c->total[1] - r.done[1])
        rc = bad(&r, "line numbers do not agree", e);
    if (rc < 0) {
        change_clear(c);
        c->present[0] = c->present[1] = false;
        c->total[0] = c->total[1] = 0;
    }
    return rc;
}
