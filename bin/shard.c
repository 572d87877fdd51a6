/* shard.c - a stream to a shard set: content-named files and a manifest that
 * says what is trained on and what is held out. The set is made by
 * record/sharding.h; here is what may be added to which set, and what is said.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "record/merging.h"
#include "record/sharding.h"
#include "stream/stream.h"
#include "tool/tool.h"

#define NEARLY 0.9 /* of a share asked for: less is said, by group */
#define FAR 2      /* so many times a share, or less by as much: by time */

struct options {
    const char *out;
    double val, test;
    int split_by;
    uint64_t seed, expect, size;
    bool replace;
    struct opt_list sample;
};

static const struct opt table[] = {
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(out),
      .arg = "DIR", .required = true, .help = "the set: made, or added to" },
    { .name = "val", .type = OPT_DOUBLE, .output = true, AT(val),
      .arg = "SHARE", .def = "0.05", .max = 1,
      .help = "share of the records held out to validate with" },
    { .name = "test", .type = OPT_DOUBLE, .output = true, AT(test),
      .arg = "SHARE", .def = "0.05", .max = 1,
      .help = "share of the records held out to test with" },
    { .name = "split-by", .type = OPT_CHOICE, .output = true, AT(split_by),
      .arg = "WHAT", .def = "time", .choices = "time|group|kept",
      .help = "hold out the last commits, or whole groups, or what the sets "
              "that are read hold out (so without this option, where there "
              "are several)" },
    { .name = "seed", .type = OPT_U64, .output = true, AT(seed), .arg = "N",
      .def = "0", .help = "chooses the groups that are held out" },
    { .name = "expect", .type = OPT_U64, AT(expect), .arg = "N", .def = "0",
      .help = "segments that must come (0: any number)" },
    { .name = "size", .type = OPT_SIZE, .output = true, AT(size),
      .arg = "BYTES", .def = "64M", .min = 1, .max = 0x1p50,
      .help = "end a file with the record that brings it to this size, before "
              "compression" },
    { .name = "sample", .type = OPT_WORDS, .output = true, AT(sample),
      .arg = "RULE",
      .help = "how often train draws a record: lang:NAME=FACTOR, "
              "repo:NAME=FACTOR, half-life=DAYS, quality, curriculum=length "
              "or curriculum=age" },
    { .name = "replace", .type = OPT_FLAG, AT(replace),
      .help = "put the new set in the place of another one" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "shard",
    .summary = "cut a stream into a shard set with splits",
    .operands = "[FILE|DIR...]",
    .max_operands = SIZE_MAX,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 6",
};

struct state {
    const struct options *o;
    const struct args *args;
    char *prov;
    struct stream_in in;
    struct merging sets;
    uint64_t n_segments;
    struct sharding made;
};

/* The last line that is shard's among the provenance, without the version:
 * what the set was made with. NULL without one. */
static const char *
options_of(char *const *prov, size_t n)
{
    const char *p;

    while (n > 0) {
        p = prov[--n];
        if (strncmp(p, "shard ", 6) == 0)
            return strchr(p + 6, ' ');
    }
    return NULL;
}

/* A set that is there must have been made with the same options. */
static int
check_options(const struct state *s, struct err *e)
{
    const struct manifest *old = set_out_old(&s->made.out);
    const char *had, *want;

    if (!old || !s->prov || s->o->replace)
        return 0;
    had = options_of(old->head.prov, old->head.n_prov);
    want = options_of(&s->prov, 1);
    if (!had || !want || strcmp(had, want) == 0)
        return 0;
    return err_set(e, ERR_EXISTS, "%s: made with other options (found%s, "
                   "expected%s)", s->o->out, had, want);
}

/* Weights and vectors are not divided into splits. */
static int
check_undivided(const struct args *args, const char *type, struct err *e)
{
    static const char *const name[] = {"val", "test", "split-by", "seed"};
    size_t i;

    for (i = 0; i < sizeof(name) / sizeof(name[0]); i++)
        if (tool_given(args, name[i]))
            return err_set(e, ERR_USAGE, "--%s: %s have no splits", name[i],
                           type);
    return 0;
}

