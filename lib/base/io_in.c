/* io_in.c - buffered input, whole files, mappings. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/io_bus.h"
#include "base/mem.h"

#define WINDOW (128 << 10)

/* Opens path for reading; *st is what it is. flags: O_NONBLOCK, for who
 * takes regular files only: opening a FIFO waits for its writer otherwise.
 * Sockets can't be opened at all. */
static int
open_read(int *out, struct stat *st, const char *path, int flags,
          struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);

    if (fd < 0 && errno == ENXIO && flags)
        return err_set(e, ERR_DATA, "%s: not a regular file", path);
    if (fd < 0)
        return err_errno(e, ERR_IO, "%s", path);
    if (fstat(fd, st) < 0) {
        close(fd);
        return err_errno(e, ERR_IO, "%s", path);
    }
    if (S_ISDIR(st->st_mode)) {
        close(fd);
        return err_set(e, ERR_USAGE, "%s: is a directory", path);
    }
    *out = fd;
    return 0;
}

/* What a regular file has from where it stands; 0 for others. */
static uint64_t
size_left(int fd, const struct stat *st)
{
    off_t at = S_ISREG(st->st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;

    return at >= 0 && at < st->st_size ? (uint64_t)(st->st_size - at) : 0;
}

static int
open_regular(int *out, struct stat *st, const char *path, struct err *e)
{
    int fd, rc = open_read(&fd, st, path, O_NONBLOCK, e);

    if (rc < 0)
        return rc;
    if (!S_ISREG(st->st_mode)) {
        close(fd);
        return err_set(e, ERR_DATA, "%s: not a regular file", path);
    }
    *out = fd;
    return 0;
}

int
in_open_regular(struct in *in, const char *path, struct err *e)
{
    struct stat st;
    int rc;

    memset(in, 0, sizeof(*in));
    in->fd = -1;
    rc = open_regular(&in->fd, &st, path, e);
    if (rc == 0) {
        in->name = mem_strdup(path);
        in->size = size_left(in->fd, &st);
    }
    return rc;
}

int
in_open(struct in *in, const char *path, struct err *e)
{
    bool std = strcmp(path, "-") == 0;
    struct stat st;
    int fd = STDIN_FILENO, rc;

    memset(in, 0, sizeof(*in));
    in->fd = -1;
    if (std) {
        if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
            return err_set(e, ERR_USAGE, "stdin: not open for reading");
        if (fstat(fd, &st) < 0)
            return err_errno(e, ERR_IO, "stdin");
        if (S_ISDIR(st.st_mode))
            return err_set(e, ERR_USAGE, "stdin: is a directory");
    } else {
        rc = open_read(&fd, &st, path, 0, e);
        if (rc < 0)
            return rc;
    }
    if (S_ISCHR(st.st_mode) && isatty(fd)) {
        if (!std)
            close(fd);
        return err_set(e, ERR_USAGE, "%s: is a terminal (expected a file "
                       "or a pipe)", std ? "stdin" : path);
    }
    in->fd = fd;
    in->name = mem_strdup(std ? "stdin" : path);
    in->size = size_left(fd, &st);
    return 0;
}

void
in_release(struct in *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    free(in->name);
    free(in->data);
    memset(in, 0, sizeof(*in));
    in->fd = -1;
}

/* One read that waits: the bytes got, 0 at the end, negative on error. */
static ssize_t
read_some(struct in *in, void *p, size_t n, struct err *e)
{
    struct pollfd ready = {in->fd, POLLIN, 0};
    ssize_t k;

    for (;;) {
        k = read(in->fd, p, n);
        if (k >= 0)
            return k;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            poll(&ready, 1, -1);
        else if (errno != EINTR)
            return err_errno(e, ERR_IO, "%s: byte %llu: read", in->name,
                             (unsigned long long)(in->at + in->end -
                                                  in->pos));
    }
}

/* Makes at least n bytes unread, unless the end comes first. */
static int
fill(struct in *in, size_t n, struct err *e)
{
    size_t have = in->end - in->pos, cap = in->cap ? in->cap : WINDOW;
    ssize_t k;

    if (have >= n || in->eof)
        return 0;
    while (cap < n)
        cap *= 2;
    if (in->pos > 0 && have > 0)
        memmove(in->data, in->data + in->pos, have);
    in->pos = 0;
    in->end = have;
    if (cap != in->cap) {
        in->data = mem_grow(in->data, cap);
        in->cap = cap;
    }
    while (in->end < n && !in->eof) {
        k = read_some(in, in->data + in->end, in->cap - in->end, e);
        if (k < 0)
            return (int)k;
        in->eof = k == 0;
        in->end += (size_t)k;
    }
    return 0;
}

int
in_peek(struct in *in, size_t n, const char **p, size_t *got, struct err *e)
{
    int rc = fill(in, n, e);

    if (rc < 0)
        return rc;
    *p = in->data + in->pos;
    *got = in->end - in->pos;
    return 0;
}

void
in_take(struct in *in, size_t n)
{
    in->pos += n;
    in->at += n;
}

int
in_read(struct in *in, void *p, size_t n, size_t *got, struct err *e)
{
    size_t have = in->end - in->pos, done = have < n ? have : n;
    ssize_t k;
    int rc;

    if (done > 0)
        memcpy(p, in->data + in->pos, done);
    in_take(in, done);
    while (done < n && !in->eof) {
        if (n - done < WINDOW) {
            rc = fill(in, n - done, e);
            if (rc < 0)
                return rc;
            have = in->end - in->pos;
            have = have < n - done ? have : n - done;
            memcpy((char *)p + done, in->data + in->pos, have);
            in_take(in, have);
            done += have;
            break;
        }
        k = read_some(in, (char *)p + done, n - done, e);
        if (k < 0)
            return (int)k;
        in->eof = k == 0;
        in->at += (uint64_t)k;
        done += (size_t)k;
    }
    *got = done;
    return 0;
}

int
in_part(struct in *in, char delim, struct buf *part, size_t max, bool *got,
        bool *ended, struct err *e)
{
    uint64_t start = in->at;
    const char *p, *stop = NULL;
    size_t n;
    int rc;

    buf_reset(part);
    while (!stop) {
        rc = in_peek(in, 1, &p, &n, e);
        if (rc < 0)
            return rc;
        if (n == 0)
            break;
        stop = memchr(p, delim, n);
        if (stop)
            n = (size_t)(stop - p);
        if (n > max - part->len)
            return err_set(e, ERR_LIMIT, "%s: byte %llu: %s too long "
                           "(limit %zu bytes)", in->name,
                           (unsigned long long)start,
                           delim == '\n' ? "line" : "part", max);
        buf_add(part, p, n);
        in_take(in, stop ? n + 1 : n);
    }
    *got = in->at > start;
    *ended = stop != NULL;
    return 0;
}

int
in_line(struct in *in, struct buf *line, size_t max, bool *got, bool *ended,
        struct err *e)
{
    return in_part(in, '\n', line, max, got, ended, e);
}

size_t
in_mark(const struct buf *line)
{
    return line->len >= 3 && memcmp(line->data, "\xef\xbb\xbf", 3) == 0
           ? 3 : 0;
}

/* All of the input into b; releases it. */
static int
read_all(struct buf *b, struct in *in, uint64_t max, struct err *e)
{
    const char *p;
    size_t got = 1;
    int rc = 0;

    buf_reset(b);
    while (rc == 0 && got > 0) {
        rc = in_peek(in, 1, &p, &got, e);
        if (rc < 0)
            break;
        if (got > max - b->len) {
            rc = err_set(e, ERR_LIMIT, "%s: file too long (limit %llu "
                         "bytes)", in->name, (unsigned long long)max);
            break;
        }
        buf_add(b, p, got);
        in_take(in, got);
    }
    if (rc < 0)
        buf_reset(b);
    in_release(in);
    return rc;
}

int
file_read(struct buf *b, const char *path, uint64_t max, struct err *e)
{
    struct in in;
    int rc = in_open(&in, path, e);

    return rc < 0 ? rc : read_all(b, &in, max, e);
}

int
file_read_regular(struct buf *b, const char *path, uint64_t max,
                  struct err *e)
{
    struct in in;
    int rc = in_open_regular(&in, path, e);

    return rc < 0 ? rc : read_all(b, &in, max, e);
}

int
file_map_open(struct file_map *m, const char *path, struct err *e)
{
    struct stat st;
    void *p = NULL;
    int fd, rc;

    rc = open_regular(&fd, &st, path, e);
    if (rc < 0)
        return rc;
    if ((uint64_t)st.st_size > SIZE_MAX / 2) {
        rc = err_set(e, ERR_LIMIT, "%s: too large to map", path);
        goto out;
    }
    if (st.st_size > 0) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            rc = err_errno(e, ERR_IO, "%s: map", path);
            goto out;
        }
    }
    m->p = p;
    m->n = (size_t)st.st_size;
    if (p)
        bus_note(p, m->n, path);
out:
    close(fd);
    return rc;
}

void
file_map_release(struct file_map *m)
{
    if (m->p) {
        bus_forget(m->p);
        munmap((void *)(uintptr_t)m->p, m->n);
    }
    m->p = NULL;
    m->n = 0;
}

void
file_map_done(const struct file_map *m, uint64_t at, uint64_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = (size_t)at & ~(page - 1), end;

    if (at > m->n || n > m->n - at || n == 0)
        return;
    end = (size_t)size_round(at + n, page);
    /* advice: that it is not taken is no error */
    if (madvise((void *)(uintptr_t)(m->p + begin), end - begin,
                MADV_DONTNEED) < 0)
        return;
}
