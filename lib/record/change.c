/* change.c - decoding, checking and encoding of changes. */
#include "record/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NO_NEWLINE "\\ No newline at end of file\n"

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

static struct change_hunk *
add_hunk(struct change *c)
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

static struct change_line *
add_line(struct change *c)
{
    if (c->n_lines == c->lines_cap) {
        c->lines_cap = c->lines_cap ? 2 * c->lines_cap : 64;
        c->line = mem_grow(c->line, c->lines_cap * sizeof(*c->line));
    }
    return &c->line[c->n_lines++];
}

/* Whether a line of that kind stands on that side. */
static bool
on_side(char kind, int side)
{
    return kind == ' ' || kind == (side == CHANGE_BEFORE ? '-' : '+');
}

/* ---- decoding ---- */

struct reader {
    struct change *c;
    const char *start, *p, *end;
    uint64_t done[2];     /* lines behind us on each side */
    bool closed[2];       /* a line without newline has come */
};

static int
bad(const struct reader *r, const char *what, struct err *e)
{
    return err_set(e, ERR_DATA, "change: byte %td: %s", r->p - r->start,
                   what);
}

static bool
take(struct reader *r, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
        return false;
    r->p += n;
    return true;
}

/* A decimal without leading zeros, below 2^62. */
static bool
take_number(struct reader *r, uint64_t *out)
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
take_side(struct reader *r, int side)
{
    r->c->present[side] = !take(r, "-");
    r->c->total[side] = 0;
    return !r->c->present[side] || take_number(r, &r->c->total[side]);
}

static int
take_sides(struct reader *r, struct err *e)
{
    if (!take_side(r, 0) || !take(r, " ") || !take_side(r, 1)
        || !take(r, "\n"))
        return bad(r, "bad first line", e);
    if (!r->c->present[0] && !r->c->present[1])
        return bad(r, "both sides are absent", e);
    return 0;
}

