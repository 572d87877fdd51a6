/* prov.c - chains of provenance: found by the programs that are sources. */
#include "record/prov.h"

#include <string.h>

#include "base/word.h"

size_t
prov_program(const char *line)
{
    return strcspn(line, " ");
}

bool
prov_is_of(const char *line, const char *program)
{
    size_t n = strlen(program);

    return prov_program(line) == n && memcmp(line, program, n) == 0;
}

bool
prov_is_source(const char *line)
{
    static const char *const source[] = {
        "gitscrape", "fromjsonl", "fromfiles", "quantize", PROV_UNKNOWN
    };

    for (size_t i = 0; i < sizeof(source) / sizeof(*source); i++)
        if (prov_is_of(line, source[i]))
            return true;
    return false;
}

bool
prov_option(const char *line, const char *name, struct buf *b)
{
    size_t n = strlen(name);
    const char *p = line ? strchr(line, ' ') : NULL;

    for (; p; p = strchr(p, ' ')) {
        p++;
        if (strncmp(p, name, n) == 0 && p[n] == '=')
            break;
    }
    if (!p)
        return false;
    p += n + 1;
    word_take(b, p, strcspn(p, " "));
    return true;
}

const char *
prov_last(const struct stream_head *h, const char *program)
{
    for (size_t i = h->n_prov; i > 0; i--)
        if (prov_is_of(h->prov[i - 1], program))
            return h->prov[i - 1];
    return NULL;
}

bool
prov_next(const struct stream_head *h, struct prov_chain *c)
{
    size_t i = c->begin = c->end;

    while (i < h->n_prov && prov_is_source(h->prov[i]))
        i++;
    c->tail = i;
    while (i < h->n_prov && !prov_is_source(h->prov[i]))
        i++;
    c->end = i;
    return i > c->begin;
}

/* ---- joining ---- */

static bool
same_lines(char *const *a, size_t n, char *const *b, size_t m)
{
    for (size_t i = 0; n == m && i < n; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return n == m;
}

static void
insert(struct stream_head *h, size_t at, const char *line)
{
    char *last;

    stream_head_prov(h, line);
    last = h->prov[h->n_prov - 1];
    memmove(&h->prov[at + 1], &h->prov[at],
            (h->n_prov - 1 - at) * sizeof(*h->prov));
    h->prov[at] = last;
}

/* Every chain has a source. */
static void
need_source(struct stream_head *h)
{
    if (h->n_prov == 0 || !prov_is_source(h->prov[0]))
        insert(h, 0, PROV_UNKNOWN);
}

/* What all lines take. */
static size_t
bytes_of(const struct stream_head *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n_prov; i++)
        n += strlen(h->prov[i]);
    return n;
}

/* Adds a source whose data went through the lines of tail[n]. Sources that
 * went through nothing come last: what follows sources is theirs. */
static void
add_source(struct stream_head *to, const char *line, char *const *tail,
           size_t n)
{
    struct prov_chain c = { 0 };
    size_t at = 0;

    while (prov_next(to, &c)) {
        at = c.end > c.tail || n == 0 ? c.end : c.begin;
        if (!same_lines(to->prov + c.tail, c.end - c.tail, tail, n))
            continue;
        for (size_t i = c.begin; i < c.tail; i++)
            if (strcmp(to->prov[i], line) == 0)
                return;
        insert(to, c.tail, line);
        return;
    }
    insert(to, at, line);
    for (size_t i = 0; i < n; i++)
        insert(to, at + 1 + i, tail[i]);
}

void
prov_join(struct stream_head *to, const struct stream_head *from)
{
    struct stream_head more;
    struct prov_chain c = { 0 };

    if (same_lines(to->prov, to->n_prov, from->prov, from->n_prov))
        return;
    stream_head_copy(&more, from);
    need_source(&more);
    need_source(to);
    while (prov_next(&more, &c)) {
        for (size_t i = c.begin; i < c.tail; i++) {
            if (bytes_of(to) > PROV_BYTES)
                add_source(to, PROV_UNKNOWN, NULL, 0);
            else
                add_source(to, more.prov[i], more.prov + c.tail,
                           c.end - c.tail);
        }
    }
    stream_head_release(&more);
}
