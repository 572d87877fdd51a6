/* scrub.c - text records without secrets, personal data and files that nobody
 * wrote: which rules and filters, and what is told of the work that
 * record/scrubbing.h does.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/aside.h"
#include "cli/options.h"
#include "record/scrubbing.h"
#include "tool/tool.h"

struct options {
    struct opt_list keep, drop, license;
    const char *rules, *names, *report;
    bool generic, keep_going, print;
    uint64_t threads;
};

static const struct opt table[] = {
    { .name = "keep", .type = OPT_LIST, .output = true, AT(keep),
      .arg = "FILTER",
      .help = "don't leave out what is vendored, lock, minified, generated or "
              "encoded, or all of these" },
    { .name = "drop", .type = OPT_LIST, .output = true, AT(drop),
      .arg = "FILTER",
      .help = "also leave out documentation, max-line-length, "
              "avg-line-length, alphanum-fraction (all three also as "
              "FILTER=LIMIT), bot, revert, bump, commitpackft" },
    { .name = "license", .type = OPT_LIST, .output = true, AT(license),
      .arg = "ID",
      .help = "leave out files of other licences than these SPDX ids; none: "
              "those of which none is known" },
    { .name = "rules", .type = OPT_STRING, .output = true, AT(rules),
      .arg = "FILE",
      .help = "more rules, or others, for secrets: JSON" },
    { .name = "generic", .type = OPT_FLAG, .output = true, AT(generic),
      .help = "also take what only looks random or is called a password" },
    { .name = "names", .type = OPT_STRING, .output = true, AT(names),
      .arg = "FILE",
      .help = "names to replace, a line each, or gitscrape's --authors" },
    { .name = "report", .type = OPT_STRING, AT(report), .arg = "FILE",
      .help = "write where each secret was, and what was left out, as JSON "
              "lines, readable by you alone" },
    { .name = "print-rules", .type = OPT_FLAG, AT(print),
      .help = "print the rules that are built in, and do no more" },
    { KEEP_GOING_OPTION, AT(keep_going),
      .help = "leave out records in which a rule reaches its limit of steps, "
              "and exit 3 at the end" },
    { THREADS_OPTION, AT(threads), .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "scrub",
    .summary = "take secrets, personal data and what nobody wrote out of "
               "texts",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "3 4 5 6",
};

static void
tell(const struct scrubbing *s, const struct scrub_rules *rules)
{
    uint64_t kept = s->filtering.kept;

    log_info("%" PRIu64 " records, %" PRIu64 " secrets replaced in %" PRIu64,
             kept, s->places, s->changed);
    for (int i = 0; i < DROPS; i++)
        if (s->dropped[i] > 0)
            log_info("%" PRIu64 " left out: %s (%" PRIu64 " lines)",
                     s->dropped[i], drop_name(i), s->lines[i]);
    for (size_t i = 0; i < rules->n; i++)
        if (s->count[i] > 0)
            log_info("%" PRIu64 " replaced: %s", s->count[i],
                     rules->rule[i].id);
    if (kept == 0 && s->filtering.records > 0)
        log_warn("all of the input was left out");
}

/* What is to be done. */
struct work {
    const struct options *o;
    struct drops drops;
    struct scrub_rules rules;
    const char *path;
    char *prov;
};

static int
put_report(void *report, struct err *e)
{
    return report ? out_commit(report, e) : 0;
}

static int
scrub(const struct work *work, struct out *report, struct err *e)
{
    const struct options *o = work->o;
    struct scrubbing s;
    const struct filter_by by = { .segment = scrubbing_segment, .filter = &s,
                                  .last = put_report, .aside = report,
                                  .prov = work->prov };
    struct stream_in in;
    int rc = stream_in_open(&in, work->path, "text", e);

    if (rc < 0)
        return rc;
    par_set_threads((int)o->threads);
    scrubbing_init(&s, &work->drops, &work->rules);
    s.program = tool.name;
    s.report = report;
    s.keep_going = o->keep_going;
    progress_begin("records", 0, 0);
    rc = filtering_stream(&in, &by, e);
    progress_end();
    if (rc == 0)
        tell(&s, &work->rules);
    if (rc == 0 && s.limited > 0)
        rc = err_set(e, ERR_SKIPPED, "%" PRIu64 " records left out: a rule "
                     "reached its limit of steps", s.limited);
    scrubbing_release(&s);
    stream_in_release(&in);
    return rc;
}

