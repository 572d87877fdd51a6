/* start.c - from the command line to options, and from a result to an exit
 * status. This layer alone prints, exits and knows about argv. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "tool/internal.h"

#ifndef GRAFT_VERSION
#define GRAFT_VERSION "0.1.0"
#endif

const struct opt tool_common[] = {
    { .name = "quiet", .letter = 'q', .type = OPT_FLAG,
      .help = "only errors on stderr" },
    { .name = "verbose", .letter = 'v', .type = OPT_FLAG,
      .help = "details on stderr" },
    { .name = "no-prov", .type = OPT_FLAG,
      .help = "leave provenance out of the output" },
    { .name = "help", .letter = 'h', .type = OPT_FLAG,
      .help = "print this and exit; --help=man and --help=complete print "
              "the man page's options and a bash completion" },
    { .name = "version", .type = OPT_FLAG,
      .help = "print the versions of program and formats and exit" },
    { .name = NULL },
};

const char *
tool_version(void)
{
    return GRAFT_VERSION;
}

/* How far apart two names are: insertions, deletions, replacements. */
static size_t
distance(const char *a, size_t n, const char *b)
{
    size_t m = strlen(b), row[64];

    if (m >= 63 || n >= 63)
        return 64;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const struct opt *
opt_find(const struct tool *t, const char *name, size_t n,
         const char **nearest)
{
    const struct opt *tables[] = { t->opts, tool_common };
    size_t least = 4;

    *nearest = NULL;
    for (int k = 0; k < 2; k++) {
        for (const struct opt *o = tables[k]; o->name != NULL; o++) {
            size_t d = distance(name, n, o->name);

            if (d == 0)
                return o;
            if (d < least) {
                least = d;
                *nearest = o->name;
            }
        }
    }
    return NULL;
}

static void
exit_failed(const struct err *e)
{
    log_error("%s", e->text);
    exit(-e->code);
}

static void
exit_done(void)
{
    if (fflush(stdout) != 0 || ferror(stdout) || close(1) != 0) {
        log_error("stdout: write error");
        exit(1);
    }
    exit(0);
}

static void
print_version(const struct tool *t)
{
    printf("%s (graft) %s\nstream format 1\n", t->name, tool_version());
}

/* --help, --version, -q and the like. value: after "=", or NULL. */
static void
set_common(const struct tool *t, const struct opt *o, const char *value,
           struct args *args, int *verbosity)
{
    if (strcmp(o->name, "help") == 0) {
        if (value != NULL && strcmp(value, "man") == 0)
            help_man(t);
        else if (value != NULL && strcmp(value, "complete") == 0)
            help_completion(t);
        else
            help_print(t);
        exit_done();
    }
    if (strcmp(o->name, "version") == 0) {
        print_version(t);
        exit_done();
    }
    if (strcmp(o->name, "no-prov") == 0)
        args->no_prov = true;
    else
        *verbosity = strcmp(o->name, "quiet") == 0 ? -1 : 1;
}

bool
opt_is_common(const struct opt *o)
{
    for (const struct opt *c = tool_common; c->name != NULL; c++) {
        if (c == o)
            return true;
    }
    return false;
}

/* What the parser walks over: the words of the command line. */
struct words {
    const struct tool *t;
    void *opts;
    struct args *args;
    int argc, at, verbosity;
    char **argv;
    bool *seen; /* by index of the table: set on the command line */
    struct err e;
};

/* Applies an option: value given after "=" or the letter, else the next
 * word. */
static int
apply(struct words *w, const struct opt *o, const char *value)
{
    struct opt_list *list = (void *)((char *)w->opts + o->offset);

    if (opt_is_common(o)) {
        set_common(w->t, o, value, w->args, &w->verbosity);
        return 0;
    }
    if (o->type == OPT_FLAG) {
        if (value != NULL)
            return err_set(&w->e, ERR_USAGE, "--%s takes no value", o->name);
        value = "true";
    } else if (value == NULL) {
        if (w->at >= w->argc)
            return err_set(&w->e, ERR_USAGE, "--%s needs a value (%s)",
                           o->name, o->arg);
        value = w->argv[w->at++];
    }
    if (o->type == OPT_LIST && !w->seen[o - w->t->opts])
        list->n = 0; /* replaces the default or the run file's */
    w->seen[o - w->t->opts] = w->args->given[o - w->t->opts] = true;
    return value_parse(o, w->opts, value, &w->e);
}

static int
long_option(struct words *w, const char *word)
{
    size_t n = strcspn(word, "=");
    const char *nearest;
    const struct opt *o = opt_find(w->t, word, n, &nearest);

    if (o == NULL)
        return err_set(&w->e, ERR_USAGE, "unknown option --%.*s%s%s%s",
                       (int)n, word, nearest ? " (did you mean --" : "",
                       nearest ? nearest : "", nearest ? "?)" : "");
    return apply(w, o, word[n] == '=' ? word + n + 1 : NULL);
}

static const struct opt *
find_letter(const struct tool *t, char letter)
{
    const struct opt *tables[] = { t->opts, tool_common };

    for (int k = 0; k < 2; k++) {
        for (const struct opt *o = tables[k]; o->name != NULL; o++) {
            if (o->letter == letter)
                return o;
        }
    }
    return NULL;
}

static int
short_options(struct words *w, const char *word)
{
    int rc = 0;

    while (*word != '\0' && rc == 0) {
        const struct opt *o = find_letter(w->t, *word);

        if (o == NULL)
            return err_set(&w->e, ERR_USAGE, "unknown option -%c", *word);
        word++;
        if (o->type == OPT_FLAG) {
            rc = apply(w, o, NULL);
        } else {
            rc = apply(w, o, *word != '\0' ? word : NULL);
            break;
        }
    }
    return rc;
}

static int
parse_words(struct words *w)
{
    bool only_operands = false;
    int rc = 0;

    while (w->at < w->argc && rc == 0) {
        char *word = w->argv[w->at++];

        if (only_operands || word[0] != '-' || word[1] == '\0')
            w->args->operand[w->args->n++] = word;
        else if (strcmp(word, "--") == 0)
            only_operands = true;
        else if (word[1] == '-')
            rc = long_option(w, word + 2);
        else
            rc = short_options(w, word + 1);
    }
    return rc;
}

static int
set_defaults(const struct tool *t, void *opts, struct err *e)
{
    int rc = 0;

    for (const struct opt *o = t->opts; o->name != NULL && rc == 0; o++) {
        if (o->def != NULL)
            rc = value_parse(o, opts, o->def, e);
    }
    return rc;
}

/* The run file is read first, so that the command line wins. */
static int
read_configs(struct words *w)
{
    const struct tool *t = w->t;
    int rc = 0;

    for (const struct opt *o = t->opts; o->name != NULL && rc == 0; o++) {
        const char *flag = o->name;
        size_t n = strlen(flag);

        for (int i = 1; o->type == OPT_CONFIG && i < w->argc && rc == 0;
             i++) {
            const char *word = w->argv[i];

            if (strncmp(word, "--", 2) != 0
                || strncmp(word + 2, flag, n) != 0)
                continue;
            if (word[2 + n] == '=')
                rc = config_read(t, w->opts, w->args, word + 3 + n, &w->e);
            else if (word[2 + n] == '\0' && i + 1 < w->argc)
                rc = config_read(t, w->opts, w->args, w->argv[i + 1],
                                 &w->e);
        }
    }
    return rc;
}

static int
check_operands(struct words *w)
{
    const struct tool *t = w->t;
    size_t n = w->args->n;

    if (n < t->min_operands)
        return err_set(&w->e, ERR_USAGE, "missing operand (expected %s; see "
                       "%s --help)", t->operands, t->name);
    if (n > t->max_operands)
        return err_set(&w->e, ERR_USAGE, "extra operand '%s'",
                       w->args->operand[t->max_operands]);
    return 0;
}

static size_t
count_opts(const struct tool *t)
{
    size_t n = 0;

    while (t->opts[n].name != NULL)
        n++;
    return n;
}

void
tool_start(const struct tool *t, void *opts, struct args *args, int argc,
           char **argv)
{
    struct words w = { .t = t, .opts = opts, .args = args, .argc = argc,
                       .at = 1, .argv = argv };
    int rc;

    io_start();
    log_setup(t->name, 0);
    memset(args, 0, sizeof(*args));
    args->tool = t;
    args->operand = mem_array((size_t)argc + 1, sizeof(*args->operand));
    args->given = mem_array(count_opts(t) + 1, sizeof(*args->given));
    w.seen = mem_array(count_opts(t) + 1, sizeof(*w.seen));
    rc = set_defaults(t, opts, &w.e);
    if (rc == 0)
        rc = read_configs(&w);
    if (rc == 0)
        rc = parse_words(&w);
    if (rc == 0)
        rc = check_operands(&w);
    if (rc < 0)
        exit_failed(&w.e);
    free(w.seen);
    log_setup(t->name, w.verbosity);
}

int
tool_end(int rc, const struct err *e)
{
    log_progress("%s", "");
    if (rc < 0) {
        log_error("%s", e->text);
        io_cleanup();
        return -rc;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_error("stdout: write error");
        return 1;
    }
    return rc;
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

static const char *
id_for(const char *const *ids, const char *name)
{
    for (; ids != NULL && *ids != NULL; ids += 2) {
        if (strcmp(*ids, name) == 0)
            return ids[1];
    }
    return NULL;
}

char *
tool_prov(const struct args *args, const void *opts, const char *const *ids)
{
    const struct tool *t = args->tool;
    struct buf b, v;
    char *line;

    if (args->no_prov)
        return NULL;
    buf_init(&b);
    buf_init(&v);
    buf_addf(&b, "%s %s", t->name, tool_version());
    for (const struct opt *o = t->opts; o->name != NULL; o++) {
        const char *id = id_for(ids, o->name);

        if (!o->output && id == NULL)
            continue;
        buf_reset(&v);
        value_format(o, opts, &v);
        if (id != NULL || v.len > 0)
            buf_addf(&b, " %s=%s", o->name, id ? id : v.data);
    }
    line = mem_strdup(b.data);
    buf_release(&b);
    buf_release(&v);
    return line;
}

void
tool_json(const struct args *args, const void *opts, struct buf *out)
{
    const struct tool *t = args->tool;
    const char *comma = "";
    struct buf v;

    buf_init(&v);
    for (const struct opt *o = t->opts; o->name != NULL; o++) {
        const struct opt_list *list
            = (const void *)((const char *)opts + o->offset);

        if (o->type == OPT_CONFIG)
            continue;
        buf_reset(&v);
        value_format(o, opts, &v);
        buf_addf(out, "%s\"%s\": ", comma, o->name);
        comma = ", ";
        if (o->type == OPT_LIST) {
            buf_addc(out, '[');
            for (size_t i = 0; i < list->n; i++) {
                buf_addstr(out, i ? ", " : "");
                json_put_string(out, list->item[i], strlen(list->item[i]));
            }
            buf_addc(out, ']');
        } else if (o->type == OPT_STRING && v.len == 0) {
            buf_addstr(out, "null");
        } else if (o->type == OPT_STRING || o->type == OPT_CHOICE) {
            json_put_string(out, v.data, v.len);
        } else {
            buf_addstr(out, v.data);
        }
    }
    buf_release(&v);
}
