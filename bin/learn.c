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

/* The directory of the pipelines, which the caller frees: in share/graft beside
 * libexec/graft, beside build/bin, or above build/san/bin. */
static int
find_pipelines(char **out, struct err *e)
{
    static const char *const places[] = { "share/graft/pipelines",
                                          "pipelines", "../pipelines" };
    char *own, *up, *prefix;
    int rc = path_program(&own, e);

    if (rc < 0)
        return rc;
    up = path_parent(own);
    prefix = path_parent(up);
    *out = NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0])
             && *out == NULL; i++) {
        char *dir = path_join(prefix, places[i]);
        char *file = path_join(dir, "repo.mk");

        if (path_exists(file))
            *out = mem_strdup(dir);
        free(file);
        free(dir);
    }
    if (*out == NULL)
        rc = err_set(e, ERR_IO, "%s: no pipelines/repo.mk belongs to this "
                     "program", own);
    free(prefix);
    free(up);
    free(own);
    return rc;
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

/* What repo.mk takes, in three parts: what may be said here, what this
 * program says, and what goes with no base. */
static const char *const settings[] = {
    "SCRAPE", "SCRUB", "DEDUP", "SPLIT", "LORA", "SCORE", "TEMPLATE", "LOSS",
    "SEQ_LEN", "FORMAT",
    "REPO", "BASE", "WORK", "CONFIG", "THREADS", "BIN",
    "HEADERS", "HEADER_FILES", "ARCH", "VOCAB", "PRETRAIN"
};

#define N_SETTINGS (sizeof(settings) / sizeof(*settings))
#define N_TAKEN 10 /* of the first part */

static int
check_setting(const char *word, struct err *e)
{
    size_t n = strcspn(word, "=");

    for (size_t i = 0; i < N_TAKEN && word[n] == '='; i++)
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

/* Becomes make. */
static int
become_make(const struct options *o, const struct args *args,
            const char *pipelines, const char *config, struct err *e)
{
    char **word = mem_array(args->n + 12, sizeof(*word));
    char threads[24];
    size_t n = 0;

    /* Of the environment they would be taken, too, whatever they mean there. */
    for (size_t i = 0; i < N_SETTINGS; i++)
        unsetenv(settings[i]);
    if (args->quiet)
        setenv("GRAFT_QUIET", "1", 1);
    snprintf(threads, sizeof(threads), "%llu", (unsigned long long)o->threads);
    word[n++] = mem_strdup("make");
    word[n++] = mem_strdup("-s");
    word[n++] = mem_strdup("--no-print-directory");
    word[n++] = mem_strdup("-f");
    word[n++] = path_join(pipelines, "repo.mk");
    word[n++] = setting("REPO", args->operand[0]);
    word[n++] = setting("BASE", o->base);
    word[n++] = setting("WORK", o->out);
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
    char *pipelines = NULL, *config = NULL;
    int rc = 0;

    if (args->no_prov)
        rc = err_set(e, ERR_USAGE, "--no-prov: what is made here says how it "
                     "was made");
    for (size_t i = 1; i < args->n && rc == 0; i++)
        rc = check_setting(args->operand[i], e);
    if (rc == 0)
        rc = find_pipelines(&pipelines, e);
    if (rc < 0)
        return rc;
    if (o->config != NULL)
        rc = find_config(&config, pipelines, o->config, e);
    if (rc == 0)
        rc = become_make(o, args, pipelines, config, e);
    free(config);
    free(pipelines);
    return rc;
}
