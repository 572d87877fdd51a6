/* fence.c - looks at the beginning of each line for three backquotes. */
#include "text/fence.h"

#include <string.h>

/* The first line at or behind p that is a fence, or end; *next is behind it.
 */
static const char *
find_fence(const char *p, const char *end, const char **next)
{
    while (p < end) {
        const char *q = p;
        const char *newline = memchr(p, '\n', (size_t)(end - p));

        *next = newline != NULL ? newline + 1 : end;
        while (q < *next && (*q == ' ' || *q == '\t'))
            q++;
        if (*next - q >= 3 && memcmp(q, "```", 3) == 0)
            return p;
        p = *next;
    }
    *next = end;
    return end;
}

const char *
fenced(const char *text, size_t len, size_t *n)
{
    const char *end = text + len, *inside, *next;

    if (find_fence(text, end, &inside) == end)
        return NULL;
    *n = (size_t)(find_fence(inside, end, &next) - inside);
    return inside;
}
