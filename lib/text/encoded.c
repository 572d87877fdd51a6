/* encoded.c - runs of base64 and hexadecimal, and literals of bytes. */
#include "text/encoded.h"

#include <ctype.h>

enum sign { NONE, SMALL, CAPITAL, DIGIT, OTHER }; /* OTHER: no change */

static enum sign
sign_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return SMALL;
    if (c >= 'A' && c <= 'Z')
        return CAPITAL;
    if (c >= '0' && c <= '9')
        return DIGIT;
    return c == '+' || c == '/' || c == '=' ? OTHER : NONE;
}

/* A run of signs: how many of each there are, and how often the next is of
 * another. */
struct run {
    size_t len, n[OTHER + 1], changes;
};

/* The run that text[n] begins with, of no sign where there is none. */
static struct run
read_run(const char *text, size_t n)
{
    struct run r = { 0 };
    enum sign sign = OTHER, next;

    for (; r.len < n && (next = sign_of(text[r.len])) != NONE; r.len++) {
        r.n[next]++;
        if (next == OTHER)
            continue;
        r.changes += next != sign;
        sign = next;
    }
    return r;
}

/* Whether the signs of a run follow each other as those of encoded bytes do:
 * another class every fourth time at least (three times in five on average), a
 * digit in 32 (one in six), and no more small letters than five in eight (two
 * in five). */
static bool
looks_random(const struct run *r)
{
    return r->len >= ENCODED_RUN && r->changes >= r->len / 4
           && r->n[DIGIT] >= r->len / 32 && r->n[SMALL] <= r->len * 5 / 8;
}

struct line {
    size_t runs, literals, n_literals; /* bytes, bytes, number */
};

/* Counts run[len] if it is a literal, hexadecimal digits behind 0x or behind \x
 * or \u, of which the run has all but what stands before it. */
static void
add_literal(struct line *l, const char *run, size_t len, char before)
{
    bool escape = before == '\\' && (run[0] == 'x' || run[0] == 'u');
    size_t start = escape ? 1 : 2, i;

    if (!escape && (len < 3 || run[0] != '0' || (run[1] | 32) != 'x'))
        return;
    for (i = start; i < len && isxdigit((unsigned char)run[i]); i++)
        ;
    if (i == start || i - start > 16)
        return;
    l->literals += len + escape;
    l->n_literals++;
}

static size_t
line_bytes(const struct line *l)
{
    return l->runs + (l->n_literals >= ENCODED_LITERALS ? l->literals : 0);
}

size_t
encoded_bytes(const char *text, size_t n, size_t *shown)
{
    struct line line = { 0 };
    size_t all = 0, i = 0;

    *shown = 0;
    while (i < n) {
        struct run r = read_run(text + i, n - i);

        if (r.len == 0) {
            *shown += !isspace((unsigned char)text[i]);
            if (text[i++] == '\n') {
                all += line_bytes(&line);
                line = (struct line){ 0 };
            }
            continue;
        }
        *shown += r.len;
        if (looks_random(&r))
            line.runs += r.len;
        else
            add_literal(&line, text + i, r.len, i > 0 ? text[i - 1] : ' ');
        i += r.len;
    }
    return all + line_bytes(&line);
}

bool
encoded_is_data(size_t encoded, size_t shown)
{
    return encoded >= ENCODED_LEAST && encoded / 2 >= shown - encoded;
}
