/* merge.c - a base and an adapter in, a model directory out that needs no
 * adapter.
 *
 * What the adapter was made for is known where it is in its run: then the
 * base's id has to be the one that the run recorded. The directory is built
 * beside its name and renamed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/options.h"
#include "tool/tool.h"
#include "train/rundir.h"
#include "weights/base.h"
#include "weights/merge.h"

struct options {
    const char *base, *adapter, *output, *dtype;
    bool any_base;
    uint64_t threads;
};

static const struct opt table[] = {
    { BASE_OPTION, AT(base) },
    { .name = "adapter", .type = OPT_STRING, AT(adapter), .arg = "DIR",
      .required = true, .help = "PEFT adapter, or run with one" },
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(output),
      .arg = "MODELDIR", .required = true, .help = "the directory to make" },
    { .name = "dtype", .type = OPT_NAME, .output = true, AT(dtype),
      .arg = "TYPE", .choices = "f32|bf16|f16",
      .help = "type of all floats; by default each keeps its own, or bf16 "
              "where the base is quantised" },
    { .name = "any-base", .type = OPT_FLAG, .output = true, AT(any_base),
      .help = "merge into another base than the one that the adapter's run "
              "was trained on" },
    { THREADS_OPTION, AT(threads), .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "merge",
    .summary = "fold an adapter into its base",
    .operands = "",
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 6",
};

/* What is merged. */
struct job {
    const struct options *o;
    const struct args *args;
    struct weights base;
    struct model_desc desc;
    struct adapter adapter;
    size_t linears;             /* of the base */
    char *dir;                  /* the adapter's */
    char id[ID_HEX + 1];        /* of the base; "": nobody asked */
};

/* The adapter's directory; every file of its run is compared with the run's
 * manifest. */
static int
find_adapter(struct job *j, struct err *e)
{
    struct run_report r;
    int rc = adapter_find(&j->dir, j->o->adapter, e);

    if (rc == 0 && strcmp(j->dir, j->o->adapter) != 0)
        rc = rundir_verify(&r, j->o->adapter, e);
    return rc;
}

/* Opens everything, and holds it against each other by sizes. */
static int
job_open(struct job *j, struct err *e)
{
    size_t unused;
    int rc = find_adapter(j, e);

    if (rc < 0)
        return rc;
    rc = weights_open(&j->base, j->o->base, e);
    if (rc < 0)
        return rc;
    rc = base_describe(&j->desc, &unused, &j->base, e);
    if (rc == 0)
        rc = adapter_read(&j->adapter, j->dir, e);
    if (rc == 0)
        rc = adapter_match(&j->adapter, &j->desc, &j->linears, e);
    return rc;
}

static void
job_release(struct job *j)
{
    adapter_release(&j->adapter);
    desc_release(&j->desc);
    if (j->base.source != NULL)
        weights_release(&j->base);
    free(j->dir);
}

/* Whether the base is the one that the adapter's run was trained on. To know
 * all of it is read, so only a run's adapter is asked. */
static int
check_base(struct job *j, struct err *e)
{
    struct id trained, own;
    char hex[ID_HEX + 1];
    bool found;
    int rc = j->o->any_base ? 0 : rundir_base(&trained, &found, j->dir, e);

    if (rc < 0 || j->o->any_base || !found)
        return rc;
    own = weights_id(&j->base);
    id_hex(&own, j->id);
    if (id_equal(&own, &trained))
        return 0;
    return err_set(e, ERR_DATA, "%s: was trained on another base than %s "
                   "(found %.16s..., expected %.16s...): --any-base merges "
                   "it all the same", j->o->adapter, j->o->base, j->id,
                   id_hex(&trained, hex));
}

/* The line that says of what the output was made; NULL with --no-prov. */
static int
provenance(char **line, const struct job *j, struct err *e)
{
    char hex[ID_HEX + 1], *path = path_join(j->dir, ADAPTER_WEIGHTS);
    const char *ids[] = { "adapter", hex, NULL, NULL, NULL };
    struct id id;
    int rc = id_of_file(&id, path, e);

    free(path);
    if (rc < 0)
        return rc;
    id_hex(&id, hex);
    if (j->id[0] != '\0') {
        ids[2] = "base";
        ids[3] = j->id;
    }
    *line = tool_prov(j->args, j->o, ids);
    return 0;
}

static unsigned
dtype_of(const char *name)
{
    return name != NULL ? stored_named(name)->dtype : DTYPE_NONE;
}

static int
write_model(struct job *j, struct out_dir *out, struct merge_counts *n,
            struct err *e)
{
    struct safetensors_meta meta = { "graft.prov", NULL };
    struct merge_opts m = { .base = &j->base, .desc = &j->desc,
                            .adapter = &j->adapter,
                            .dtype = dtype_of(j->o->dtype), .meta = &meta };
    uint64_t bytes = 0, read = 0;
    char *prov = NULL;
    int rc = provenance(&prov, j, e);

    if (rc < 0)
        return rc;
    meta.value = prov;
    m.n_meta = prov != NULL;
    for (size_t i = 0; i < j->base.n; i++)
        read += j->base.item[i].bytes;
    progress_begin("bytes", 0, read);
    rc = merge_write(out, &m, n, &bytes, e);
    progress_end();
    if (rc == 0)
        log_info("%zu of %zu linears, %zu tensors, %.1f MB", j->adapter.n,
                 j->linears, j->base.n, (double)bytes / 1e6);
    free(prov);
    return rc;
}

/* Of what the adapter adds, how much the stored type holds. */
static void
tell_counts(const struct merge_counts *n)
{
    uint64_t lost = n->deltas - n->changed;

    log_info("%llu weights are other numbers now; of %llu (%.2f%%) the "
             "change was rounded away", (unsigned long long)n->changed,
             (unsigned long long)lost,
             n->deltas > 0 ? 100 * (double)lost / (double)n->deltas : 0);
}

static int
merge(struct job *j, struct err *e)
{
    struct merge_counts n = { 0 };
    struct out_dir out;
    int rc = out_dir_open(&out, j->o->output, e);

    if (rc < 0)
        return rc;
    rc = weights_check(&j->base, e);
    if (rc == 0)
        rc = check_base(j, e);
    if (rc == 0)
        rc = write_model(j, &out, &n, e);
    if (rc == 0)
        rc = out_dir_commit(&out, e);
    if (rc == 0)
        tell_counts(&n);
    out_dir_release(&out);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    struct job j = { .o = opts, .args = args };
    int rc;

    par_set_threads((int)j.o->threads);
    rc = job_open(&j, e);
    if (rc == 0)
        rc = merge(&j, e);
    job_release(&j);
    return rc;
}
