/* tojsonl.c - the text twin of every binary type: one JSON object a record.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "record/print.h"
#include "stream/set.h"
#include "tensor/modeldir.h"
#include "tool/tool.h"

struct options {
    bool exact;
    const char *split;
};

static const struct opt table[] = {
    { .name = "exact", .type = OPT_FLAG, AT(exact),
      .help = "write headers and tensor data too, for fromjsonl to read "
              "back" },
    { .name = "split", .type = OPT_STRING, AT(split), .arg = "NAME",
      .help = "of a shard set, only the records of this split" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "tojsonl",
    .summary = "print a stream, a shard set or a model as JSON lines",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
};

/* Whether path is a directory with a model's weights in it. */
static bool
is_model(const char *path)
{
    char *single = path_join(path, MODELDIR_WEIGHTS);
    char *index = path_join(path, MODELDIR_INDEX);
    bool is = path_exists(single) || path_exists(index);

    free(single);
    free(index);
    return is;
}

static int
print(struct print *s, const char *path, const char *split, struct err *e)
{
    bool named = strcmp(path, "-") != 0;

    if (split && !(named && set_is(path)))
        return err_set(e, ERR_USAGE, "%s: --split needs a shard set", path);
    if (split)
        return print_split(s, path, split, e);
    if (named && is_model(path))
        return print_model(s, path, e);
    return print_stream(s, path, e);
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct print s;
    int rc = print_open(&s, o->exact, tool_on_terminal(), e);

    if (rc < 0)
        return rc;
    rc = print(&s, args->n > 0 ? args->operand[0] : "-", o->split, e);
    return print_close(&s, rc, e);
}
