/* b64.c - base64, three bytes to four characters. */
#include "base/b64.h"

#include <stdint.h>

static const char digit[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
b64_put(struct buf *b, const void *p, size_t n)
{
    const uint8_t *in = p;
    char *out = buf_room(b, n / 3 * 4 + 4);
    uint32_t v;
    size_t i;

    for (i = 0; i + 3 <= n; i += 3) {
        v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *out++ = digit[v >> 18];
        *out++ = digit[v >> 12 & 63];
        *out++ = digit[v >> 6 & 63];
        *out++ = digit[v & 63];
    }
    if (i < n) {
        v = (uint32_t)in[i] << 16;
        if (i + 1 < n)
            v |= (uint32_t)in[i + 1] << 8;
        *out++ = digit[v >> 18];
        *out++ = digit[v >> 12 & 63];
        *out++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
        *out++ = '=';
    }
    b->len = (size_t)(out - b->data);
    *out = '\0';
}

static int
value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
b64_get(struct buf *b, const char *text, size_t n)
{
    size_t pad = 0, i, k, had = b->len;
    uint32_t v;
    int d;

    if (n % 4 != 0)
        return false;
    while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
        pad++;
    buf_room(b, n / 4 * 3);
    for (i = 0; i < n; i += 4) {
        for (v = 0, k = 0; k < 4; k++) {
            d = i + k >= n - pad ? 0 : value(text[i + k]);
            if (d < 0)
                goto bad;
            v = v << 6 | (uint32_t)d;
        }
        if (i + 4 == n && pad > 0 && v & ((1u << 8 * pad) - 1))
            goto bad;
        b->data[b->len++] = (char)(v >> 16);
        b->data[b->len++] = (char)(v >> 8);
        b->data[b->len++] = (char)v;
    }
    b->len -= pad;
    b->data[b->len] = '\0';
    return true;
bad:
    b->len = had;
    b->data[had] = '\0';
    return false;
}
