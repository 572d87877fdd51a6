/* json_write.c - strings and numbers as JSON: the least that is escaped, the
 * shortest that reads back.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

void
json_put_string(struct buf *b, const char *s, size_t n)
{
    static const char letter[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
    };
    size_t i, run = 0;
    unsigned char c;

    buf_addc(b, '"');
    for (i = 0; i < n; i++) {
        c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(b, s + run, i - run);
        run = i + 1;
        if (c >= 0x20)
            buf_addf(b, "\\%c", c);
        else if (letter[c])
            buf_addf(b, "\\%c", letter[c]);
        else
            buf_addf(b, "\\u%04x", c);
    }
    buf_add(b, s + run, n - run);
    buf_addc(b, '"');
}

void
json_put_compact(struct buf *b, const char *p, size_t n)
{
    bool in_string = false;
    size_t i, run = 0;

    for (i = 0; i < n; i++) {
        if (in_string && p[i] == '\\') {
            i++;
        } else if (p[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && memchr(" \t\r\n", p[i], 4)) {
            buf_add(b, p + run, i - run);
            run = i + 1;
        }
    }
    buf_add(b, p + run, n - run);
}

void
json_put_double(struct buf *b, double v)
{
    char text[32];
    int digits;

    if (!isfinite(v)) {
        buf_addstr(b, "null");
        return;
    }
    for (digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_addstr(b, text);
}

void
json_put_number(struct buf *b, const char *name, double v)
{
    bool first = b->len > 0 && b->data[b->len - 1] == '{';

    buf_addf(b, "%s\"%s\": ", first ? "" : ", ", name);
    json_put_double(b, v);
}

void
json_put_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    char *to;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    to = buf_room(b, n);
    b->len += n;
    while (n > 0)
        *to++ = digits[--n];
    *to = '\0';
}
