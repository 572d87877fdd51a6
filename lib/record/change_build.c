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

/* One hunk: edits [0, n) of edit, lead kept lines before and trail behind.
 * Kept lines are taken from the text before. */
static void
build_hunk(struct buf *b, const struct change_text *before,
           const struct change_text *after, const struct change_edit *edit,
           size_t n, size_t lead, size_t trail)
{
    const struct change_edit *last = &edit[n - 1];
    uint64_t start[2], count[2];
    size_t at, i;
    int s;

    for (s = 0; s < 2; s++) {
        count[s] = last->line[s] + last->n_lines[s] + trail -
                   (edit->line[s] - lead);
        start[s] = edit->line[s] - lead + (count[s] > 0);
    }
    change_put_header(b, start, count);
    at = lines_back(before->p, edit->at[0], lead);
    for (i = 0; i < n; i++) {
        put_lines(b, ' ', before->p + at, edit[i].at[0] - at);
        put_lines(b, '-', before->p + edit[i].at[0], edit[i].len[0]);
        put_lines(b, '+', after->p + edit[i].at[1], edit[i].len[1]);
        at = edit[i].at[0] + edit[i].len[0];
    }
    put_lines(b, ' ', before->p + at,
              lines_on(before->p, at, before->n, trail) - at);
}

static size_t
less(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void
build_hunks(struct buf *b, const struct change_text *before,
            const struct change_text *after, const struct change_edit *edit,
            size_t n, size_t context)
{
    size_t i, k, end = 0, lead, behind;

    for (i = 0; i < n; i = k) {
        lead = less(edit[i].line[0] - end, context);
        for (k = i + 1; k < n; k++) {
            end = edit[k - 1].line[0] + edit[k - 1].n_lines[0];
            if ((edit[k].line[0] - end) / 2 +
                (edit[k].line[0] - end) % 2 > context)
                break;
        }
        end = edit[k - 1].line[0] + edit[k - 1].n_lines[0];
        behind = less(before->n_lines - end, context);
        build_hunk(b, before, after, edit + i, k - i, lead, behind);
        end += behind;
    }
}

void
change_build(struct buf *b, const struct change_text *before,
             const struct change_text *after,
             const struct change_edit *edit, size_t n, size_t context)
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
    change_put_header(b, start, count);
    put_lines(b, !present[0] ? '+' : !present[1] ? '-' : ' ', whole->p,
              whole->n);
}