/* "@@ -START,COUNT +START,COUNT @@" */
static int
take_header(struct reader *r, struct change_hunk *h, struct err *e)
{
    uint64_t first[2];
    int i;

    if (!take(r, "@@ -") || !take_number(r, &h->start[0])
        || !take(r, ",") || !take_number(r, &h->count[0])
        || !take(r, " +") || !take_number(r, &h->start[1])
        || !take(r, ",") || !take_number(r, &h->count[1])
        || !take(r, " @@\n"))
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
take_no_newline(struct reader *r, struct change_line *line,
                const uint64_t left[2], struct err *e)
{
    int i;

    for (i = 0; i < 2; i++) {
        if (!on_side(line->kind, i))
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
take_line(struct reader *r, uint64_t left[2], struct err *e)
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
        if (on_side(kind, i) && left[i]-- == 0)
            return bad(r, "more lines than the hunk's header says", e);
    }
    line = add_line(r->c);
    line->kind = kind;
    line->no_newline = false;
    line->p = r->p + 1;
    line->n = (size_t)(eol - line->p);
    r->p = eol + 1;
    if (r->p < r->end && *r->p == '\\') {
        if (!take(r, NO_NEWLINE))
            return bad(r, "bad line", e);
        return take_no_newline(r, line, left, e);
    }
    return 0;
}

static int
take_hunk(struct reader *r, struct err *e)
{
    struct change_hunk *h = add_hunk(r->c);
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
    struct reader r = {.c = c, .start = p, .p = p,
                       .end = (const char *)p + n};
    int rc;

    c->n_hunks = c->n_lines = 0;
    rc = take_sides(&r, e);
    while (rc == 0 && r.p < r.end)
        rc = take_hunk(&r, e);
    if (rc == 0 && c->total[0] - r.done[0] != c->total[1] - r.done[1])
        rc = bad(&r, "line numbers do not agree", e);
    if (rc < 0) {
        c->n_hunks = c->n_lines = 0;
        c->present[0] = c->present[1] = false;
        c->total[0] = c->total[1] = 0;
    }
    return rc;
}

/* ---- encoding ---- */

static void
put_sides(struct buf *b, bool before, uint64_t n_before, bool after,
          uint64_t n_after)
{
    if (before)
        buf_addf(b, "%llu ", (unsigned long long)n_before);
    else
        buf_addstr(b, "- ");
    if (after)
        buf_addf(b, "%llu\n", (unsigned long long)n_after);
    else
        buf_addstr(b, "-\n");
}

static void
put_header(struct buf *b, const uint64_t start[2], const uint64_t count[2])
{
    buf_addf(b, "@@ -%llu,%llu +%llu,%llu @@\n",
             (unsigned long long)start[0], (unsigned long long)count[0],
             (unsigned long long)start[1], (unsigned long long)count[1]);
}

static void
put_hunk(struct buf *b, const struct change *c, const struct change_hunk *h)
{
    const struct change_line *line = c->line + h->line;
    size_t i;

    put_header(b, h->start, h->count);
    for (i = 0; i < h->n_lines; i++) {
        buf_addc(b, line[i].kind);
        buf_add(b, line[i].p, line[i].n);
        buf_addc(b, '\n');
        if (line[i].no_newline)
            buf_addstr(b, NO_NEWLINE);
    }
}

void
change_encode(struct buf *b, const struct change *c)
{
    size_t i;

    put_sides(b, c->present[0], c->total[0], c->present[1], c->total[1]);
    for (i = 0; i < c->n_hunks; i++)
        put_hunk(b, c, &c->hunk[i]);
}

/* ---- views ---- */

void
change_hunk_side(struct buf *b, const struct change *c, size_t i, int side)
{
    const struct change_hunk *h = &c->hunk[i];
    const struct change_line *line = c->line + h->line;
    size_t k;

    for (k = 0; k < h->n_lines; k++) {
        if (!on_side(line[k].kind, side))
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
        change_hunk_side(b, c, i, side);
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

/* git's quoting: only a name with bytes that need it is quoted. */
static void
put_name(struct buf *b, const char *prefix, const char *p, size_t n)
{
    static const char plain[] = "abtnvfr";
    bool quote = false;
    unsigned char c;
    size_t i;

    for (i = 0; i < n; i++) {
        c = (unsigned char)p[i];
        quote = quote || c < 0x20 || c >= 0x7f || c == '"' || c == '\\';
    }
    if (quote)
        buf_addc(b, '"');
    buf_addstr(b, prefix);
    for (i = 0; i < n; i++) {
        c = (unsigned char)p[i];
        if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", c);
        else if (c >= 7 && c <= 13)
            buf_addf(b, "\\%c", plain[c - 7]);
        else if (c < 0x20 || c >= 0x7f)
            buf_addf(b, "\\%03o", c);
        else
            buf_addc(b, c);
    }
    if (quote)
        buf_addc(b, '"');
}

/* "--- a/NAME" or "+++ b/NAME"; a name with a blank ends in a tab. */
static void
put_side_name(struct buf *b, const char *mark, const char *prefix,
              bool present, const char *p, size_t n)
{
    buf_addstr(b, mark);
    if (!present) {
        buf_addstr(b, "/dev/null\n");
        return;
    }
    put_name(b, prefix, p, n);
    buf_addstr(b, memchr(p, ' ', n) ? "\t\n" : "\n");
}

void
change_unified(struct buf *b, const struct change *c, const char *path,
               size_t n_path, const char *old_path, size_t n_old)
{
    const char *from = old_path ? old_path : path;
    size_t n_from = old_path ? n_old : n_path, i;

    buf_addstr(b, "diff --git ");
    put_name(b, "a/", from, n_from);
    buf_addc(b, ' ');
    put_name(b, "b/", path, n_path);
    buf_addc(b, '\n');
    if (!c->present[0])
        buf_addstr(b, "new file mode 100644\n");
    if (!c->present[1])
        buf_addstr(b, "deleted file mode 100644\n");
    if (old_path) {
        buf_addstr(b, "rename from ");
        put_name(b, "", old_path, n_old);
        buf_addstr(b, "\nrename to ");
        put_name(b, "", path, n_path);
        buf_addc(b, '\n');
    }
    if (c->n_hunks == 0)
        return;
    put_side_name(b, "--- ", "a/", c->present[0], from, n_from);
    put_side_name(b, "+++ ", "b/", c->present[1], path, n_path);
    for (i = 0; i < c->n_hunks; i++)
        put_hunk(b, c, &c->hunk[i]);
}

/* ---- less context ---- */

/* Appends lines [from, to) of hunk h as a hunk of its own. seen is what of
 * the hunk lies before from, on each side. */
static void
part_of_hunk(struct change *out, const struct change *in,
             const struct change_hunk *h, size_t from, size_t to,
             const uint64_t seen[2])
{
    struct change_hunk *part = add_hunk(out);
    const struct change_line *line = in->line + h->line;
    uint64_t count[2] = {0, 0};
    size_t k;
    int i;

    for (k = from; k < to; k++) {
        *add_line(out) = line[k];
        for (i = 0; i < 2; i++)
            count[i] += on_side(line[k].kind, i);
    }
    for (i = 0; i < 2; i++) {
        part->start[i] = h->start[i] - (h->count[i] > 0) + seen[i] +
                         (count[i] > 0);
        part->count[i] = count[i];
    }
    part->n_lines = to - from;
}

static void
narrow_hunk(struct change *out, const struct change *in,
            const struct change_hunk *h, size_t context)
{
    const struct change_line *line = in->line + h->line;
    uint64_t seen[2] = {0, 0};
    size_t from, to, k, kept, done = 0, first = 0;

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
        part_of_hunk(out, in, h, from, to, seen);
        for (k = from; k < to; k++) {
            seen[0] += on_side(line[k].kind, 0);
            seen[1] += on_side(line[k].kind, 1);
        }
        done = first = to;
    }
}

void
change_narrow(struct change *out, const struct change *in, size_t context)
{
    size_t i;

    out->n_hunks = out->n_lines = 0;
    for (i = 0; i < 2; i++) {
        out->present[i] = in->present[i];
        out->total[i] = in->total[i];
    }
    for (i = 0; i < in->n_hunks; i++)
        narrow_hunk(out, in, &in->hunk[i], context);
}

/* ---- making one ---- */

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
            buf_addstr(b, "\n" NO_NEWLINE);
            return;
        }
        buf_add(b, p, (size_t)(eol + 1 - p));
        p = eol + 1;
    }
}

