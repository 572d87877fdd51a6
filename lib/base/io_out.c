/* io_out.c - outputs: a temporary beside the name, synced and renamed.
 *
 * The temporary is made with the mode 0666 less the umask, exclusively, so
 * neither two programs nor a link put in its place get between. close is
 * checked: on some file systems it is where a full quota shows.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/term.h"

#define BUFFER (128 << 10)

static const char *
name_of(const struct out *o)
{
    return o->path ? o->path : "stdout";
}

/* Refuses names whose replacement by a file would be a surprise. */
static int
check_target(const char *path, struct err *e)
{
    const char *what = NULL;
    struct stat st;

    if (lstat(path, &st) < 0) {
        if (errno == ENOENT)
            return 0;
        return err_errno(e, ERR_IO, "%s", path);
    }
    if (S_ISDIR(st.st_mode))
        what = "directory";
    else if (S_ISLNK(st.st_mode))
        what = "symbolic link";
    else if (!S_ISREG(st.st_mode))
        what = "FIFO, socket or device";
    if (!what)
        return 0;
    return err_set(e, ERR_EXISTS, "%s: output exists (found a %s, expected "
                   "a file or nothing)", path, what);
}

static int
check_parent(const char *path, struct err *e)
{
    char *parent = path_parent(path);
    int rc = 0;

    if (access(parent, W_OK | X_OK) < 0)
        rc = err_errno(e, ERR_IO, "%s", path);
    free(parent);
    return rc;
}

int
out_check(const char *path, const struct in *input, struct err *e)
{
    struct stat a, b;
    int rc;

    if (strcmp(path, "-") == 0)
        return 0;
    rc = check_target(path, e);
    if (rc == 0)
        rc = check_parent(path, e);
    if (rc == 0 && input && fstat(input->fd, &a) == 0
        && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        rc = err_set(e, ERR_EXISTS, "%s: is the input, too", path);
    return rc;
}

/* Creates a temporary beside o->path. A leftover of an earlier process with
 * our number is passed over. */
static int
open_temp(struct out *o, struct err *e)
{
    char suffix[48];
    size_t n = strlen(o->path);
    int i, fd = -1, why = 0;

    for (i = 0; i < 100 && fd < 0; i++) {
        snprintf(suffix, sizeof(suffix), i ? ".tmp.%ld.%d" : ".tmp.%ld",
                 (long)getpid(), i);
        free(o->temp);
        o->temp = mem_alloc(n + sizeof(suffix));
        memcpy(o->temp, o->path, n);
        memcpy(o->temp + n, suffix, strlen(suffix) + 1);
        io_temp_add(o->temp); /* before it is there: no gap for a signal */
        fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
                  O_NOFOLLOW, 0666);
        why = errno;
        if (fd < 0)
            io_temp_drop(o->temp);
        if (fd < 0 && why != EEXIST)
            break;
    }
    if (fd < 0) {
        free(o->temp);
        o->temp = NULL;
        errno = why;
        return err_errno(e, ERR_IO, "%s", o->path);
    }
    o->fd = fd;
    return 0;
}

int
out_open(struct out *o, const char *path, struct err *e)
{
    int rc;

    memset(o, 0, sizeof(*o));
    o->fd = -1;
    if (strcmp(path, "-") == 0) {
        if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
            return err_set(e, ERR_USAGE, "stdout: not open for writing");
        o->fd = STDOUT_FILENO;
    } else {
        rc = check_target(path, e);
        if (rc < 0)
            return rc;
        o->path = mem_strdup(path);
        rc = open_temp(o, e);
        if (rc < 0) {
            out_release(o);
            return rc;
        }
    }
    o->cap = BUFFER;
    o->data = mem_alloc(o->cap);
    return 0;
}

static int
write_all(struct out *o, const char *p, size_t n, struct err *e)
{
    struct pollfd ready = {o->fd, POLLOUT, 0};
    ssize_t k;

    if (!o->path && n > 0)
        term_data(o->fd);
    while (n > 0) {
        k = write(o->fd, p, n);
        if (k >= 0) {
            p += k;
            n -= (size_t)k;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return err_errno(e, ERR_IO, "%s: write", name_of(o));
        }
    }
    return 0;
}

int
out_flush(struct out *o, struct err *e)
{
    int rc = write_all(o, o->data, o->len, e);

    o->len = 0;
    return rc;
}

