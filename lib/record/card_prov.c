/* card_prov.c - what the provenance of a set and its ledger say together. */
#include <string.h>

#include "record/card_parts.h"
#include "record/prov.h"

/* The first of the lines that is the program's, or NULL. */
static const char *
line_of(char *const *line, size_t n, const char *program)
{
    for (size_t i = 0; i < n; i++)
        if (prov_is_of(line[i], program))
            return line[i];
    return NULL;
}

enum card_ran
card_ran(const struct manifest *m, const char *program, const char **line)
{
    const struct stream_head *h = &m->head;
    struct prov_chain c = { 0 };
    bool known = h->n_prov > 0, unsourced = false;
    size_t without = 0;
    const char *p;

    *line = NULL;
    while (prov_next(h, &c)) {
        known = known && c.tail > c.begin
                && !prov_is_of(h->prov[c.tail - 1], PROV_UNKNOWN);
        unsourced = unsourced || c.tail == c.begin;
        p = line_of(h->prov + c.begin, c.end - c.begin, program);
        without += p == NULL;
        *line = *line ? *line : p;
    }
    if (*line)
        return without > 0 || unsourced ? CARD_PARTLY : CARD_RAN;
    for (size_t i = 0; i < m->ledger.n; i++)
        if (strcmp(m->ledger.line[i].program, program) == 0)
            return CARD_PARTLY;
    return known ? CARD_NOT : CARD_UNKNOWN;
}
