/* change.c - a change in memory: its parts, its encoding, and the sides that
 * its hunks show.
 */
#include "record/change.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/change_parts.h"

void
change_init(struct change *c)
{
    memset(c, 0, sizeof(*c));
}

void
change_release(struct change *c)
{
    free(c->hunk);
    free(c->line);
    change_init(c);
}

/* ---- parts ---- */

void
change_clear(struct change *c)
{
    c->n_hunks = c->n_lines = 0;
}

struct change_hunk *
change_add_hunk(struct change *c)
{
    struct change_hunk *h;

    if (c->n_hunks == c->hunks_cap) {
        c->hunks_cap = c->hunks_cap ? 2 * c->hunks_cap : 8;
        c->hunk = mem_grow(c->hunk, c->hunks_cap * sizeof(*c->hunk));
    }
    h = &c->hunk[c->n_hunks++];
    memset(h, 0, sizeof(*h));
    h->line = c->n_lines;
    return h;
}

struct change_line *
change_add_line(struct change *c)
{
    if (c->n_lines == c->lines_cap) {
        c->lines_cap = c->lines_cap ? 2 * c->lines_cap : 64;
        c->line = mem_grow(c->line, c->lines_cap * sizeof(*c->line));
    }
    return &c->line[c->n_lines++];
}

/* ---- encoding ---- */

void
change_put_sides(struct buf *b, const bool present[2],
                 const uint64_t total[2])
{
    int i;

    for (i = 0; i < 2; i++) {
        if (present[i])
            buf_addf(b, "%llu", (unsigned long long)total[i]);
        else
            buf_addc(b, '-');
        buf_addc(b, i == 0 ? ' ' : '\n');
    }
}

void
change_put_header(struct buf *b, const uint64_t start[2],
                  const uint64_t count[2], const struct change_scope *scope)
{
    buf_addf(b, "@@ -%" PRIu64 ",%" PRIu64 " +%" PRIu64 ",%" PRIu64 " @@",
             start[0], count[0], start[1], count[1]);
    if (scope->n > 0) {
        buf_addc(b, ' ');
        buf_add(b, scope->p, scope->n);
    }
    buf_addc(b, '\n');
}

void
change_put_hunk(struct buf *b, const struct change *c,
                const struct change_hunk *h)
{
    const struct change_line *line = c->line + h->line;
    size_t i;

    change_put_header(b, h->start, h->count, &h->scope);
    for (i = 0; i < h->n_lines; i++) {
        buf_addc(b, line[i].kind);
        buf_add(b, line[i].p, line[i].n);
        buf_addc(b, '\n');
        if (line[i].no_newline)
            buf_addstr(b, CHANGE_NO_NEWLINE);
    }
}

void
change_encode(struct buf *b, const struct change *c)
{
    size_t i;

    change_put_sides(b, c->present, c->total);
    for (i = 0; i < c->n_hunks; i++)
        change_put_hunk(b, c, &c->hunk[i]);
}

/* ---- sides ---- */

static void
put_side(struct buf *b, const struct change *c, size_t i, int side)
{
    const struct change_hunk *h = &c->hunk[i];
    const struct change_line *line = c->line + h->line;
    size_t k;

    for (k = 0; k < h->n_lines; k++) {
        if (!change_on_side(line[k].kind, side))
            continue;
        buf_add(b, line[k].p, line[k].n);
        if (!line[k].no_newline)
            buf_addc(b, '\n');
    }
}

void
change_side(struct buf *b, const struct change *c, int side)
{
    size_t i;

    for (i = 0; i < c->n_hunks; i++)
        put_side(b, c, i, side);
}

bool
change_whole(const struct change *c)
{
    uint64_t shown[2] = {0, 0};
    size_t i;

    for (i = 0; i < c->n_hunks; i++) {
        shown[0] += c->hunk[i].count[0];
        shown[1] += c->hunk[i].count[1];
    }
    return shown[0] == c->total[0] && shown[1] == c->total[1];
}
