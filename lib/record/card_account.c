/* card_account.c - where the set comes from and what became of it on the way:
 * sources, filters, what was replaced, and what follows from all that.
 */
#include <inttypes.h>
#include <string.h>

#include "record/card_parts.h"
#include "record/prov.h"

#define REPLACED "replaced."
#define INPUTS_SHOWN 100

static bool
is_replaced(const struct ledger_line *l)
{
    return strncmp(l->reason, REPLACED, sizeof(REPLACED) - 1) == 0;
}

/* ---- sources ---- */

/* A commit in a column, or that it isn't known. */
static void
put_commit(struct buf *b, const char *hex)
{
    buf_addc(b, ' ');
    card_puts(b, *hex ? hex : "not recorded");
    buf_addstr(b, " |");
}

static void
repo_row(struct buf *b, const struct card_facts *f, const char *name,
         size_t n, const struct card_sums *s)
{
    if (s->records == 0)
        return;
    buf_addstr(b, "| ");
    card_put(b, name, n);
    buf_addf(b, " | %" PRIu64 " | %" PRIu64 " | ", s->records, s->units);
    if (f->tokens)
        buf_addstr(b, "not recorded |");
    else
        buf_addf(b, "%" PRIu64 " |", s->authors);
    put_commit(b, s->begin);
    put_commit(b, s->end);
    buf_addc(b, ' ');
    card_put_span(b, s, " to ", "-");
    buf_addstr(b, " |\n");
}

static void
put_repositories(struct buf *b, const struct card_facts *f)
{
    const struct map *map = &f->repos.map;
    const struct card_sums *sums = f->repos.sums;

    buf_addstr(b, "\n| repository | records | commits or documents | authors "
               "| first commit | last commit | time |\n"
               "| --- | ---: | ---: | ---: | --- | --- | --- |\n");
    for (size_t i = 0; i < map->n; i++)
        repo_row(b, f, map_key(map, i), map->entry[i].len,
                 &sums[map->entry[i].value]);
    repo_row(b, f, "(others)", 8, &f->repos.others);
    repo_row(b, f, "(none)", 6, &f->repos.none);
    if (f->many_authors)
        buf_addf(b, "\nThere are more than %d authors; those beyond are not "
                 "counted.\n", CARD_AUTHORS);
}

/* A row of what gitscrape says that it read; false where it doesn't. */
static bool
revision_row(struct buf *b, const char *line, struct map *names, bool *twice)
{
    struct buf name, revision, license;
    bool is, added = true;

    buf_init(&name);
    buf_init(&revision);
    buf_init(&license);
    is = prov_is_source(line) && prov_option(line, "repo", &name);
    if (is) {
        prov_option(line, "revision", &revision);
        if (!prov_option(line, "license", &license))
            buf_addstr(&license, "not recorded");
        map_put(names, name.data, name.len, 0, &added);
        buf_addstr(b, "| ");
        card_put(b, name.data, name.len);
        buf_addstr(b, " | ");
        card_put(b, revision.data, revision.len);
        buf_addstr(b, " | ");
        card_put(b, license.data, license.len);
        buf_addstr(b, " |\n");
    }
    *twice = *twice || !added;
    buf_release(&name);
    buf_release(&revision);
    buf_release(&license);
    return is;
}

static void
put_revisions(struct buf *b, const struct stream_head *h)
{
    bool any = false, twice = false;
    struct map names;
    struct buf rows;

    map_init(&names);
    buf_init(&rows);
    for (size_t i = 0; i < h->n_prov; i++)
        any = revision_row(&rows, h->prov[i], &names, &twice) || any;
    if (any)
        buf_addf(b, "\n| source | history of | licence of its root |\n"
                 "| --- | --- | --- |\n%s", rows.data);
    if (twice)
        buf_addstr(b, "\nSources of the same name are counted as one "
                   "repository.\n");
    buf_release(&rows);
    map_release(&names);
}