/* With the report open, where one is asked for. */
static int
with_report(const struct work *work, struct err *e)
{
    const char *path = work->o->report;
    struct out report;
    mode_t mask;
    int rc;

    if (!path)
        return scrub(work, NULL, e);
    mask = umask(0177);
    rc = out_open(&report, path, e);
    umask(mask);
    if (rc < 0)
        return rc;
    rc = scrub(work, &report, e);
    out_release(&report);
    return rc;
}

/* The program's line of provenance; the caller frees it. */
static int
make_prov(const struct options *o, const struct args *args, char **prov,
          struct err *e)
{
    const char *const name[] = { "rules", "names" };
    const char *const path[] = { o->rules, o->names };
    char hex[2][ID_HEX + 1];
    const char *row[5] = { NULL }; /* names and content ids in turn */
    size_t n = 0;
    struct id id;

    for (int i = 0; i < 2; i++) {
        int rc = path[i] ? id_of_file(&id, path[i], e) : 0;

        if (rc < 0)
            return rc;
        if (!path[i])
            continue;
        row[n++] = name[i];
        row[n++] = id_hex(&id, hex[i]);
    }
    *prov = tool_prov(args, o, row);
    return 0;
}

static int
open_rules(const struct options *o, struct scrub_rules *rules, struct err *e)
{
    uint64_t single = 0;
    int rc = scrub_rules_open(rules, o->rules, o->generic, e);

    if (rc < 0)
        return rc;
    if (o->names)
        rc = scrub_rules_names(rules, o->names, &single, e);
    if (rc == 0 && single > 0)
        log_info("%" PRIu64 " names of one word are left where they stand",
                 single);
    if (rc == 0)
        rc = scrub_rules_build(rules, e);
    if (rc < 0)
        scrub_rules_release(rules);
    return rc;
}

/* An allow-list that came out empty must not allow all. */
static int
check_named(const struct args *args, const char *option,
            const struct opt_list *list, struct err *e)
{
    if (!tool_given(args, option) || list->n > 0)
        return 0;
    return err_set(e, ERR_USAGE, "--%s: needs a name", option);
}

static int
set_drops(struct work *work, const struct args *args, struct err *e)
{
    const struct options *o = work->o;
    int rc = check_named(args, "keep", &o->keep, e);

    if (rc == 0)
        rc = check_named(args, "drop", &o->drop, e);
    if (rc == 0)
        rc = check_named(args, "license", &o->license, e);
    if (rc == 0)
        rc = drops_set(&work->drops, o->keep.item, o->keep.n, false, "keep",
                       e);
    if (rc == 0)
        rc = drops_set(&work->drops, o->drop.item, o->drop.n, true, "drop",
                       e);
    return rc < 0 ? rc : drops_set_licenses(&work->drops, o->license.item,
                                            o->license.n, e);
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct work work = { .o = o,
                         .path = args->n > 0 ? args->operand[0] : "-" };
    const char *const input[] = { o->rules, o->names, work.path };
    int rc = 0;

    if (o->print)
        return file_write("-", scrub_builtin, strlen(scrub_builtin), e);
    if (o->report)
        rc = aside_check("report", o->report, input, 3, e);
    if (rc < 0)
        return rc;
    drops_init(&work.drops);
    rc = set_drops(&work, args, e);
    if (rc == 0)
        rc = open_rules(o, &work.rules, e);
    if (rc == 0) {
        rc = make_prov(o, args, &work.prov, e);
        if (rc == 0)
            rc = with_report(&work, e);
        free(work.prov);
        scrub_rules_release(&work.rules);
    }
    drops_release(&work.drops);
    return rc;
}
