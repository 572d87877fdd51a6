/* err.c - filling struct err; texts stay one printable line. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Longest text before escaping: longer ones lose their end. */
#define RAW_MAX 2048

/* Bytes of a printable character at p[n]: 0 when the byte at p has to be
 * escaped (control characters, C1 controls too, and what is not UTF-8). */
static size_t
printable(const unsigned char *p, size_t n)
{
    size_t want;

    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f;
    want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (want > n || utf8_valid(p, want) != want)
        return 0;
    if (p[0] == 0xc2 && p[1] < 0xa0)
        return 0;
    return want;
}

void
err_escape(char *out, size_t cap, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = strlen(text), at = 0, len;
    char esc[5];

    while (n > 0) {
        len = printable(p, n);
        if (len > 0)
            memcpy(esc, p, len);
        else if (*p == '\n')
            memcpy(esc, "\\n", 2);
        else
            snprintf(esc, sizeof(esc), "\\x%02x", *p);
        size_t put = len > 0 ? len : *p == '\n' ? 2 : 4;
        if (at + put >= cap)
            break;
        memcpy(out + at, esc, put);
        at += put;
        p += len > 0 ? len : 1;
        n -= len > 0 ? len : 1;
    }
    out[at] = '\0';
}

static void
fill(struct err *e, enum err_code code, const char *tail, const char *fmt,
     va_list ap)
{
    char raw[RAW_MAX];
    size_t n;

    vsnprintf(raw, sizeof(raw), fmt, ap);
    n = strlen(raw);
    if (tail)
        snprintf(raw + n, sizeof(raw) - n, ": %s", tail);
    err_escape(e->text, sizeof(e->text), raw);
    e->code = code;
}

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fill(e, code, NULL, fmt, ap);
    va_end(ap);
    return code;
}

int
err_errno(struct err *e, enum err_code code, const char *fmt, ...)
{
    const char *why = strerror(errno);
    va_list ap;

    va_start(ap, fmt);
    fill(e, code, why, fmt, ap);
    va_end(ap);
    return code;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
    char raw[RAW_MAX];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    n = strlen(raw);
    snprintf(raw + n, sizeof(raw) - n, ": %s", e->text);
    err_escape(e->text, sizeof(e->text), raw);
    return e->code;
}
