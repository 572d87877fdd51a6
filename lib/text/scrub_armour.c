/* scrub_armour.c - private keys that are written over many lines: of PEM
 * (RFC 7468), OpenPGP (RFC 9580, 6.2) and PuTTY, also in quotes or behind
 * marks of comments, and where a hunk shows a part of one.
 *
 * The lines of the key go, its marks and headers stay. Public keys and
 * certificates are kept. Where a text begins in the midst of base64 that
 * nothing has opened, it goes if it ends with a private key's mark, or where
 * the text does.
 */
#include <ctype.h>
#include <string.h>

#include "text/scrub_find.h"

#define BODY_MIN 20  /* of a line other than the last */
#define FIRST_MIN 40 /* of the first, where nothing shows the end */
#define BARE_LINES 3 /* without marks: so many at least */
#define ENTROPY_MIN 4.0

static bool
is_base64(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '=';
}

static bool
is_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* What of the line is the armour's: without blanks, quotes, marks of comments
 * and escaped newlines around it. */
struct core {
    const char *p;
    size_t n;
};

static struct core
strip_end(struct core c)
{
    for (;;) {
        if (c.n >= 2 && c.p[c.n - 2] == '\\'
            && is_of(c.p[c.n - 1], "nr"))
            c.n -= 2;
        else if (c.n > 0 && is_of(c.p[c.n - 1], " \t\r\\,;+\"'`)")
                 && !(c.p[c.n - 1] == '+' && c.n > 1
                      && is_base64(c.p[c.n - 2])))
            c.n--;
        else
            return c;
    }
}

static struct core
core_of(const char *p, size_t n)
{
    struct core c = { p, n };
    size_t i = 0;

    while (i < n && is_of(p[i], " \t\"'`>|*#;(["))
        i++;
    if (i + 2 < n && memcmp(p + i, "//", 2) == 0 && p[i + 2] == ' ')
        i += 3;
    if (i + 1 < n && p[i] == '+' && p[i + 1] == ' ')
        i += 2;
    while (i < n && is_of(p[i], " \t\"'`"))
        i++;
    c.p += i;
    c.n -= i;
    return strip_end(c);
}

static bool
is_body(struct core c)
{
    size_t i = 0;

    while (i < c.n && is_base64(c.p[i]))
        i++;
    return c.n > 0 && i == c.n;
}

/* As wide as PEM, OpenPGP, ssh-keygen and base64(1) make a line. */
static bool
is_bare(struct core c)
{
    return (c.n == 64 || c.n == 70 || c.n == 76) && is_body(c)
           && entropy_bits(c.p, c.n) >= ENTROPY_MIN;
}

bool
scrub_is_armour(const char *p, size_t n)
{
    return n >= 64 && n < 120 && is_bare(core_of(p, n));
}

enum mark { NO_MARK, OPENS, OPENS_PUBLIC, CLOSES, CLOSES_PUBLIC };

static bool
has(struct core c, const char *text)
{
    return memmem(c.p, c.n, text, strlen(text)) != NULL;
}

static enum mark
mark_of(struct core c)
{
    bool secret;

    if (c.n >= 14 && memcmp(c.p, "Private-Lines:", 14) == 0)
        return OPENS;
    if (c.n >= 12 && memcmp(c.p, "Private-MAC:", 12) == 0)
        return CLOSES;
    if (!has(c, "-----"))
        return NO_MARK;
    secret = has(c, "PRIVATE KEY");
    if (has(c, "-----END "))
        return secret ? CLOSES : CLOSES_PUBLIC;
    if (has(c, "-----BEGIN "))
        return secret ? OPENS : OPENS_PUBLIC;
    return NO_MARK;
}

/* "Proc-Type: 4,ENCRYPTED", or an empty line, between mark and key. */
static bool
is_header(struct core c)
{
    const char *colon = c.n ? memchr(c.p, ':', c.n) : NULL;

    if (c.n == 0)
        return true;
    for (const char *p = c.p; colon && p < colon; p++)
        if (!isalnum((unsigned char)*p) && *p != '-')
            return false;
    return colon != NULL && colon > c.p;
}

/* The walk over the lines of a view. */
struct walk {
    struct scrub_finder *f;
    const char *p;
    uint32_t rule;
    enum { OUTSIDE, HEADERS, WITHIN, PUBLIC } at;
    size_t run;     /* spans of f from here are of the lines of base64 right
                       above, of which there are n */
    size_t n;
    bool bare;      /* and they began with the view */
    bool wide;      /* and all of them are as wide as a key's */
};

static void
drop_run(struct walk *w)
{
    w->f->n = w->run;
    w->n = 0;
    w->bare = false;
}

static void
keep_run(struct walk *w)
{
    w->run = w->f->n;
    w->n = 0;
    w->bare = false;
}

static void
add_line(struct walk *w, struct core c)
{
    size_t at = (size_t)(c.p - w->p);

    scrub_add(w->f, at, at + c.n, w->rule);
    w->n++;
}

/* A line of base64. */
static void
body_line(struct walk *w, struct core c)
{
    bool first = w->n == 0;

    if (w->at == PUBLIC)
        return;
    if (w->at == HEADERS || w->at == WITHIN) {
        if (first && c.n < FIRST_MIN)
            w->at = OUTSIDE;
        else
            add_line(w, c);
        if (c.n < BODY_MIN)
            w->at = OUTSIDE;
        else if (w->at == HEADERS)
            w->at = WITHIN;
        if (w->at == OUTSIDE)
            keep_run(w);
        return;
    }
    /* Of what is bare, the last line may be short. */
    if (!first && !w->wide)
        drop_run(w);
    add_line(w, c);
    w->wide = is_bare(c);
}

static void
other_line(struct walk *w, struct core c)
{
    if (w->at == HEADERS && is_header(c))
        return;
    if (w->at == HEADERS || w->at == WITHIN)
        keep_run(w);
    else
        drop_run(w);
    if (w->at != PUBLIC)
        w->at = OUTSIDE;
}

static void
take_line(struct walk *w, struct core c)
{
    switch (mark_of(c)) {
    case OPENS:
        w->at == WITHIN ? keep_run(w) : drop_run(w);
        w->at = HEADERS;
        return;
    case OPENS_PUBLIC:
        w->at == WITHIN ? keep_run(w) : drop_run(w);
        w->at = PUBLIC;
        return;
    case CLOSES:
        /* "else" above a mark that is printed is no key */
        w->at == WITHIN || w->n > 1 || w->wide || w->bare ? keep_run(w)
                                                          : drop_run(w);
        w->at = OUTSIDE;
        return;
    case CLOSES_PUBLIC:
        drop_run(w);
        w->at = OUTSIDE;
        return;
    case NO_MARK:
        break;
    }
    if (is_body(c))
        body_line(w, c);
    else
        other_line(w, c);
}

void
scrub_armour(struct scrub_finder *f, const char *p, size_t n, bool cut,
             uint32_t rule)
{
    struct walk w = { .f = f, .p = p, .rule = rule, .run = f->n };
    const char *eol;

    for (size_t at = 0; at < n; at = (size_t)(eol + 1 - p)) {
        eol = memchr(p + at, '\n', n - at);
        if (eol == NULL)
            eol = p + n;
        if (at == 0)
            w.bare = cut;
        take_line(&w, core_of(p + at, (size_t)(eol - p) - at));
    }
    if (w.at == WITHIN || (w.bare && w.n >= BARE_LINES))
        keep_run(&w);
    else
        drop_run(&w);
}