int
out_write(struct out *o, const void *p, size_t n, struct err *e)
{
    int rc;

    o->at += n;
    if (n <= o->cap - o->len) {
        if (n > 0)
            memcpy(o->data + o->len, p, n);
        o->len += n;
        return 0;
    }
    rc = out_flush(o, e);
    if (rc < 0)
        return rc;
    if (n >= o->cap)
        return write_all(o, p, n, e);
    memcpy(o->data, p, n);
    o->len = n;
    return 0;
}

int
out_replace(struct out *o, uint64_t at, const void *p, size_t n,
            struct err *e)
{
    const char *from = p;
    int rc = out_flush(o, e);
    ssize_t k;

    while (rc == 0 && n > 0) {
        k = pwrite(o->fd, from, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_errno(e, ERR_IO, "%s: write", name_of(o));
        from += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return rc;
}

void
out_rename(struct out *o, const char *path)
{
    char *copy = mem_strdup(path);

    free(o->path);
    o->path = copy;
}

/* Closes stdout and puts /dev/null in its place, so that no file opened
 * later becomes descriptor 1. */
static int
close_stdout(struct err *e)
{
    int fd;

    if (term_is(STDOUT_FILENO)) /* closing ends the locks on the device */
        term_leave();
    if (close(STDOUT_FILENO) < 0)
        return err_errno(e, ERR_IO, "stdout: close");
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd > STDERR_FILENO)
        close(fd);
    return 0;
}

static int
commit_file(struct out *o, struct err *e)
{
    char *parent = path_parent(o->path);
    int rc, fd = o->fd;

    if (fsync(fd) < 0) {
        rc = err_errno(e, ERR_IO, "%s: sync", o->path);
        goto out;
    }
    o->fd = -1;
    if (close(fd) < 0) {
        rc = err_errno(e, ERR_IO, "%s: close", o->path);
        goto out;
    }
    if (rename(o->temp, o->path) < 0) {
        rc = err_errno(e, ERR_IO, "%s: rename", o->path);
        goto out;
    }
    io_temp_drop(o->temp);
    free(o->temp);
    o->temp = NULL;
    rc = dir_sync(parent, e);
out:
    free(parent);
    return rc;
}

int
out_commit(struct out *o, struct err *e)
{
    int rc;

    rc = out_flush(o, e);
    if (rc == 0)
        rc = o->path ? commit_file(o, e) : close_stdout(e);
    out_release(o);
    return rc;
}

void
out_release(struct out *o)
{
    if (o->path && o->fd >= 0)
        close(o->fd);
    if (o->temp) {
        unlink(o->temp);
        io_temp_drop(o->temp);
    }
    free(o->temp);
    free(o->path);
    free(o->data);
    memset(o, 0, sizeof(*o));
    o->fd = -1;
}

int
file_write(const char *path, const void *p, size_t n, struct err *e)
{
    struct out o;
    int rc;

    rc = out_open(&o, path, e);
    if (rc < 0)
        return rc;
    rc = out_write(&o, p, n, e);
    if (rc == 0)
        return out_commit(&o, e);
    out_release(&o);
    return rc;
}

/* Whether path holds exactly p[n]. */
static int
same_content(const char *path, const void *p, size_t n, bool *same,
             struct err *e)
{
    struct stat st;
    struct buf old;
    int rc = 0;

    *same = false;
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode)
        || (uint64_t)st.st_size != n)
        return 0;
    buf_init(&old);
    rc = file_read(&old, path, n, e);
    *same = rc == 0 && old.len == n
            && (n == 0 || memcmp(old.data, p, n) == 0);
    buf_release(&old);
    return rc;
}

int
file_update(const char *path, const void *p, size_t n, bool *changed,
            struct err *e)
{
    bool same;
    int rc;

    rc = same_content(path, p, n, &same, e);
    if (rc == 0 && !same)
        rc = file_write(path, p, n, e);
    if (rc == 0 && changed)
        *changed = !same;
    return rc;
}

int
file_append(int *fd, const char *path, struct err *e)
{
    int got = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
                   O_NOCTTY | O_NONBLOCK, 0666);
    struct stat st;
    int rc;

    /* a FIFO that nobody reads, and a socket */
    if (got < 0 && errno == ENXIO)
        return err_set(e, ERR_DATA, "%s: not a regular file", path);
    if (got < 0)
        return err_errno(e, ERR_IO, "%s", path);
    if (fstat(got, &st) < 0)
        rc = err_errno(e, ERR_IO, "%s", path);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(e, ERR_DATA, "%s: not a regular file", path);
    else
        rc = 0;
    if (rc < 0)
        close(got);
    else
        *fd = got;
    return rc;
}
