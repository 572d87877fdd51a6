/* json_text.c - what the escapes in a JSON string stand for. */
#include "base/json_text.h"

/* Four hex digits at p, or -1. */
static int
hex4(const char *p, const char *end)
{
    int v = 0, i, c;

    if (end - p < 4)
        return -1;
    for (i = 0; i < 4; i++) {
        c = p[i];
        if (c >= '0' && c <= '9')
            c -= '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            c = (c | 32) - 'a' + 10;
        else
            return -1;
        v = v << 4 | c;
    }
    return v;
}

int32_t
json_escape_code(const char **p, const char *end)
{
    int high = hex4(*p, end), low;

    if (high < 0)
        return -1;
    *p += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -2;
    low = hex4(*p + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -2;
    *p += 6;
    return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

int
json_escape_char(int c)
{
    switch (c) {
    case '"': case '\\': case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}