/* Each line is a row: program, version, options. */
static void
put_programs(struct buf *b, const struct stream_head *h)
{
    const char *p;
    size_t n;

    buf_addstr(b, "\nThe programs that it came through, in their order:\n\n"
               "| program | version | options |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < h->n_prov; i++) {
        p = h->prov[i];
        n = prov_program(p);
        buf_addstr(b, "| ");
        card_put(b, p, n);
        p += n + (p[n] == ' ');
        n = strcspn(p, " ");
        buf_addstr(b, " | ");
        card_put(b, p, n);
        buf_addstr(b, " | ");
        for (p += n; *p; p += n) {
            n = strcspn(++p, " ");
            card_put(b, p, n);
            buf_addc(b, ' ');
        }
        buf_addstr(b, "|\n");
    }
}

static void
put_inputs(struct buf *b, const struct manifest *m)
{
    char hex[ID_HEX + 1];
    size_t i;

    if (m->n_inputs == 0)
        return;
    buf_addstr(b, "\nThe streams that it was made of, by their content ids:"
               "\n\n");
    for (i = 0; i < m->n_inputs && i < INPUTS_SHOWN; i++) {
        buf_addf(b, "- `%s`", id_hex(&m->input[i], hex));
        if (i < m->n_segments)
            buf_addf(b, ", %" PRIu64 " records", m->segment[i]);
        buf_addc(b, '\n');
    }
    if (i < m->n_inputs)
        buf_addf(b, "- and %zu more\n", m->n_inputs - i);
}

void
card_sources(struct buf *b, const struct card_facts *f)
{
    const struct stream_head *h = &f->m->head;

    buf_addstr(b, "\n## Sources\n\nTime span: ");
    card_put_span(b, &f->all, " to ", "not recorded");
    buf_addstr(b, ".\n");
    put_revisions(b, h);
    if (f->repos.map.n > 0)
        put_repositories(b, f);
    if (h->n_prov > 0)
        put_programs(b, h);
    else
        buf_addstr(b, "\nThe programs that it came through are not "
                   "recorded.\n");
    put_inputs(b, f->m);
}

/* ---- filters ---- */

/* The programs of the provenance that counted nothing, each once. */
static void
put_silent(struct buf *b, const struct manifest *m)
{
    const struct stream_head *h = &m->head;
    const char *before = "\nNothing was counted by ";
    bool told;
    size_t n;

    for (size_t i = 0; i < h->n_prov; i++) {
        n = prov_program(h->prov[i]);
        told = false;
        for (size_t k = 0; k < m->ledger.n && !told; k++)
            told = strlen(m->ledger.line[k].program) == n
                   && memcmp(m->ledger.line[k].program, h->prov[i], n) == 0;
        for (size_t k = 0; k < i && !told; k++)
            told = prov_program(h->prov[k]) == n
                   && memcmp(h->prov[k], h->prov[i], n) == 0;
        if (told)
            continue;
        buf_addstr(b, before);
        card_put(b, h->prov[i], n);
        before = ", ";
    }
    if (before[0] == ',')
        buf_addstr(b, ".\n");
}

/* A table of the lines that are, or are not, of what was replaced. */
static bool
put_ledger(struct buf *b, const struct ledger *ledger, bool replaced)
{
    const struct ledger_line *l;
    bool any = false;

    for (size_t i = 0; i < ledger->n; i++) {
        l = &ledger->line[i];
        if (is_replaced(l) != replaced)
            continue;
        if (!any)
            buf_addf(b, "| program | %s | count |\n| --- | --- | ---: |\n",
                     replaced ? "kind" : "reason");
        any = true;
        buf_addstr(b, "| ");
        card_puts(b, l->program);
        buf_addstr(b, " | ");
        card_puts(b, l->reason + (replaced ? sizeof(REPLACED) - 1 : 0));
        buf_addf(b, " | %" PRIu64 " |\n", l->count);
    }
    return any;
}

void
card_filters(struct buf *b, const struct card_facts *f)
{
    buf_addstr(b, "\n## What was left out\n\n");
    if (f->m->head.n_prov == 0 && f->m->ledger.n == 0) {
        buf_addstr(b, "Not recorded.\n");
        return;
    }
    if (!put_ledger(b, &f->m->ledger, false))
        buf_addstr(b, "Nothing was counted as left out.\n");
    put_silent(b, f->m);
}

