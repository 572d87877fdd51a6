/* replace.c - an exchange of names, or two renames. */
#include "base/replace.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/io.h"

/* Of a file system that can't exchange. */
static int
step_aside(const char *path, const char *with, struct err *e)
{
    struct buf old;
    int rc = 0;

    buf_init(&old);
    buf_addf(&old, "%s.old", with);
    if (rename(path, old.data) != 0) {
        rc = err_errno(e, ERR_IO, "%s: rename", path);
    } else if (rename(with, path) != 0) {
        rc = err_errno(e, ERR_IO, "%s: rename", with);
        rename(old.data, path);
    } else {
        rc = path_remove(old.data, e);
    }
    buf_release(&old);
    return rc;
}

int
path_replace(const char *path, const char *with, struct err *e)
{
    if (!path_exists(path)) {
        if (rename(with, path) != 0)
            return err_errno(e, ERR_IO, "%s: rename", with);
        return 0;
    }
    if (renameat2(AT_FDCWD, with, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
        return path_remove(with, e);
    return step_aside(path, with, e);
}
