/* graft.c - the front: `graft train ...` runs train.
 *
 * The programs are the executable files of one directory: ../libexec/graft
 * beside this program, or, in a build tree, its own directory. What they are
 * is asked of themselves, so nothing lists them by hand.
 */
#include <errno.h>
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
    { .name = "exec-path", .type = OPT_FLAG,
      .offset = offsetof(struct options, exec_path),
      .help = "print the directory of the programs and exit" },
    { .name = NULL },
};

static void list_programs(void);

static const struct tool tool = {
    .name = "graft",
    .summary = "turn a git history into a LoRA adapter",
    .operands = "[PROGRAM [ARGUMENT]...]",
    .max_operands = (size_t)-1,
    .opts = table,
    .exits = "",
    .options_first = true,
    .more_help = list_programs,
};

/* The directory of the programs; the caller frees it. */
static int
exec_path(char **out, struct err *e)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *own, *prefix, *installed;

    if (n < 0 || n == (ssize_t)sizeof(self) - 1)
        return err_errno(e, ERR_IO, "/proc/self/exe");
    self[n] = '\0';
    own = path_parent(self);
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

static int
run(const struct options *o, const struct args *args, struct err *e)
{
    const char *name = args->n > 0 ? args->operand[0] : NULL;
    char *dir, *path;
    int rc;

    if (!o->exec_path && name == NULL)
        return err_set(e, ERR_USAGE, "missing operand (expected PROGRAM; "
                       "see graft --help)");
    rc = exec_path(&dir, e);
    if (rc < 0)
        return rc;
    if (o->exec_path) {
        puts(dir);
        free(dir);
        return 0;
    }
    path = path_join(dir, name);
    if (strchr(name, '/') != NULL || *name == '\0'
        || strcmp(name, tool.name) == 0 || access(path, X_OK) < 0) {
        rc = err_set(e, ERR_USAGE, "no program '%s' (see graft --help)",
                     name);
    } else {
        execv(path, args->operand);
        rc = err_errno(e, ERR_IO, "%s", path);
    }
    free(path);
    free(dir);
    return rc;
}

int
main(int argc, char **argv)
{
    struct options o;
    struct args args;
    struct err e;
    int rc;

    tool_start(&tool, &o, &args, argc, argv);
    rc = run(&o, &args, &e);
    return tool_end(rc, &e);
}
