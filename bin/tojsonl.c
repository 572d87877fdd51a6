/* tojsonl.c - the text twin of every binary type, one JSON object a record;
 * the same records in the files of other trainers: record/export.h; and what
 * is to be said of a set: record/card.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "record/card.h"
#include "record/export.h"
#include "record/print.h"
#include "stream/set.h"
#include "tensor/modeldir.h"
#include "tool/tool.h"

static const struct {
    const char *name;
    export_format *write;
} formats[] = {
    { "megatron", export_megatron },
    { "llm.c", export_llmc },
    { "mlx-lm", export_mlx_lm },
    { "trl", export_trl },
};

struct options {
    bool exact, card;
    const char *split, *format, *output;
};

static const struct opt table[] = {
    { .name = "card", .type = OPT_FLAG, AT(card),
      .help = "of a shard set, its data card instead of its records: "
              "Markdown" },
    { .name = "exact", .type = OPT_FLAG, AT(exact),
      .help = "write headers and tensor data too, for fromjsonl to read "
              "back" },
    { .name = "format", .letter = 'f', .type = OPT_NAME, AT(format),
      .arg = "FORMAT", .def = "jsonl",
      .choices = "jsonl|megatron|llm.c|mlx-lm|trl",
      .help = "what to write: graft's own JSON lines, or files of another "
              "trainer" },
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(output),
      .arg = "PATH",
      .help = "with such a format, what to make: a file, for mlx-lm a "
              "directory, for megatron a name without .bin and .idx" },
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
    .exits = "4 5 6",
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

/* For people, and what the format has no place for. */
static void
tell(const struct export *x, const char *format)
{
    if (x->tokens > 0)
        log_info("%llu records, %llu tokens", (unsigned long long)x->records,
                 (unsigned long long)x->tokens);
    else
        log_info("%llu records", (unsigned long long)x->records);
    if (x->empty > 0)
        log_info("%llu left out: empty", (unsigned long long)x->empty);
    if (x->no_edit > 0)
        log_info("%llu left out: no edit", (unsigned long long)x->no_edit);
    if (x->not_utf8 > 0)
        log_info("%llu left out: not UTF-8", (unsigned long long)x->not_utf8);
    if (x->masked > 0)
        log_warn("%llu tokens are not learned, which %s does not tell: it "
                 "will train on them", (unsigned long long)x->masked, format);
    if (x->merged > 0)
        log_warn("%llu records do not end with the token that parts them: "
                 "%s takes each for one with the next",
                 (unsigned long long)x->merged, format);
}

/* The records in the files of another trainer. */
static int
export(const struct options *o, const char *path, struct err *e)
{
    bool stdout_ok = strcmp(o->format, "trl") == 0;
    struct export x = {.records = 0};
    size_t i = 0;
    int rc;

    if (o->exact)
        return err_set(e, ERR_USAGE, "--exact is of JSON lines, not of %s",
                       o->format);
    if (!o->output && !stdout_ok)
        return err_set(e, ERR_USAGE, "--format %s needs --output", o->format);
    while (strcmp(formats[i].name, o->format) != 0)
        i++;
    rc = formats[i].write(&x, o->output ? o->output : "-", path, o->split, e);
    if (rc == 0)
        tell(&x, o->format);
    return rc;
}

/* The data card of a set. */
static int
card(const struct options *o, const struct args *args, struct err *e)
{
    const char *path = args->n > 0 ? args->operand[0] : "-";
    struct buf text;
    int rc;

    if (o->exact || o->split || o->output || args->no_prov
        || tool_given(args, "format"))
        return err_set(e, ERR_USAGE, "--card goes with no other option");
    if (strcmp(path, "-") == 0)
        return err_set(e, ERR_USAGE, "--card needs the directory of a shard "
                       "set");
    buf_init(&text);
    rc = card_make(&text, path, e);
    if (rc == 0)
        rc = file_write("-", text.data, text.len, e);
    buf_release(&text);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    const char *path = args->n > 0 ? args->operand[0] : "-";
    struct print s;
    int rc;

    if (o->card)
        return card(o, args, e);
    if (strcmp(o->format, "jsonl") != 0)
        return export(o, path, e);
    if (o->output)
        return err_set(e, ERR_USAGE, "--output goes with --format");
    rc = print_open(&s, o->exact, tool_on_terminal(), e);
    if (rc < 0)
        return rc;
    rc = print(&s, path, o->split, e);
    return print_close(&s, rc, e);
}