/* ---- secrets and personal data ---- */

static const char *
ran_text(enum card_ran ran)
{
    switch (ran) {
    case CARD_UNKNOWN:
        return "whether it ran is not recorded";
    case CARD_NOT:
        return "it did not run";
    case CARD_PARTLY:
        return "it ran over a part, or it is not recorded that it ran over "
               "all";
    case CARD_RAN:
        return "it ran over all";
    }
    return "";
}

void
card_personal(struct buf *b, const struct card_facts *f)
{
    const char *line;
    enum card_ran ran = card_ran(f->m, "scrub", &line);

    buf_addf(b, "\n## Secrets and personal data\n\nscrub, which puts "
             "placeholders in their places: %s.\n", ran_text(ran));
    if (ran == CARD_NOT || ran == CARD_UNKNOWN)
        return;
    buf_addstr(b, "What it replaced, by kind:\n\n");
    if (!put_ledger(b, &f->m->ledger, true))
        buf_addstr(b, "nothing.\n");
}

/* ---- before publishing ---- */

static void
before_scrub(struct buf *b, const struct card_facts *f)
{
    const char *line;
    enum card_ran ran = card_ran(f->m, "scrub", &line);
    struct buf names;

    buf_addf(b, "- Secrets and addresses were to be replaced by scrub: %s.%s"
             "\n", ran_text(ran), ran == CARD_RAN ? "" :
             " Take it that keys, passwords and mail addresses are in it.");
    buf_init(&names);
    if (ran == CARD_UNKNOWN)
        buf_addstr(b, "- Whether names of people are kept is not recorded.\n");
    else if (ran == CARD_RAN && prov_option(line, "names", &names))
        buf_addstr(b, "- Names of people on a list were replaced; others "
                   "are kept.\n");
    else
        buf_addstr(b, "- Names of people in messages and files are kept.\n");
    buf_release(&names);
}

static void
before_dedup(struct buf *b, const struct card_facts *f)
{
    const char *line;
    enum card_ran ran = card_ran(f->m, "dedup", &line);

    buf_addf(b, "- Texts that are alike were to be left out by dedup: %s.%s"
             "\n", ran_text(ran), ran == CARD_RAN ? "" :
             " What is held out may be in what is trained on.");
}

static void
before_licenses(struct buf *b, const struct card_facts *f)
{
    uint64_t known = 0, all = f->all.records;

    for (size_t i = 0; i < f->licenses.map.n; i++)
        known += f->licenses.sums[i].records;
    known += f->licenses.others.records;
    if (known < all)
        buf_addf(b, "- Of %" PRIu64 " of %" PRIu64 " records no licence is "
                 "recorded. ", all - known, all);
    else
        buf_addstr(b, "- ");
    buf_addstr(b, "A history has all that its repository ever had, also what "
               "others wrote and it took over.\n");
}

static void
before_held_out(struct buf *b, const struct manifest *m)
{
    const struct set_split *test = manifest_split(m, "test");

    if (!test || test->records == 0)
        buf_addstr(b, "- Nothing is held out to test with.\n");
    for (size_t i = 0; i < m->n_leaks; i++) {
        const struct set_leak *l = &m->leak[i];

        if (l->edit == 0)
            continue;
        buf_addf(b, "- %" PRIu64 " of %" PRIu64 " records of ", l->edit,
                 manifest_split(m, l->split)->records);
        card_puts(b, l->split);
        buf_addstr(b, " have an edit that is trained on, too.\n");
    }
}

void
card_before(struct buf *b, const struct card_facts *f)
{
    buf_addstr(b, "\n## Before it is published\n\n");
    before_scrub(b, f);
    before_dedup(b, f);
    before_licenses(b, f);
    before_held_out(b, f->m);
    if (f->tokens)
        buf_addstr(b, "- Tokens are text to whoever has the tokenizer.\n");
    buf_addstr(b, "- An adapter that is trained on it can repeat what is in "
               "it.\n");
}
