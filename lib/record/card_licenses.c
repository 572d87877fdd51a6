/* card_licenses.c - the licences that the records are of, by their SPDX ids
 * and by the names that the Hub has for them.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "record/card_parts.h"
#include "record/prov.h"

#define SPDX_BYTES 40

/* SPDX ids that the Hub knows, as it spells them (hub-docs,
 * repositories-licenses.md), without -only and -or-later. */
static const char *const hub[] = {
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause",
    "bsd-3-clause", "bsd-3-clause-clear", "bsl-1.0", "c-uda", "cc-by-2.0",
    "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0",
    "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0",
    "cdla-sharing-1.0", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0",
    "eupl-1.1", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1", "lgpl-3.0", "lgpl-lr",
    "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa", "ofl-1.1", "osl-3.0",
    "pddl", "postgresql", "unlicense", "wtfpl", "zlib"
};

#define N_HUB (sizeof(hub) / sizeof(*hub))

static bool
ends(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);

    return n > m && memcmp(s + n - m, end, m) == 0;
}

/* The place in hub of an SPDX id; N_HUB where it has none. */
static size_t
hub_id(const char *p, size_t n)
{
    char id[SPDX_BYTES];
    size_t i = 0;

    if (n >= sizeof(id))
        return N_HUB;
    for (; i < n; i++)
        id[i] = (char)tolower((unsigned char)p[i]);
    n -= ends(id, n, "-only") ? 5 : ends(id, n, "-or-later") ? 9 :
         ends(id, n, "+") ? 1 : 0;
    for (i = 0; i < N_HUB; i++)
        if (strlen(hub[i]) == n && memcmp(hub[i], id, n) == 0)
            break;
    return i;
}

/* Which of hub are among the licences of the records, with N_HUB for others;
 * *all: each record has one. False where none has. */
static bool
of_records(const struct card_facts *f, bool there[N_HUB + 1], bool *all)
{
    const struct map *map = &f->licenses.map;
    uint64_t known = f->licenses.others.records;

    there[N_HUB] = known > 0;
    for (size_t i = 0; i < map->n; i++) {
        there[hub_id(map_key(map, i), map->entry[i].len)] = true;
        known += f->licenses.sums[map->entry[i].value].records;
    }
    *all = known == f->all.records;
    return known > 0;
}

/* The same of the roots of the sources. */
static void
of_sources(const struct stream_head *h, bool there[N_HUB + 1], bool *all)
{
    struct prov_chain c = { 0 };
    bool any = false;
    struct buf license;

    *all = true;
    buf_init(&license);
    while (prov_next(h, &c)) {
        for (size_t i = c.begin; i < c.tail; i++) {
            buf_reset(&license);
            any = true;
            if (prov_option(h->prov[i], "license", &license))
                there[hub_id(license.data, license.len)] = true;
            else
                *all = false;
        }
        *all = *all && c.tail > c.begin;
    }
    *all = *all && any;
    buf_release(&license);
}

void
card_put_licenses(struct buf *b, const struct card_facts *f)
{
    bool there[N_HUB + 1] = { false }, all;

    if (!of_records(f, there, &all))
        of_sources(&f->m->head, there, &all);
    for (size_t i = 0; i < N_HUB; i++)
        if (there[i])
            buf_addf(b, "- %s\n", hub[i]);
    if (there[N_HUB])
        buf_addstr(b, "- other\n");
    if (!all)
        buf_addstr(b, "- unknown\n");
}

static void
license_row(struct buf *b, const char *name, size_t n,
            const struct card_sums *s)
{
    if (s->records == 0)
        return;
    buf_addstr(b, "| ");
    card_put(b, name, n);
    buf_addf(b, " | %" PRIu64 " | %" PRIu64 " |\n", s->records, s->bytes);
}

void
card_licenses(struct buf *b, const struct card_facts *f)
{
    const struct map *map = &f->licenses.map;
    struct buf allowed;

    buf_addstr(b, "\n## Licences\n\n");
    buf_init(&allowed);
    if (prov_option(prov_last(&f->m->head, "scrub"), "license", &allowed)) {
        buf_addstr(b, "scrub left out files of other licences than ");
        card_put(b, allowed.data, allowed.len);
        buf_addstr(b, ".\n\n");
    }
    buf_release(&allowed);
    if (map->n == 0) {
        buf_addstr(b, "Of the records no licence is recorded; those of the "
                   "sources' roots are above.\n");
        return;
    }
    buf_addstr(b, "By what the first lines of a file say, else by the licence "
               "file of the nearest folder, as SPDX has them.\n\n"
               "| licence | records | bytes |\n| --- | ---: | ---: |\n");
    for (size_t i = 0; i < map->n; i++)
        license_row(b, map_key(map, i), map->entry[i].len,
                    &f->licenses.sums[map->entry[i].value]);
    license_row(b, "(others)", 8, &f->licenses.others);
    license_row(b, "(not known)", 11, &f->licenses.none);
}