/* Of the input that is open; last: no other follows. */
static int
all_segments(struct state *s, bool last, struct err *e)
{
    uint64_t want = s->o->expect;
    int rc;

    while ((rc = stream_in_segment(&s->in, e)) > 0) {
        rc = 0;
        if (s->n_segments++ == 0 && !sharding_divides(s->in.head.type))
            rc = check_undivided(s->args, s->in.head.type, e);
        if (rc == 0)
            rc = sharding_segment(&s->made, &s->in, e);
        if (rc < 0)
            return rc;
    }
    if (rc == 0 && last && want > 0 && s->n_segments != want)
        return err_set(e, ERR_DATA, "%s: wrong number of segments (found "
                       "%llu, expected %llu)", s->in.in.name,
                       (unsigned long long)s->n_segments,
                       (unsigned long long)want);
    return rc;
}

static int
all_inputs(struct state *s, struct err *e)
{
    size_t n = s->args->n > 0 ? s->args->n : 1;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = stream_in_open(&s->in, s->args->n > 0 ? s->args->operand[i] : "-",
                            NULL, e);
        if (rc < 0)
            return rc;
        sharding_from(&s->made, i < s->sets.n ? &s->sets.set[i] : NULL);
        rc = all_segments(s, i + 1 == n, e);
        stream_in_release(&s->in);
    }
    return rc < 0 ? rc : sharding_finish(&s->made, e);
}

/* A part that was asked for is there, and as large as it was to be: units,
 * which are commits, or groups, may be too few or too large. */
static void
tell_part(const struct state *s, const char *name, const char *what,
          double share)
{
    const struct manifest *m = &s->made.out.manifest;
    const struct set_split *part = manifest_split(m, name);
    double got;

    if (m->records == 0 || share == 0)
        return;
    if (!part) {
        log_warn("%s: nothing is held out to %s with (too few commits or "
                 "groups)", s->o->out, what);
        return;
    }
    got = (double)part->records / (double)m->records;
    if (s->made.split.by == SPLIT_BY_GROUP && got < NEARLY * share)
        log_warn("%s: %.1f%% of the records are held out to %s with, not "
                 "%.1f%%: groups are too large, or more would leave over one "
                 "record in twenty in no split", s->o->out, 100 * got, what,
                 100 * share);
    if (s->made.split.by == SPLIT_BY_TIME && part->records > 1
        && (got * FAR < share || got > FAR * share))
        log_warn("%s: %llu of %llu records (%.1f%%) are held out to %s with, "
                 "not %.1f%%: commits are not divided, nor parts of a history "
                 "left empty", s->o->out, (unsigned long long)part->records,
                 (unsigned long long)m->records, 100 * got, what,
                 100 * share);
}

static void
tell_split(const struct state *s)
{
    uint64_t dropped = s->made.split.n_dropped;
    uint64_t n = s->made.out.manifest.records;

    tell_part(s, "val", "validate", s->o->val);
    tell_part(s, "test", "test", s->o->test);
    if (dropped > 0)
        log_info("%s: %llu of %llu records (%.1f%%) are in no split: others "
                 "of their commits are on the other side", s->o->out,
                 (unsigned long long)dropped, (unsigned long long)n,
                 100.0 * (double)dropped / (double)n);
}

/* What of the records held out is in train, too. */
static void
tell_leaks(const struct state *s)
{
    const struct manifest *m = &s->made.out.manifest;
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < m->n_leaks; i++) {
        const struct set_leak *l = &m->leak[i];

        if (l->edit + l->content + l->commit == 0)
            continue;
        buf_reset(&b);
        leaks_say(&b, l, manifest_split(m, l->split)->records);
        log_info("%s: %s: %s", s->o->out, l->split, b.data);
    }
    buf_release(&b);
}

