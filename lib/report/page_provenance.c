/* page_provenance.c - from the range of commits to the adapter, by ids. */
#include <inttypes.h>
#include <string.h>

#include "base/word.h"
#include "record/prov.h"
#include "report/page_parts.h"

#define OPTION_BYTES 4000

/* A step of the chain: its name, then what it is; closed by end_step. */
static void
begin_step(struct buf *b, const char *name, size_t n)
{
    buf_addstr(b, "<li><b>");
    html_cut(b, name, n, 64);
    buf_addstr(b, "</b> ");
}

static void
put_id(struct buf *b, const char *what, const char *id)
{
    buf_addf(b, "<span class=id>%s <code>", what);
    html_text(b, id);
    buf_addstr(b, "</code></span>");
}

/* ---- the data ---- */

static void
put_commits(struct buf *b, const struct set_facts *s)
{
    const struct card_sums *all = &s->facts->all;

    begin_step(b, "history", 7);
    html_count(b, all->units);
    buf_addstr(b, all->units == 1 ? " commit or document of "
                                  : " commits or documents of ");
    page_set_name(b, s);
    buf_addstr(b, ", ");
    card_put_span(b, all, " to ", "of no known time");
    buf_addstr(b, "</li>\n");
}

/* A source says up to which commit it read. */
static void
put_source(struct buf *b, const char *line)
{
    struct buf name, revision;

    buf_init(&name);
    buf_init(&revision);
    if (prov_option(line, "repo", &name)
        && prov_option(line, "revision", &revision)) {
        buf_addstr(b, "of ");
        html_text(b, name.data);
        put_id(b, "up to", revision.data);
    }
    buf_release(&name);
    buf_release(&revision);
}

static void
put_program(struct buf *b, const char *line)
{
    size_t n = prov_program(line);
    struct buf options;

    begin_step(b, line, n);
    line += n + (line[n] == ' ');
    n = strcspn(line, " ");
    html_cut(b, line, n, 64);
    buf_addc(b, ' ');
    put_source(b, line);
    buf_init(&options);
    word_take(&options, line + n, strlen(line + n));
    buf_addstr(b, "<span class=opt>");
    html_cut(b, options.data, options.len, OPTION_BYTES);
    buf_addstr(b, "</span></li>\n");
    buf_release(&options);
}

static void
put_set(struct buf *b, const struct set_facts *s)
{
    const struct stream_head *h = &s->manifest.head;
    char hex[ID_HEX + 1];

    put_commits(b, s);
    if (h->n_prov == 0)
        buf_addstr(b, "<li class=note>The programs that the data came "
                   "through are not recorded.</li>\n");
    for (size_t i = 0; i < h->n_prov; i++)
        put_program(b, h->prov[i]);
    begin_step(b, "set", 3);
    html_count(b, s->manifest.records);
    buf_addstr(b, " records");
    put_id(b, "content", id_hex(&s->manifest.content, hex));
    buf_addstr(b, "</li>\n");
}

/* ---- the run ---- */

static void
put_base(struct buf *b, const struct run_facts *run)
{
    begin_step(b, "base", 4);
    html_text(b, page_base_name(run_text(run, "options", "base",
                                         "not recorded")));
    put_id(b, "content", run_text(run, "identity", "base_id", NULL));
    buf_addstr(b, "</li>\n");
}

static void
put_train(struct buf *b, const struct run_facts *run)
{
    begin_step(b, "train", 5);
    html_text(b, run_text(run, "machine", "version", NULL));
    buf_addstr(b, " on ");
    html_text(b, run_text(run, "machine", "backend", NULL));
    buf_addstr(b, " (");
    html_text(b, run_text(run, "machine", "arithmetic", NULL));
    buf_addstr(b, "), ");
    html_number(b, run_number(run, "machine", "threads", NAN), 0);
    buf_addstr(b, " threads");
    if (run->manifest) {
        const cJSON *key = cJSON_GetObjectItemCaseSensitive(run->manifest,
                                                            "key");

        put_id(b, "run", cJSON_IsString(key) ? key->valuestring : NULL);
    }
    buf_addstr(b, "</li>\n");
}

static void
put_files(struct buf *b, const struct run_facts *run)
{
    const cJSON *files, *v;

    if (!run->manifest) {
        buf_addstr(b, "<li class=note>The run is not complete: it has no "
                   "manifest, and its files no ids.</li>\n");
        return;
    }
    files = cJSON_GetObjectItemCaseSensitive(run->manifest, "files");
    cJSON_ArrayForEach(v, files) {
        if (!v->string || strcmp(v->string, "config.json") == 0)
            continue;
        begin_step(b, v->string, strlen(v->string));
        put_id(b, "BLAKE2b-256", cJSON_IsString(v) ? v->valuestring : NULL);
        buf_addstr(b, "</li>\n");
    }
}

void
page_provenance(struct buf *b, const struct report *r)
{
    if (r->n_runs == 0)
        return;
    buf_addstr(b, "<section>\n<h2>Provenance</h2>\n");
    for (size_t i = 0; i < r->n_runs; i++) {
        const struct run_facts *run = &r->run[i];

        if (r->n_runs > 1) {
            buf_addstr(b, "<h3>");
            html_text(b, run->name);
            buf_addstr(b, "</h3>\n");
        }
        buf_addstr(b, "<ol class=chain>\n");
        if (run->data != NO_SET) {
            put_set(b, &r->set[run->data]);
        } else {
            begin_step(b, "set", 3);
            buf_addstr(b, "not at hand");
            put_id(b, "content", run_text(run, "identity", "data_id", NULL));
            buf_addstr(b, "</li>\n");
        }
        put_base(b, run);
        put_train(b, run);
        put_files(b, run);
        buf_addstr(b, "</ol>\n");
    }
    buf_addstr(b, "</section>\n");
}
