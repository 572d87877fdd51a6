/* card_tables.c - what is in the set, by numbers: splits, languages, lengths,
 * and how the records are laid out.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/card_parts.h"
#include "record/prov.h"

/* ---- splits ---- */

static void
split_row(struct buf *b, const struct card_facts *f, const char *name,
          const struct card_sums *s)
{
    double share = f->all.records ?
                   100.0 * (double)s->records / (double)f->all.records : 0;

    buf_addstr(b, "| ");
    card_puts(b, name);
    buf_addf(b, " | %" PRIu64 " | %.1f%% | %" PRIu64 " |", s->records, share,
             s->units);
    if (f->tokens)
        buf_addf(b, " %" PRIu64 " | %" PRIu64 " |", s->tokens, s->learned);
    else
        buf_addf(b, " %" PRIu64 " |", s->bytes);
    buf_addc(b, ' ');
    card_put_span(b, s, " | ", "- | -");
    buf_addstr(b, " |\n");
}

static void
put_how(struct buf *b, const struct card_facts *f)
{
    struct buf by;

    buf_init(&by);
    if (!prov_option(prov_last(&f->m->head, "shard"), "split-by", &by))
        buf_addstr(b, "How the records were divided is not recorded.\n");
    else if (buf_is(&by, "time"))
        buf_addstr(b, "Of each history the last commits are held out, "
                   "all records of a commit together.\n");
    else if (buf_is(&by, "group"))
        buf_addstr(b, "Files with all of their history are held out; commits "
                   "that have records on both sides lose those of one.\n");
    else if (buf_is(&by, "kept"))
        buf_addstr(b, "It was made of sets: what each of them held out stays "
                   "held out.\n");
    buf_release(&by);
}

/* A count, and its share. */
static void
put_part(struct buf *b, uint64_t n, uint64_t of)
{
    buf_addf(b, " %" PRIu64 " (%.1f%%) |", n,
             of ? 100.0 * (double)n / (double)of : 0);
}

/* What is held out and trained on, too. */
static void
put_leaks(struct buf *b, const struct manifest *m)
{
    const struct set_split *split;
    const struct set_leak *l;

    if (m->n_leaks == 0) {
        buf_addstr(b, "\nHow much of what is held out is trained on, too, is "
                   "not recorded.\n");
        return;
    }
    buf_addstr(b, "\nOf the records held out, those that share something "
               "with one of train:\n\n| held out | records | the same edit "
               "| the same content of a file | the same commit |\n"
               "| --- | ---: | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < m->n_leaks; i++) {
        l = &m->leak[i];
        split = manifest_split(m, l->split);
        buf_addstr(b, "| ");
        card_puts(b, l->split);
        buf_addf(b, " | %" PRIu64 " |", split->records);
        put_part(b, l->edit, split->records);
        put_part(b, l->content, split->records);
        put_part(b, l->commit, split->records);
        buf_addc(b, '\n');
    }
}

/* How often training takes which records. */
static void
put_sampling(struct buf *b, const struct manifest *m)
{
    if (m->n_sampling > 0)
        buf_addstr(b, "\ntrain draws records by these rules (graft-shard):"
                   "\n\n");
    for (size_t i = 0; i < m->n_sampling; i++) {
        buf_addstr(b, "- ");
        card_puts(b, m->sampling[i]);
        buf_addc(b, '\n');
    }
}

/* Whether there is more than what is trained on. */
static bool
holds_out(const struct manifest *m)
{
    for (size_t i = 0; i < m->n_splits; i++)
        if (strcmp(m->split[i].name, "train") != 0)
            return true;
    return false;
}

void
card_splits(struct buf *b, const struct card_facts *f)
{
    buf_addstr(b, "\n## Splits\n\n");
    put_how(b, f);
    buf_addf(b, "\n| split | records | share | commits or documents |%s from "
             "| to |\n| --- | ---: | ---: | ---: |%s --- | --- |\n",
             f->tokens ? " tokens | learned |" : " bytes |",
             f->tokens ? " ---: | ---: |" : " ---: |");
    for (size_t i = 0; i < f->m->n_splits; i++)
        split_row(b, f, f->m->split[i].name, &f->split[i]);
    if (f->unsplit.records > 0)
        split_row(b, f, "(in none)", &f->unsplit);
    split_row(b, f, "all", &f->all);
    put_sampling(b, f->m);
    if (holds_out(f->m))
        put_leaks(b, f->m);
}

/* ---- languages ---- */

struct row {
    const char *name;
    size_t n;
    const struct card_sums *sums;
};

