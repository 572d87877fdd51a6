/* change_narrow.c - a change with less context: hunks lose kept lines at both
 * ends, and fall apart where more lie between two edits than both keep.
 */
#include "record/change_parts.h"

/* Looks for the scope of what begins at line `from` of the hunk, among the
 * lines of the side before from line `seen` on. */
static void
find_scope(struct change_scope *s, const struct change_line *line,
           size_t seen, size_t from)
{
    while (from-- > seen)
        if (change_on_side(line[from].kind, CHANGE_BEFORE)
            && change_scope_of(s, line[from].p, line[from].n))
            return;
}

/* Appends lines [from, to) of hunk h as a hunk of its own. seen is what of
 * the hunk lies before from, on each side. */
static void
part_of_hunk(struct change *out, const struct change *in,
             const struct change_hunk *h, size_t from, size_t to,
             const uint64_t seen[2], const struct change_scope *scope)
{
    struct change_hunk *part = change_add_hunk(out);
    const struct change_line *line = in->line + h->line;
    uint64_t count[2] = {0, 0};
    size_t k;
    int i;

    for (k = from; k < to; k++) {
        *change_add_line(out) = line[k];
        for (i = 0; i < 2; i++)
            count[i] += change_on_side(line[k].kind, i);
    }
    for (i = 0; i < 2; i++) {
        part->start[i] = h->start[i] - (h->count[i] > 0) + seen[i] +
                         (count[i] > 0);
        part->count[i] = count[i];
    }
    part->n_lines = to - from;
    part->scope = *scope;
}

static void
narrow_hunk(struct change *out, const struct change *in,
            const struct change_hunk *h, size_t context)
{
    const struct change_line *line = in->line + h->line;
    uint64_t seen[2] = {0, 0};
    struct change_scope scope = h->scope;
    size_t from, to, k, kept, done = 0, first = 0, looked = 0;

    for (;;) {
        while (first < h->n_lines && line[first].kind == ' ')
            first++;
        if (first == h->n_lines)
            return;
        from = first - done > context ? first - context : done;
        kept = 0;
        for (to = k = first; k < h->n_lines; k++) {
            if (line[k].kind != ' ') {
                kept = 0;
                to = k + 1;
            } else if (++kept > context && kept - context > context) {
                break;
            }
        }
        first = to;
        to = h->n_lines - to > context ? to + context : h->n_lines;
        for (k = done; k < from; k++) {
            seen[0]++;
            seen[1]++;
        }
        find_scope(&scope, line, looked, from);
        looked = from;
        part_of_hunk(out, in, h, from, to, seen, &scope);
        for (k = from; k < to; k++) {
            seen[0] += change_on_side(line[k].kind, 0);
            seen[1] += change_on_side(line[k].kind, 1);
        }
        done = first = to;
    }
}

void
change_narrow(struct change *out, const struct change *in, size_t context)
{
    size_t i;

    change_clear(out);
    for (i = 0; i < 2; i++) {
        out->present[i] = in->present[i];
        out->total[i] = in->total[i];
    }
    for (i = 0; i < in->n_hunks; i++)
        narrow_hunk(out, in, &in->hunk[i], context);
}
