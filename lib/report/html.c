/* html.c - text and numbers of a page. */
#include "report/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"

#define WORD_BYTES 200
#define ID_SHOWN 12
#define DASH "\u2013"
#define MINUS "\u2212"

static void
escape(struct buf *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '&': buf_addstr(b, "&amp;"); break;
        case '<': buf_addstr(b, "&lt;"); break;
        case '>': buf_addstr(b, "&gt;"); break;
        case '"': buf_addstr(b, "&quot;"); break;
        case '\'': buf_addstr(b, "&#39;"); break;
        default: buf_addc(b, p[i]);
        }
    }
}

void
html_cut(struct buf *b, const char *p, size_t n, size_t max)
{
    struct buf seen;

    buf_init(&seen);
    visible_put(&seen, p, n, max);
    escape(b, seen.data, seen.len);
    buf_release(&seen);
}

void
html_text(struct buf *b, const char *s)
{
    if (s)
        html_cut(b, s, strlen(s), WORD_BYTES);
    else
        buf_addstr(b, DASH);
}

void
html_pre(struct buf *b, const char *p, size_t n)
{
    struct buf seen;

    buf_init(&seen);
    for (size_t at = 0; at < n;) {
        if (p[at] == '\n' || p[at] == '\t')
            buf_addc(&seen, p[at++]);
        else
            visible_step(&seen, p, n, &at);
    }
    escape(b, seen.data, seen.len);
    buf_release(&seen);
}

/* Digits in threes. */
static void
put_grouped(struct buf *b, const char *digits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            buf_addc(b, ',');
        buf_addc(b, digits[i]);
    }
}

void
html_count(struct buf *b, uint64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

    put_grouped(b, digits, (size_t)len);
}

/* As 1.2 x 10^7. */
static void
put_power(struct buf *b, double v)
{
    char text[32], *e;

    snprintf(text, sizeof(text), "%.2e", v);
    e = strchr(text, 'e');
    *e = '\0';
    buf_addf(b, "%s\u00b7" "10<sup>%s%d</sup>", text,
             e[1] == '-' ? MINUS : "", abs((int)strtol(e + 1, NULL, 10)));
}

void
html_number(struct buf *b, double v, int decimals)
{
    char text[64];
    size_t whole;

    if (!isfinite(v)) {
        buf_addstr(b, DASH);
        return;
    }
    if (v < 0)
        buf_addstr(b, MINUS);
    v = fabs(v);
    if (v >= 1e12 || (v > 0 && v < 0.5 * pow(10, -decimals) && v < 1e-4)) {
        put_power(b, v);
        return;
    }
    snprintf(text, sizeof(text), "%.*f", decimals, v);
    whole = strcspn(text, ".");
    put_grouped(b, text, whole);
    buf_addstr(b, text + whole);
}

void
html_digits(struct buf *b, double v, int n)
{
    int before = v != 0 && isfinite(v) ? (int)floor(log10(fabs(v))) + 1 : 1;

    if (v != 0 && isfinite(v) && before < -2) {
        if (v < 0)
            buf_addstr(b, MINUS);
        put_power(b, fabs(v));
        return;
    }
    html_number(b, v, before < n ? n - before : 0);
}

void
html_time(struct buf *b, double seconds)
{
    uint64_t s;

    if (!(seconds >= 0 && seconds < 1e12)) {
        buf_addstr(b, DASH);
        return;
    }
    s = (uint64_t)(seconds + 0.5);
    if (s < 60)
        buf_addf(b, "%" PRIu64 " s", s);
    else if (s < 3600)
        buf_addf(b, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
    else
        buf_addf(b, "%" PRIu64 " h %02" PRIu64 " min", s / 3600,
                 s / 60 % 60);
}

void
html_bytes(struct buf *b, double bytes)
{
    bool large = bytes >= 10 * 1024.0 * (1 << 20);

    html_number(b, bytes / (large ? 1 << 30 : 1 << 20), 1);
    if (isfinite(bytes))
        buf_addstr(b, large ? " GiB" : " MiB");
}

void
html_td(struct buf *b, const char *text)
{
    buf_addstr(b, "<td>");
    html_text(b, text);
}

void
html_td_count(struct buf *b, uint64_t n)
{
    buf_addstr(b, "<td class=n>");
    html_count(b, n);
}

void
html_td_number(struct buf *b, double v, int decimals)
{
    buf_addstr(b, "<td class=n>");
    html_number(b, v, decimals);
}

void
html_id(struct buf *b, const char *id)
{
    buf_addstr(b, "<code title=\"");
    html_text(b, id);
    buf_addstr(b, "\">");
    html_cut(b, id, strlen(id), ID_SHOWN);
    buf_addstr(b, "</code>");
}
