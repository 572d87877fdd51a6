/* render_cut.c - where a text over the limit is cut: what its lines cost, at
 * which of them a part had better end, and how a line that is too long by
 * itself falls apart.
 *
 * Costs are of lines encoded alone, which is what they take together but for
 * a few tokens that span two of them. So cutting adds numbers up, and only
 * what came of it is encoded.
 */
#include <string.h>

#include "record/render_parts.h"

/* About what a unified diff's "@@ -10,5 +10,6 @@" and the marks of a gap in
 * both sides take. */
#define HEADER_TOKENS 24
#define GAP_TOKENS 8

uint64_t
render_cost(const struct render_lines *l, size_t i)
{
    const struct render_line *line = &l->line[i];

    switch (l->view) {
    case RENDER_SIDES:
        return (uint64_t)line->tokens * (line->kind == ' ' ? 2 : 1);
    case RENDER_DIFF:
        return (uint64_t)line->tokens + 1;
    default:
        return line->tokens;
    }
}

/* What stands before line i of a part that begins with line `from`. */
static uint64_t
cost_ahead(const struct render_lines *l, size_t i, size_t from)
{
    if (l->view == RENDER_TEXT
        || (i > from && render_lines_follow(&l->line[i - 1], &l->line[i])))
        return 0;
    if (l->view == RENDER_DIFF)
        return HEADER_TOKENS + render_lines_scope(l, i).n / 2;
    return i > from ? GAP_TOKENS : 0;
}

/* ---- good places ---- */

static size_t
indentation(const struct render_line *line)
{
    size_t i = 0;

    while (i < line->n && (line->p[i] == ' ' || line->p[i] == '\t'))
        i++;
    return i;
}

static bool
is_empty(const struct render_line *line)
{
    size_t i = indentation(line);

    return i == line->n || line->p[i] == '\n' || line->p[i] == '\r';
}

/* The line above line i on a side that both are on, or NULL; lines that were
 * removed and added take turns, so it is not far. */
static const struct render_line *
above(const struct render_lines *l, size_t i, bool empty)
{
    char kind = l->line[i].kind;

    for (size_t k = i, tries = 8; k-- > 0 && tries > 0; tries--)
        if ((kind == ' ' || l->line[k].kind == ' '
             || l->line[k].kind == kind)
            && (empty || !is_empty(&l->line[k])))
            return &l->line[k];
    return NULL;
}

/* How good it is to cut before line i, which is not the first. */
static int
goodness(const struct render_lines *l, size_t i)
{
    const struct render_line *line = &l->line[i], *last = line - 1, *text;
    struct change_scope scope;
    bool behind_empty, defines;

    if (!last->ends)
        return 0;
    if (line->hunk != last->hunk || !render_lines_follow(last, line))
        return 5;
    if (is_empty(line))
        return 0;
    last = above(l, i, true);
    text = above(l, i, false);
    behind_empty = last && is_empty(last);
    defines = change_scope_of(&scope, line->p, line->n);
    if (behind_empty && defines)
        return 4;
    if (behind_empty && (!text || indentation(line) <= indentation(text)))
        return 3;
    if (defines && text && indentation(text) > 0)
        return 2;
    return line->near > 0 && line[-1].near > 0;
}

/* A hunk that fits by itself and would be cut at line `to` is left to the
 * next part: where it begins, or `to`. */
static size_t
spare_hunk(const struct render_lines *l, size_t from, size_t to)
{
    size_t i = to;

    if (!l->line[to].fits)
        return to;
    while (i > from && l->line[i - 1].hunk == l->line[to].hunk)
        i--;
    return i > from ? i : to;
}

size_t
render_cut(const struct render_lines *l, size_t from, uint64_t room)
{
    size_t to, i, best, middle = from + 1;
    uint64_t used = 0, cost;

    for (to = from; to < l->n; to++) {
        cost = render_cost(l, to) + cost_ahead(l, to, from);
        if (to > from && used + cost > room)
            break;
        used += cost;
        if (used <= room / 2)
            middle = to + 1;
    }
    if (to == l->n)
        return to;
    i = spare_hunk(l, from, to);
    if (i < to)
        return i;
    for (best = i; i >= middle; i--)
        if (goodness(l, i) > goodness(l, best))
            best = i;
    return best;
}

uint64_t
render_cost_of(const struct render_lines *l, size_t from, size_t to)
{
    uint64_t sum = 0;

    for (size_t i = from; i < to; i++)
        sum += render_cost(l, i) + cost_ahead(l, i, from);
    return sum;
}

/* ---- within a line ---- */

uint64_t
render_measure(const struct render *r, struct render_worker *w,
               const char *p, size_t n)
{
    w->ids.n = 0;
    encoder_add(&w->en, p, n, r->marks, &w->ids);
    return w->ids.n;
}

static bool
is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

/* An end of p[n] near `at` and not behind it that cuts no character, and if
 * one is near no word. */
static size_t
good_end(const char *p, size_t n, size_t at)
{
    size_t i, k;

    if (at >= n)
        return n;
    for (i = at; i > 1 && at - i < 3 && (p[i] & 0xc0) == 0x80; i--)
        ;
    if ((p[i] & 0xc0) == 0x80)
        i = at; /* not UTF-8 */
    for (k = i; k > i / 2 + 1 && i - k < 16; k--)
        if (!is_word(p[k - 1]))
            return k;
    return i;
}

size_t
render_prefix(const struct render *r, struct render_worker *w, const char *p,
              size_t n, uint64_t *tokens)
{
    uint64_t room = *tokens, took;
    size_t at = room < n / 4 ? (size_t)room * 4 : n, most = 0;

    for (int tries = 0; tries < 8 && at > most; tries++) {
        at = good_end(p, n, at);
        took = render_measure(r, w, p, at);
        if (took <= room) {
            most = at;
            *tokens = took;
        }
        if (took <= room && (at == n || took >= room - room / 4))
            break;
        at = (size_t)((double)at * (double)room / (double)(took + 1));
        at -= at / 16;
        at = at < n ? at : n;
    }
    return most;
}
