/* card_put.c - words and numbers that may come from anywhere. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/visible.h"
#include "record/card_parts.h"

#define SHOWN_BYTES 160
#define LAST_YEAR 9999

void
card_put(struct buf *b, const char *p, size_t n)
{
    struct buf seen;

    buf_init(&seen);
    visible_put(&seen, p, n, SHOWN_BYTES);
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
    visible_put(&seen, p, n, SHOWN_BYTES);
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
