/* visible.c - which characters are shown as they are. */
#include "base/visible.h"

#include <inttypes.h>

#include "base/utf8.h"

/* Whether a reader would not see the character, or see others move. */
static bool
hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c
           || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e)
           || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff
           || (c >= 0xfff0 && c <= 0xfffb) || c >= 0xe0000;
}

void
visible_step(struct buf *b, const char *p, size_t n, size_t *at)
{
    size_t length = utf8_length(p + *at, n - *at);
    uint32_t code;

    if (length == 0) {
        buf_addf(b, "\\x%02x", (unsigned char)p[(*at)++]);
        return;
    }
    utf8_decode(p + *at, &code);
    if (!hidden(code))
        buf_add(b, p + *at, length);
    else
        buf_addf(b, code < 0x80 ? "\\x%02" PRIx32 : "\\u{%" PRIx32 "}",
                 code);
    *at += length;
}

void
visible_put(struct buf *b, const char *p, size_t n, size_t max)
{
    size_t at = 0;

    while (at < n && at < max)
        visible_step(b, p, n, &at);
    if (at < n)
        buf_addstr(b, "\u2026");
}
