/* report.c - runs as a page. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "report/report.h"
#include "tool/tool.h"

#define COLUMNS 79

struct options {
    const char *out;
    struct opt_list data;
    bool text;
};

static const struct opt table[] = {
    { .name = "out", .letter = 'o', .type = OPT_STRING, AT(out),
      .arg = "FILE", .def = "-", .help = "page to write; - is stdout" },
    { .name = "text", .letter = 't', .type = OPT_FLAG, AT(text),
      .help = "the same in short as text, with curves in characters; what a "
              "terminal gets anyway" },
    { .name = "data", .type = OPT_WORDS, AT(data), .arg = "SET",
      .help = "a set to look for the runs' data in, where they were moved; "
              "may be repeated" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "report",
    .summary = "show what runs did, as a page or as text",
    .operands = "RUN [SCORE.json...]...",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5 6",
};

/* Whether the path is that of this file. */
static bool
is_file(const char *path, const struct stat *file)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_dev == file->st_dev
           && st.st_ino == file->st_ino;
}

/* A page in the place of what it is of would be the end of that. */
static int
check_output(const char *out, const struct args *args, struct err *e)
{
    static const char *const own[] = {
        "config.json", "manifest.json", "metrics.jsonl", "profile.json"
    };
    struct stat st;
    bool is = false;
    int rc = out_check(out, NULL, e);

    if (rc < 0 || strcmp(out, "-") == 0 || stat(out, &st) != 0)
        return rc;
    for (size_t i = 0; i < args->n; i++) {
        is = is || is_file(args->operand[i], &st);
        for (size_t k = 0; k < sizeof(own) / sizeof(*own); k++) {
            char *path = path_join(args->operand[i], own[k]);

            is = is || is_file(path, &st);
            free(path);
        }
    }
    return is ? err_set(e, ERR_EXISTS, "%s: is an input, too", out) : 0;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    bool to_stdout = strcmp(o->out, "-") == 0;
    struct report r;
    struct buf b;
    int rc = check_output(o->out, args, e);

    if (rc < 0)
        return rc;
    buf_init(&b);
    rc = report_read(&r, args->operand, args->n, o->data.item, o->data.n, e);
    if (rc == 0) {
        report_warn(&r);
        if (o->text || (to_stdout && tool_on_terminal()))
            report_text(&r, COLUMNS, &b);
        else
            report_page(&r, &b);
        rc = file_write(o->out, b.data, b.len, e);
    }
    report_release(&r);
    buf_release(&b);
    return rc;
}