static void
tell_repeated(const struct state *s)
{
    if (s->made.n_repeated > 0)
        log_info("%s: %llu records are left out: a set before has their "
                 "commits", s->o->out,
                 (unsigned long long)s->made.n_repeated);
}

static void
tell(const struct state *s)
{
    const struct manifest *m = &s->made.out.manifest;
    struct buf b;
    size_t i;

    tell_repeated(s);
    if (!s->made.undivided && s->o->split_by != SPLIT_KEPT)
        tell_split(s);
    buf_init(&b);
    for (i = 0; i < m->n_splits; i++)
        buf_addf(&b, ", %s %llu", m->split[i].name,
                 (unsigned long long)m->split[i].records);
    if (!s->made.out.written)
        log_info("%s: nothing new", s->o->out);
    else if (m->tensors > 0)
        log_info("%s: %llu tensors, %zu files", s->o->out,
                 (unsigned long long)m->tensors, m->n_files);
    else
        log_info("%s: %llu records%s, %zu files", s->o->out,
                 (unsigned long long)m->records, b.data, m->n_files);
    buf_release(&b);
    if (s->made.out.written)
        tell_leaks(s);
}

/* What is held out of sets may be as it is in them. */
static int
choose_split(struct state *s, struct options *o, struct err *e)
{
    static const char *const name[] = {"val", "test", "seed"};

    if (s->sets.n > 1 && !tool_given(s->args, "split-by"))
        o->split_by = SPLIT_KEPT;
    if (o->split_by != SPLIT_KEPT)
        return 0;
    if (s->sets.n == 0)
        return err_set(e, ERR_USAGE, "--split-by: kept is for sets (found a "
                       "stream)");
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
        if (tool_given(s->args, name[i]))
            return err_set(e, ERR_USAGE, "--%s: the splits are those of the "
                           "sets (unless --split-by is time or group)",
                           name[i]);
    return 0;
}

/* Those that were given, or else those of the sets, as if they were given:
 * they are options in the provenance, too. */
static int
choose_rules(struct state *s, struct options *o, struct err *e)
{
    struct opt_list *given = &o->sample;
    const char *const *rule = NULL;
    bool none;

    if (given->n == 0) {
        if (merging_rules(&s->sets, &rule, &given->n, e) < 0)
            return ERR_USAGE;
        given->item = (const char **)rule;
    }
    none = given->n == 1 && strcmp(given->item[0], "none") == 0;
    s->made.rule = given->item;
    s->made.n_rules = none ? 0 : given->n;
    return sharding_rules(&s->made, e);
}

/* All that can be said before the input is read. */
static int
settle(struct state *s, struct options *o, struct err *e)
{
    int rc;

    if (o->val + o->test >= 1)
        return err_set(e, ERR_USAGE, "--val and --test leave nothing to "
                       "train on (found %g, expected less than 1)",
                       o->val + o->test);
    rc = choose_split(s, o, e);
    return rc < 0 ? rc : choose_rules(s, o, e);
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    struct options *o = opts;
    struct state s = {.o = o, .args = args};
    struct sharding *made = &s.made;
    int rc = merging_open(&s.sets, args->operand, args->n, e);

    if (rc == 0)
        rc = settle(&s, o, e);
    if (rc == 0)
        rc = set_out_open(&made->out, o->out, o->replace, e);
    if (rc < 0) {
        sampling_release(&made->sampling);
        merging_release(&s.sets);
        return rc;
    }
    s.prov = tool_prov(args, o, NULL);
    made->program = tool.name;
    made->prov = s.prov;
    made->file_bytes = o->size;
    made->merging = s.sets.n > 1;
    made->split.by = (enum split_by)o->split_by;
    made->split.val = o->val;
    made->split.test = o->test;
    made->split.seed = o->seed;
    rc = check_options(&s, e);
    if (rc == 0)
        rc = all_inputs(&s, e);
    progress_end();
    if (rc == 0)
        tell(&s);
    sharding_release(made);
    merging_release(&s.sets);
    free(s.prov);
    return rc;
}
