/* utf8.c - UTF-8 by the table of RFC 3629: no over-long forms, no surrogates,
 * nothing above U+10FFFF. */
#include "base/utf8.h"

size_t
utf8_length(const void *text, size_t n)
{
    const uint8_t *p = text;
    uint8_t low = 0x80, high = 0xbf;
    size_t len, i;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len > n)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

size_t
utf8_valid(const void *p, size_t n)
{
    const uint8_t *b = p;
    size_t at = 0, len;

    while (at < n) {
        if (utf8_is_ascii(b + at, n - at)) {
            at += UTF8_ASCII;
            continue;
        }
        len = utf8_length(b + at, n - at);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

bool
utf8_is_line(const void *p, size_t n)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        if (b[i] < 0x20 || b[i] == 0x7f)
            return false;
    return utf8_valid(p, n) == n;
}

size_t
utf8_decode(const void *p, uint32_t *code)
{
    const uint8_t *b = p;

    if (b[0] < 0x80) {
        *code = b[0];
        return 1;
    }
    if (b[0] < 0xe0) {
        *code = (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
        return 2;
    }
    if (b[0] < 0xf0) {
        *code = (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
        return 3;
    }
    *code = (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 |
            (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
    return 4;
}

size_t
utf8_encode(uint32_t code, char out[4])
{
    uint8_t *b = (uint8_t *)out;

    if (code < 0x80) {
        b[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        b[0] = (uint8_t)(0xc0 | code >> 6);
        b[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    if (code < 0x10000) {
        b[0] = (uint8_t)(0xe0 | code >> 12);
        b[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        b[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    b[0] = (uint8_t)(0xf0 | code >> 18);
    b[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    b[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    b[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}
