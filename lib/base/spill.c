/* spill.c - a file without a name, mapped.
 *
 * Linux makes such a file with O_TMPFILE; where the file system can't, it has
 * a name for a moment.
 */
#include "base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

#define SMALLEST ((size_t)64 << 10)

/* A file that is there until it is opened, or -1. */
static int
open_named(const char *dir)
{
    char name[64], *path;
    int fd = -1, why = EEXIST;

    for (int i = 0; i < 100 && fd < 0 && why == EEXIST; i++) {
        snprintf(name, sizeof(name), "graft.tmp.%ld.%d", (long)getpid(), i);
        path = path_join(dir, name);
        io_temp_add(path);
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  0600);
        why = errno;
        if (fd >= 0)
            unlink(path);
        io_temp_drop(path);
        free(path);
    }
    errno = why;
    return fd;
}

int
spill_open(struct spill *s, const char *dir, struct err *e)
{
    int fd = open(dir, O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600);

    memset(s, 0, sizeof(*s));
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
        fd = open_named(dir);
    if (fd < 0)
        return err_errno(e, ERR_IO, "%s: no temporary file", dir);
    s->fd = fd;
    s->dir = mem_strdup(dir);
    return 0;
}

void
spill_release(struct spill *s)
{
    if (!s->dir)
        return;
    if (s->p)
        munmap(s->p, s->size);
    close(s->fd);
    free(s->dir);
    memset(s, 0, sizeof(*s));
}

int
spill_room(struct spill *s, size_t n, struct err *e)
{
    size_t size = s->size ? s->size : SMALLEST;
    void *p;
    int why;

    if (n <= s->size)
        return 0;
    while (size < n)
        size *= 2;
    do {
        why = posix_fallocate(s->fd, (off_t)s->size,
                              (off_t)(size - s->size));
    } while (why == EINTR);
    errno = why;
    if (why != 0)
        return err_errno(e, ERR_IO, "%s: %zu bytes for a temporary file",
                         s->dir, size);
    p = s->p ? mremap(s->p, s->size, size, MREMAP_MAYMOVE) :
               mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (p == MAP_FAILED)
        return err_errno(e, ERR_IO, "%s: mapping %zu bytes of a temporary "
                         "file", s->dir, size);
    s->p = p;
    s->size = size;
    return 0;
}
