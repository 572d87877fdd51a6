/* dedup.c - text records in, those that are like none before out: which index
 * goes on, which benchmarks are kept out, and what is told of the work that
 * record/dedup.h does.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/options.h"
#include "record/dedup.h"
#include "tool/tool.h"

struct options {
    double threshold;
    struct opt_list against;
    const char *index, *temp;
    uint64_t threads;
};

static const struct opt table[] = {
    { .name = "threshold", .type = OPT_DOUBLE, .output = true, AT(threshold),
      .arg = "S", .def = "0.7", .min = 0.3, .max = 1,
      .help = "similarity (Jaccard's, of runs of 5 tokens) from which on a "
              "record is left out" },
    { .name = "against", .type = OPT_WORDS, AT(against), .arg = "FILE",
      .help = "leave out records that overlap this benchmark: JSON lines, "
              "plain or packed by gzip; may be repeated" },
    { .name = "index", .type = OPT_STRING, AT(index), .arg = "FILE",
      .help = "go on where the run that wrote FILE ended, and write it anew; "
              "made where it isn't there" },
    { .name = "temp", .type = OPT_STRING, AT(temp), .arg = "DIR",
      .help = "directory for temporary files (TMPDIR's, or /var/tmp)" },
    { THREADS_OPTION, AT(threads), .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "dedup",
    .summary = "leave out text that is like earlier text",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5 6",
};

struct state {
    const struct options *o;
    struct dedup dedup;
    struct out index;
    bool had_index;
    struct id index_id; /* of that which was there */
};

static void
tell(const struct dedup *d)
{
    uint64_t out = d->exact + d->near;

    for (size_t i = 0; i < d->n_against; i++)
        out += d->against[i].dropped;
    log_info("%" PRIu64 " records of %" PRIu64, d->records, d->records + out);
    if (d->exact > 0)
        log_info("%" PRIu64 " left out: exact", d->exact);
    if (d->near > 0)
        log_info("%" PRIu64 " left out: near", d->near);
    for (size_t i = 0; i < d->n_against; i++)
        if (d->against[i].dropped > 0)
            log_info("%" PRIu64 " left out: against %s",
                     d->against[i].dropped, d->against[i].name);
    if (d->uncompared > 0)
        log_debug("%" PRIu64 " records with nothing to compare",
                  d->uncompared);
    if (d->records == 0 && out > 0)
        log_warn("all of the input was left out");
}

/* The index that is there must not be another one by now. */
static int
check_index(const struct state *s, struct err *e)
{
    struct file_map m;
    bool same;
    int rc;

    if (!path_exists(s->o->index))
        return 0;
    rc = file_map_open(&m, s->o->index, e);
    if (rc < 0)
        return rc;
    same = s->had_index && m.n >= ID_BYTES
           && memcmp(m.p + m.n - ID_BYTES, s->index_id.b, ID_BYTES) == 0;
    file_map_release(&m);
    if (!same)
        return err_set(e, ERR_EXISTS, "%s: another run has written it "
                       "meanwhile", s->o->index);
    return 0;
}

/* The index goes to its temporary before the stream ends; it gets its name
 * after that. */
static int
put_index(void *ctx, struct err *e)
{
    struct state *s = ctx;
    int rc;

    if (!s->o->index)
        return 0;
    rc = kept_write(&s->dedup.kept, &s->index, e);
    return rc < 0 ? rc : check_index(s, e);
}

static int
filter(struct state *s, const char *path, const char *prov, struct err *e)
{
    const struct filter_by by = { .segment = dedup_segment,
                                  .filter = &s->dedup, .last = put_index,
                                  .aside = s, .prov = prov };
    struct stream_in in;
    int rc = stream_in_open(&in, path, "text", e);

    if (rc < 0)
        return rc;
    if (s->o->index)
        rc = out_open(&s->index, s->o->index, e);
    if (rc == 0) {
        progress_begin("records", 0, 0);
        rc = filtering_stream(&in, &by, e);
        progress_end();
        if (rc == 0 && s->o->index)
            rc = out_commit(&s->index, e);
        else if (s->o->index)
            out_release(&s->index);
    }
    if (rc == 0)
        tell(&s->dedup);
    stream_in_release(&in);
    return rc;
}

/* What is there before the stream: benchmarks, and the index. */
static int
prepare(struct state *s, struct err *e)
{
    const struct options *o = s->o;
    int rc = 0;

    for (size_t i = 0; i < o->against.n && rc == 0; i++) {
        const struct dedup_against *a;

        rc = dedup_against(&s->dedup, o->against.item[i], e);
        a = &s->dedup.against[i];
        if (rc == 0)
            log_debug("%s: %" PRIu64 " lines, %" PRIu64 " texts to look for, "
                      "%" PRIu64 " of fewer than %d tokens not", a->path,
                      a->read.lines, a->read.texts, a->read.shorter,
                      OVERLAP_LEAST);
    }
    s->had_index = o->index && path_exists(o->index);
    if (rc == 0 && s->had_index)
        rc = kept_read(&s->dedup.kept, o->index, &s->index_id, e);
    return rc;
}

/* The program's line of provenance; the caller frees it. */
static char *
make_prov(const struct state *s, const struct args *args)
{
    const struct dedup *d = &s->dedup;
    char against[ID_HEX + 1], index[ID_HEX + 1];
    const char *row[5] = { NULL }; /* names and content ids in turn */
    struct hash h;
    struct id id;
    size_t n = 0;

    hash_init(&h);
    for (size_t i = 0; i < d->n_against; i++)
        hash_add(&h, d->against[i].read.id.b, ID_BYTES);
    id = hash_id(&h);
    if (d->n_against > 0) {
        row[n++] = "against";
        row[n++] = id_hex(d->n_against == 1 ? &d->against[0].read.id : &id,
                          against);
    }
    if (s->had_index) {
        row[n++] = "index";
        row[n++] = id_hex(&s->index_id, index);
    }
    return tool_prov(args, s->o, row);
}

/* Where temporary files may be. */
static const char *
temp_dir(const struct options *o)
{
    const char *dir = o->temp ? o->temp : getenv("TMPDIR");

    return dir && *dir ? dir : "/var/tmp";
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    struct state s = { .o = opts };
    char *prov = NULL;
    int rc = 0;

    if (s.o->index)
        rc = strcmp(s.o->index, "-") == 0 ?
                 err_set(e, ERR_USAGE, "--index: needs a file") :
                 out_check(s.o->index, NULL, e);
    if (rc < 0)
        return rc;
    par_set_threads((int)s.o->threads);
    dedup_init(&s.dedup);
    s.dedup.program = tool.name;
    rc = kept_open(&s.dedup.kept, s.o->threshold, temp_dir(s.o), e);
    if (rc == 0) {
        rc = prepare(&s, e);
        if (rc == 0) {
            prov = make_prov(&s, args);
            rc = filter(&s, args->n > 0 ? args->operand[0] : "-", prov, e);
            free(prov);
        }
        kept_release(&s.dedup.kept);
    }
    dedup_release(&s.dedup);
    return rc;
}
