/* card_prov.c - lines of provenance, in chains: one or more programs that
 * bring data in, then those that it went through.
 */
#include <string.h>

#include "base/hex.h"
#include "record/card_parts.h"

size_t
card_program(const char *line)
{
    return strcspn(line, " ");
}

static bool
is_of(const char *line, const char *program)
{
    size_t n = strlen(program);

    return card_program(line) == n && memcmp(line, program, n) == 0;
}

bool
card_is_source(const char *line)
{
    return is_of(line, "gitscrape") || is_of(line, "fromjsonl")
           || is_of(line, "fromfiles");
}

/* Lines [*at, end) are the next chain; false where there is none. */
static bool
next_chain(const struct stream_head *h, size_t *at, size_t *end)
{
    size_t i = *at = *end;

    while (i < h->n_prov && card_is_source(h->prov[i]))
        i++;
    while (i < h->n_prov && !card_is_source(h->prov[i]))
        i++;
    *end = i;
    return i > *at;
}

/* The first of the lines that is the program's, or NULL. */
static const char *
line_of(char *const *line, size_t n, const char *program)
{
    for (size_t i = 0; i < n; i++)
        if (is_of(line[i], program))
            return line[i];
    return NULL;
}

enum card_ran
card_ran(const struct manifest *m, const char *program, const char **line)
{
    const struct stream_head *h = &m->head;
    size_t at, end = 0, without = 0;
    bool source = false;
    const char *p;

    *line = NULL;
    while (next_chain(h, &at, &end)) {
        source = source || card_is_source(h->prov[at]);
        p = line_of(h->prov + at, end - at, program);
        without += p == NULL;
        *line = *line ? *line : p;
    }
    if (*line)
        return without > 0 || !source ? CARD_PARTLY : CARD_RAN;
    for (size_t i = 0; i < m->ledger.n; i++)
        if (strcmp(m->ledger.line[i].program, program) == 0)
            return CARD_PARTLY;
    return source ? CARD_NOT : CARD_UNKNOWN;
}

bool
card_option(const char *line, const char *name, struct buf *b)
{
    size_t n = strlen(name);
    uint8_t byte;

    for (line = line ? strchr(line, ' ') : NULL; line;
         line = strchr(line, ' ')) {
        line++;
        if (strncmp(line, name, n) == 0 && line[n] == '=')
            break;
    }
    if (!line)
        return false;
    for (line += n + 1; *line && *line != ' '; line++) {
        if (*line == '%' && line[1] && hex_take(&byte, 1, line + 1, true)) {
            buf_addc(b, byte);
            line += 2;
        } else {
            buf_addc(b, *line);
        }
    }
    return true;
}
