/* exportadapter.c - the adapter of a run, or the sum of several, for other
 * programs.
 *
 * All of the adapter is read and understood before anything is written. The
 * output is built beside its name and renamed; where there is something of
 * that name already, what would have been written is compared with it.
 *
 * RUN/adapter is PEFT's own format, so an export in it is a copy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "cli/given_adapters.h"
#include "cli/list_adapter.h"
#include "tensor/modeldir.h"
#include "tool/tool.h"
#include "weights/adapter_gguf.h"
#include "weights/adapter_mlx.h"
#include "weights/adapter_saved.h"
#include "weights/base.h"

struct options {
    const char *format, *output, *base, *dtype;
    bool list;
};

static const struct opt table[] = {
    { .name = "format", .letter = 'f', .type = OPT_NAME, .output = true,
      AT(format), .arg = "FORMAT", .def = "peft", .choices = "peft|mlx|gguf",
      .help = "format of the export" },
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(output),
      .arg = "PATH", .required = true, .unless = "list",
      .help = "the directory to make; of gguf, the file" },
    { .name = "base", .type = OPT_STRING, AT(base), .arg = "BASE",
      .help = "a base that the adapter has to fit" },
    { .name = "dtype", .type = OPT_NAME, .output = true, AT(dtype),
      .arg = "TYPE", .def = "f32", .choices = "f32|f16|bf16",
      .help = "type of the matrices in the formats mlx and gguf" },
    { .name = "list", .type = OPT_FLAG, AT(list),
      .help = "say what each adapter is, a line of JSON each, and stop" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "exportadapter",
    .summary = "write an adapter, or a sum of some, for other programs",
    .operands = "RUN[=WEIGHT]...",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 6",
};

/* What is exported. */
struct export {
    const struct options *o;
    const struct args *args;
    enum dtype dtype;
    struct given_adapters given;
    struct adapter a; /* what they come to */
    bool has_base;   /* the next two are there */
    struct weights w;
    struct model_desc desc;
};

/* A format of the export: as the files of a directory, or as one file. */
struct format {
    const char *name;
    const char *files[2];
    int (*put_dir)(const struct export *x, const char *dir, struct err *e);
    int (*put_file)(const struct export *x, struct out *out, struct err *e);
};

static int
copy_file(const char *from, const char *to, const char *name, struct err *e)
{
    char *source = path_join(from, name), *path = path_join(to, name);
    struct file_map map;
    int rc = file_map_open(&map, source, e);

    if (rc == 0) {
        rc = file_write(path, map.p, map.n, e);
        file_map_release(&map);
    }
    free(source);
    free(path);
    return rc;
}

/* Of several, which they were, and with what weights, is in the metadata. */
static int
put_sum(const struct export *x, const char *dir, struct err *e)
{
    char *prov = tool_prov(x->args, x->o, NULL);
    struct safetensors_meta meta = { "graft.prov", NULL };
    struct buf text;
    int rc = 0;

    buf_init(&text);
    if (prov != NULL) {
        buf_addf(&text, "%s adapter=", prov);
        rc = given_adapters_ids(&text, &x->given, e);
        meta.value = text.data;
    }
    if (rc == 0)
        rc = adapter_write(&x->a, dir, &meta, prov != NULL, NULL, e);
    buf_release(&text);
    free(prov);
    return rc;
}

static int
put_peft(const struct export *x, const char *dir, struct err *e)
{
    const char *from = x->given.item[0].dir;
    int rc;

    if (!given_adapters_plain(&x->given))
        return put_sum(x, dir, e);
    if (adapter_is_mlx(from))
        return adapter_write(&x->a, dir, NULL, 0, NULL, e);
    rc = copy_file(from, dir, ADAPTER_WEIGHTS, e);
    return rc < 0 ? rc : copy_file(from, dir, ADAPTER_CONFIG, e);
}

static int
put_mlx(const struct export *x, const char *dir, struct err *e)
{
    return adapter_mlx_write(&x->a, x->has_base ? x->desc.n_layers : 0,
                             x->dtype, dir, e);
}

static int
put_gguf(const struct export *x, struct out *out, struct err *e)
{
    if (!x->has_base)
        return err_set(e, ERR_USAGE, "--base is missing: what a GGUF "
                       "adapter's tensors are called depends on it");
    return adapter_gguf_write(&x->a, &x->desc, &x->w, x->dtype, out, e);
}

static const struct format formats[] = {
    { "peft", { ADAPTER_WEIGHTS, ADAPTER_CONFIG }, .put_dir = put_peft },
    { "mlx", { ADAPTER_MLX_WEIGHTS, ADAPTER_CONFIG }, .put_dir = put_mlx },
    { "gguf", .put_file = put_gguf },
};

static const struct format *
find_format(const char *name)
{
    const struct format *f = formats;

    while (strcmp(f->name, name) != 0)
        f++;
    return f;
}

/* The input */

/* The base that was given; for gguf, else the one that the adapter names,
 * where that is there. */
static int
open_base(struct export *x, struct err *e)
{
    const char *path = x->o->base;
    size_t unused, linears = 0;
    int rc;

    if (path == NULL && strcmp(x->o->format, "gguf") == 0 && x->a.base
        && path_exists(x->a.base))
        path = x->a.base;
    if (path == NULL)
        return 0;
    rc = weights_open(&x->w, path, e);
    if (rc < 0)
        return rc;
    rc = base_describe(&x->desc, &unused, &x->w, e);
    if (rc < 0) {
        weights_release(&x->w);
        return rc;
    }
    x->has_base = true;
    if (adapter_unties(&x->a, &x->desc))
        desc_untie(&x->desc);
    rc = adapter_match(&x->a, &x->desc, &linears, e);
    if (rc < 0)
        return err_prefix(e, "%s", path);
    log_info("%zu of %zu linears of %s", x->a.n, linears, path);
    return 0;
}

