/* set_dir.c - tells leftovers of a set's maker from files of others, by
 * their names, and removes no others. */
#include "stream/set_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "stream/set.h"

/* Whether a name in the directory is one that a set's maker leaves. */
static bool
is_ours(const char *name)
{
    size_t digits = strspn(name, "0123456789");

    if (strcmp(name, ".lock") == 0 || strstr(name, ".tmp."))
        return true;
    if (strncmp(name, "lengths-", 8) == 0)
        return strspn(name + 8, "0123456789abcdef") == 16 && !name[24];
    return digits >= 5 && name[digits] == '-'
           && strspn(name + digits + 1, "0123456789abcdef") == 16
           && strcmp(name + digits + 17, ".graft") == 0;
}

int
set_dir_make(const char *dir, bool *made, struct err *e)
{
    struct stat st;
    char *parent;
    int rc = dir_check_name(dir, e);

    if (rc < 0)
        return rc;
    if (lstat(dir, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        return err_set(e, ERR_EXISTS, "%s: exists and is no directory",
                       dir);
    }
    parent = path_parent(dir);
    io_temp_add_empty(dir);
    if (mkdir(dir, 0777) < 0) {
        rc = err_errno(e, errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s",
                       dir);
        io_temp_drop(dir);
    } else {
        *made = true;
        rc = dir_sync(parent, e);
    }
    free(parent);
    return rc;
}

/* ERR_EXISTS when there is anything but leftovers of a set's maker. A
 * manifest that is no set's may be that of a damaged one: only --replace
 * goes over it. */
static int
check_no_others(const char *dir, bool replace, struct err *e)
{
    size_t n, i;
    char **names;
    int rc;

    rc = dir_list(&names, &n, dir, e);
    if (rc < 0)
        return rc;
    for (i = 0; i < n && rc == 0; i++)
        if (!is_ours(names[i])
            && !(replace && strcmp(names[i], MANIFEST_NAME) == 0))
            rc = err_set(e, ERR_EXISTS, "%s: not empty, and no shard set "
                         "(found %s)", dir, names[i]);
    dir_list_free(names, n);
    return rc;
}

int
set_dir_check(const char *dir, bool replace, struct err *e)
{
    struct set old;
    int rc;

    if (dir_has(dir, MANIFEST_NAME)) {
        if (set_is(dir))
            return 0;
        rc = set_open(&old, dir, NULL, e);
        if (rc == 0)
            set_release(&old);
        if (rc != ERR_DATA)
            return rc;
    }
    return check_no_others(dir, replace, e);
}

int
set_dir_clean(const char *dir, const struct manifest *keep, struct err *e)
{
    size_t n, i, k;
    char **names, *path;
    bool stray;
    int rc;

    rc = dir_list(&names, &n, dir, e);
    if (rc < 0)
        return rc;
    for (i = 0; i < n && rc == 0; i++) {
        stray = is_ours(names[i]) && (!keep || strcmp(names[i], ".lock"));
        for (k = 0; stray && keep && k < keep->n_files; k++)
            stray = strcmp(keep->file[k].name, names[i]) != 0;
        if (keep && strcmp(keep->lengths.name, names[i]) == 0)
            stray = false;
        if (!stray)
            continue;
        path = path_join(dir, names[i]);
        rc = path_remove(path, e);
        free(path);
    }
    dir_list_free(names, n);
    return rc;
}
