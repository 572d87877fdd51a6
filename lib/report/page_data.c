/* page_data.c - the sets: splits, languages, what each station took out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/prov.h"
#include "report/page_parts.h"

#define LANGUAGES 12
#define REPLACED "replaced."

static double
share(uint64_t n, uint64_t of)
{
    return of ? 100.0 * (double)n / (double)of : NAN;
}

/* ---- splits ---- */

static void
split_row(struct buf *b, const struct set_facts *s, const char *name,
          const struct card_sums *sums)
{
    buf_addstr(b, "<tr><th>");
    html_text(b, name);
    html_td_count(b, sums->records);
    html_td_number(b, share(sums->records, s->facts->all.records), 1);
    html_td_count(b, sums->units);
    html_td_count(b, sums->tokens);
    html_td_count(b, sums->learned);
    buf_addstr(b, "<td class=day>");
    card_put_span(b, sums, "<td class=day>", "\u2013<td class=day>\u2013");
    buf_addstr(b, "</tr>\n");
}

static void
put_splits(struct buf *b, const struct set_facts *s)
{
    buf_addstr(b, "<div class=wide><table>\n<thead><tr><th>split"
               "<th class=n>records<th class=n>%<th class=n>commits"
               "<th class=n>tokens<th class=n>learned<th>from<th>to</tr>"
               "</thead>\n<tbody>\n");
    for (size_t i = 0; i < s->manifest.n_splits; i++)
        split_row(b, s, s->manifest.split[i].name, &s->facts->split[i]);
    if (s->facts->unsplit.records > 0)
        split_row(b, s, "(in none)", &s->facts->unsplit);
    buf_addstr(b, "</tbody><tbody class=sum>\n");
    split_row(b, s, "all", &s->facts->all);
    buf_addstr(b, "</tbody></table></div>\n");
}

static void
put_leaks(struct buf *b, const struct set_facts *s)
{
    const struct manifest *m = &s->manifest;

    if (m->n_leaks == 0) {
        page_note(b, "How much of what is held out is trained on, too, is "
                  "not recorded.");
        return;
    }
    for (size_t i = 0; i < m->n_leaks; i++) {
        const struct set_leak *l = &m->leak[i];

        buf_addstr(b, "<p>Of ");
        html_text(b, l->split);
        if (l->edit + l->content + l->commit == 0) {
            buf_addstr(b, " nothing is trained on, too: no edit, no content "
                       "of a file, no commit.</p>\n");
            continue;
        }
        buf_addf(b, " are trained on, too: %" PRIu64 " edits, %" PRIu64
                 " contents of files, %" PRIu64 " records of a commit.</p>\n",
                 l->edit, l->content, l->commit);
    }
}

/* ---- languages ---- */

struct language {
    const char *name;
    size_t n;
    struct card_sums sums;
};

