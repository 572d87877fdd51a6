/* fault.c - makes the N-th call of a function of the C library fail.
 *
 * Loaded with LD_PRELOAD. FAULT_CALL is write, pwrite, read, fsync, close,
 * rename or malloc (also calloc, realloc and aligned_alloc); FAULT_N counts
 * from 1; FAULT_ERRNO is a number. When the call has failed, the file
 * FAULT_MARK is created: a caller that tries N = 1, 2, 3 ... is done when it
 * is not. With FAULT_STICKY set every later call fails as well, as on a full
 * disk. With FAULT_KILL set the call is not made and the process killed
 * (SIGKILL).
 *
 * Calls on stderr are neither counted nor failed: messages must come out.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* glibc's own names: dlsym would allocate. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static const char *target, *mark;
static unsigned long fail_at;
static int fail_with;
static bool sticky, deadly, ready;
static atomic_ulong calls;

/* Runs after the constructors of the libraries this one depends on, so what
 * they do at start is not counted. */
__attribute__((constructor)) static void
setup(void)
{
    const char *n = getenv("FAULT_N"), *why = getenv("FAULT_ERRNO");

    target = getenv("FAULT_CALL");
    mark = getenv("FAULT_MARK");
    fail_at = n ? strtoul(n, NULL, 10) : 0;
    fail_with = why ? (int)strtol(why, NULL, 10) : EIO;
    sticky = getenv("FAULT_STICKY") != NULL;
    deadly = getenv("FAULT_KILL") != NULL;
    ready = target && mark && fail_at > 0;
}

/* Whether this call of `name` has to fail; sets errno. */
static bool
fails(const char *name)
{
    unsigned long n;
    long fd;

    if (!ready || strcmp(name, target) != 0)
        return false;
    n = atomic_fetch_add(&calls, 1) + 1;
    if (n < fail_at || (n > fail_at && !sticky))
        return false;
    fd = syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT, 0666);
    if (fd >= 0)
        syscall(SYS_close, fd);
    if (deadly)
        kill(getpid(), SIGKILL);
    errno = strcmp(name, "malloc") == 0 ? ENOMEM : fail_with;
    return true;
}

ssize_t
write(int fd, const void *p, size_t n)
{
    if (fd != STDERR_FILENO && fails("write"))
        return -1;
    return syscall(SYS_write, fd, p, n);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (fails("pwrite"))
        return -1;
    return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t
read(int fd, void *p, size_t n)
{
    if (fails("read"))
        return -1;
    return syscall(SYS_read, fd, p, n);
}

int
fsync(int fd)
{
    if (fails("fsync"))
        return -1;
    return (int)syscall(SYS_fsync, fd);
}

/* The descriptor is closed even when the call fails, as on Linux. */
int
close(int fd)
{
    bool bad = fails("close");
    int why = errno, rc = (int)syscall(SYS_close, fd);

    if (!bad)
        return rc;
    errno = why;
    return -1;
}

int
rename(const char *from, const char *to)
{
    if (fails("rename"))
        return -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

void *
malloc(size_t n)
{
    return fails("malloc") ? NULL : __libc_malloc(n);
}

void *
calloc(size_t count, size_t size)
{
    return fails("malloc") ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *p, size_t n)
{
    return fails("malloc") ? NULL : __libc_realloc(p, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
    return fails("malloc") ? NULL : __libc_memalign(align, n);
}
