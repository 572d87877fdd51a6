/* io.h - files: whole reads, atomic writes, locks.
 *
 * Every write, flush, sync and close is checked. A named output is written
 * beside its final name (NAME.tmp.PID), synced and renamed by out_commit; if
 * the process ends before, by error or by signal, it is removed. "-" is
 * stdin or stdout. EINTR, short transfers and EAGAIN are handled here.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* A descriptor for adding to a file, which is made if it is not there: *fd.
 * As for in_open_regular, anything but a regular file is ERR_DATA. */
int file_append(int *fd, const char *path, struct err *e);

/* A buffered input. name is what messages call it ("stdin" for "-"). */
struct in {
    int fd;
    char *name;
    uint64_t at;   /* offset of the next byte in_read gives */
    uint64_t size; /* bytes of a regular file; 0: nobody knows */
    char *data;    /* a window of the file: [pos, end) is unread */
    size_t pos, end, cap;
    bool eof;
};

/* A missing file is ERR_IO, a directory or a terminal ERR_USAGE. */
int in_open(struct in *in, const char *path, struct err *e);

/* A file of a directory that the user named, not one that he named himself:
 * never "-", and a FIFO, device or socket in its place is ERR_DATA, without
 * waiting for anybody at its other end. */
int in_open_regular(struct in *in, const char *path, struct err *e);
void in_release(struct in *in);

/* Reads n bytes unless the end comes first; *got tells how many. */
int in_read(struct in *in, void *p, size_t n, size_t *got, struct err *e);

/* A pointer to the next unread bytes without taking them, at least n unless
 * the end comes first; *got tells how many there are. n <= 64 MiB. The
 * pointer dies with the next call. */
int in_peek(struct in *in, size_t n, const char **p, size_t *got,
            struct err *e);
void in_take(struct in *in, size_t n); /* n <= what in_peek gave */

/* The bytes up to the next delim, without it, into *part; *got is false at
 * the end of the input; *ended tells whether a delim closed the part. A part
 * over max bytes is ERR_LIMIT. */
int in_part(struct in *in, char delim, struct buf *part, size_t max,
            bool *got, bool *ended, struct err *e);

/* The same for lines. */
int in_line(struct in *in, struct buf *line, size_t max, bool *got,
            bool *ended, struct err *e);

/* Bytes of a byte order mark that the first line of a text begins with, which
 * is no part of it: 3 or 0. */
size_t in_mark(const struct buf *line);

/* An output. With a path other than "-": a temporary beside it. */
struct out {
    int fd;
    char *path, *temp; /* NULL for stdout */
    char *data;
    size_t len, cap;
    uint64_t at; /* bytes given so far */
};

/* What out_open and out_commit would refuse later, for programs that write
 * at their end: ERR_EXISTS when path is a directory, symbolic link, FIFO or
 * device, or the file that input (NULL: any) is read from; ERR_IO when there
 * is no directory to put it into. */
int out_check(const char *path, const struct in *input, struct err *e);

/* ERR_EXISTS when path is a directory, symbolic link, FIFO or device. */
int out_open(struct out *o, const char *path, struct err *e);
int out_write(struct out *o, const void *p, size_t n, struct err *e);
int out_flush(struct out *o, struct err *e);

/* Replaces n bytes that were written at `at` before: for a header that says
 * what follows. Not for stdout. */
int out_replace(struct out *o, uint64_t at, const void *p, size_t n,
                struct err *e);

/* Changes the name that out_commit will give; its directory must be that of
 * the name before. Not for stdout. */
void out_rename(struct out *o, const char *path);

/* Flushes, syncs, renames into place and syncs the directory; on stdout
 * flushes and closes. Releases o, also on failure. */
int out_commit(struct out *o, struct err *e);

/* Drops what was written and removes the temporary. Safe after commit. */
void out_release(struct out *o);

/* A directory that appears with all of its files, built as PATH.tmp.PID. */
struct out_dir {
    char *path, *temp;
};

/* ERR_EXISTS when there is something at path. */
int out_dir_open(struct out_dir *d, const char *path, struct err *e);

