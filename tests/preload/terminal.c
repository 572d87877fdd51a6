/* terminal.c - a clock and a terminal that do what a test says.
 *
 * Loaded with LD_PRELOAD. Where CLOCK_STEP is set, the coarse clock is that
 * many milliseconds later with each look. Where BUSY is set, somebody else's
 * bytes are being written to the terminal whenever poll asks without waiting,
 * but for the first time; who waits gets on. Where HELD is set, it is so with
 * the cursor, a lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *t)
{
    static long looks;
    const char *step = getenv("CLOCK_STEP");
    long ms;

    if (id != CLOCK_MONOTONIC_COARSE || !step)
        return (int)syscall(SYS_clock_gettime, id, t);
    ms = 1000000 + strtol(step, NULL, 10) * looks++;
    *t = (struct timespec){ms / 1000, ms % 1000 * 1000000};
    return 0;
}

int
poll(struct pollfd *p, nfds_t n, int ms)
{
    static long looks;

    if (n == 1 && p->events == POLLOUT && ms == 0 && getenv("BUSY")
        && looks++ > 0)
        return 0;
    return (int)syscall(SYS_poll, p, n, ms);
}

static bool waited = true;

int
nanosleep(const struct timespec *t, struct timespec *left)
{
    waited = true;
    return (int)syscall(SYS_nanosleep, t, left);
}

int
fcntl(int fd, int what, ...)
{
    struct flock *lock;
    va_list rest;
    void *p;

    va_start(rest, what);
    p = va_arg(rest, void *);
    va_end(rest);
    lock = what == F_SETLK ? p : NULL;
    if (lock && lock->l_type == F_WRLCK && lock->l_start % 256 == 0
        && getenv("HELD")) {
        if (!waited) {
            errno = EAGAIN;
            return -1;
        }
        waited = false;
    }
    return (int)syscall(SYS_fcntl, fd, what, p);
}
