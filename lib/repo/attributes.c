/* attributes.c - lines of patterns and states; a path asks all of them. */
#include "repo/attributes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/glob.h"

#define BLANKS " \t\r"

static const char *const names[ATTRIBUTES] = {
    "linguist-generated", "linguist-vendored", "linguist-documentation"
};

enum state { UNSAID, SET, TAKEN_BACK, FORGOTTEN };

struct attribute_line {
    char *dir, *pattern; /* of a macro: NULL, its name */
    size_t n_dir;
    enum state state[ATTRIBUTES];
};

void
attributes_init(struct attributes *a)
{
    memset(a, 0, sizeof(*a));
}

void
attributes_release(struct attributes *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->line[i].dir);
        free(a->line[i].pattern);
    }
    free(a->line);
    attributes_init(a);
}

/* ---- reading ---- */

static bool
is(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(p, word, n) == 0;
}

/* The macro that has this name; the last one that does. */
static const struct attribute_line *
find_macro(const struct attributes *a, const char *p, size_t n)
{
    if (a->n_macros == 0)
        return NULL;
    for (size_t i = a->n; i-- > 0;)
        if (!a->line[i].dir && is(p, n, a->line[i].pattern))
            return &a->line[i];
    return NULL;
}

/* One word behind a pattern: [-!]NAME[=VALUE]. */
static void
take_word(const struct attributes *a, struct attribute_line *line,
          const char *p, size_t n)
{
    enum state state = SET;
    const char *equals = memchr(p, '=', n);
    const struct attribute_line *macro;
    size_t len;

    if (*p == '-' || *p == '!') {
        state = *p == '-' ? TAKEN_BACK : FORGOTTEN;
        p++;
        n--;
    }
    len = equals ? (size_t)(equals - p) : n;
    if (equals && (is(equals + 1, n - len - 1, "false")
                   || is(equals + 1, n - len - 1, "0")))
        state = TAKEN_BACK;
    for (int i = 0; i < ATTRIBUTES; i++)
        if (is(p, len, names[i]))
            line->state[i] = state;
    macro = state == SET ? find_macro(a, p, len) : NULL;
    for (int i = 0; macro && i < ATTRIBUTES; i++)
        if (macro->state[i] != UNSAID)
            line->state[i] = macro->state[i];
}

static bool
says_something(const struct attribute_line *line)
{
    for (int i = 0; i < ATTRIBUTES; i++)
        if (line->state[i] != UNSAID)
            return true;
    return false;
}

/* The pattern at *p, which is then behind it; NULL where it is none. */
static char *
take_pattern(const char **p, const char *end)
{
    const char *q = *p;
    struct buf b;

    if (*q != '"') {
        q += strcspn(q, BLANKS);
        q = q < end ? q : end;
        b.data = mem_dup(*p, (size_t)(q - *p));
        *p = q;
        return b.data;
    }
    buf_init(&b);
    for (q++; q < end && *q != '"'; q++) {
        if (*q == '\\' && q + 1 < end)
            q++;
        buf_addc(&b, *q);
    }
    if (q == end || b.len == 0) {
        buf_release(&b);
        return NULL;
    }
    *p = q + 1;
    return b.data;
}

static int
add_line(struct attributes *a, struct attribute_line *line, struct err *e)
{
    if (a->n == ATTRIBUTES_MAX_LINES)
        return err_set(e, ERR_LIMIT, ".gitattributes: over %d lines with "
                       "linguist's attributes", ATTRIBUTES_MAX_LINES);
    if (a->n == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 16;
        a->line = mem_grow(a->line, a->cap * sizeof(*a->line));
    }
    a->n_macros += line->dir == NULL;
    a->line[a->n++] = *line;
    return 0;
}

/* A line without its newline, NUL-terminated; it has no other NUL. */
static int
take_line(struct attributes *a, const char *dir, size_t n_dir, const char *p,
          const char *end, struct err *e)
{
    static const char macro[] = "[attr]";
    struct attribute_line line = { .n_dir = n_dir };
    bool is_macro;
    int rc = 0;

    p += strspn(p, BLANKS);
    is_macro = strncmp(p, macro, sizeof(macro) - 1) == 0;
    if (*p == '\0' || *p == '#' || *p == '!' || (is_macro && n_dir > 0))
        return 0;
    p += is_macro ? sizeof(macro) - 1 : 0;
    line.pattern = take_pattern(&p, end);
    if (!line.pattern)
        return 0;
    while (*(p += strspn(p, BLANKS)) != '\0') {
        size_t n = strcspn(p, BLANKS);

        take_word(a, &line, p, n);
        p += n;
    }
    if (says_something(&line)) {
        line.dir = is_macro ? NULL : mem_dup(dir, n_dir);
        rc = add_line(a, &line, e);
        if (rc == 0)
            return 0;
        free(line.dir);
    }
    free(line.pattern);
    return rc;
}

int
attributes_add(struct attributes *a, const char *dir, size_t n_dir,
               const char *text, size_t n, struct err *e)
{
    const char *p = text, *end = text + n, *eol;
    struct buf line;
    int rc = 0;

    buf_init(&line);
    for (; p < end && rc == 0; p = eol + 1) {
        eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol : end;
        buf_reset(&line);
        buf_add(&line, p, (size_t)(eol - p));
        if (!memchr(line.data, '\0', line.len))
            rc = take_line(a, dir, n_dir, line.data, line.data + line.len,
                           e);
    }
    buf_release(&line);
    return rc;
}

/* ---- asking ---- */

void
attributes_of(const struct attributes *a, const char *path, size_t n,
              struct buf *out)
{
    enum state state[ATTRIBUTES] = { UNSAID };
    bool first = true;

    for (size_t i = 0; i < a->n; i++) {
        const struct attribute_line *line = &a->line[i];

        if (!line->dir || line->n_dir >= n
            || memcmp(path, line->dir, line->n_dir) != 0
            || !glob_match_file(line->pattern, path + line->n_dir,
                                n - line->n_dir))
            continue;
        for (int k = 0; k < ATTRIBUTES; k++)
            if (line->state[k] != UNSAID)
                state[k] = line->state[k];
    }
    for (int k = 0; k < ATTRIBUTES; k++) {
        if (state[k] != SET && state[k] != TAKEN_BACK)
            continue;
        buf_addf(out, "%s%s%s", first ? "" : " ",
                 state[k] == SET ? "" : "-", names[k]);
        first = false;
    }
}
