/* scratch.h - files for targets whose reader takes a path: in a directory of
 * memory, as outputs are synced, that goes when the target ends. */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H

#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "fuzz.h"

static char scratch_dir[] = "/dev/shm/graft-fuzz-XXXXXX";

static void
scratch_remove(void)
{
    struct err e;
    char **names;
    size_t n;

    if (dir_list(&names, &n, scratch_dir, &e) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        char *path = path_join(scratch_dir, names[i]);

        unlink(path);
        free(path);
    }
    dir_list_free(names, n);
    rmdir(scratch_dir);
}

/* The path of the file of that name; the caller frees it. */
static inline char *
scratch_path(const char *name)
{
    static bool made;

    if (!made) {
        MUST(mkdtemp(scratch_dir));
        MUST(atexit(scratch_remove) == 0);
        made = true;
    }
    return path_join(scratch_dir, name);
}

/* p[n] as the file at path. */
static inline void
scratch_put(const char *path, const void *p, size_t n)
{
    struct err e;

    MUST(file_write(path, p, n, &e) == 0);
}

#endif
