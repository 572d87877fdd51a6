/* merge.c - a base and adapters in, a model directory or a GGUF file out that
 * needs none.
 *
 * What an adapter was made for is known where it is in its run: then the
 * base's id has to be the one that the run recorded. The output is built
 * beside its name, compared with base and adapter, and renamed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/check_merged.h"
#include "cli/given_adapters.h"
#include "cli/options.h"
#include "tool/tool.h"
#include "train/rundir.h"
#include "weights/adapter_saved.h"
#include "weights/base.h"
#include "weights/merge.h"
#include "weights/model.h"

struct options {
    const char *base, *output, *format, *dtype, *prompt;
    struct opt_list adapter;
    bool any_base, no_check;
    uint64_t threads;
};

static const struct opt table[] = {
    { BASE_OPTION, AT(base) },
    { .name = "adapter", .type = OPT_WORDS, AT(adapter),
      .arg = "DIR[=WEIGHT]", .required = true,
      .help = "PEFT or mlx-lm adapter, or run with one; of several, the sum, "
              "each times its weight" },
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(output),
      .arg = "MODEL", .required = true,
      .help = "the directory to make, or the GGUF file" },
    { .name = "format", .type = OPT_NAME, .output = true, AT(format),
      .arg = "FORMAT", .def = "hf", .choices = "hf|gguf",
      .help = "a model directory of Hugging Face, or llama.cpp's file" },
    { .name = "dtype", .type = OPT_NAME, .output = true, AT(dtype),
      .arg = "TYPE", .choices = "f32|bf16|f16|q8_0",
      .help = "type of all floats, q8_0 in a GGUF file alone; by default "
              "each keeps its own, or bf16 where the base is quantised" },
    { .name = "any-base", .type = OPT_FLAG, .output = true, AT(any_base),
      .help = "merge into another base than the one that the adapter's run "
              "was trained on" },
    { .name = "prompt", .letter = 'p', .type = OPT_STRING, AT(prompt),
      .arg = "TEXT",
      .help = "text to compare logits on, up to 128 tokens of it; by default "
              "32 tokens from all over the vocabulary" },
    { .name = "no-check", .type = OPT_FLAG, AT(no_check),
      .help = "don't compare logits" },
    { THREADS_OPTION, AT(threads), .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "merge",
    .summary = "fold adapters into their base",
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
    struct given_adapters given;
    struct model model;         /* the base, and what they come to */
    char id[ID_HEX + 1];        /* of the base; "": nobody asked */
    bool untied;                /* head and embedding of it are one */
};

/* Opens everything, and holds it against each other by sizes. */
static int
job_open(struct job *j, struct err *e)
{
    struct model *m = &j->model;
    size_t unused;
    int rc = given_adapters_find(&j->given, j->o->adapter.item,
                                 j->o->adapter.n, e);

    if (rc == 0)
        rc = weights_open(&m->weights, j->o->base, e);
    if (rc == 0)
        rc = base_describe(&m->desc, &unused, &m->weights, e);
    if (rc == 0)
        rc = given_adapters_read(&m->adapter, &j->given, e);
    if (rc < 0)
        return rc;
    m->with = &m->adapter;
    j->untied = adapter_unties(&m->adapter, &m->desc);
    if (j->untied)
        desc_untie(&m->desc);
    if (j->o->prompt != NULL && !weights_asset(&m->weights, "tokenizer.json"))
        return err_set(e, ERR_USAGE, "%s: has no tokenizer.json for --prompt",
                       j->o->base);
    return adapter_match(&m->adapter, &m->desc, &m->linears, e);
}

/* Whether the base is the one that this adapter's run was trained on. To know
 * all of it is read, so only a run's adapter is asked. */
static int
check_one(struct job *j, const struct given_adapter *g, struct err *e)
{
    struct id trained, own;
    char hex[ID_HEX + 1];
    bool found;
    int rc = rundir_base(&trained, &found, g->dir, e);

    if (rc < 0 || !found)
        return rc;
    if (j->id[0] == '\0') {
        own = weights_id(&j->model.weights);
        id_hex(&own, j->id);
    }
    if (strcmp(id_hex(&trained, hex), j->id) == 0)
        return 0;
    return err_set(e, ERR_DATA, "%s: was trained on another base than %s "
                   "(found %.16s..., expected %.16s...): --any-base merges "
                   "it all the same", g->path, j->o->base, j->id, hex);
}

