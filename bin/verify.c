/* verify.c - the fsck of streams, shard sets, model directories and runs.
 *
 * Each path is read to its end and every hash compared. Adding a kind of
 * path is adding a line to `kinds`: the first whose test holds has the path.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "record/verify.h"
#include "stream/set.h"
#include "tensor/gguf.h"
#include "tool/tool.h"
#include "train/rundir.h"
#include "weights/adapter.h"
#include "weights/fsck.h"

static const struct opt table[] = { { .name = NULL } };

static tool_run run;

const struct tool tool = {
    .name = "verify",
    .summary = "check every byte of streams, sets, models and runs",
    .operands = "PATH...",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .opts = table,
    .run = run,
};

/* ---- what is said of a path ---- */

/* In a pipeline a line: "PATH: WHAT, NAME N, NAME N; WHAT, NAME N". On a
 * terminal a line each. */
struct report {
    const char *path;
    bool table;
    struct buf text;
};

/* Begins a thing that the path is; type is the type of a stream, of a model,
 * or "". */
static void
report_what(struct report *r, const char *type, const char *what)
{
    if (r->text.len == 0 || r->table)
        buf_addf(&r->text, "%s%s: ", r->text.len ? "\n" : "", r->path);
    else
        buf_addstr(&r->text, "; ");
    buf_addf(&r->text, "%s%s%s", type, *type ? " " : "", what);
}

static void
report_count(struct report *r, const char *name, uint64_t n)
{
    buf_addf(&r->text, r->table ? "\n  %-14s %13" PRIu64 : ", %s %" PRIu64,
             name, n);
}

static void
report_bytes(struct report *r, uint64_t n)
{
    if (r->table)
        buf_addf(&r->text, "\n  %-14s %13.1f", "MiB",
                 (double)n / (1 << 20));
    else
        report_count(r, "bytes", n);
}

/* ---- kinds of paths ---- */

static bool
is_file(const char *path)
{
    struct stat st;

    return strcmp(path, "-") == 0
           || (stat(path, &st) == 0 && !S_ISDIR(st.st_mode));
}

static bool
is_run(const char *path)
{
    return dir_has(path, "metrics.jsonl")
           || (dir_has(path, "config.json") && dir_has(path, "checkpoints"));
}

static bool
is_adapter(const char *path)
{
    return dir_has(path, ADAPTER_CONFIG);
}

static bool
is_model(const char *path)
{
    return dir_has(path, "config.json") || dir_has(path, "model.safetensors");
}

static int
check_stream(const char *path, struct report *say, uint64_t *good,
             struct err *e)
{
    struct stream_report r;
    int rc = stream_verify(&r, path, good, e);

    if (rc < 0)
        return rc;
    report_what(say, r.type, "stream");
    report_count(say, "segments", r.segments);
    report_count(say, "records", r.records);
    report_count(say, "tensors", r.tensors);
    return 0;
}

/* The numbers of a base; its hashes too unless they were checked. */
static int
check_base(const char *path, bool hashes, struct report *say, struct err *e)
{
    struct base_report r;
    int rc = base_check(&r, path, hashes, e);

    if (rc < 0)
        return rc;
    report_what(say, r.model_type, "model");
    report_count(say, "tensors", r.tensors);
    report_count(say, "parameters", r.params);
    report_bytes(say, r.bytes);
    if (r.unused > 0)
        report_count(say, "tensors the model does not use", r.unused);
    return 0;
}

static int
check_model(const char *path, struct report *say, uint64_t *good, struct err *e)
{
    (void)good;
    return check_base(path, true, say, e);
}

static int
check_adapter(const char *path, struct report *say, uint64_t *good,
              struct err *e)
{
    struct adapter a;
    int rc = adapter_read(&a, path, e);

    (void)good;
    if (rc < 0)
        return rc;
    report_what(say, "", "adapter");
    report_count(say, "modules", a.n);
    report_count(say, "rank", a.rank);
    adapter_release(&a);
    return 0;
}

