/* object_dirs.h - the directories that a repository's objects are in: its
 * own and its alternates. Private to lib/repo.
 *
 * What would hang a reader or lead it elsewhere is refused: devices, FIFOs,
 * and, without trust, symbolic links and alternates.
 */
#ifndef REPO_OBJECT_DIRS_H
#define REPO_OBJECT_DIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct object_dirs {
    char **dir;
    size_t n;
    bool has_loose[256]; /* there are loose objects of that first byte */
};

/* Appends dir. ERR_DATA when something there, or in its pack/, is neither
 * file nor directory. */
int object_dirs_add(struct object_dirs *d, const char *dir, bool trust,
                    struct err *e);

/* Appends what directory `of` names in info/alternates, but for what is here
 * already. ERR_DATA without trust, ERR_LIMIT over 16 directories. */
int object_dirs_alternates(struct object_dirs *d, size_t of, bool trust,
                           struct err *e);
void object_dirs_release(struct object_dirs *d);

#endif
