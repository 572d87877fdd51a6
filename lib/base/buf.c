/* buf.c - a growing byte buffer; doubles, so adding is linear in total. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

/* What an empty buffer shows; never written to (cap is 0). */
static char nothing[1];

void
buf_init(struct buf *b)
{
    b->data = nothing;
    b->len = b->cap = 0;
}

void
buf_release(struct buf *b)
{
    if (b->cap > 0)
        free(b->data);
    buf_init(b);
}

void
buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->cap > 0)
        b->data[0] = '\0';
}

char *
buf_room(struct buf *b, size_t n)
{
    size_t want = n > SIZE_MAX / 2 - b->len ? SIZE_MAX : b->len + n + 1;
    size_t cap = b->cap * 2 > 64 ? b->cap * 2 : 64;

    if (want > b->cap) {
        cap = want > cap ? want : cap;
        b->data = mem_grow(b->cap > 0 ? b->data : NULL, cap);
        b->cap = cap;
        b->data[b->len] = '\0';
    }
    return b->data + b->len;
}

bool
buf_is(const struct buf *b, const char *text)
{
    return b->len == strlen(text) && memcmp(b->data, text, b->len) == 0;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_room(b, n);

    if (n > 0)
        memcpy(to, p, n);
    to[n] = '\0';
    b->len += n;
}

void
buf_addstr(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, int c)
{
    char *to = buf_room(b, 1);

    to[0] = (char)c;
    to[1] = '\0';
    b->len++;
}

/* Formats into the room there is; the length it wants, or negative. */
static int
format(struct buf *b, const char *fmt, va_list ap)
{
    return vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    buf_room(b, 64);
    va_start(ap, fmt);
    n = format(b, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n >= b->cap - b->len) {
        buf_room(b, (size_t)n);
        va_start(ap, fmt);
        n = format(b, fmt, ap);
        va_end(ap);
    }
    if (n > 0)
        b->len += (size_t)n;
}

void
buf_u32(struct buf *b, uint32_t v)
{
    char raw[4];

    store_u32(raw, v);
    buf_add(b, raw, sizeof(raw));
}

void
buf_u64(struct buf *b, uint64_t v)
{
    char raw[8];

    store_u64(raw, v);
    buf_add(b, raw, sizeof(raw));
}

void
buf_varint(struct buf *b, uint64_t v)
{
    while (v >= 0x80) {
        buf_addc(b, (int)(v & 0x7f) | 0x80);
        v >>= 7;
    }
    buf_addc(b, (int)v);
}
