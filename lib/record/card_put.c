/* card_put.c - words and numbers that may come from anywhere. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/utf8.h"
#include "record/card_parts.h"

#define SHOWN_BYTES 160
#define LAST_YEAR 9999

/* Whether a reader would not see the character, or see others move. */
static bool
hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c
           || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e)
           || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff
           || (c >= 0xfff0 && c <= 0xfffb) || c >= 0xe0000;
}

/* Appends p[n] as it can be seen: to *at, the next character. */
static void
put_seen(struct buf *b, const char *p, size_t n, size_t *at)
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

/* Appends p[n] as it can be seen, or its first part and an ellipsis. */
static void
put_cut(struct buf *b, const char *p, size_t n)
{
    size_t at = 0;

    while (at < n && at < SHOWN_BYTES)
        put_seen(b, p, n, &at);
    if (at < n)
        buf_addstr(b, "\u2026");
}

void
card_put(struct buf *b, const char *p, size_t n)
{
    struct buf seen;

    buf_init(&seen);
    put_cut(&seen, p, n);
    for (size_t i = 0; i < seen.len; i++) {
        char c = seen.data[i];

        if (c == '&' || c == '<' || c == '>' || c == '|')
            buf_addf(b, "&#%d;", c);
        else if (strchr("\\`*_[](){}#!~$:", c))
            buf_addf(b, "\\%c", c);
        else
            buf_addc(b, c);
    }
    buf_release(&seen);
}

void
card_puts(struct buf *b, const char *s)
{
    card_put(b, s, strlen(s));
}

void
card_put_yaml(struct buf *b, const char *p, size_t n)
{
    struct buf seen;

    buf_init(&seen);
    put_cut(&seen, p, n);
    json_put_string(b, seen.data, seen.len);
    buf_release(&seen);
}

void
card_put_day(struct buf *b, int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || tm.tm_year < -1900
        || tm.tm_year > LAST_YEAR - 1900)
        buf_addf(b, "@%" PRId64, seconds);
    else
        buf_addf(b, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday);
}

void
card_put_span(struct buf *b, const struct card_sums *s, const char *between,
              const char *untimed)
{
    if (!s->timed) {
        buf_addstr(b, untimed);
        return;
    }
    card_put_day(b, s->first);
    buf_addstr(b, between);
    card_put_day(b, s->last);
}

void
card_put_count(struct buf *b, uint64_t n, const char *one, const char *many)
{
    buf_addf(b, "%" PRIu64 " %s", n, n == 1 ? one : many);
}
