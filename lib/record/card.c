/* card.c - the card: its metadata, what the set is, and the order of the
 * sections.
 */
#include "record/card.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/card_parts.h"
#include "record/prov.h"
#include "stream/set.h"

#define TITLE_NAMES 3

/* ---- what it is called ---- */

/* Adds a name to a list of them, in place of those beyond the first few. */
static void
add_name(struct buf *b, const char *p, size_t n, size_t i)
{
    if (i < TITLE_NAMES && i > 0)
        buf_addstr(b, ", ");
    if (i < TITLE_NAMES)
        buf_add(b, p, n);
    else if (i == TITLE_NAMES)
        buf_addstr(b, ", ...");
}

/* The repositories, as the records or the provenance name them. */
static size_t
put_names(struct buf *b, const struct card_facts *f)
{
    const struct stream_head *h = &f->m->head;
    size_t i, n = 0;
    struct buf name;

    for (i = 0; i < f->repos.map.n; i++)
        add_name(b, map_key(&f->repos.map, i), f->repos.map.entry[i].len,
                 n++);
    buf_init(&name);
    for (i = 0; i < h->n_prov && f->repos.map.n == 0; i++) {
        buf_reset(&name);
        if (prov_is_source(h->prov[i])
            && prov_option(h->prov[i], "repo", &name))
            add_name(b, name.data, name.len, n++);
    }
    buf_release(&name);
    return n;
}

static void
title(struct buf *b, const struct card_facts *f)
{
    char hex[ID_HEX + 1];

    if (put_names(b, f) > 0)
        return;
    id_hex(&f->m->content, hex);
    buf_addf(b, "graft set %.16s", hex);
}

/* ---- the metadata ---- */

/* The Hub's classes go by powers of ten. */
static void
put_size(struct buf *b, uint64_t n)
{
    static const char *const name[] = {
        "1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"
    };
    size_t i = 0, last = sizeof(name) / sizeof(*name) - 1;
    uint64_t bound = 1000;

    for (; i < last && n >= bound; i++)
        bound *= 10;
    if (n >= bound)
        buf_addf(b, "n>%s", name[last]);
    else if (i == 0)
        buf_addf(b, "n<%s", name[0]);
    else
        buf_addf(b, "%s<n<%s", name[i - 1], name[i]);
}

/* Whether it was read from repositories. */
static bool
is_code(const struct card_facts *f)
{
    const char *line;

    return f->kind[TEXT_COMMIT] + f->kind[TEXT_FILE] > 0
           || (f->tokens && (card_ran(f->m, "gitscrape", &line), line));
}

static void
put_metadata(struct buf *b, const struct card_facts *f)
{
    struct buf name;

    buf_init(&name);
    title(&name, f);
    buf_addstr(b, "---\npretty_name: ");
    card_put_yaml(b, name.data, name.len);
    buf_release(&name);
    buf_addstr(b, "\nlicense:\n");
    card_put_licenses(b, f);
    buf_addf(b, "language:\n- %s\ntags:\n- graft\n",
             is_code(f) ? "code" : "und");
    if (is_code(f))
        buf_addstr(b, "- git\n");
    buf_addf(b, "- %s\ntask_categories:\n- text-generation\n"
             "size_categories:\n- ", f->tokens ? "tokenized" : "text");
    put_size(b, f->m->records);
    buf_addstr(b, "\n---\n");
}

/* ---- what it is ---- */

/* A sum may be of several kinds of records. */
static void
put_kinds(struct buf *b, const struct card_facts *f)
{
    static const char *const one[] = {
        "", "changed file", "file", "document", "conversation"
    }, *const many[] = {
        "", "changed files", "files", "documents", "conversations"
    };
    const char *comma = ": ";

    for (size_t i = 1; i < sizeof(one) / sizeof(*one); i++) {
        if (f->kind[i] == 0)
            continue;
        buf_addstr(b, comma);
        card_put_count(b, f->kind[i], one[i], many[i]);
        comma = ", ";
    }
}

void
card_head(struct buf *b, const struct card_facts *f)
{
    const struct manifest *m = f->m;
    char hex[ID_HEX + 1];
    struct buf name;

    put_metadata(b, f);
    buf_init(&name);
    title(&name, f);
    buf_addstr(b, "\n# Dataset card for ");
    card_put(b, name.data, name.len);
    buf_release(&name);
    buf_addf(b, "\n\nA shard set of %s, in ", f->tokens ? "tokens" : "text");
    card_put_count(b, m->n_files, "file", "files");
    buf_addstr(b, ": ");
    card_put_count(b, m->records, "record", "records");
    if (f->tokens)
        buf_addf(b, " of %" PRIu64 " tokens, %" PRIu64 " of them learned",
                 f->all.tokens, f->all.learned);
    else
        buf_addf(b, " of %" PRIu64 " bytes", f->all.bytes);
    put_kinds(b, f);
    buf_addf(b, ".\nIts content id is `%s`.\n", id_hex(&m->content, hex));
}

/* ---- all of it ---- */

int
card_make(struct buf *b, const char *dir, struct err *e)
{
    struct card_facts *f;
    struct manifest m;
    int rc = set_manifest(&m, dir, NULL, e);

    if (rc < 0)
        return rc;
    if (strcmp(m.head.type, "text") != 0
        && strcmp(m.head.type, "tokens") != 0) {
        rc = err_set(e, ERR_USAGE, "%s: a set of %s (expected text or "
                     "tokens)", dir, m.head.type);
        manifest_release(&m);
        return rc;
    }
    f = mem_alloc(sizeof(*f));
    rc = card_facts_read(f, &m, dir, e);
    if (rc == 0) {
        card_head(b, f);
        card_sources(b, f);
        card_licenses(b, f);
        card_filters(b, f);
        card_splits(b, f);
        card_languages(b, f);
        card_lengths(b, f);
        card_layout(b, f);
        card_personal(b, f);
        card_before(b, f);
    }
    card_facts_release(f);
    free(f);
    manifest_release(&m);
    return rc;
}
