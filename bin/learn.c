/* learn.c - from a repository to a scored adapter: runs the pipeline repo.mk,
 * which is in share/graft of an installation, or in the source tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/options.h"
#include "tool/tool.h"

struct options {
    const char *base, *out, *config;
    uint64_t threads;
};

static const struct opt table[] = {
    { BASE_OPTION, AT(base) },
    { .name = "out", .letter = 'o', .type = OPT_STRING, AT(out), .arg = "WORK",
      .def = "work", .help = "directory that everything is made in" },
    { .name = "config", .type = OPT_STRING, AT(config), .arg = "FILE",
      .help = "run file of train, or the name of one that is installed, as "
              "smollm2-135m" },
    { THREADS_OPTION, AT(threads),
      .help = "threads; 0 for one a processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "learn",
    .summary = "learn a repository: from its history to a scored adapter",
    .operands = "REPO [NAME=VALUE]...",
    .min_operands = 1,
    .max_operands = (size_t)-1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "",
};

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

/* The directories of the programs, this one's own, and of the pipelines, which
 * are in share/graft beside libexec/graft, beside build/bin, or above
 * build/san/bin. */
struct places {
    char *programs, *pipelines;
};

static void
places_release(struct places *p)
{
    free(p->programs);
    free(p->pipelines);
}

static int
find_places(struct places *p, struct err *e)
{
    static const char *const above[] = { "share/graft/pipelines",
                                         "pipelines", "../pipelines" };
    char *up, *prefix;

    p->pipelines = NULL;
    if (path_program(&p->programs, e) < 0)
        return e->code;
    up = path_parent(p->programs);
    prefix = path_parent(up);
    for (size_t i = 0; i < COUNT(above) && p->pipelines == NULL; i++) {
        char *dir = path_join(prefix, above[i]);
        char *file = path_join(dir, "repo.mk");

        if (path_exists(file))
            p->pipelines = mem_strdup(dir);
        free(file);
        free(dir);
    }
    free(prefix);
    free(up);
    if (p->pipelines != NULL)
        return 0;
    err_set(e, ERR_IO, "%s: no pipelines/repo.mk belongs to this program",
            p->programs);
    places_release(p);
    return e->code;
}

/* The run file: what has that path or else that name. */
static int
find_config(char **out, const char *pipelines, const char *config,
            struct err *e)
{
    struct buf b;

    if (path_exists(config) || strchr(config, '/') != NULL) {
        *out = mem_strdup(config);
        return 0;
    }
    buf_init(&b);
    buf_addf(&b, "%s/configs/%s.json", pipelines, config);
    *out = b.data;
    if (path_exists(*out))
        return 0;
    err_set(e, ERR_USAGE, "--config: no file '%s', and none of that name in "
            "%s/configs", config, pipelines);
    free(*out);
    *out = NULL;
    return ERR_USAGE;
}

/* What repo.mk takes: what may be said here, */
static const char *const settings[] = {
    "SCRAPE", "SCRUB", "DEDUP", "SPLIT", "LORA", "SCORE", "TEMPLATE", "LOSS",
    "SEQ_LEN", "FORMAT"
};

/* what this program says, and what goes with no base. */
static const char *const others[] = {
    "REPO", "BASE", "WORK", "CONFIG", "THREADS", "BIN",
    "HEADERS", "HEADER_FILES", "ARCH", "VOCAB", "PRETRAIN"
};

/* By which a make that this one works for would tell it what to do. */
static const char *const of_make[] = {
    "MAKEFLAGS", "GNUMAKEFLAGS", "MFLAGS", "MAKEFILES", "MAKELEVEL",
    "GRAFT_QUIET"
};

static int
check_setting(const char *word, struct err *e)
{
    size_t n = strcspn(word, "=");

    for (size_t i = 0; i < COUNT(settings) && word[n] == '='; i++)
        if (strlen(settings[i]) == n && strncmp(word, settings[i], n) == 0)
            return 0;
    return err_set(e, ERR_USAGE, "'%s' (expected NAME=VALUE, such as "
                   "SCRUB=none; see the man page)", word);
}

static char *
setting(const char *name, const char *value)
{
    struct buf b;

    buf_init(&b);
    buf_addf(&b, "%s=%s", name, value);
    return b.data;
}

/* Of the environment they would be taken, too, whatever they mean there. */
static void
unset_all(const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        unsetenv(names[i]);
}

/* Becomes make. */
static int
become_make(const struct options *o, const struct args *args,
            const struct places *p, const char *config, struct err *e)
{
    char **word = mem_array(args->n + 12, sizeof(*word));
    char threads[24];
    size_t n = 0;

    unset_all(settings, COUNT(settings));
    unset_all(others, COUNT(others));
    unset_all(of_make, COUNT(of_make));
    if (args->quiet)
        setenv("GRAFT_QUIET", "1", 1);
    snprintf(threads, sizeof(threads), "%llu", (unsigned long long)o->threads);
    word[n++] = mem_strdup("make");
    word[n++] = mem_strdup("-s");
    word[n++] = mem_strdup("--no-print-directory");
    word[n++] = mem_strdup("-f");
    word[n++] = path_join(p->pipelines, "repo.mk");
    word[n++] = setting("REPO", args->operand[0]);
    word[n++] = setting("BASE", o->base);
    word[n++] = setting("WORK", o->out);
    word[n++] = setting("BIN", p->programs);
    if (tool_given(args, "threads"))
        word[n++] = setting("THREADS", threads);
    if (config != NULL)
        word[n++] = setting("CONFIG", config);
    for (size_t i = 1; i < args->n; i++)
        word[n++] = mem_strdup(args->operand[i]);
    word[n] = NULL;
    log_debug("make -f %s, and what was chosen", word[4]);
    execvp("make", word);
    err_errno(e, ERR_IO, "make");
    while (n > 0)
        free(word[--n]);
    free(word);
    return e->code;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct places p;
    char *config = NULL;
    int rc = 0;

    if (args->no_prov)
        rc = err_set(e, ERR_USAGE, "--no-prov: what is made here says how it "
                     "was made");
    for (size_t i = 1; i < args->n && rc == 0; i++)
        rc = check_setting(args->operand[i], e);
    if (rc == 0)
        rc = find_places(&p, e);
    if (rc < 0)
        return rc;
    if (o->config != NULL)
        rc = find_config(&config, p.pipelines, o->config, e);
    if (rc == 0)
        rc = become_make(o, args, &p, config, e);
    free(config);
    places_release(&p);
    return rc;
}
