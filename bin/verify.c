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
#include "model/adapter.h"
#include "model/fsck.h"
#include "model/rundir.h"
#include "record/change.h"
#include "record/tensor.h"
#include "record/text.h"
#include "record/tokens.h"
#include "stream/set.h"
#include "tool/tool.h"

static const struct opt table[] = { { .name = NULL } };

static const struct tool tool = {
    .name = "verify",
    .summary = "check every byte of streams, sets, models and runs",
    .operands = "PATH...",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .opts = table,
};

/* ---- records ---- */

struct decoders {
    struct text_rec text;
    struct change change;
};

static int
look_at_text(struct decoders *d, const struct stream_rec *rec, struct err *e)
{
    const struct text_field *f;
    int rc = text_decode(&d->text, rec->p, rec->n, e);

    f = rc == 0 ? text_get(&d->text, "change") : NULL;
    return f ? change_decode(&d->change, f->data, f->len, e) : rc;
}

static int
look_at_tokens(const struct stream_head *head, const struct stream_rec *rec,
               struct err *e)
{
    struct tokens tokens;
    uint64_t vocab = 0;
    int rc = 0;

    if (stream_head_get(head, "vocab"))
        rc = stream_head_get_u64(head, "vocab", "stream", &vocab, e);
    return rc < 0 ? rc : tokens_decode(&tokens, rec->p, rec->n, vocab, e);
}

/* A set_look: the record is one of its stream's type. */
static int
look(void *ctx, const struct stream_head *head, const struct stream_rec *rec,
     struct err *e)
{
    struct tensor_desc tensor;
    struct asset asset;

    if (rec->kind == FRAME_TENSOR)
        return tensor_decode(&tensor, rec->p, rec->n, rec->data, e);
    if (strcmp(head->type, "text") == 0)
        return look_at_text(ctx, rec, e);
    if (strcmp(head->type, "tokens") == 0)
        return look_at_tokens(head, rec, e);
    if (strcmp(head->type, "weights") == 0)
        return asset_decode(&asset, rec->p, rec->n, e);
    return err_set(e, ERR_DATA, "unknown type of records %s", head->type);
}

/* ---- kinds of paths ---- */

static bool
is_file(const char *path)
{
    struct stat st;

    return strcmp(path, "-") == 0 ||
           (stat(path, &st) == 0 && !S_ISDIR(st.st_mode));
}

static bool
holds(const char *path, const char *name)
{
    char *file = path_join(path, name);
    bool yes = path_exists(file);

    free(file);
    return yes;
}

static bool
is_run(const char *path)
{
    return holds(path, "metrics.jsonl") ||
           (holds(path, "config.json") && holds(path, "checkpoints"));
}

static bool
is_adapter(const char *path)
{
    return holds(path, ADAPTER_CONFIG);
}

static bool
is_model(const char *path)
{
    return holds(path, "config.json") || holds(path, "model.safetensors");
}

/* What was left out on the way, with -v. */
static void
tell_ledger(const struct ledger *l)
{
    for (size_t i = 0; i < l->n; i++)
        log_debug("ledger: %s left out %" PRIu64 ": %s", l->line[i].program,
                  l->line[i].count, l->line[i].reason);
}

static int
check_segments(struct stream_in *in, struct decoders *d, struct buf *say,
               uint64_t *good, struct err *e)
{
    char id[ID_HEX + 1];
    struct stream_rec rec;
    uint64_t n_tensors = 0;
    int rc;

    while ((rc = stream_in_segment(in, e)) > 0) {
        while ((rc = stream_in_record(in, &rec, e)) > 0) {
            if (look(d, &in->head, &rec, e) < 0)
                return err_prefix(e, "%s: segment %" PRIu64 ": record %"
                                  PRIu64, in->in.name, in->n_segments,
                                  rec.index);
            *good += rec.kind == FRAME_RECORDS;
        }
        if (rc < 0)
            return rc;
        *good += in->trailer.tensors;
        n_tensors += in->trailer.tensors;
        tell_ledger(&in->trailer.ledger);
        log_debug("segment %" PRIu64 ": content %s", in->n_segments,
                  id_hex(&in->trailer.content, id));
    }
    if (rc == 0)
        buf_addf(say, "%s stream, segments %" PRIu64 ", records %" PRIu64
                 ", tensors %" PRIu64, in->head.type, in->n_segments,
                 in->n_records, n_tensors);
    return rc;
}

static int
check_stream(const char *path, struct buf *say, uint64_t *good,
             struct err *e)
{
    struct decoders d;
    struct stream_in in;
    int rc = stream_in_open(&in, path, NULL, e);

    if (rc < 0)
        return rc;
    in.check_content = in.parts = true;
    text_init(&d.text);
    change_init(&d.change);
    rc = check_segments(&in, &d, say, good, e);
    text_release(&d.text);
    change_release(&d.change);
    stream_in_release(&in);
    return rc;
}

