/* io_tree.c - the walk behind path_remove and the clean-up on signals.
 *
 * Reads directories with getdents64 itself: readdir allocates. Removing
 * entries while reading may hide others, so a directory is read from the
 * start until a pass finds nothing.
 */
#include "base/io_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_DEPTH 64

static int remove_at(int at, const char *name, int depth);

/* Removes the entries in one buffer of getdents64; the count, or -1. */
static int
remove_entries(int fd, const char *buf, long n, int depth)
{
    const char *name;
    unsigned short len;
    int count = 0;
    long at;

    for (at = 0; at < n; at += len) {
        memcpy(&len, buf + at + offsetof(struct dirent64, d_reclen),
               sizeof(len));
        name = buf + at + offsetof(struct dirent64, d_name);
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (remove_at(fd, name, depth + 1) < 0)
            return -1;
        count++;
    }
    return count;
}

static int
remove_content(int fd, int depth)
{
    char buf[2048];
    int removed = 1, k;
    long n;

    while (removed > 0) {
        removed = 0;
        if (lseek(fd, 0, SEEK_SET) < 0)
            return -1;
        while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
            k = remove_entries(fd, buf, n, depth);
            if (k < 0)
                return -1;
            removed += k;
        }
        if (n < 0)
            return -1;
    }
    return 0;
}

static int
remove_at(int at, const char *name, int depth)
{
    int fd, rc, why;

    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    if (depth == MAX_DEPTH) {
        errno = ELOOP;
        return -1;
    }
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    rc = remove_content(fd, depth);
    why = errno;
    close(fd);
    errno = why;
    if (rc == 0)
        rc = unlinkat(at, name, AT_REMOVEDIR);
    return rc;
}

int
tree_remove(int at, const char *name)
{
    return remove_at(at, name, 0);
}
