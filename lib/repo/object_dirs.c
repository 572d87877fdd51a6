/* object_dirs.c - lists what is in a directory of objects, judges it, and
 * follows info/alternates. */
#include "repo/object_dirs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/mem.h"

#define MAX_ALTERNATES 16

/* Refuses what would hang or mislead a reader of that directory. */
static int
check_dir(const char *dir, bool trust, struct err *e)
{
    char **name = NULL;
    char *path;
    struct stat st;
    size_t n = 0, i;
    int rc;

    rc = dir_list(&name, &n, dir, e);
    for (i = 0; rc == 0 && i < n; i++) {
        path = path_join(dir, name[i]);
        if ((trust ? stat(path, &st) : lstat(path, &st)) != 0)
            rc = errno == ENOENT ? 0 : err_errno(e, ERR_IO, "%s", path);
        else if (S_ISLNK(st.st_mode))
            rc = err_set(e, ERR_DATA, "%s: a symbolic link; "
                         "use --trust if it may be followed", path);
        else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            rc = err_set(e, ERR_DATA, "%s: neither file nor directory",
                         path);
        free(path);
    }
    dir_list_free(name, n);
    return rc;
}

static void
note_loose(struct object_dirs *d, const char *dir)
{
    struct stat st;
    char *path;
    char name[3];
    uint8_t first;
    int i;

    for (i = 0; i < 256; i++) {
        first = (uint8_t)i;
        path = path_join(dir, hex_put(name, &first, 1));
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            d->has_loose[i] = true;
        free(path);
    }
}

int
object_dirs_add(struct object_dirs *d, const char *dir, bool trust,
                struct err *e)
{
    char *sub;
    int rc;

    rc = check_dir(dir, trust, e);
    if (rc < 0)
        return rc;
    sub = path_join(dir, "pack");
    if (path_exists(sub))
        rc = check_dir(sub, trust, e);
    free(sub);
    if (rc < 0)
        return rc;
    note_loose(d, dir);
    d->dir = mem_grow(d->dir, (d->n + 1) * sizeof(*d->dir));
    d->dir[d->n++] = mem_strdup(dir);
    return 0;
}

/* That directory is one of those that are read already. */
static bool
known(const struct object_dirs *d, const struct stat *dir)
{
    struct stat st;
    size_t i;

    for (i = 0; i < d->n; i++) {
        if (stat(d->dir[i], &st) == 0 && st.st_dev == dir->st_dev
            && st.st_ino == dir->st_ino)
            return true;
    }
    return false;
}

/* A line of the file path, which is directory number of's info/alternates. */
static int
add_alternate(struct object_dirs *d, size_t of, const char *path,
              const char *line, bool trust, struct err *e)
{
    struct stat st;
    char *other;
    int rc = 0;

    if (!trust)
        return err_set(e, ERR_DATA, "%s: objects outside the repository; "
                       "use --trust to read them", path);
    if (d->n >= MAX_ALTERNATES)
        return err_set(e, ERR_LIMIT, "%s: too many alternates (limit %d)",
                       path, MAX_ALTERNATES);
    other = *line == '/' ? mem_strdup(line) : path_join(d->dir[of], line);
    if (stat(other, &st) != 0)
        rc = err_errno(e, ERR_DATA, "%s names %s", path, other);
    else if (!known(d, &st))
        rc = object_dirs_add(d, other, trust, e);
    free(other);
    return rc;
}

int
object_dirs_alternates(struct object_dirs *d, size_t of, bool trust,
                       struct err *e)
{
    struct in in;
    struct buf line;
    char *path;
    bool got = true, ended;
    int rc;

    path = path_join(d->dir[of], "info/alternates");
    if (!path_exists(path)) {
        free(path);
        return 0;
    }
    buf_init(&line);
    rc = in_open_regular(&in, path, e);
    while (rc == 0) {
        rc = in_line(&in, &line, 4096, &got, &ended, e);
        if (rc < 0 || !got)
            break;
        if (line.len > 0 && line.data[0] != '#')
            rc = add_alternate(d, of, path, line.data, trust, e);
    }
    in_release(&in);
    buf_release(&line);
    free(path);
    return rc;
}

void
object_dirs_release(struct object_dirs *d)
{
    size_t i;

    for (i = 0; i < d->n; i++)
        free(d->dir[i]);
    free(d->dir);
    memset(d, 0, sizeof(*d));
}
