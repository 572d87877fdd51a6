/* graft.c - the front: `graft train ...` runs train.
 *
 * The programs are the executable files of one directory: ../libexec/graft
 * beside this program, or, in a build tree, its own directory. What they are
 * is asked of themselves, so nothing lists them by hand. A program is run by
 * the name "graft NAME", which is how it speaks of itself in its usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "tool/tool.h"

struct options {
    bool exec_path;
};

static const struct opt table[] = {
    { .name = "exec-path", .type = OPT_FLAG, AT(exec_path),
      .help = "print the directory of the programs and exit" },
    { .name = NULL },
};

static tool_run run;
static void list_programs(void);

const struct tool tool = {
    .name = "graft",
    .summary = "turn a git history into a LoRA adapter",
    .operands = "[help] [PROGRAM [ARGUMENT]...]",
    .max_operands = (size_t)-1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "",
    .options_first = true,
    .more_help = list_programs,
};

/* The directory of the programs; the caller frees it. */
static int
exec_path(char **out, struct err *e)
{
    char *own, *prefix, *installed;
    int rc = path_program(&own, e);

    if (rc < 0)
        return rc;
    prefix = path_parent(own);
    installed = path_join(prefix, "libexec/graft");
    if (path_exists(installed)) {
        *out = installed;
        free(own);
    } else {
        *out = own;
        free(installed);
    }
    free(prefix);
    return 0;
}

/* What `path --help` prints, into b. */
static int
ask(struct buf *b, const char *path)
{
    int fd[2], status;
    ssize_t n;
    pid_t pid;

    if (pipe(fd) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        if (dup2(fd[1], STDOUT_FILENO) >= 0)
            execl(path, path, "--help", (char *)NULL);
        _exit(127);
    }
    close(fd[1]);
    while ((n = read(fd[0], buf_room(b, 4096), 4096)) > 0)
        b->len += (size_t)n;
    close(fd[0]);
    b->data[b->len] = '\0';
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
        return -1;
    return 0;
}

/* The second line of a program's help: "NAME - SUMMARY". */
static void
print_summary(const char *dir, const char *name)
{
    char *path = path_join(dir, name), *line;
    size_t skip = strlen(name) + 3;
    struct buf help;

    buf_init(&help);
    if (access(path, X_OK) == 0 && ask(&help, path) == 0) {
        line = strchr(help.data, '\n');
        if (line != NULL && strlen(++line) > skip)
            printf("  %-14s %.*s\n", name, (int)strcspn(line + skip, "\n"),
                   line + skip);
    }
    buf_release(&help);
    free(path);
}

static void
list_programs(void)
{
    char *dir = NULL, **names = NULL;
    size_t n = 0;
    struct err e;

    if (exec_path(&dir, &e) < 0 || dir_list(&names, &n, dir, &e) < 0)
        printf("\nno programs: %s\n", e.text);
    else
        printf("\nPrograms:\n");
    fflush(stdout); /* a child must not print it again */
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], tool.name) != 0)
            print_summary(dir, names[i]);
    }
    dir_list_free(names, n);
    free(dir);
}

/* The program's file, which the caller frees; ERR_USAGE names what there is
 * that is spelled much like it. */
static int
find_program(char **out, const char *dir, const char *name, struct err *e)
{
    char *path = path_join(dir, name), **names = NULL;
    bool own = strcmp(name, tool.name) == 0;
    const char *near;
    struct err unlisted;
    size_t n = 0;

    if (!own && strchr(name, '/') == NULL && *name != '\0'
        && access(path, X_OK) == 0) {
        *out = path;
        return 0;
    }
    free(path);
    dir_list(&names, &n, dir, &unlisted);
    near = tool_nearest(name, (const char *const *)names, n);
    if (near == NULL || strcmp(near, tool.name) == 0)
        err_set(e, ERR_USAGE, "no program '%s' (see graft --help)", name);
    else
        err_set(e, ERR_USAGE, "no program '%s' (did you mean %s?)", name,
                near);
    dir_list_free(names, n);
    return ERR_USAGE;
}

/* Becomes the program; word[] are its name and arguments. */
static int
become(const char *dir, char **word, struct err *e)
{
    struct buf called;
    char *path;
    int rc = find_program(&path, dir, word[0], e);

    if (rc < 0)
        return rc;
    buf_init(&called);
    buf_addf(&called, "%s %s", tool.name, word[0]);
    word[0] = called.data;
    execv(path, word);
    rc = err_errno(e, ERR_IO, "%s", path);
    buf_release(&called);
    free(path);
    return rc;
}

/* The page of a program, as installed or in the source tree; NULL if it is
 * in neither. The caller frees it. */
static char *
find_page(const char *dir, const char *name)
{
    bool front = strcmp(name, tool.name) == 0;
    char *at = mem_strdup(dir), *up, *page = NULL;
    struct buf b;

    buf_init(&b);
    while (page == NULL && strcmp(at, "/") != 0) {
        up = path_parent(at);
        free(at);
        at = up;
        buf_reset(&b);
        buf_addf(&b, "%s/share/man/man1/%s%s.1", at, front ? "" : "graft-",
                 name);
        if (!path_exists(b.data)) {
            buf_reset(&b);
            buf_addf(&b, "%s/man/man1/%s.1", at, name);
        }
        if (path_exists(b.data))
            page = mem_strdup(b.data);
    }
    buf_release(&b);
    free(at);
    return page;
}

/* Becomes a reader of the program's page, or, where there is no page or no
 * reader, its --help. name NULL: --help of the front, with the programs. */
static int
show_help(const char *dir, const char *name, struct err *e)
{
    static const char self[] = "/proc/self/exe";
    bool own = name == NULL || strcmp(name, tool.name) == 0;
    char *path, *page = NULL;

    if (!own) {
        if (find_program(&path, dir, name, e) < 0)
            return e->code;
        free(path);
    }
    if (name != NULL)
        page = find_page(dir, name);
    if (page != NULL) {
        execlp("man", "man", "-l", page, (char *)NULL);
        execlp("mandoc", "mandoc", "-a", page, (char *)NULL);
    }
    free(page);
    if (own)
        execl(self, tool.name, "--help", (char *)NULL);
    else
        execl(self, tool.name, name, "--help", (char *)NULL);
    return err_errno(e, ERR_IO, "%s", self);
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    bool help = args->n > 0 && strcmp(args->operand[0], "help") == 0;
    char *dir;
    int rc;

    if (!o->exec_path && args->n == 0)
        return err_set(e, ERR_USAGE, "missing operand (expected PROGRAM; "
                       "see graft --help)");
    if (help && args->n > 2)
        return err_set(e, ERR_USAGE, "extra operand '%s'", args->operand[2]);
    rc = exec_path(&dir, e);
    if (rc < 0)
        return rc;
    if (o->exec_path)
        puts(dir);
    else if (help)
        rc = show_help(dir, args->n > 1 ? args->operand[1] : NULL, e);
    else
        rc = become(dir, args->operand, e);
    free(dir);
    return rc;
}
