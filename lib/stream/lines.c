/* lines.c - lines, words and numbers of text: nothing is copied, and what is
 * not exactly one of them is none. */
#include "stream/lines.h"

#include <string.h>

bool
decimal_parse(const char *s, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    unsigned digit;

    if (n == 0 || (n > 1 && s[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++) {
        digit = (unsigned)(unsigned char)s[i] - '0';
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

bool
line_next(const char **p, const char *end, const char **line, size_t *n)
{
    const char *nl;

    if (*p >= end)
        return false;
    nl = memchr(*p, '\n', (size_t)(end - *p));
    if (!nl)
        return false;
    *line = *p;
    *n = (size_t)(nl - *p);
    *p = nl + 1;
    return true;
}

bool
word_next(const char **p, size_t *n, const char **word, size_t *len)
{
    const char *space = *n ? memchr(*p, ' ', *n) : NULL;

    *word = *p;
    *len = space ? (size_t)(space - *p) : *n;
    *n -= *len;
    *p += *len;
    if (space) {
        *p += 1;
        *n -= 1;
    }
    return *len > 0;
}
