/* template_words.c - the words of a layout file's lines, and what is wrong
 * with them. */
#include "text/template_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define MOST_SHOWN 40

int
reader_fail(struct reader *r, enum err_code code, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(r->e, code, "%s:%zu: %s", r->where, r->line, text);
}

/* As much of a word as a message shows, in bytes: whole characters. */
static int
shown(const struct word *w)
{
    return w->n <= MOST_SHOWN ? (int)w->n :
           (int)utf8_valid(w->p, MOST_SHOWN);
}

bool
word_is(const struct word *w, const char *text)
{
    return !w->quoted && w->n == strlen(text)
           && memcmp(w->p, text, w->n) == 0;
}

static void
skip_blanks(struct reader *r)
{
    while (r->p < r->end && strchr(" \t\r", *r->p))
        r->p++;
}

static int
read_quoted(struct reader *r, struct word *w)
{
    static const char from[] = "nt\"\\", to[] = "\n\t\"\\";
    struct buf *b = &r->l->bytes;
    const char *c;

    w->quoted = true;
    w->at = (uint32_t)b->len;
    for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
        if (*r->p != '\\') {
            buf_addc(b, *r->p);
            continue;
        }
        r->p++;
        c = r->p < r->end && *r->p ? strchr(from, *r->p) : NULL;
        if (!c)
            return reader_fail(r, ERR_DATA, "a backslash in quotes "
                               "(expected \\n, \\t, \\\" or \\\\)");
        buf_addc(b, to[c - from]);
    }
    if (r->p == r->end)
        return reader_fail(r, ERR_DATA, "quotes that do not end");
    r->p++;
    if (r->p < r->end && !strchr(" \t\r", *r->p))
        return reader_fail(r, ERR_DATA, "no blank behind quotes");
    w->len = (uint32_t)(b->len - w->at);
    w->n = (size_t)(r->p - w->p);
    return 0;
}

int
reader_word(struct reader *r, struct word *w)
{
    int rc;

    skip_blanks(r);
    memset(w, 0, sizeof(*w));
    w->p = r->p;
    if (r->p == r->end)
        return 0;
    if (*r->p == '"') {
        rc = read_quoted(r, w);
        return rc < 0 ? rc : 1;
    }
    while (r->p < r->end && !strchr(" \t\r", *r->p))
        r->p++;
    w->n = (size_t)(r->p - w->p);
    return 1;
}

int
reader_line_ends(struct reader *r)
{
    struct word w;
    int rc = reader_word(r, &w);

    return rc <= 0 ? rc : reader_fail(r, ERR_DATA, "more than was expected "
                                      "(found %.*s)", shown(&w), w.p);
}

int
reader_name(struct reader *r, const char *what, char *name)
{
    static const char valid[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    struct word w;
    int rc = reader_word(r, &w);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return reader_fail(r, ERR_DATA, "%s without a name", what);
    if (w.n > LAYOUT_MAX_NAME)
        return reader_fail(r, ERR_LIMIT, "the name of a %s has %zu bytes "
                           "(expected at most %d)", what, w.n,
                           LAYOUT_MAX_NAME);
    for (size_t i = 0; i < w.n; i++)
        if (!strchr(valid, w.p[i]))
            return reader_fail(r, ERR_DATA, "the name of a %s (found %.*s, "
                               "expected letters, digits, '.', '_' and '-')",
                               what, shown(&w), w.p);
    memcpy(name, w.p, w.n);
    name[w.n] = '\0';
    return 0;
}

int
reader_unknown(struct reader *r, const char *what, const struct word *w,
               const struct nearest *x)
{
    return reader_fail(r, ERR_DATA, "unknown %s (found %.*s%s%s%s)", what,
                       shown(w), w->p, x->name ? ", did you mean " : "",
                       x->name ? x->name : "", x->name ? "?" : "");
}

int
reader_field(struct reader *r, const struct word *w, const char *what,
             uint8_t *field)
{
    struct nearest x = nearest_to(w->p, w->n, MOST_EDITS);

    for (int f = FIELD_ALWAYS + 1; f < FIELDS; f++) {
        nearest_offer(&x, field_name((enum template_field)f));
        if (word_is(w, field_name((enum template_field)f))) {
            *field = (uint8_t)f;
            return 0;
        }
    }
    return reader_unknown(r, what, w, &x);
}
