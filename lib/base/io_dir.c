/* io_dir.c - a directory of several files: made beside its name, renamed when
 * all is in it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

int
out_dir_open(struct out_dir *d, const char *path, struct err *e)
{
    struct buf temp;
    size_t n = strlen(path);
    int rc;

    memset(d, 0, sizeof(*d));
    while (n > 1 && path[n - 1] == '/')
        n--;
    buf_init(&temp);
    buf_addf(&temp, "%.*s.tmp.%ld", (int)n, path, (long)getpid());
    d->path = mem_dup(path, n);
    d->temp = mem_dup(temp.data, temp.len);
    buf_release(&temp);
    rc = dir_check_name(path, e);
    if (rc == 0 && path_exists(d->path))
        rc = err_set(e, ERR_EXISTS, "%s: exists", d->path);
    else if (rc == 0 && mkdir(d->temp, 0777) < 0)
        rc = err_errno(e, ERR_IO, "%s", d->temp);
    if (rc == 0) {
        io_temp_add(d->temp);
    } else {
        free(d->temp);
        free(d->path);
        memset(d, 0, sizeof(*d));
    }
    return rc;
}

int
out_dir_put(struct out_dir *d, const char *name, const void *p, size_t n,
            struct err *e)
{
    char *full = path_join(d->temp, name);
    int rc = file_write(full, p, n, e);

    free(full);
    return rc;
}

int
out_dir_commit(struct out_dir *d, struct err *e)
{
    char *parent;
    int rc;

    rc = dir_sync(d->temp, e);
    if (rc < 0)
        return rc;
    if (rename(d->temp, d->path) < 0)
        return err_errno(e, errno == ENOTEMPTY || errno == EEXIST
                         ? ERR_EXISTS : ERR_IO, "%s", d->path);
    io_temp_drop(d->temp);
    free(d->temp);
    d->temp = NULL;
    parent = path_parent(d->path);
    rc = dir_sync(parent, e);
    free(parent);
    return rc;
}

void
out_dir_release(struct out_dir *d)
{
    struct err ignored;

    if (d->temp) {
        path_remove(d->temp, &ignored);
        io_temp_drop(d->temp);
    }
    free(d->temp);
    free(d->path);
    memset(d, 0, sizeof(*d));
}
