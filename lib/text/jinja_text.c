/* jinja_text.c - text that knows of each byte where it is from, and the
 * characters of it as Python sees them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja_value.h"

void
jinja_text_init(struct jinja_text *t)
{
    memset(t, 0, sizeof(*t));
    buf_init(&t->text);
}

void
jinja_text_release(struct jinja_text *t)
{
    buf_release(&t->text);
    free(t->span);
    jinja_text_init(t);
}

void
jinja_text_add(struct jinja_text *t, const char *p, size_t n,
               const struct jinja_span *like)
{
    struct jinja_span *last = t->n_spans ? &t->span[t->n_spans - 1] : NULL;

    if (n == 0)
        return;
    buf_add(&t->text, p, n);
    if (!last || last->origin != like->origin || last->turn != like->turn
        || last->generation != like->generation) {
        if (t->n_spans == t->cap) {
            t->cap = t->cap * 2 + 16;
            t->span = mem_grow(t->span, t->cap * sizeof(t->span[0]));
        }
        last = &t->span[t->n_spans++];
        *last = *like;
    }
    last->end = t->text.len;
}

/* The first span of s that ends behind `at`. */
static size_t
span_at(const struct jstr *s, size_t at)
{
    size_t low = 0, high = s->n_spans, mid;

    while (low < high) {
        mid = (low + high) / 2;
        if (s->span[mid].end <= at)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void
jinja_text_str(struct jinja_text *t, const struct jstr *s, size_t from,
               size_t to, const struct jinja_span *like)
{
    struct jinja_span span = *like;
    size_t end;

    span.origin = JINJA_TEMPLATE;
    if (!s->span) {
        jinja_text_add(t, s->p + from, to - from, &span);
        return;
    }
    for (size_t i = span_at(s, from); from < to; from = end, i++) {
        end = s->span[i].end < to ? s->span[i].end : to;
        span.origin = s->span[i].origin;
        span.turn = span.origin == JINJA_TEMPLATE
                    || span.origin == JINJA_TOOLS ? like->turn : span.origin;
        jinja_text_add(t, s->p + from, end - from, &span);
    }
}

void
jinja_text_for(struct jinja_text *t, const struct jstr *s, size_t at,
               const char *p, size_t n, const struct jinja_span *like)
{
    struct jinja_span span = { .end = n };
    struct jstr one = { .p = p, .n = n };

    if (s->span) {
        span.origin = s->span[span_at(s, at)].origin;
        one.span = &span;
        one.n_spans = 1;
    }
    jinja_text_str(t, &one, 0, n, like);
}

struct jv
jinja_text_take(struct jinja_text *t, struct jarena *a)
{
    struct jstr *s = jarena_get(a, sizeof(*s));
    struct jinja_span *span;

    s->p = jarena_dup(a, t->text.data, t->text.len);
    s->n = t->text.len;
    if (t->n_spans > 1
        || (t->n_spans == 1 && t->span[0].origin != JINJA_TEMPLATE)) {
        span = jarena_get(a, t->n_spans * sizeof(*span));
        memcpy(span, t->span, t->n_spans * sizeof(*span));
        s->span = span;
        s->n_spans = t->n_spans;
    }
    buf_reset(&t->text);
    t->n_spans = 0;
    return (struct jv){ .type = JV_STRING, .u.s = s };
}

struct jv
jstr_part(struct jarena *a, const struct jstr *s, size_t from, size_t to)
{
    struct jstr *part = jarena_get(a, sizeof(*part));
    struct jinja_span *span;
    size_t i, k;

    part->p = s->p + from;
    part->n = to - from;
    if (s->span && from < to) {
        i = span_at(s, from);
        k = span_at(s, to - 1);
        span = jarena_get(a, (k - i + 1) * sizeof(*span));
        part->span = span;
        part->n_spans = k - i + 1;
        for (; i <= k; i++, span++) {
            *span = s->span[i];
            span->end = (span->end < to ? span->end : to) - from;
        }
    }
    return (struct jv){ .type = JV_STRING, .u.s = part };
}

/* ---- characters ---- */

size_t
jchar_len(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t len = c < 0xC2 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 :
                 1;

    return len > 1 && len <= n && utf8_valid(p, len) == len ? len : 1;
}

size_t
jchar_count(const char *p, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i += jchar_len(p + i, n - i))
        count++;
    return count;
}

bool
jchar_space(const char *p, size_t n, size_t *len)
{
    uint32_t c = (unsigned char)*p;

    *len = 1;
    if (c >= 0x80) {
        *len = jchar_len(p, n);
        if (*len == 1)
            return false;
        utf8_decode(p, &c);
    }
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85
           || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A)
           || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F
           || c == 0x3000;
}

size_t
jchar_line_end(const char *p, size_t n)
{
    static const char *const end[] = {
        "\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e",
        "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"
    };
    size_t len;

    for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++) {
        len = strlen(end[i]);
        if (len <= n && memcmp(p, end[i], len) == 0)
            return len;
    }
    return 0;
}