static int
open_export(struct export *x, const struct args *args, struct err *e)
{
    uint64_t n = 0;
    int rc;

    if (x->dtype != DTYPE_F32 && strcmp(x->o->format, "peft") == 0)
        return err_set(e, ERR_USAGE, "--dtype %s is not for --format peft",
                       x->o->dtype);
    rc = given_adapters_find(&x->given, (const char *const *)args->operand,
                             args->n, e);
    if (rc == 0)
        rc = given_adapters_read(&x->a, &x->given, e);
    if (rc == 0 && x->a.n_whole > 0 && strcmp(x->o->format, "peft") != 0)
        rc = err_set(e, ERR_USAGE, "%s: modules trained in full beside the "
                     "adapter (modules_to_save) are not for --format %s "
                     "(merge writes a model with them)", args->operand[0],
                     x->o->format);
    if (rc == 0 && x->a.n_tokens > 0 && strcmp(x->o->format, "peft") != 0)
        rc = err_set(e, ERR_USAGE, "%s: rows of tokens "
                     "(trainable_token_indices) are not for --format %s "
                     "(merge writes a model with them)", args->operand[0],
                     x->o->format);
    if (rc == 0)
        rc = open_base(x, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < x->a.n; i++)
        n += (uint64_t)x->a.item[i].rank * (x->a.item[i].in
                                            + (uint64_t)x->a.item[i].out);
    for (size_t i = 0; i < x->a.n_whole; i++)
        n += x->a.whole[i].rows * x->a.whole[i].cols;
    for (size_t i = 0; i < x->a.n_tokens; i++)
        n += (uint64_t)x->a.tokens[i].n * x->a.tokens[i].cols;
    log_info("%zu modules, rank %u, alpha %g, %.2f million parameters",
             x->a.n, x->a.rank, x->a.alpha, (double)n / 1e6);
    return 0;
}

static void
close_export(struct export *x)
{
    if (x->has_base) {
        desc_release(&x->desc);
        weights_release(&x->w);
    }
    adapter_release(&x->a);
    given_adapters_release(&x->given);
}

/* A line each. */
static int
list(const struct args *args, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < args->n && rc == 0; i++) {
        struct buf line;

        buf_init(&line);
        rc = list_adapter(&line, args->operand[i], tool_on_terminal(), e);
        if (rc == 0)
            printf("%s\n", line.data);
        buf_release(&line);
    }
    return rc;
}

/* The output */

static bool
same_file(const char *x, const char *y)
{
    struct id a, b;
    struct err ignored;

    return id_of_file(&a, x, &ignored) == 0
           && id_of_file(&b, y, &ignored) == 0 && id_equal(&a, &b);
}

/* made is what there would be at path: nothing to do if it is there. */
static int
compare(const struct format *f, const char *path, const char *made,
        struct err *e)
{
    bool same = f->put_file == NULL || same_file(path, made);

    for (size_t i = 0; i < 2 && f->put_dir && same; i++) {
        char *x = path_join(path, f->files[i]);
        char *y = path_join(made, f->files[i]);

        same = same_file(x, y);
        free(x);
        free(y);
    }
    return same ? 0 : err_set(e, ERR_EXISTS, "%s: exists", path);
}

static int
write_dir(const struct export *x, const struct format *f, struct err *e)
{
    const char *path = x->o->output;
    bool there = path_exists(path);
    size_t n = strlen(path);
    struct out_dir out;
    struct buf name;
    int rc;

    while (n > 1 && path[n - 1] == '/')
        n--;
    buf_init(&name);
    buf_addf(&name, "%.*s%s", (int)n, path, there ? ".compared" : "");
    rc = out_dir_open(&out, name.data, e);
    buf_release(&name);
    if (rc < 0)
        return rc;
    rc = f->put_dir(x, out.temp, e);
    if (rc == 0)
        rc = there ? compare(f, path, out.temp, e) : out_dir_commit(&out, e);
    out_dir_release(&out);
    return rc;
}

static int
write_file(const struct export *x, const struct format *f, struct err *e)
{
    const char *path = x->o->output;
    bool there = path_exists(path);
    struct out out;
    int rc = dir_check_name(path, e);

    if (rc == 0)
        rc = out_open(&out, path, e);
    if (rc < 0)
        return rc;
    rc = f->put_file(x, &out, e);
    if (rc == 0 && there)
        rc = out_flush(&out, e);
    if (rc == 0 && there)
        rc = compare(f, path, out.temp, e);
    else if (rc == 0)
        return out_commit(&out, e);
    out_release(&out);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    const struct format *f = find_format(o->format);
    struct export x = { .o = o, .args = args, .dtype = DTYPE_F32 };
    int rc;

    if (o->list)
        return list(args, e);
    if (strcmp(o->dtype, "f32") != 0)
        x.dtype = strcmp(o->dtype, "f16") == 0 ? DTYPE_F16 : DTYPE_BF16;
    rc = open_export(&x, args, e);
    if (rc == 0)
        rc = f->put_dir ? write_dir(&x, f, e) : write_file(&x, f, e);
    close_export(&x);
    return rc;
}
