/* jinja_lex.c - a template to tokens.
 *
 * White space is jinja2's with trim_blocks and lstrip_blocks: the newline
 * behind a block or a comment goes, and so do blanks before one at the start
 * of a line; `-` inside of a tag takes all white space on its side, `+` lets
 * it be. A newline at the end of the template goes, too.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja_tree.h"

struct lexer {
    struct jinja *j;
    const char *start, *p, *end;
    int line;
    size_t cap;
    char open[JINJA_MAX_DEPTH]; /* brackets */
    int depth;
    struct err *e;
};

int
jinja_vfail(const struct jinja *j, int line, struct err *e, const char *fmt,
            va_list ap)
{
    char text[512];

    vsnprintf(text, sizeof(text), fmt, ap);
    return err_set(e, ERR_DATA, "%s:%d: %s", j->where, line, text);
}

int
jinja_fail(const struct jinja *j, int line, struct err *e, const char *fmt,
           ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = jinja_vfail(j, line, e, fmt, ap);
    va_end(ap);
    return rc;
}

static struct jtoken *
add(struct lexer *x, enum jtoken_kind kind, const char *p, size_t n)
{
    struct jinja *j = x->j;
    struct jtoken *t;

    if (j->n_tokens == x->cap) {
        x->cap = x->cap * 2 + 64;
        j->token = mem_grow(j->token, x->cap * sizeof(j->token[0]));
    }
    t = &j->token[j->n_tokens++];
    memset(t, 0, sizeof(*t));
    t->kind = kind;
    t->line = x->line;
    t->p = p;
    t->n = n;
    return t;
}

/* Moves behind n bytes, counting lines. */
static void
move(struct lexer *x, size_t n)
{
    for (; n > 0; n--)
        if (*x->p++ == '\n')
            x->line++;
}

static bool
at(const struct lexer *x, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(x->end - x->p) >= n && memcmp(x->p, text, n) == 0;
}

static void
skip_space(struct lexer *x)
{
    size_t len;

    while (x->p < x->end && jchar_space(x->p, (size_t)(x->end - x->p), &len))
        move(x, len);
}

/* Whether a tag ends here with that mark ("%}"); moves behind it and what it
 * takes with it. */
static bool
end_tag(struct lexer *x, const char *mark, bool trim)
{
    bool strip = *x->p == '-', keep = *x->p == '+' && trim;

    if (strip || keep) {
        x->p++;
        if (!at(x, mark)) {
            x->p--;
            return false;
        }
    } else if (!at(x, mark)) {
        return false;
    }
    move(x, strlen(mark));
    if (strip)
        skip_space(x);
    else if (!keep && trim && at(x, "\n"))
        move(x, 1);
    return true;
}

/* ---- what is outside of tags ---- */

static size_t
strip_end(const char *p, size_t n)
{
    size_t i = n, len;

    while (n > 0) {
        for (i = n - 1; i > 0 && ((unsigned char)p[i] & 0xC0) == 0x80; i--)
            ;
        if (!jchar_space(p + i, n - i, &len) || len != n - i)
            break;
        n = i;
    }
    return n;
}

/* The data up to the tag at x->p + n, whose sign follows its two bytes. */
static void
add_data(struct lexer *x, size_t n, bool block)
{
    const char *p = x->p, *tag = p + n;
    char sign = tag + 2 < x->end ? tag[2] : 0;
    size_t keep = n, i = n;

    if (sign == '-') {
        keep = strip_end(p, n);
    } else if (sign != '+' && block) {
        while (i > 0 && p[i - 1] != '\n')
            i--;
        if ((i > 0 || p == x->start || p[-1] == '\n')
            && strip_end(p + i, n - i) == 0)
            keep = i;
    }
    if (keep > 0)
        add(x, JT_DATA, p, keep);
    move(x, n);
}

static int
skip_comment(struct lexer *x)
{
    int line = x->line;

    for (; x->p < x->end; move(x, 1))
        if (end_tag(x, "#}", true))
            return 0;
    return jinja_fail(x->j, line, x->e, "a comment without an end");
}

/* Behind {%: whether the tag is that word alone; moves behind it. */
static bool
word_tag(struct lexer *x, const char *word)
{
    struct lexer was = *x;

    if (x->p < x->end && (*x->p == '-' || *x->p == '+'))
        x->p++;
    skip_space(x);
    if (at(x, word)) {
        x->p += strlen(word);
        skip_space(x);
        if (x->p < x->end && end_tag(x, "%}", strcmp(word, "raw") != 0))
            return true;
    }
    *x = was;
    return false;
}