/* What is held out and trained on, too. */
static void
report_leaks(struct report *say, const struct set_leak *l)
{
    const struct {
        const char *what;
        uint64_t n;
    } kinds[] = {
        { "edits", l->edit }, { "files", l->content },
        { "commits", l->commit },
    };
    char name[128];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(name, sizeof(name), "%s %s in train", l->split,
                 kinds[i].what);
        if (kinds[i].n > 0)
            report_count(say, name, kinds[i].n);
    }
}

static int
check_set(const char *path, struct report *say, uint64_t *good, struct err *e)
{
    struct manifest m;
    int rc = record_set_verify(&m, path, good, e);

    if (rc < 0)
        return rc;
    report_what(say, m.head.type, "set");
    report_count(say, "files", m.n_files);
    report_count(say, "records", m.records);
    report_count(say, "tensors", m.tensors);
    for (size_t i = 0; i < m.n_splits; i++)
        report_count(say, m.split[i].name, m.split[i].records);
    for (size_t i = 0; i < m.n_leaks; i++)
        report_leaks(say, &m.leak[i]);
    if (strcmp(m.head.type, "weights") == 0)
        rc = check_base(path, false, say, e);
    manifest_release(&m);
    return rc;
}

static int
check_run(const char *path, struct report *say, uint64_t *good,
          struct err *e)
{
    char *adapter = path_join(path, "adapter");
    char *model = path_join(path, "model");
    struct run_report r;
    int rc = rundir_verify(&r, path, e);

    if (rc == 0)
        report_what(say, "", "run, complete");
    if (rc == 0 && path_exists(adapter))
        rc = check_adapter(adapter, say, good, e);
    if (rc == 0 && path_exists(model))
        rc = check_base(model, true, say, e);
    if (rc == 0 && !r.complete)
        rc = rundir_incomplete(&r, path, e);
    free(adapter);
    free(model);
    return rc;
}

static const struct kind {
    bool (*is)(const char *path);
    /* *say tells what it is; *good counts what comes before damage */
    int (*check)(const char *path, struct report *say, uint64_t *good,
                 struct err *e);
    bool counts; /* *good is counted */
} kinds[] = {
    { gguf_is, check_model, false },
    { is_file, check_stream, true },
    { set_is, check_set, true },
    { is_run, check_run, false },
    { is_adapter, check_adapter, false },
    { is_model, check_model, false },
};

static int
check(const char *path, struct err *e)
{
    const struct kind *k = kinds;
    struct report say = {.path = strcmp(path, "-") ? path : "stdin",
                         .table = tool_on_terminal()};
    uint64_t good = 0;
    struct err why;
    int rc;

    if (strcmp(path, "-") != 0 && !path_exists(path))
        return err_set(e, ERR_IO, "%s: No such file or directory", path);
    while (k < kinds + sizeof(kinds) / sizeof(kinds[0]) && !k->is(path))
        k++;
    if (k == kinds + sizeof(kinds) / sizeof(kinds[0]))
        return err_set(e, ERR_DATA, "%s: not a complete set, model directory "
                       "or run", path);
    buf_init(&say.text);
    rc = k->check(path, &say, &good, e);
    progress_end();
    if (rc == 0)
        printf("%s\n", say.text.data);
    else if (rc == ERR_DATA && k->counts) {
        why = *e;
        err_set(e, ERR_DATA, "%.900s; %" PRIu64 " records before it are good",
                why.text, good);
    }
    buf_release(&say.text);
    return rc;
}

/* Every path is checked, and the exit code is that of the first bad one; the
 * last one's error is left to main, which prints it. */
static int
run(void *opts, const struct args *args, struct err *e)
{
    struct err why;
    int rc, first = 0;

    (void)opts;
    for (size_t i = 0; i < args->n; i++) {
        rc = check(args->operand[i], &why);
        if (rc == 0)
            continue;
        if (first == 0)
            first = rc;
        else
            log_error("%s", e->text);
        *e = why;
    }
    return first;
}
