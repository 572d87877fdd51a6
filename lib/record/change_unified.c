/* change_unified.c - a change as a unified diff, and what that says of the
 * file, in git's words and with git's quoting of names.
 */
#include <string.h>

#include "record/change_parts.h"

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
change_put_file(struct buf *b, const bool present[2], bool hunks,
                const char *path, size_t n_path, const char *old_path,
                size_t n_old)
{
    const char *from = old_path ? old_path : path;
    size_t n_from = old_path ? n_old : n_path;

    buf_addstr(b, "diff --git ");
    put_name(b, "a/", from, n_from);
    buf_addc(b, ' ');
    put_name(b, "b/", path, n_path);
    buf_addc(b, '\n');
    if (!present[0])
        buf_addstr(b, "new file mode 100644\n");
    if (!present[1])
        buf_addstr(b, "deleted file mode 100644\n");
    if (old_path) {
        buf_addstr(b, "rename from ");
        put_name(b, "", old_path, n_old);
        buf_addstr(b, "\nrename to ");
        put_name(b, "", path, n_path);
        buf_addc(b, '\n');
    }
    if (!hunks)
        return;
    put_side_name(b, "--- ", "a/", present[0], from, n_from);
    put_side_name(b, "+++ ", "b/", present[1], path, n_path);
}

void
change_unified(struct buf *b, const struct change *c, const char *path,
               size_t n_path, const char *old_path, size_t n_old)
{
    change_put_file(b, c->present, c->n_hunks > 0, path, n_path, old_path,
                    n_old);
    for (size_t i = 0; i < c->n_hunks; i++)
        change_put_hunk(b, c, &c->hunk[i]);
}