static int
read_raw(struct lexer *x)
{
    int line = x->line;
    struct lexer tag;
    size_t n;

    for (n = 0; x->p + n + 1 < x->end; n++) {
        if (memcmp(x->p + n, "{%", 2) != 0)
            continue;
        tag = *x;
        tag.p += n + 2;
        if (!word_tag(&tag, "endraw"))
            continue;
        add_data(x, n, true);
        x->p += 2;
        word_tag(x, "endraw");
        return 0;
    }
    return jinja_fail(x->j, line, x->e, "raw without endraw");
}

/* ---- inside of a tag ---- */

static size_t
put_code(char *out, uint32_t code)
{
    size_t n = utf8_encode(code, out);

    if (n == 0) /* a surrogate alone */
        n = utf8_encode(0xFFFD, out);
    return n;
}

/* The escape at *p, behind its backslash; what it stands for into out.
 * 0 for one that is not known, which stays as it is. */
static int
read_escape(const char **p, const char *end, char *out)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    const char *known = memchr(from, **p, sizeof(from) - 1);
    int digits = **p == 'x' ? 2 : **p == 'u' ? 4 : **p == 'U' ? 8 : 0;
    uint32_t code = 0;
    char hex[9] = "", *stop;

    if (known) {
        *out = to[known - from];
        ++*p;
        return 1;
    }
    if (**p >= '0' && **p <= '7') {
        for (int i = 0; i < 3 && *p < end && **p >= '0' && **p <= '7'; i++)
            code = code * 8 + (uint32_t)(*(*p)++ - '0');
        return (int)put_code(out, code);
    }
    if (digits == 0 || end - *p <= digits)
        return 0;
    memcpy(hex, *p + 1, (size_t)digits);
    code = (uint32_t)strtoul(hex, &stop, 16);
    if (stop != hex + digits || hex[0] == '-' || hex[0] == '+')
        return 0;
    *p += digits + 1;
    return (int)put_code(out, code);
}

static int
read_string(struct lexer *x)
{
    const char *p = x->p + 1, *stop = p, quote = *x->p;
    struct buf b;
    char out[4];
    int n;

    while (stop < x->end && *stop != quote)
        stop += *stop == '\\' && stop + 1 < x->end ? 2 : 1;
    if (stop >= x->end)
        return jinja_fail(x->j, x->line, x->e, "a string without an end");
    buf_init(&b);
    while (p < stop) {
        if (*p != '\\') {
            buf_addc(&b, *p++);
            continue;
        }
        if (*++p == '\n') {
            p++;
            continue;
        }
        n = read_escape(&p, stop, out);
        if (n == 0)
            buf_addc(&b, '\\');
        else
            buf_add(&b, out, (size_t)n);
    }
    add(x, JT_STRING, jarena_dup(&x->j->arena, b.data, b.len), b.len);
    buf_release(&b);
    move(x, (size_t)(stop + 1 - x->p));
    return 0;
}

static bool
is_digit(const struct lexer *x, const char *p)
{
    return p < x->end && *p >= '0' && *p <= '9';
}

static int
read_number(struct lexer *x)
{
    const char *p = x->p;
    char text[64];
    size_t n = 0;
    bool is_float = false;
    struct jtoken *t;

    while (is_digit(x, p) || (*p == '_' && is_digit(x, p + 1)))
        p++;
    if (*p == '.' && is_digit(x, p + 1)) {
        is_float = true;
        for (p++; is_digit(x, p);)
            p++;
    }
    if ((*p | 32) == 'e'
        && is_digit(x, p + 1 + (p[1] == '+' || p[1] == '-'))) {
        is_float = true;
        for (p += 2; is_digit(x, p);)
            p++;
    }
    for (const char *q = x->p; q < p && n + 1 < sizeof(text); q++)
        if (*q != '_')
            text[n++] = *q;
    text[n] = '\0';
    t = add(x, is_float ? JT_FLOAT : JT_INT, x->p, (size_t)(p - x->p));
    errno = 0;
    t->f = strtod(text, NULL);
    t->i = strtoll(text, NULL, 10);
    if (errno != 0 || (size_t)(p - x->p) >= sizeof(text))
        return jinja_fail(x->j, x->line, x->e, "a number too large");
    x->p = p;
    return 0;
}

