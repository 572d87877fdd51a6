/* start.c - the beginning and the end of a program, and the options that all
 * have. This layer alone prints, exits and knows about argv. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/term.h"
#include "tool/internal.h"

const struct opt tool_common[] = {
    { .name = "quiet", .letter = 'q', .type = OPT_FLAG,
      .help = "only errors on stderr" },
    { .name = "verbose", .letter = 'v', .type = OPT_FLAG,
      .help = "details on stderr" },
    { .name = "no-prov", .type = OPT_FLAG,
      .help = "leave provenance out of the output" },
    { .name = "help", .letter = 'h', .type = OPT_FLAG,
      .help = "print this and exit; --help=man and --help=complete print "
              "the generated part of the man page and a bash completion" },
    { .name = "version", .type = OPT_FLAG,
      .help = "print the versions of program, format and libraries and "
              "exit" },
    { .name = NULL },
};

/* Everything that was printed reached its file; closing tells the last of
 * it. Where the program closed stdout itself, that was checked there. */
static int
close_stdout(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)
        && (close(STDOUT_FILENO) == 0 || errno == EBADF))
        return 0;
    log_error("stdout: %s", errno ? strerror(errno) : "write error");
    return 1;
}

/* The front runs a program by the name "graft NAME". */
static const char *
called_as(const struct tool *t, const char *argv0)
{
    static const char front[] = "graft ";
    size_t n = sizeof(front) - 1;

    if (argv0 != NULL && strncmp(argv0, front, n) == 0
        && strcmp(argv0 + n, t->name) == 0)
        return argv0;
    return t->name;
}

static int
print_help(const struct tool *t, const char *called, const char *what,
           struct err *e)
{
    if (what == NULL)
        help_print(t, called);
    else if (strcmp(what, "man") == 0)
        help_man(t);
    else if (strcmp(what, "complete") == 0)
        help_completion(t);
    else
        return err_set(e, ERR_USAGE, "--help: bad value (found '%s', "
                       "expected man|complete)", what);
    return 0;
}

int
common_apply(const struct tool *t, const struct opt *o, const char *value,
             struct args *args, struct err *e)
{
    bool help = strcmp(o->name, "help") == 0;

    if (value != NULL && !help)
        return err_set(e, ERR_USAGE, "--%s takes no value", o->name);
    if (help && print_help(t, args->called, value, e) < 0)
        return e->code;
    if (strcmp(o->name, "version") == 0)
        version_print(t);
    if (help || strcmp(o->name, "version") == 0)
        exit(close_stdout());
    if (strcmp(o->name, "no-prov") == 0) {
        args->no_prov = true;
        return 0;
    }
    args->quiet = strcmp(o->name, "quiet") == 0;
    log_setup(t->name, args->quiet ? -1 : 1);
    return 0;
}

size_t
opt_count(const struct tool *t)
{
    size_t n = 0;

    while (t->opts[n].name != NULL)
        n++;
    return n;
}

/* The row of that name in a table, or its end. */
static const struct opt *
row_named(const struct opt *table, const char *name)
{
    while (table->name != NULL && strcmp(table->name, name) != 0)
        table++;
    return table;
}

/* t with one table instead of two. It lives on. */
static const struct tool *
join_tables(const struct tool *t)
{
    static struct tool joined;
    size_t n = 0;
    struct opt *row;

    if (t->shared == NULL)
        return t;
    while (t->shared[n].name != NULL)
        n++;
    row = mem_array(n + opt_count(t) + 1, sizeof(*row));
    joined = *t;
    joined.opts = row;
    for (const struct opt *o = t->shared; o->name != NULL; o++) {
        const struct opt *own = row_named(t->opts, o->name);

        *row++ = own->name != NULL ? *own : *o;
    }
    for (const struct opt *o = t->opts; o->name != NULL; o++)
        if (row_named(t->shared, o->name)->name == NULL)
            *row++ = *o;
    return &joined;
}

static int
set_defaults(const struct tool *t, void *opts, struct err *e)
{
    int rc = 0;

    for (const struct opt *o = t->opts; o->name != NULL && rc == 0; o++) {
        value_init(o, opts);
        if (o->def != NULL)
            rc = value_parse(o, opts, o->def, e);
    }
    return rc;
}

void
tool_start(const struct tool *t, void *opts, struct args *args, int argc,
           char **argv)
{
    struct err e;
    int rc;

    io_start();
    term_setup(getenv("TERM"));
    log_setup(t->name, 0);
    t = join_tables(t);
    memset(args, 0, sizeof(*args));
    args->tool = t;
    args->called = called_as(t, argv[0]);
    args->operand = mem_array((size_t)argc + 1, sizeof(*args->operand));
    args->given = mem_array(opt_count(t) + 1, sizeof(*args->given));
    rc = set_defaults(t, opts, &e);
    if (rc == 0)
        rc = parse_line(t, opts, args, argc, argv, &e);
    if (rc < 0) {
        log_error("%s", e.text);
        exit(-e.code);
    }
}

int
tool_end(int rc, const struct err *e)
{
    progress_end();
    if (rc >= 0)
        return close_stdout() != 0 ? 1 : rc;
    log_error("%s", e->text);
    io_cleanup();
    return -rc;
}

bool
tool_on_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

bool
tool_given(const struct args *args, const char *name)
{
    for (size_t i = 0; args->tool->opts[i].name != NULL; i++) {
        if (strcmp(args->tool->opts[i].name, name) == 0)
            return args->given[i];
    }
    return false;
}
