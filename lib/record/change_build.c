/* change_build.c - an encoded change from two texts and the edits between
 * them: edits whose context would meet share a hunk.
 */
#include <string.h>

#include "base/lines.h"
#include "record/change_parts.h"

/* The lines of p[n], each behind kind. */
static void
put_lines(struct buf *b, char kind, const char *p, size_t n)
{
    const char *end = p + n, *eol;

    while (p < end) {
        eol = memchr(p, '\n', (size_t)(end - p));
        buf_addc(b, kind);
        if (!eol) {
            buf_add(b, p, (size_t)(end - p));
            buf_addstr(b, "\n" CHANGE_NO_NEWLINE);
            return;
        }
        buf_add(b, p, (size_t)(eol + 1 - p));
        p = eol + 1;
    }
}

/* What the lines of the text before up to byte `seen` give. */
struct scope_search {
    struct change_scope scope;
    size_t seen;
};

/* One hunk: edits [0, n) of edit, lead kept lines before and trail behind.
 * Kept lines are taken from the text before. */
static void
build_hunk(struct buf *b, const struct change_text *before,
           const struct change_text *after, const struct edit *edit,
           size_t n, size_t lead, size_t trail, struct scope_search *search)
{
    const struct edit_run *first = edit->side, *last = edit[n - 1].side;
    const struct edit_run *run;
    uint64_t start[2], count[2];
    size_t at, i;
    int s;

    for (s = 0; s < 2; s++) {
        count[s] = last[s].line + last[s].n_lines + trail -
                   (first[s].line - lead);
        start[s] = first[s].line - lead + (count[s] > 0);
    }
    at = lines_back(before->p, first[0].at, lead);
    change_scope_above(&search->scope, before->p, search->seen, at);
    search->seen = at;
    change_put_header(b, start, count, &search->scope);
    for (i = 0; i < n; i++) {
        run = edit[i].side;
        put_lines(b, ' ', before->p + at, run[0].at - at);
        put_lines(b, '-', before->p + run[0].at, run[0].len);
        put_lines(b, '+', after->p + run[1].at, run[1].len);
        at = run[0].at + run[0].len;
    }
    put_lines(b, ' ', before->p + at,
              lines_on(before->p, at, before->n, trail) - at);
}

static size_t
less(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The line of the text before that the edit ends at. */
static size_t
end_line(const struct edit *edit)
{
    return edit->side[0].line + edit->side[0].n_lines;
}

static void
build_hunks(struct buf *b, const struct change_text *before,
            const struct change_text *after, const struct edit *edit,
            size_t n, size_t context)
{
    struct scope_search search = { { NULL, 0 }, 0 };
    size_t i, k, end = 0, lead, behind, between;

    for (i = 0; i < n; i = k) {
        lead = less(edit[i].side[0].line - end, context);
        for (k = i + 1; k < n; k++) {
            between = edit[k].side[0].line - end_line(&edit[k - 1]);
            if (between / 2 + between % 2 > context)
                break;
        }
        end = end_line(&edit[k - 1]);
        behind = less(before->n_lines - end, context);
        build_hunk(b, before, after, edit + i, k - i, lead, behind, &search);
        end += behind;
    }
}

void
change_build(struct buf *b, const struct change_text *before,
             const struct change_text *after, const struct edit *edit,
             size_t n, size_t context)
{
    const struct change_text *whole = before->p ? before : after;
    const bool present[2] = {before->p != NULL, after->p != NULL};
    const uint64_t total[2] = {before->n_lines, after->n_lines};
    uint64_t count[2], start[2];
    int i;

    change_put_sides(b, present, total);
    if (present[0] && present[1] && n > 0) {
        build_hunks(b, before, after, edit, n, context);
        return;
    }
    if (present[0] && present[1] && context != CHANGE_ALL)
        return;
    if (whole->n == 0)
        return;
    for (i = 0; i < 2; i++) {
        count[i] = present[i] ? total[i] : 0;
        start[i] = count[i] > 0;
    }
    change_put_header(b, start, count, &(struct change_scope){ NULL, 0 });
    put_lines(b, !present[0] ? '+' : !present[1] ? '-' : ' ', whole->p,
              whole->n);
}
