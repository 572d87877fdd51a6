/* scrub_names.c - who people are: a file of names to what goes wherever it
 * stands. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/mem.h"
#include "text/scrub_rules.h"

#define NAMES_FILE_MAX (256u << 20)
#define NAME_MIN_BYTES 4

/* The rule of that kind, which has no expression: made when first wanted. */
static uint32_t
own_rule(struct scrub_rules *r, const char *id, const char *type)
{
    size_t i = 0;

    while (i < r->n && strcmp(r->rule[i].id, id) != 0)
        i++;
    if (i < r->n)
        return (uint32_t)i;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 8;
        r->rule = mem_grow(r->rule, r->cap * sizeof(*r->rule));
    }
    memset(&r->rule[i], 0, sizeof(r->rule[i]));
    r->rule[i].id = mem_strdup(id);
    r->rule[i].type = mem_strdup(type);
    r->rule[i].armour = true; /* no expression to run */
    r->n++;
    return (uint32_t)i;
}

static void
add(struct scrub_rules *r, const char *p, size_t n, uint32_t rule)
{
    if (r->n_names == r->names_cap) {
        r->names_cap = r->names_cap ? 2 * r->names_cap : 64;
        r->name = mem_grow(r->name, r->names_cap * sizeof(*r->name));
    }
    r->name[r->n_names++] = (struct scrub_name){ mem_dup(p, n), n, rule };
}

/* Without blanks at its ends. */
static void
trim(const char **p, size_t *n)
{
    while (*n > 0 && strchr(" \t\r", (*p)[*n - 1]))
        --*n;
    while (*n > 0 && strchr(" \t\r", **p)) {
        ++*p;
        --*n;
    }
}

static void
add_name(struct scrub_rules *r, const char *p, size_t n, uint64_t *single)
{
    trim(&p, &n);
    if (n < NAME_MIN_BYTES || !memchr(p, ' ', n)) {
        *single += n > 0;
        return;
    }
    add(r, p, n, own_rule(r, "author-name", "NAME"));
}

/* As the rule for mail would take it, or any that is not reserved. */
static void
add_mail(struct scrub_rules *r, const char *p, size_t n)
{
    const struct personal whole = { p, n, 0, n };

    trim(&p, &n);
    if (n >= NAME_MIN_BYTES && memchr(p, '@', n) && personal_mail(&whole))
        add(r, p, n, own_rule(r, "author-mail", "EMAIL"));
}

/* \xHH to the byte; in place. */
static size_t
unescape(char *p, size_t n)
{
    size_t to = 0;
    uint8_t byte;

    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\' && n - i >= 4 && p[i + 1] == 'x'
            && hex_take(&byte, 1, p + i + 2, true)) {
            p[to++] = (char)byte;
            i += 3;
        } else {
            p[to++] = p[i];
        }
    }
    return to;
}

/* A name alone, or four columns. */
static int
take_line(struct scrub_rules *r, char *p, size_t n, uint64_t *single)
{
    char *part[4], *end = p + n, *tab;
    size_t len[4], k = 0;

    for (;;) {
        tab = memchr(p, '\t', (size_t)(end - p));
        if (k < 4) {
            part[k] = p;
            len[k] = (size_t)((tab ? tab : end) - p);
        }
        k++;
        if (!tab)
            break;
        p = tab + 1;
    }
    if (k != 1 && k != 4)
        return ERR_DATA;
    if (k == 1) {
        add_name(r, part[0], len[0], single);
        return 0;
    }
    add_name(r, part[2], unescape(part[2], len[2]), single);
    add_mail(r, part[3], unescape(part[3], len[3]));
    return 0;
}

int
scrub_rules_names(struct scrub_rules *r, const char *path, uint64_t *single,
                  struct err *e)
{
    size_t line = 0;
    struct buf text;
    char *p, *end;
    int rc;

    buf_init(&text);
    rc = file_read(&text, path, NAMES_FILE_MAX, e);
    for (p = text.data; rc == 0 && p < text.data + text.len; p = end + 1) {
        line++;
        end = memchr(p, '\n', (size_t)(text.data + text.len - p));
        if (!end)
            end = text.data + text.len;
        if (take_line(r, p, (size_t)(end - p), single) < 0)
            rc = err_set(e, ERR_DATA, "%s:%zu: expected a name, or "
                         "repository, author, name and mail, parted by tabs",
                         path, line);
    }
    buf_release(&text);
    return rc;
}
