/* aside.c - files are the same if device and inode are: names may differ. */
#include "cli/aside.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

static bool
is_same(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev
           && x.st_ino == y.st_ino;
}

static bool
is_open_as(const char *path, int fd)
{
    struct stat x, y;

    return stat(path, &x) == 0 && fstat(fd, &y) == 0 && x.st_dev == y.st_dev
           && x.st_ino == y.st_ino;
}

int
aside_check(const char *option, const char *path, const char *const *input,
            size_t n, struct err *e)
{
    char *parent;
    int rc;

    if (strcmp(path, "-") == 0 || is_open_as(path, STDOUT_FILENO))
        return err_set(e, ERR_USAGE, "--%s is a file's name: stdout has the "
                       "output", option);
    rc = out_check(path, NULL, e);
    if (rc == 0 && is_open_as(path, STDIN_FILENO))
        rc = err_set(e, ERR_EXISTS, "%s: is the input, too", path);
    parent = path_parent(path);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (input[i] != NULL
            && (is_same(path, input[i]) || is_same(parent, input[i])))
            rc = err_set(e, ERR_EXISTS, "%s: is of the input %s, too", path,
                         input[i]);
    free(parent);
    return rc;
}
