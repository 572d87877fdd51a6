/* gitscrape.c - turn git histories into a text stream.
 *
 * One repository after another, each a segment (record/scrape.h).
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "cli/aside.h"
#include "cli/options.h"
#include "record/scrape.h"
#include "repo/date.h"
#include "repo/place.h"
#include "stream/stream.h"
#include "tool/tool.h"

struct options {
    const char *rev, *since, *until, *context, *authors, *name;
    struct opt_list path;
    bool all, first_parent, trust_owner, trust, keep_going;
    int kind, merges;
    uint64_t max_blob, max_entries, max_time, max_stall, max_memory;
};

static const struct opt table[] = {
    { .name = "rev", .type = OPT_STRING, .output = true, AT(rev),
      .arg = "RANGE",
      .help = "commits of A, A..B, A...B or ^A B, as git rev-list means "
              "them" },
    { .name = "all", .type = OPT_FLAG, .output = true, AT(all),
      .help = "HEAD and every reference" },
    { .name = "first-parent", .type = OPT_FLAG, .output = true,
      AT(first_parent), .help = "follow only the first parent of a merge" },
    { .name = "merges", .type = OPT_CHOICE, .output = true, AT(merges),
      .def = "remerge", .choices = "remerge|first-parent|skip",
      .help = "what a merge differs in from git's own merge, or from its "
              "first parent, or nothing" },
    { .name = "since", .type = OPT_STRING, .output = true, AT(since),
      .arg = "DATE", .help = "only commits at that time or later" },
    { .name = "until", .type = OPT_STRING, .output = true, AT(until),
      .arg = "DATE", .help = "only commits at that time or earlier" },
    { .name = "path", .type = OPT_LIST, .output = true, AT(path),
      .arg = "GLOB", .help = "only paths that match one of these" },
    { .name = "kind", .type = OPT_CHOICE, .output = true, AT(kind),
      .def = "commit", .choices = "commit|file",
      .help = "changes of files, or the files at the revision" },
    { .name = "context", .type = OPT_STRING, .output = true, AT(context),
      .arg = "N", .def = "16", .help = "kept lines around each edit, or all" },
    { .name = "max-blob", .type = OPT_SIZE, .output = true, AT(max_blob),
      .arg = "SIZE", .def = "8M", .min = 1, .max = 28 << 20,
      .help = "leave out files over this many bytes" },
    { .name = "max-entries", .type = OPT_U64, .output = true, AT(max_entries),
      .arg = "N", .def = "2000000", .min = 1, .max = 0x1p40,
      .help = "tree entries that one commit may make be read" },
    { .name = "name", .type = OPT_STRING, .output = true, AT(name),
      .arg = "NAME",
      .help = "the repository's name in the records; its directory's by "
              "default" },
    { .name = "authors", .type = OPT_STRING, AT(authors), .arg = "FILE",
      .help = "write who each author_K is, readable by you alone" },
    { KEEP_GOING_OPTION, AT(keep_going),
      .help = "leave out what can't be read, and what needs it, then exit 3" },
    { .name = "trust-owner", .type = OPT_FLAG, AT(trust_owner),
      .help = "read repositories that belong to another user" },
    { .name = "trust", .type = OPT_FLAG, AT(trust),
      .help = "also follow what points out of the repository" },
    { .name = "max-time", .type = OPT_U64, AT(max_time), .arg = "SECONDS",
      .def = "7200", .min = 1, .max = 1e9,
      .help = "time that reading one repository may take" },
    { .name = "max-stall", .type = OPT_U64, AT(max_stall), .arg = "SECONDS",
      .def = "30", .min = 1, .max = 1e9,
      .help = "time that reading one object may take" },
    { .name = "max-memory", .type = OPT_SIZE, AT(max_memory), .arg = "SIZE",
      .def = "4G", .min = 64 << 20, .max = 0x1p50,
      .help = "address space of the reading process" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "gitscrape",
    .summary = "turn git histories into a text stream",
    .operands = "REPO...",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "3 4 5 6",
};

static int
parse_date(const char *option, const char *text, struct date *out,
           struct err *e)
{
    if (!text || date_parse(text, out))
        return 0;
    return err_set(e, ERR_USAGE, "--%s: bad date \"%s\" (expected 2024, "
                   "2024-01, 2024-01-31, 2024-01-31T12:00:00Z or @SECONDS)",
                   option, text);
}

static int
parse_context(const char *text, size_t *lines, struct err *e)
{
    char *end;

    if (strcmp(text, "all") == 0) {
        *lines = CHANGE_ALL;
        return 0;
    }
    *lines = strtoul(text, &end, 10);
    if (*end || end == text || *text == '-' || *lines > 1000000)
        return err_set(e, ERR_USAGE, "--context: bad value \"%s\" "
                       "(expected 0 to 1000000, or all)", text);
    return 0;
}

static int
check_together(const struct options *o, struct err *e)
{
    if (o->rev && o->all)
        return err_set(e, ERR_USAGE, "--rev and --all exclude each other");
    if (o->kind && o->all)
        return err_set(e, ERR_USAGE, "--kind file is of one revision, not "
                       "of --all");
    return 0;
}

static int
parse_options(struct scrape *s, const struct options *o, struct err *e)
{
    struct history_options *history = &s->job.history;
    struct date since = { 0, 0 }, until = { 0, 0 };
    int rc = parse_context(o->context, &s->job.context, e);

    if (rc == 0)
        rc = parse_date("since", o->since, &since, e);
    if (rc == 0)
        rc = parse_date("until", o->until, &until, e);
    if (rc == 0)
        rc = check_together(o, e);
    if (rc < 0)
        return rc;
    history->rev = o->rev;
    history->all = o->all;
    history->first_parent = o->first_parent;
    history->files = o->kind != 0;
    history->merges = (enum merge_policy)o->merges;
    history->has_since = o->since != NULL;
    history->has_until = o->until != NULL;
    history->since = since.first;
    history->until = until.last;
    history->glob = o->path.item;
    history->n_globs = o->path.n;
    history->max_blob = o->max_blob;
    history->max_entries = o->max_entries;
    s->job.name = o->name;
    s->job.trust = o->trust;
    s->job.trust_owner = o->trust_owner;
    history->keep_going = o->keep_going;
    s->limits.memory = o->max_memory;
    s->limits.seconds = (unsigned)o->max_time;
    s->limits.stall = (unsigned)o->max_stall;
    return 0;
}

static int
write_authors(const struct options *o, const struct buf *authors,
              struct err *e)
{
    mode_t mask;
    int rc;

    if (!o->authors)
        return 0;
    mask = umask(0177);
    rc = file_write(o->authors, authors->data, authors->len, e);
    umask(mask);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct stream_out out;
    struct scrape s;
    struct buf authors;
    char *prov;
    bool lost = false;
    size_t i;
    int rc;

    scrape_init(&s);
    rc = parse_options(&s, o, e);
    for (i = 0; rc == 0 && i < args->n; i++) {
        if (place_remote(args->operand[i]))
            rc = err_set(e, ERR_USAGE, "%s: clone it first: git clone "
                         "--mirror %s", args->operand[i], args->operand[i]);
    }
    if (rc == 0 && o->authors)
        rc = aside_check("authors", o->authors, NULL, 0, e);
    if (rc < 0)
        return rc;
    buf_init(&authors);
    prov = tool_prov(args, o, NULL);
    s.program = tool.name;
    s.prov = prov;
    s.out = &out;
    s.authors = o->authors ? &authors : NULL;
    rc = stream_out_open(&out, "-", e);
    for (i = 0; rc == 0 && i < args->n; i++)
        rc = scrape_repository(&s, args->operand[i], &lost, e);
    if (rc == 0 && s.n_segments == 0) /* an empty file would be no stream */
        rc = err_set(e, (enum err_code)s.failed,
                     "no repository could be read");
    if (rc == 0)
        rc = write_authors(o, &authors, e);
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    scrape_release(&s);
    buf_release(&authors);
    free(prov);
    if (rc == 0 && lost)
        rc = err_set(e, ERR_SKIPPED, "some input was left out");
    return rc;
}
