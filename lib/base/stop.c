/* stop.c - a handler that only notes the first request; the second, a while
 * later, ends the process at once. */
#include "base/stop.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/signals.h"

static volatile sig_atomic_t asked;
static int64_t first; /* when it was asked, ms; the handler's own */

/* Whether STOP_AGAIN has gone by since the first request. */
static int
is_again(void)
{
    return clock_ms() - first >= STOP_AGAIN;
}

static void
on_request(int sig, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    if (asked == 0) {
        first = clock_ms();
        asked = sig;
    } else if (sig != SIGPIPE && is_again()) {
        io_end(sig);
    }
}

void
stop_catch(void)
{
    static const int requests[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1,
                                   SIGPIPE};
    size_t i;

    for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        signal_catch(requests[i], on_request);
}

int
stop_asked(void)
{
    return asked;
}

void
stop_forget(void)
{
    asked = 0;
}

void
stop_end(void)
{
    if (asked != 0 && asked != SIGUSR1)
        io_end(asked);
}
