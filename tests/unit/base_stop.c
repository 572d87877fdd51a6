/* base_stop.c - what counts as a second request to stop. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

#include "test.h"

static void
rest(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&t, &t) != 0)
        continue;
}

/* Status of a process that asks itself to stop by first, then, ms later, by
 * second; exit code 1 where it does not know of the request then. */
static int
ask_twice(int first, int second, long ms)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        stop_catch();
        raise(first);
        rest(ms);
        raise(second);
        _exit(stop_asked() == first ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return status;
}

/* The same with two requests that came close together: what a machine that
 * stood still made of them is no answer. */
static int
ask_twice_soon(int first, int second, long ms)
{
    long began;
    int status;

    do {
        began = clock_ms();
        status = ask_twice(first, second, ms);
    } while (status != 0 && clock_ms() - began >= STOP_AGAIN);
    return status;
}

TEST(one_request_may_come_twice)
{
    CHECK_EQ_U64(ask_twice_soon(SIGTERM, SIGTERM, 0), 0);
    CHECK_EQ_U64(ask_twice_soon(SIGINT, SIGTERM, 1), 0);
}

TEST(a_later_request_ends_the_process)
{
    int status = ask_twice(SIGTERM, SIGINT, STOP_AGAIN + 1);

    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

TEST(a_reader_that_has_gone_is_no_second_request)
{
    CHECK_EQ_U64(ask_twice(SIGTERM, SIGPIPE, STOP_AGAIN + 1), 0);
}

static const struct test tests[] = {
    RUN(one_request_may_come_twice),
    RUN(a_later_request_ends_the_process),
    RUN(a_reader_that_has_gone_is_no_second_request),
};

TEST_MAIN("base_stop", tests)