/* Where the last `lines` lines before the line start `at` begin. */
static size_t
back(const char *p, size_t at, size_t lines)
{
    const char *newline;

    for (; lines > 0 && at > 0; lines--) {
        newline = memrchr(p, '\n', at - 1);
        at = newline ? (size_t)(newline - p) + 1 : 0;
    }
    return at;
}

static size_t
forth(const char *p, size_t at, size_t n, size_t lines)
{
    const char *newline;

    for (; lines > 0 && at < n; lines--) {
        newline = memchr(p + at, '\n', n - at);
        at = newline ? (size_t)(newline - p) + 1 : n;
    }
    return at;
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
    put_header(b, start, count);
    at = back(before->p, edit->at[0], lead);
    for (i = 0; i < n; i++) {
        put_lines(b, ' ', before->p + at, edit[i].at[0] - at);
        put_lines(b, '-', before->p + edit[i].at[0], edit[i].len[0]);
        put_lines(b, '+', after->p + edit[i].at[1], edit[i].len[1]);
        at = edit[i].at[0] + edit[i].len[0];
    }
    put_lines(b, ' ', before->p + at,
              forth(before->p, at, before->n, trail) - at);
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
    uint64_t count[2], start[2];

    put_sides(b, before->p != NULL, before->n_lines, after->p != NULL,
              after->n_lines);
    if (before->p && after->p && n > 0) {
        build_hunks(b, before, after, edit, n, context);
        return;
    }
    if (before->p && after->p && context != CHANGE_ALL)
        return;
    if (whole->n == 0)
        return;
    count[0] = before->p ? before->n_lines : 0;
    count[1] = after->p ? after->n_lines : 0;
    start[0] = count[0] > 0;
    start[1] = count[1] > 0;
    put_header(b, start, count);
    put_lines(b, !before->p ? '+' : !after->p ? '-' : ' ', whole->p,
              whole->n);
}