/* Writes p[n] as the file of that name in it. */
int out_dir_put(struct out_dir *d, const char *name, const void *p, size_t n,
                struct err *e);

/* Syncs it and gives it its name. */
int out_dir_commit(struct out_dir *d, struct err *e);

/* Removes what was not committed. Safe after commit. */
void out_dir_release(struct out_dir *d);

/* The whole file into b; ERR_LIMIT when it is longer than max. Opened by
 * in_open, or by in_open_regular. */
int file_read(struct buf *b, const char *path, uint64_t max, struct err *e);
int file_read_regular(struct buf *b, const char *path, uint64_t max,
                      struct err *e);

/* Writes p as path, atomically; to stdout for "-". */
int file_write(const char *path, const void *p, size_t n, struct err *e);

/* Writes p as path only if the file differs; *changed may be NULL. */
int file_update(const char *path, const void *p, size_t n, bool *changed,
                struct err *e);

/* A read-only mapping of a whole file, which must be a regular one (as for
 * in_open_regular). n = 0 has p = NULL. When somebody cuts
 * the file short while it is mapped, reading it ends the program: one line
 * that names the file, temporaries removed, status 1. */
struct file_map {
    const uint8_t *p;
    size_t n;
};
int file_map_open(struct file_map *m, const char *path, struct err *e);
void file_map_release(struct file_map *m);

/* Bytes [at, at + n) are not needed soon: their pages no longer count as
 * memory of the process. Reading them again is no error. */
void file_map_done(const struct file_map *m, uint64_t at, uint64_t n);

/* ERR_USAGE for "-", which is standard output to those that gave it. */
int dir_check_name(const char *path, struct err *e);

/* Makes path and its parents; an existing directory is no error. */
int dir_make(const char *path, struct err *e);
int dir_sync(const char *path, struct err *e);

/* Entries of a directory, sorted bytewise, without . and .. ; *names is an
 * array of *n strings, released by dir_list_free. */
int dir_list(char ***names, size_t *n, const char *path, struct err *e);
void dir_list_free(char **names, size_t n);

/* Removes a file or a tree; a missing path is no error. */
int path_remove(const char *path, struct err *e);
bool path_exists(const char *path);
char *path_join(const char *dir, const char *name); /* caller frees */
bool dir_has(const char *dir, const char *name); /* a file of that name */
char *path_parent(const char *path); /* "." without a slash; caller frees */

/* *out = the directory of the program that runs; the caller frees it. */
int path_program(char **out, struct err *e);

/* Takes DIR/.lock until the process ends; ERR_EXISTS naming the holder's
 * pid when another has it. A record lock: it dies with the process, works on
 * NFS, and an existing lock file is not written to. */
int dir_lock(const char *dir, struct err *e);

/* The process that holds dir_lock's lock, 0 where none does, -1
 * where it is of another machine. Not for who
 * holds it: asking would let go of it. */
long dir_holder(const char *dir);

/* Temporaries (files or trees) registered here are removed when the process
 * ends by a signal or by io_cleanup; out_open uses it, and so does whoever
 * builds a directory beside its final name. Only for the thread that called
 * io_start. */
void io_temp_add(const char *path);
void io_temp_drop(const char *path); /* committed: keep it */

/* A directory that is removed only while it is empty, as another process may
 * put something into it, until io_temp_whole says that it is this one's. */
void io_temp_add_empty(const char *path);
void io_temp_whole(const char *path);

/* Opens /dev/null on closed standard descriptors (so that using them is an
 * error and no file gets their number), ignores SIGXFSZ (a write
 * then says EFBIG) and installs the handlers that clean up and re-raise
 * SIGINT, SIGTERM, SIGHUP and SIGPIPE, unless they are ignored; io_cleanup
 * is run by exit, too. A forked child cleans up nothing. Called by tool. */
void io_start(void);
void io_cleanup(void);

/* In a handler, or at a program's end: removes temporaries and ends the
 * process by sig, so that a shell sees it. */
void io_end(int sig);

#endif