static int
check_base(struct job *j, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < j->given.n && rc == 0 && !j->o->any_base; i++)
        rc = check_one(j, &j->given.item[i], e);
    return rc;
}

/* The line that says of what the output was made; NULL with --no-prov. */
static int
provenance(char **line, const struct job *j, struct err *e)
{
    const char *ids[] = { "adapter", NULL, NULL, NULL, NULL };
    struct buf adapters;
    int rc;

    buf_init(&adapters);
    rc = given_adapters_ids(&adapters, &j->given, e);
    ids[1] = adapters.data;
    if (j->id[0] != '\0') {
        ids[2] = "base";
        ids[3] = j->id;
    }
    *line = rc == 0 ? tool_prov(j->args, j->o, ids) : NULL;
    buf_release(&adapters);
    return rc;
}

static unsigned
dtype_of(const char *name)
{
    return name != NULL ? stored_named(name)->dtype : DTYPE_NONE;
}

/* Into the one of the two that is not NULL. */
static int
write_model(struct job *j, struct out_dir *dir, struct out *file,
            struct merge_counts *n, struct err *e)
{
    struct safetensors_meta meta = { "graft.prov", NULL };
    const struct weights *w = &j->model.weights;
    struct merge_opts m = { .base = w, .desc = &j->model.desc,
                            .adapter = &j->model.adapter,
                            .untied = j->untied,
                            .dtype = dtype_of(j->o->dtype), .meta = &meta };
    uint64_t bytes = 0, read = 0;
    char *prov = NULL;
    int rc = provenance(&prov, j, e);

    if (rc < 0)
        return rc;
    meta.value = prov;
    m.n_meta = prov != NULL;
    for (size_t i = 0; i < w->n; i++)
        read += w->item[i].bytes;
    progress_begin("bytes", 0, read);
    rc = dir ? merge_write(dir, &m, n, &bytes, e)
             : merge_write_gguf(file, &m, n, &bytes, e);
    progress_end();
    if (rc == 0)
        log_info("%zu of %zu linears, %zu tensors, %.1f MB",
                 j->model.adapter.n, j->model.linears, n->tensors,
                 (double)bytes / 1e6);
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

/* Everything but the name; temp: what is written. */
static int
merge(struct job *j, struct out_dir *dir, struct out *file, const char *temp,
      struct err *e)
{
    struct merge_counts n = { 0 };
    int rc = weights_check(&j->model.weights, e);

    if (rc == 0)
        rc = check_base(j, e);
    if (rc == 0)
        rc = write_model(j, dir, file, &n, e);
    if (rc == 0)
        tell_counts(&n);
    if (rc == 0 && file != NULL)
        rc = out_flush(file, e);
    if (rc == 0 && !j->o->no_check)
        rc = check_merged(&j->model, temp, j->o->prompt, e);
    return rc;
}

static int
merge_dir(struct job *j, struct err *e)
{
    struct out_dir out;
    int rc = out_dir_open(&out, j->o->output, e);

    if (rc < 0)
        return rc;
    rc = merge(j, &out, NULL, out.temp, e);
    if (rc == 0)
        rc = out_dir_commit(&out, e);
    out_dir_release(&out);
    return rc;
}

static int
merge_file(struct job *j, struct err *e)
{
    const char *path = j->o->output;
    struct out out;
    int rc = dir_check_name(path, e);

    if (rc == 0 && path_exists(path))
        rc = err_set(e, ERR_EXISTS, "%s: exists", path);
    if (rc == 0)
        rc = out_open(&out, path, e);
    if (rc < 0)
        return rc;
    rc = merge(j, NULL, &out, out.temp, e);
    if (rc == 0)
        rc = out_commit(&out, e);
    out_release(&out);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    struct job j = { .o = opts, .args = args };
    bool is_gguf = strcmp(j.o->format, "gguf") == 0;
    int rc;

    if (j.o->no_check && j.o->prompt != NULL)
        return err_set(e, ERR_USAGE, "--prompt with --no-check");
    if (!is_gguf && dtype_of(j.o->dtype) == DTYPE_Q8_0)
        return err_set(e, ERR_USAGE, "--dtype q8_0 without --format gguf");
    par_set_threads((int)j.o->threads);
    rc = job_open(&j, e);
    if (rc == 0)
        rc = is_gguf ? merge_file(&j, e) : merge_dir(&j, e);
    model_release(&j.model);
    given_adapters_release(&j.given);
    return rc;
}