static int
by_tokens(const void *pa, const void *pb)
{
    const struct language *x = pa, *y = pb;
    int order;

    if (x->sums.tokens != y->sums.tokens)
        return x->sums.tokens < y->sums.tokens ? 1 : -1;
    order = memcmp(x->name, y->name, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void
language_row(struct buf *b, const struct set_facts *s, const char *name,
             size_t n, const struct card_sums *sums)
{
    double part = share(sums->tokens, s->facts->all.tokens);

    if (sums->records == 0)
        return;
    buf_addstr(b, "<tr><th>");
    html_cut(b, name, n, 80);
    html_td_count(b, sums->records);
    html_td_count(b, sums->tokens);
    html_td_number(b, part, 1);
    buf_addf(b, "<td class=share><i style=\"width:%.1f%%\"></i></tr>\n",
             isfinite(part) ? part : 0);
}

static void
put_languages(struct buf *b, const struct set_facts *s)
{
    const struct card_names *langs = &s->facts->langs;
    struct language *row = mem_array(langs->map.n + 1, sizeof(*row));
    struct card_sums rest = langs->others;
    size_t n = langs->map.n;

    for (size_t i = 0; i < n; i++)
        row[i] = (struct language){ map_key(&langs->map, i),
                                    langs->map.entry[i].len,
                                    langs->sums[i] };
    qsort(row, n, sizeof(*row), by_tokens);
    for (size_t i = LANGUAGES; i < n; i++) {
        rest.records += row[i].sums.records;
        rest.tokens += row[i].sums.tokens;
    }
    buf_addstr(b, "<div class=wide><table>\n<thead><tr><th>language"
               "<th class=n>records<th class=n>tokens<th class=n>%<th>"
               "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < LANGUAGES; i++)
        language_row(b, s, row[i].name, row[i].n, &row[i].sums);
    language_row(b, s, "others", 6, &rest);
    language_row(b, s, "not told", 8, &langs->none);
    buf_addstr(b, "</tbody></table></div>\n");
    free(row);
}

/* ---- what the stations took out ---- */

/* The ledger's lines of a program that are, or are not, of what was replaced;
 * how many there are. */
static size_t
put_ledger(struct buf *b, const struct ledger *l, const char *program,
           size_t n, bool replaced)
{
    const size_t skip = strlen(REPLACED);
    size_t told = 0;

    for (size_t i = 0; i < l->n; i++) {
        const struct ledger_line *line = &l->line[i];
        bool is = strncmp(line->reason, REPLACED, skip) == 0;

        if (strlen(line->program) != n
            || memcmp(line->program, program, n) != 0 || is != replaced)
            continue;
        buf_addstr(b, told++ ? "<br>" : "");
        buf_addstr(b, "<b>");
        html_count(b, line->count);
        buf_addstr(b, "</b> ");
        html_text(b, line->reason + (replaced ? skip : 0));
    }
    return told;
}

static void
station_row(struct buf *b, const struct ledger *l, const char *program,
            size_t n)
{
    buf_addstr(b, "<tr><th>");
    html_cut(b, program, n, 64);
    buf_addstr(b, "<td class=list>");
    if (put_ledger(b, l, program, n, false) == 0)
        buf_addstr(b, "\u2013");
    buf_addstr(b, "<td class=list>");
    if (put_ledger(b, l, program, n, true) == 0)
        buf_addstr(b, "\u2013");
    buf_addstr(b, "</tr>\n");
}

/* Whether a line of provenance before line i is of that program. */
static bool
told_before(const struct stream_head *h, size_t i, const char *p, size_t n)
{
    for (size_t k = 0; k < i; k++)
        if (prov_program(h->prov[k]) == n && memcmp(h->prov[k], p, n) == 0)
            return true;
    return false;
}

/* Stations in the order that the data came through them; then those that the
 * ledger alone knows. */
static void
put_stations(struct buf *b, const struct set_facts *s)
{
    const struct stream_head *h = &s->manifest.head;
    const struct ledger *l = &s->manifest.ledger;

    if (h->n_prov == 0 && l->n == 0) {
        page_note(b, "What was left out is not recorded.");
        return;
    }
    buf_addstr(b, "<div class=wide><table>\n<thead><tr><th>station"
               "<th>left out<th>replaced</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < h->n_prov; i++) {
        size_t n = prov_program(h->prov[i]);

        if (!told_before(h, i, h->prov[i], n))
            station_row(b, l, h->prov[i], n);
    }
    for (size_t i = 0; i < l->n; i++) {
        const char *p = l->line[i].program;

        if (!told_before(h, h->n_prov, p, strlen(p))
            && (i == 0 || strcmp(l->line[i - 1].program, p) != 0))
            station_row(b, l, p, strlen(p));
    }
    buf_addstr(b, "</tbody></table></div>\n");
}

/* ---- all of it ---- */

static void
put_set(struct buf *b, const struct report *r, const struct set_facts *s)
{
    if (r->n_sets > 1) {
        buf_addstr(b, "<h3>");
        page_set_name(b, s);
        buf_addstr(b, "</h3>\n");
    }
    put_splits(b, s);
    put_leaks(b, s);
    for (size_t i = 0; i < s->manifest.n_sampling; i++) {
        buf_addstr(b, "<p class=sub>Drawn by the rule ");
        html_text(b, s->manifest.sampling[i]);
        buf_addstr(b, ".</p>\n");
    }
    buf_addstr(b, "<h3>By language</h3>\n");
    put_languages(b, s);
    buf_addstr(b, "<h3>What each station took out</h3>\n");
    put_stations(b, s);
}

void
page_data(struct buf *b, const struct report *r)
{
    if (r->n_runs == 0)
        return;
    buf_addstr(b, "<section>\n<h2>Data</h2>\n");
    for (size_t i = 0; i < r->n_runs; i++) {
        if (r->run[i].data != NO_SET)
            continue;
        buf_addstr(b, "<p class=note>The data of ");
        html_text(b, r->run[i].name);
        buf_addstr(b, " are not where it found them. Their content id is ");
        html_text(b, run_text(&r->run[i], "identity", "data_id",
                              "not recorded"));
        buf_addstr(b, ".</p>\n");
    }
    for (size_t i = 0; i < r->n_sets; i++)
        put_set(b, r, &r->set[i]);
    buf_addstr(b, "</section>\n");
}
