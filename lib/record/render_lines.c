/* render_lines.c - the text of a record as lines: what each is, how far it is
 * from the nearest edit, where it lies in the file, and what it is in.
 *
 * What is learned and what may be left away follow from the distance. All of
 * it is found in passes over the lines, one forward and one back, so that
 * nothing needs to be searched for when a record falls into thousands of
 * parts.
 */
#include <string.h>

#include "base/mem.h"
#include "record/render_parts.h"

void
render_lines_add(struct render_lines *l, const struct render_line *line)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->line = mem_grow(l->line, l->cap * sizeof(l->line[0]));
    }
    l->line[l->n++] = *line;
}

void
render_lines_swap(struct render_lines *a, struct render_lines *b)
{
    struct render_lines was = *a;

    a->line = b->line;
    a->n = b->n;
    a->cap = b->cap;
    b->line = was.line;
    b->n = was.n;
    b->cap = was.cap;
}

static uint32_t
add_scope(struct render_lines *l, const struct change_scope *s)
{
    if (l->n_scopes == l->scopes_cap) {
        l->scopes_cap = l->scopes_cap ? 2 * l->scopes_cap : 64;
        l->scope = mem_grow(l->scope, l->scopes_cap * sizeof(l->scope[0]));
    }
    l->scope[l->n_scopes] = *s;
    return (uint32_t)l->n_scopes++;
}

static void
clear(struct render_lines *l)
{
    static const struct change_scope none;

    l->n = l->n_scopes = 0;
    add_scope(l, &none);
}

/* What lies before the next line. */
struct place {
    uint64_t at[2];
    uint32_t scope[2]; /* of render_lines.scope */
    uint32_t hunk, run;
};

/* Appends a line, and goes on behind it. */
static void
put_line(struct render_lines *l, struct place *at, char kind, const char *p,
         size_t n)
{
    struct render_line line = {
        .p = p, .n = (uint32_t)n, .kind = kind, .begins = true, .ends = true,
        .near = kind == ' ' ? RENDER_ALL : 0, .hunk = at->hunk,
        .run = at->run, .at = { at->at[0], at->at[1] },
        .scope = { at->scope[0], at->scope[1] }
    };
    struct change_scope found;
    uint32_t scope = 0;
    int s;

    render_lines_add(l, &line);
    if (change_scope_of(&found, p, n))
        scope = add_scope(l, &found);
    for (s = 0; s < 2; s++) {
        if (!render_on_side(&line, s))
            continue;
        at->at[s]++;
        if (scope > 0)
            at->scope[s] = scope;
    }
}

static void
put_change_line(struct render_lines *l, struct place *at,
                const struct change_line *line)
{
    put_line(l, at, line->kind, line->p, line->n + !line->no_newline);
}

/* Lines [0, n_removed) of line and as many added ones behind them: in turn,
 * so that after each the same share of both is done. */
static void
put_replaced(struct render_lines *l, struct place *at,
             const struct change_line *line, size_t n_removed,
             size_t n_added)
{
    const struct change_line *added = line + n_removed;
    size_t i = 0, k = 0;

    while (i < n_removed || k < n_added) {
        if (k == n_added
            || (i < n_removed && i * n_added <= k * n_removed))
            put_change_line(l, at, &line[i++]);
        else
            put_change_line(l, at, &added[k++]);
    }
    at->run++;
}

static size_t
same_kind(const struct change_line *line, size_t i, size_t n, char kind)
{
    while (i < n && line[i].kind == kind)
        i++;
    return i;
}

static void
put_hunk(struct render_lines *l, const struct change *c,
         const struct change_hunk *h, struct place *at)
{
    const struct change_line *line = c->line + h->line;
    size_t i = 0, added, end;
    int s;

    for (s = 0; s < 2; s++)
        at->at[s] = h->start[s] - (h->count[s] > 0);
    at->scope[0] = at->scope[1] = h->scope.n > 0 ? add_scope(l, &h->scope)
                                                 : 0;
    for (; i < h->n_lines; i = end) {
        end = same_kind(line, i, h->n_lines, ' ');
        for (; i < end; i++)
            put_change_line(l, at, &line[i]);
        at->run++;
        added = same_kind(line, i, h->n_lines, '-');
        end = same_kind(line, added, h->n_lines, '+');
        if (end > i)
            put_replaced(l, at, line + i, added - i, end - added);
    }
    at->hunk++;
}

/* How far the kept lines are from edits, of one hunk after another. */
static void
find_near(struct render_lines *l)
{
    uint32_t last = RENDER_ALL;
    struct render_line *line;
    size_t i;

    for (i = 0; i < l->n; i++) {
        line = &l->line[i];
        if (i > 0 && line->hunk != line[-1].hunk)
            last = RENDER_ALL;
        last = line->kind != ' ' ? 0 : last + (last < RENDER_ALL);
        line->near = last;
    }
    last = RENDER_ALL;
    for (; i-- > 0;) {
        line = &l->line[i];
        if (i + 1 < l->n && line->hunk != line[1].hunk)
            last = RENDER_ALL;
        last = line->kind != ' ' ? 0 : last + (last < RENDER_ALL);
        if (last < line->near)
            line->near = last;
    }
}

void
render_lines_of_change(struct render_lines *l, const struct change *c)
{
    struct place at = { .hunk = 0 };

    clear(l);
    l->present[0] = c->present[0];
    l->present[1] = c->present[1];
    for (size_t i = 0; i < c->n_hunks; i++)
        put_hunk(l, c, &c->hunk[i], &at);
    find_near(l);
}

void
render_lines_of_text(struct render_lines *l, const char *p, size_t n,
                     bool each)
{
    struct place at = { .hunk = 0 };
    const char *end = p + n, *eol;

    clear(l);
    l->present[0] = false;
    l->present[1] = true;
    if (!each) {
        put_line(l, &at, '+', p, n);
        return;
    }
    for (; p < end; p = eol) {
        eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol + 1 : end;
        put_line(l, &at, '+', p, (size_t)(eol - p));
    }
}

bool
render_lines_follow(const struct render_line *a, const struct render_line *b)
{
    if (!a->ends)
        return a->p + a->n == b->p;
    return a->at[0] + render_on_side(a, 0) == b->at[0]
        && a->at[1] + render_on_side(a, 1) == b->at[1];
}

struct change_scope
render_lines_scope(const struct render_lines *l, size_t i)
{
    const struct render_line *line = &l->line[i];
    bool inside = i > 0 && line[-1].run == line->run && line->kind != ' ';

    return l->scope[line->scope[inside && l->present[1]]];
}

uint64_t
render_lines_edited(const struct render_lines *l, size_t from, size_t to)
{
    uint64_t n = 0;

    for (; from < to; from++)
        n += l->line[from].kind != ' ' && l->line[from].ends;
    return n;
}