static bool
is_name(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (!first && c >= '0' && c <= '9');
}

static int
read_operator(struct lexer *x)
{
    static const char *const two[] = { "==", "!=", ">=", "<=", "//", "**" };
    static const char one[] = "+-*/%~[](){}<>=.:|,;";
    const char *close, c = *x->p;

    for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
        if (at(x, two[i])) {
            add(x, JT_OP, x->p, 2);
            x->p += 2;
            return 0;
        }
    if (c == '\0' || !strchr(one, c))
        return jinja_fail(x->j, x->line, x->e, "unexpected character "
                          "'%.*s'", (int)jchar_len(x->p, (size_t)(x->end -
                                                                  x->p)),
                          x->p);
    close = strchr("([{", c);
    if (close && x->depth == JINJA_MAX_DEPTH)
        return err_set(x->e, ERR_LIMIT, "%s:%d: nested more than %d deep",
                       x->j->where, x->line, JINJA_MAX_DEPTH);
    if (close)
        x->open[x->depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    else if (strchr(")]}", c) && (x->depth == 0
                                  || x->open[--x->depth] != c))
        return jinja_fail(x->j, x->line, x->e, "unexpected '%c'", c);
    add(x, JT_OP, x->p++, 1);
    return 0;
}

/* Up to the end of the tag. */
static int
read_tag(struct lexer *x, const char *mark, bool block)
{
    const char *p;
    int rc = 0, line = x->line;

    for (x->depth = 0; rc == 0;) {
        skip_space(x);
        if (x->p == x->end)
            return jinja_fail(x->j, line, x->e, "a tag without an end");
        line = x->line;
        if (x->depth == 0 && end_tag(x, mark, block)) {
            add(x, block ? JT_BLOCK_END : JT_PRINT_END, mark, 2)->line = line;
            return 0;
        }
        if (*x->p == '"' || *x->p == '\'') {
            rc = read_string(x);
        } else if (is_digit(x, x->p)) {
            rc = read_number(x);
        } else if (is_name(*x->p, true)) {
            for (p = x->p; p < x->end && is_name(*p, false); p++)
                ;
            add(x, JT_NAME, x->p, (size_t)(p - x->p));
            x->p = p;
        } else {
            rc = read_operator(x);
        }
    }
    return rc;
}

/* ---- all of it ---- */

/* The next tag at or behind x->p, or the end. */
static size_t
find_tag(const struct lexer *x)
{
    const char *p = x->p;

    for (; p + 1 < x->end; p++)
        if (*p == '{' && (p[1] == '%' || p[1] == '{' || p[1] == '#'))
            return (size_t)(p - x->p);
    return (size_t)(x->end - x->p);
}

static int
read_next(struct lexer *x)
{
    size_t n = find_tag(x);
    char kind;

    if (x->p + n == x->end) {
        if (n > 0)
            add(x, JT_DATA, x->p, n);
        x->p = x->end;
        return 0;
    }
    kind = x->p[n + 1];
    add_data(x, n, kind != '{');
    x->p += 2;
    if (kind == '%' && word_tag(x, "raw"))
        return read_raw(x);
    if (kind != '#')
        add(x, kind == '%' ? JT_BLOCK_BEGIN : JT_PRINT_BEGIN, x->p, 0);
    if (x->p < x->end && (*x->p == '-' || *x->p == '+'))
        x->p++;
    return kind == '#' ? skip_comment(x) :
           read_tag(x, kind == '%' ? "%}" : "}}", kind == '%');
}

/* Newlines of all kinds are one, and the last one goes. */
static void
normalize(struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->len; i++) {
        if (b->data[i] == '\r' && i + 1 < b->len && b->data[i + 1] == '\n')
            continue;
        b->data[n++] = b->data[i] == '\r' ? '\n' : b->data[i];
    }
    if (n > 0 && b->data[n - 1] == '\n')
        n--;
    b->len = n;
    b->data[n] = '\0';
}

int
jinja_lex(struct jinja *j, struct err *e)
{
    struct lexer x = { .j = j, .line = 1, .e = e };
    int rc = 0;

    normalize(&j->source);
    x.start = x.p = j->source.data;
    x.end = x.p + j->source.len;
    while (rc == 0 && x.p < x.end)
        rc = read_next(&x);
    add(&x, JT_EOF, "", 0);
    return rc;
}