/* Most tokens, or bytes, first, else by name. */
static int
compare(const void *pa, const void *pb)
{
    const struct row *x = pa, *y = pb;
    uint64_t m = x->sums->tokens + x->sums->bytes;
    uint64_t n = y->sums->tokens + y->sums->bytes;
    int order;

    if (m != n)
        return m < n ? 1 : -1;
    order = memcmp(x->name, y->name, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void
language_row(struct buf *b, bool tokens, const struct row *r)
{
    if (r->sums->records == 0)
        return;
    buf_addstr(b, "| ");
    card_put(b, r->name, r->n);
    if (tokens)
        buf_addf(b, " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " |\n",
                 r->sums->records, r->sums->tokens, r->sums->learned);
    else
        buf_addf(b, " | %" PRIu64 " | %" PRIu64 " |\n", r->sums->records,
                 r->sums->bytes);
}

void
card_languages(struct buf *b, const struct card_facts *f)
{
    const struct map *map = &f->langs.map;
    struct row *row;
    size_t i;

    buf_addstr(b, "\n## Languages\n\n");
    if (map->n == 0) {
        buf_addstr(b, "Not recorded.\n");
        return;
    }
    row = mem_array(map->n, sizeof(*row));
    for (i = 0; i < map->n; i++)
        row[i] = (struct row){map_key(map, i), map->entry[i].len,
                              &f->langs.sums[map->entry[i].value]};
    qsort(row, map->n, sizeof(*row), compare);
    buf_addf(b, "What files are written in, by their names and what they "
             "say of themselves.\n\n| language | records | %s |\n"
             "| --- | ---: | %s |\n", f->tokens ? "tokens | learned" :
             "bytes", f->tokens ? "---: | ---:" : "---:");
    for (i = 0; i < map->n; i++)
        language_row(b, f->tokens, &row[i]);
    language_row(b, f->tokens, &(struct row){"(others)", 8,
                                             &f->langs.others});
    language_row(b, f->tokens, &(struct row){"(not told)", 10,
                                             &f->langs.none});
    free(row);
}

/* ---- lengths ---- */

void
card_lengths(struct buf *b, const struct card_facts *f)
{
    const char *unit = f->tokens ? "tokens" : "bytes";
    uint64_t n = f->all.records, sum = f->tokens ? f->all.tokens :
                                                   f->all.bytes;

    buf_addstr(b, "\n## Lengths\n\n");
    if (n == 0) {
        buf_addstr(b, "There are no records.\n");
        return;
    }
    buf_addf(b, "A record has %" PRIu64 " to %" PRIu64 " %s, %.1f on "
             "average.\n\n| %s | records |\n| --- | ---: |\n", f->shortest,
             f->longest, unit, (double)sum / (double)n, unit);
    for (int i = 0; i < CARD_LENGTHS; i++) {
        uint64_t low = i ? (uint64_t)1 << (i - 1) : 0;

        if (f->length[i] == 0)
            continue;
        if (i < 2)
            buf_addf(b, "| %" PRIu64, low);
        else
            buf_addf(b, "| %" PRIu64 "-%" PRIu64, low, low + (low - 1));
        buf_addf(b, " | %" PRIu64 " |\n", f->length[i]);
    }
}

/* ---- layout and loss ---- */

static void
put_option(struct buf *b, const char *line, const char *name,
           const char *called)
{
    struct buf value;

    buf_init(&value);
    buf_addf(b, "- %s: ", called);
    if (prov_option(line, name, &value) && value.len > 0)
        card_put(b, value.data, value.len);
    else
        buf_addstr(b, "not recorded");
    buf_addc(b, '\n');
    buf_release(&value);
}

static void
put_key(struct buf *b, const struct stream_head *h, const char *name,
        const char *called)
{
    const char *value = stream_head_get(h, name);

    buf_addf(b, "- %s: ", called);
    card_puts(b, value ? value : "not recorded");
    buf_addc(b, '\n');
}

void
card_layout(struct buf *b, const struct card_facts *f)
{
    const struct stream_head *h = &f->m->head;
    const char *line = prov_last(h, "tokenize");

    buf_addstr(b, "\n## Layout and loss\n\n");
    if (!f->tokens) {
        buf_addstr(b, "The records are text, which has no layout yet: "
                   "tokenize lays it out.\n");
        return;
    }
    put_option(b, line, "template", "layout");
    put_option(b, line, "max-tokens", "tokens a record at most");
    buf_addf(b, "- learned: %s\n", f->loss == LOSS_ALL ?
             "all of a record" : "the target of a record alone");
    put_key(b, h, "tokenizer", "tokenizer (BLAKE2b of tokenizer.json)");
    put_key(b, h, "vocab", "rows of the vocabulary");
    put_key(b, h, "eos", "id that ends a text");
}