/* Says which files of a set's directory are none of its. */
static int
tell_strangers(const struct manifest *m, const char *path, struct err *e)
{
    char **name;
    size_t n, k;
    int rc = dir_list(&name, &n, path, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        for (k = 0; k < m->n_files; k++)
            if (strcmp(name[i], m->file[k].name) == 0)
                break;
        if (k == m->n_files && strstr(name[i], ".graft"))
            log_warn("%s/%s: is not in the manifest", path, name[i]);
    }
    dir_list_free(name, n);
    return 0;
}

/* The numbers of a base; its hashes too unless they were checked. */
static int
check_base(const char *path, bool hashes, struct buf *say, struct err *e)
{
    struct base_report r;
    int rc = base_check(&r, path, hashes, e);

    if (rc < 0)
        return rc;
    buf_addf(say, "%s model, tensors %zu, parameters %" PRIu64
             ", bytes %" PRIu64, r.model_type, r.tensors, r.params, r.bytes);
    if (r.unused > 0)
        buf_addf(say, ", tensors the model does not use %zu", r.unused);
    return 0;
}

static int
check_model(const char *path, struct buf *say, uint64_t *good, struct err *e)
{
    (void)good;
    return check_base(path, true, say, e);
}

static int
check_adapter(const char *path, struct buf *say, uint64_t *good,
              struct err *e)
{
    struct adapter a;
    int rc = adapter_read(&a, path, e);

    (void)good;
    if (rc < 0)
        return rc;
    buf_addf(say, "adapter, modules %zu, rank %" PRIu32, a.n, a.rank);
    adapter_release(&a);
    return 0;
}

static int
check_set(const char *path, struct buf *say, uint64_t *good, struct err *e)
{
    struct decoders d;
    struct manifest m;
    char id[ID_HEX + 1];
    int rc;

    text_init(&d.text);
    change_init(&d.change);
    rc = set_verify(&m, path, look, &d, good, e);
    text_release(&d.text);
    change_release(&d.change);
    if (rc < 0)
        return rc;
    rc = tell_strangers(&m, path, e);
    tell_ledger(&m.ledger);
    log_debug("content %s", id_hex(&m.content, id));
    buf_addf(say, "%s set, files %zu, records %" PRIu64 ", tensors %" PRIu64,
             m.head.type, m.n_files, m.records, m.tensors);
    for (size_t i = 0; i < m.n_splits; i++)
        buf_addf(say, ", %s %" PRIu64, m.split[i].name,
                 m.split[i].records);
    if (rc == 0 && strcmp(m.head.type, "weights") == 0) {
        buf_addstr(say, "; ");
        rc = check_base(path, false, say, e);
    }
    manifest_release(&m);
    return rc;
}

static int
check_run(const char *path, struct buf *say, uint64_t *good, struct err *e)
{
    char *adapter = path_join(path, "adapter");
    char *model = path_join(path, "model");
    bool complete;
    int rc = rundir_verify(path, &complete, e);

    if (rc == 0)
        buf_addf(say, "run, %scomplete", complete ? "" : "not ");
    if (rc == 0 && path_exists(adapter)) {
        buf_addstr(say, "; ");
        rc = check_adapter(adapter, say, good, e);
    }
    if (rc == 0 && path_exists(model)) {
        buf_addstr(say, "; ");
        rc = check_base(model, true, say, e);
    }
    free(adapter);
    free(model);
    return rc;
}

static const struct kind {
    bool (*is)(const char *path);
    /* *say becomes a line about it; *good counts what comes before damage */
    int (*check)(const char *path, struct buf *say, uint64_t *good,
                 struct err *e);
    bool counts; /* *good is counted */
} kinds[] = {
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
    uint64_t good = 0;
    struct buf say;
    int rc;

    if (strcmp(path, "-") != 0 && !path_exists(path))
        return err_set(e, ERR_IO, "%s: No such file or directory", path);
    while (k < kinds + sizeof(kinds) / sizeof(kinds[0]) && !k->is(path))
        k++;
    if (k == kinds + sizeof(kinds) / sizeof(kinds[0]))
        return err_set(e, ERR_DATA, "%s: not a complete set, model directory "
                       "or run", path);
    buf_init(&say);
    rc = k->check(path, &say, &good, e);
    if (rc == 0)
        printf("%s: %s\n", strcmp(path, "-") ? path : "stdin", say.data);
    else if (rc == ERR_DATA && k->counts) {
        buf_reset(&say);
        buf_addf(&say, "%.900s", e->text);
        err_set(e, ERR_DATA, "%s; %" PRIu64 " records before it are good",
                say.data, good);
    }
    buf_release(&say);
    return rc;
}

int
main(int argc, char **argv)
{
    struct options {
        int none;
    } o;
    struct args args;
    struct err e, last = { 0 };
    int rc, first = 0;

    tool_start(&tool, &o, &args, argc, argv);
    for (size_t i = 0; i < args.n; i++) {
        rc = check(args.operand[i], &e);
        if (rc == 0)
            continue;
        if (first == 0)
            first = rc;
        else
            log_error("%s", last.text);
        last = e; /* tool_end prints the last one */
    }
    return tool_end(first, &last);
}
