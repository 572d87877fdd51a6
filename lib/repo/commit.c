/* commit.c - header lines "KEY VALUE", a blank line, the message. */
#include "repo/commit.h"

#include <stdbool.h>
#include <string.h>

#define PARENT_LINE (7 + OID_HEX + 1)

/* The next line of [*p, end), without its newline. */
static struct span
next_line(const char **p, const char *end)
{
    const char *eol = memchr(*p, '\n', (size_t)(end - *p));
    struct span line = {*p, (size_t)((eol ? eol : end) - *p)};

    *p = eol ? eol + 1 : end;
    return line;
}

static bool
header_id(struct span line, const char *key, struct oid *id)
{
    size_t n = strlen(key);

    return span_starts(line, key) && oid_parse(id, line.p + n, line.n - n);
}

/* Splits "Name <mail> TIME ZONE" after the last '>'. */
static void
split_person(struct span person, struct span *who, struct span *when)
{
    size_t n = person.n;

    while (n > 0 && person.p[n - 1] != '>')
        n--;
    who->p = person.p;
    who->n = n;
    when->p = person.p + n;
    when->n = person.n - n;
    if (n == 0) {
        *who = person;
        when->p = person.p + person.n;
        when->n = 0;
    }
}

/* A decimal at the front of s, after blanks; nothing at all gives 0. */
static bool
parse_time(struct span s, int64_t *out)
{
    size_t i = 0;
    int64_t v = 0;
    bool minus = false;

    while (i < s.n && s.p[i] == ' ')
        i++;
    if (i == s.n) {
        *out = 0;
        return true;
    }
    if (s.p[i] == '-') {
        minus = true;
        i++;
    }
    if (i == s.n || s.p[i] < '0' || s.p[i] > '9')
        return false;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        if (__builtin_mul_overflow(v, 10, &v)
            || __builtin_add_overflow(v, s.p[i] - '0', &v))
            return false;
    }
    *out = minus ? -v : v;
    return i == s.n || s.p[i] == ' ';
}

/* A line that some reader would take for a parent, and another would not. */
static bool
looks_parental(struct span line)
{
    return span_starts(line, "parent")
           && (line.n == 6 || line.p[6] == ' ' || line.p[6] == '\t');
}

static int
parse_people(struct commit *c, const char *p, const char *end,
             struct err *e)
{
    struct span line, who, when;
    bool author = false, committer = false, first = true;

    for (; p < end; first = false) {
        line = next_line(&p, end);
        if (line.n == 0)
            break;
        if (looks_parental(line)
            || (first && !span_starts(line, "author")
                && !span_starts(line, "committer")))
            return err_set(e, ERR_DATA, "bad commit: malformed line after "
                           "tree and parents (found \"%.*s\")",
                           (int)(line.n < 64 ? line.n : 64), line.p);
        if (!author && span_starts(line, "author ")) {
            line.p += 7;
            line.n -= 7;
            split_person(line, &c->author, &when);
            author = true;
        } else if (!committer && span_starts(line, "committer ")) {
            line.p += 10;
            line.n -= 10;
            split_person(line, &who, &when);
            if (!parse_time(when, &c->time))
                c->bad_time = when;
            committer = true;
        } else if (c->encoding.n == 0 && span_starts(line, "encoding ")) {
            c->encoding = (struct span){ line.p + 9, line.n - 9 };
        }
    }
    c->message.p = p;
    c->message.n = strnlen(p, (size_t)(end - p));
    return 0;
}

int
commit_parse(struct commit *c, const char *p, size_t n, struct err *e)
{
    const char *end = p + n, *next;
    struct commit new = {0};
    struct oid id;
    int rc;

    if (!header_id(next_line(&p, end), "tree ", &new.tree))
        return err_set(e, ERR_DATA, "bad commit: no tree");
    new.parents = next = p;
    while (header_id(next_line(&next, end), "parent ", &id)) {
        new.n_parents++;
        p = next;
    }
    if (new.n_parents > COMMIT_MAX_PARENTS)
        return err_set(e, ERR_LIMIT, "too many parents (found %zu, limit "
                       "%d)", new.n_parents, COMMIT_MAX_PARENTS);
    new.author.p = new.message.p = end;
    rc = parse_people(&new, p, end, e);
    if (rc == 0)
        *c = new;
    return rc;
}

struct oid
commit_parent(const struct commit *c, size_t i)
{
    struct oid id = {{0}};

    oid_parse(&id, c->parents + i * PARENT_LINE + 7, OID_HEX);
    return id;
}

static bool
blank(struct span line)
{
    size_t i;

    for (i = 0; i < line.n; i++) {
        if (!strchr(" \t\r", line.p[i]) || line.p[i] == '\0')
            return false;
    }
    return true;
}

static struct span
trim_end(struct span s)
{
    while (s.n > 0 && s.p[s.n - 1] != '\0'
           && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Gives the first paragraph to out, if not NULL; returns where it ends. */
static const char *
first_paragraph(struct span message, struct buf *out)
{
    const char *p = message.p, *end = message.p + message.n, *at = p;
    struct span line;
    bool begun = false;

    while (p < end) {
        at = p;
        line = next_line(&p, end);
        if (blank(line)) {
            if (begun)
                return at;
            continue;
        }
        line = trim_end(line);
        if (out && begun)
            buf_addc(out, ' ');
        if (out)
            buf_add(out, line.p, line.n);
        begun = true;
    }
    return end;
}

void
commit_subject(struct buf *out, struct span message)
{
    first_paragraph(message, out);
}

struct span
commit_body(struct span message)
{
    const char *end = message.p + message.n;
    const char *p = first_paragraph(message, NULL), *at;
    struct span body;

    for (at = p; at < end && blank(next_line(&p, end)); at = p)
        ;
    body.p = at;
    body.n = (size_t)(end - at);
    return body;
}
