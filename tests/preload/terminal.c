/* terminal.c - a clock and a terminal that do what a test says.
 *
 * Loaded with LD_PRELOAD. Where CLOCK_STEP is set, the coarse clock is that
 * many milliseconds later with each look. Where BUSY is set, somebody else's
 * bytes are being written to the terminal whenever poll asks without waiting,
 * but for the first time; who waits gets on.
 */
#include <poll.h>
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
