/* exportadapter.c - the adapter of a run, for other programs.
 *
 * RUN/adapter is PEFT's own format, so an export in it is a copy; what makes
 * it an export is that all of it was read and understood before. The output
 * is built beside its name and renamed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "tensor/modeldir.h"
#include "tool/tool.h"
#include "train/rundir.h"
#include "weights/adapter.h"
#include "weights/base.h"

struct options {
    const char *format, *output, *base;
};

static const struct opt table[] = {
    { .name = "format", .letter = 'f', .type = OPT_NAME, .output = true,
      AT(format), .arg = "FORMAT", .def = "peft", .choices = "peft",
      .help = "format of the export" },
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(output),
      .arg = "PATH", .required = true, .help = "the directory to make" },
    { .name = "base", .type = OPT_STRING, AT(base), .arg = "BASE",
      .help = "a base that the adapter has to fit" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "exportadapter",
    .summary = "write the adapter of a run in a format of other programs",
    .operands = "RUN",
    .min_operands = 1,
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 6",
};

static const char *const files[] = { ADAPTER_WEIGHTS, ADAPTER_CONFIG };

/* The adapter's directory, to be freed; every file of its run is compared
 * with the run's manifest. */
static int
find_adapter(char **dir, const char *run, struct err *e)
{
    struct run_report r;
    int rc = adapter_find(dir, run, e);

    if (rc == 0 && strcmp(*dir, run) != 0)
        rc = rundir_verify(&r, run, e);
    return rc;
}

static int
check_base(const struct adapter *a, const char *path, struct err *e)
{
    struct model_desc desc;
    struct weights w;
    size_t unused, linears = 0;
    int rc;

    rc = weights_open(&w, path, e);
    if (rc < 0)
        return rc;
    rc = base_describe(&desc, &unused, &w, e);
    if (rc == 0) {
        rc = adapter_match(a, &desc, &linears, e);
        if (rc < 0)
            err_prefix(e, "%s", path);
        else
            log_info("%zu of %zu linears of %s", a->n, linears, path);
        desc_release(&desc);
    }
    weights_release(&w);
    return rc;
}

static int
check_adapter(const char *dir, const struct options *o, struct err *e)
{
    struct adapter a;
    uint64_t n = 0;
    size_t i;
    int rc;

    rc = adapter_read(&a, dir, e);
    if (rc < 0)
        return rc;
    for (i = 0; i < a.n; i++)
        n += (uint64_t)a.item[i].rank * (a.item[i].in
                                         + (uint64_t)a.item[i].out);
    if (o->base)
        rc = check_base(&a, o->base, e);
    if (rc == 0)
        log_info("%zu modules, rank %u, alpha %g, %.2f million parameters",
                 a.n, a.rank, a.alpha, (double)n / 1e6);
    adapter_release(&a);
    return rc;
}

/* Whether both of dir's files are at path already. */
static bool
is_same(const char *dir, const char *path)
{
    bool same = true;
    size_t i;

    for (i = 0; i < 2 && same; i++) {
        char *from = path_join(dir, files[i]), *to = path_join(path, files[i]);
        struct id a, b;
        struct err ignored;

        same = id_of_file(&a, from, &ignored) == 0
               && id_of_file(&b, to, &ignored) == 0 && id_equal(&a, &b);
        free(from);
        free(to);
    }
    return same;
}

static int
copy(const char *dir, const char *path, struct err *e)
{
    struct out_dir w;
    size_t i;
    int rc;

    rc = out_dir_open(&w, path, e);
    if (rc < 0)
        return rc;
    for (i = 0; i < 2 && rc == 0; i++) {
        char *from = path_join(dir, files[i]);
        struct file_map map;

        rc = file_map_open(&map, from, e);
        if (rc == 0) {
            rc = out_dir_put(&w, files[i], map.p, map.n, e);
            file_map_release(&map);
        }
        free(from);
    }
    if (rc == 0)
        rc = out_dir_commit(&w, e);
    out_dir_release(&w);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    char *dir = NULL;
    int rc;

    rc = find_adapter(&dir, args->operand[0], e);
    if (rc == 0)
        rc = check_adapter(dir, o, e);
    if (rc == 0 && !is_same(dir, o->output))
        rc = copy(dir, o->output, e);
    free(dir);
    return rc;
}
