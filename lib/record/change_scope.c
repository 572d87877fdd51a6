/* change_scope.c - the line that names what a hunk is in, looked for upward as
 * git does it by default: no language is known, but what begins at the left
 * edge with a letter, _ or $ seldom is anything else than a definition.
 */
#include <string.h>

#include "base/utf8.h"
#include "record/change.h"

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
change_scope_of(struct change_scope *s, const char *p, size_t n)
{
    char c = n > 0 ? *p : '\0';

    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'
          || c == '$'))
        return false;
    if (n > CHANGE_SCOPE_BYTES)
        n = CHANGE_SCOPE_BYTES;
    while (is_blank(p[n - 1]))
        n--;
    *s = (struct change_scope){ p, utf8_valid(p, n) };
    return true;
}

void
change_scope_above(struct change_scope *s, const char *text, size_t from,
                   size_t to)
{
    const char *newline;
    size_t at;

    for (; to > from; to = at) {
        newline = memrchr(text + from, '\n', to - 1 - from);
        at = newline ? (size_t)(newline + 1 - text) : from;
        if (change_scope_of(s, text + at, to - at))
            return;
    }
}
