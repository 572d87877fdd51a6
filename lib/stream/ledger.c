/* ledger.c - counts by program and reason, in order of appearance. */
#include "stream/ledger.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define WORD_MAX 64

void
ledger_init(struct ledger *l)
{
    memset(l, 0, sizeof(*l));
}

void
ledger_release(struct ledger *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->line[i].program);
        free(l->line[i].reason);
    }
    free(l->line);
    ledger_init(l);
}

/* s as a word that a ledger can hold. */
static void
word(char out[WORD_MAX + 1], const char *s)
{
    size_t n = 0;

    for (; s[n] && n < WORD_MAX; n++) {
        char c = s[n];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                  || (c >= '0' && c <= '9') || c == '_' || c == '.';

        out[n] = ok ? c : '-';
    }
    if (n == 0)
        out[n++] = '-';
    out[n] = '\0';
}

static struct ledger_line *
find(const struct ledger *l, const char *program, const char *reason)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->line[i].program, program) == 0
            && strcmp(l->line[i].reason, reason) == 0)
            return &l->line[i];
    return NULL;
}

void
ledger_add(struct ledger *l, const char *program, const char *reason,
           uint64_t count)
{
    char p[WORD_MAX + 1], r[WORD_MAX + 1];
    struct ledger_line *line;

    if (count == 0)
        return;
    word(p, program);
    word(r, reason);
    line = find(l, p, r);
    if (!line && l->n >= LEDGER_MAX - 1) {
        memcpy(p, "graft", sizeof("graft"));
        memcpy(r, "other", sizeof("other"));
        line = find(l, p, r);
    }
    if (!line) {
        l->line = mem_grow(l->line, (l->n + 1) * sizeof(*l->line));
        line = &l->line[l->n++];
        line->program = mem_strdup(p);
        line->reason = mem_strdup(r);
        line->count = 0;
    }
    line->count = line->count > UINT64_MAX - count ? UINT64_MAX
                                                   : line->count + count;
}

void
ledger_add_all(struct ledger *l, const struct ledger *from)
{
    for (size_t i = 0; i < from->n; i++)
        ledger_add(l, from->line[i].program, from->line[i].reason,
                   from->line[i].count);
}

uint64_t
ledger_get(const struct ledger *l, const char *program, const char *reason)
{
    char p[WORD_MAX + 1], r[WORD_MAX + 1];
    const struct ledger_line *line;

    word(p, program);
    word(r, reason);
    line = find(l, p, r);
    return line ? line->count : 0;
}
