/* sandbox.c - the caller's side of a sandbox, and its keeper: who it is,
 * which namespaces it has, or folder, and for how long. */
#include "eval/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/signals.h"
#include "eval/sandbox_parts.h"

#define NOBODY 65534
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID \
                    | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define GRACE_MS 30000 /* for the keeper to end, after the clock has */

void
sandbox_fail(int report, const char *what)
{
    struct sandbox_report r = { .what = SANDBOX_FAILED, .status = errno };

    snprintf(r.text, sizeof(r.text), "%s", what);
    if (write(report, &r, sizeof(r)) < 0)
        _exit(2);
    _exit(1);
}

/* ---- the keeper ---- */

/* Writes text to a file of /proc/self. */
static int
put_own(const char *name, const char *text)
{
    char path[64];
    size_t n = strlen(text);
    ssize_t put = -1;
    int fd;

    snprintf(path, sizeof(path), "/proc/self/%s", name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        put = write(fd, text, n);
        close(fd);
    }
    return put == (ssize_t)n ? 0 : -1;
}

/* Whether users are what they are called, and user 0 is the machine's root.
 */
static bool
is_initial(void)
{
    char map[64] = "";
    unsigned first = 1, outer = 1, n = 0;
    int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (read(fd, map, sizeof(map) - 1) < 0)
            map[0] = '\0';
        close(fd);
    }
    return sscanf(map, "%u %u %u", &first, &outer, &n) != 3
           || (first == 0 && outer == 0);
}

/* Root's processes have no limit on their number, and root's files would be
 * its own. A root of some namespace is a user like others, and may have no
 * nobody that it could be. */
static void
be_nobody(int report)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0
        || setresuid(NOBODY, NOBODY, NOBODY) != 0) {
        if (is_initial())
            sandbox_fail(report, "becoming nobody");
    }
    prctl(PR_SET_DUMPABLE, 1); /* or /proc/self is still root's */
}

static void
make_namespaces(int report)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char map[64];

    if (unshare(NAMESPACES) != 0)
        sandbox_fail(report, "namespaces of its own (unshare)");
    snprintf(map, sizeof(map), "%d %u 1", NOBODY, (unsigned)uid);
    if (put_own("setgroups", "deny") != 0 || put_own("uid_map", map) != 0)
        sandbox_fail(report, "a user of its own (/proc/self/uid_map)");
    snprintf(map, sizeof(map), "%d %u 1", NOBODY, (unsigned)gid);
    if (put_own("gid_map", map) != 0)
        sandbox_fail(report, "a group of its own (/proc/self/gid_map)");
}

/* Whether the process has ended; it isn't reaped. */
static bool
has_ended(pid_t pid)
{
    siginfo_t info = { .si_pid = 0 };

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0
           || info.si_pid == pid;
}

/* Waits for the first process, but no longer than the clock allows or until
 * one of the signals comes, which are blocked, and kills it; group: what it
 * leads, too, which namespaces don't. */
static void
keep(pid_t first, unsigned seconds, bool group, const sigset_t *signals,
     int report)
{
    struct sandbox_report late = { .what = SANDBOX_CLOCK };
    int64_t end = clock_ms() + INT64_C(1000) * SANDBOX_CLOCK_TIMES * seconds;
    int64_t ms = 1;
    struct timespec left;
    int got = SIGCHLD;

    while ((got == SIGCHLD || got < 0) && !has_ended(first)
           && (ms = end - clock_ms()) > 0) {
        left.tv_sec = ms / 1000;
        left.tv_nsec = ms % 1000 * 1000000;
        got = sigtimedwait(signals, NULL, &left);
    }
    if (group)
        kill(-first, SIGKILL);
    kill(first, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    if (ms <= 0 && write(report, &late, sizeof(late)) < 0)
        _exit(2);
}

/* The signals that a keeper waits for are blocked before they can come: a
 * child's, those that ask it to end, and SIGTERM, which its caller's end is,
 * too. */
static void
catch_signals(sigset_t *caught, pid_t caller, int report)
{
    static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE,
                                    SIGUSR1, SIGCHLD, SIGXCPU, SIGXFSZ };
    static const int waited[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT };

    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        signal_default(defaults[i]);
    sigemptyset(caught);
    for (size_t i = 0; i < sizeof(waited) / sizeof(waited[0]); i++)
        sigaddset(caught, waited[i]);
    sigprocmask(SIG_SETMASK, caught, NULL);
    be_nobody(report);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* changing the user takes it away */
    if (getppid() != caller)
        _exit(2);
}

_Noreturn static void
keeper(const struct sandbox_limits *limits, const struct sandbox_job *job,
       const struct sandbox_pipes *pipes, pid_t caller)
{
    char folder[] = "/tmp/sandbox.XXXXXX", *made = NULL;
    sigset_t caught;
    pid_t first;

    catch_signals(&caught, caller, pipes->report);
    put_own("oom_score_adj", "1000");
    if (limits->kind == SANDBOX_NAMESPACES) {
        make_namespaces(pipes->report);
    } else {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        made = mkdtemp(folder);
        if (made == NULL)
            sandbox_fail(pipes->report, "a folder in /tmp");
    }
    first = fork();
    if (first < 0)
        sandbox_fail(pipes->report, "fork");
    if (first == 0)
        sandbox_first(limits, job, pipes, made);
    close(pipes->said);
    close(pipes->told);
    keep(first, limits->seconds, made != NULL, &caught, pipes->report);
    if (made != NULL)
        sandbox_remove(made);
    _exit(0);
}

/* ---- the caller ---- */

/* What one pipe brought, kept to a bound: its beginning or its end. */
struct drain {
    int fd;
    struct buf *kept;
    size_t max;
    bool end;
};

/* Takes what there is; false at the end. */
static bool
drain(struct drain *d)
{
    char bytes[16384];
    ssize_t n = read(d->fd, bytes, sizeof(bytes));
    size_t room = d->max - (d->kept->len < d->max ? d->kept->len : d->max);

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (d->end) {
        buf_add(d->kept, bytes, (size_t)n);
        if (d->kept->len > d->max) {
            size_t over = d->kept->len - d->max;

            memmove(d->kept->data, d->kept->data + over, d->max + 1);
            d->kept->len = d->max;
        }
    } else {
        buf_add(d->kept, bytes, (size_t)n < room ? (size_t)n : room);
    }
    return n > 0;
}

/* Reads all pipes to their ends. False when that took too long. */
static bool
listen_all(struct drain *d, size_t n, unsigned seconds)
{
    int64_t end = clock_ms() + GRACE_MS
                  + INT64_C(1000) * SANDBOX_CLOCK_TIMES * seconds;
    struct pollfd p[3];
    size_t open = n;

    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){ .fd = d[i].fd, .events = POLLIN };
    while (open > 0) {
        int64_t ms = end - clock_ms();

        if (ms <= 0)
            return false;
        if (poll(p, (nfds_t)n, (int)ms) < 0 && errno != EINTR)
            return false;
        for (size_t i = 0; i < n; i++) {
            if (p[i].revents != 0 && p[i].fd >= 0 && !drain(&d[i])) {
                p[i].fd = -1;
                open--;
            }
        }
    }
    return true;
}

/* What the reports say: the last of them, a failure before all. */
static int
judge(struct sandbox_result *r, const struct buf *reports, struct err *e)
{
    struct sandbox_report last = { .what = SANDBOX_FAILED,
                                   .text = "it ended without a word" };
    size_t at = 0;

    for (; at + sizeof(last) <= reports->len; at += sizeof(last)) {
        memcpy(&last, reports->data + at, sizeof(last));
        if (last.what == SANDBOX_FAILED)
            break;
    }
    last.text[sizeof(last.text) - 1] = '\0';
    errno = last.status;
    if (last.what == SANDBOX_FAILED)
        return last.status != 0 ? err_errno(e, ERR_IO, "%s", last.text)
                                : err_set(e, ERR_IO, "%s", last.text);
    r->end = (enum sandbox_end)last.what;
    r->status = last.status;
    if (r->end == SANDBOX_SIGNAL && r->status == SIGXCPU)
        r->end = SANDBOX_CPU;
    return 0;
}

static void
close_all(int fd[3])
{
    for (int i = 0; i < 3; i++) {
        if (fd[i] >= 0)
            close(fd[i]);
    }
}

static int
open_pipes(int in[3], int out[3], struct err *e)
{
    for (int i = 0; i < 3; i++) {
        int fd[2];

        if (pipe2(fd, O_CLOEXEC) != 0) {
            err_errno(e, ERR_IO, "pipe");
            close_all(in);
            close_all(out);
            return e->code;
        }
        in[i] = fd[0];
        out[i] = fd[1];
    }
    return 0;
}

int
sandbox_run(struct sandbox_result *r, const struct sandbox_limits *limits,
            const struct sandbox_job *job, struct err *e)
{
    int in[3] = { -1, -1, -1 }, out[3] = { -1, -1, -1 };
    struct buf reports;
    bool whole;
    pid_t pid, caller = getpid();
    int rc = open_pipes(in, out, e);

    memset(r, 0, sizeof(*r));
    if (rc < 0)
        return rc;
    pid = fork();
    if (pid == 0)
        keeper(limits, job,
               &(struct sandbox_pipes){ out[0], out[1], out[2] }, caller);
    close_all(out);
    if (pid < 0) {
        close_all(in);
        return err_errno(e, ERR_IO, "fork");
    }
    buf_init(&r->said);
    buf_init(&r->told);
    buf_init(&reports);
    whole = listen_all((struct drain[]){
        { in[0], &r->said, SANDBOX_SAID_MAX, .end = true },
        { in[1], &r->told, SANDBOX_TOLD_MAX, .end = false },
        { in[2], &reports, 4 * sizeof(struct sandbox_report), .end = false },
    }, 3, limits->seconds);
    if (!whole)
        kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close_all(in);
    rc = whole ? judge(r, &reports, e)
               : err_set(e, ERR_IO, "it did not end with its time");
    buf_release(&reports);
    if (rc < 0)
        sandbox_result_release(r);
    return rc;
}

void
sandbox_result_release(struct sandbox_result *r)
{
    buf_release(&r->said);
    buf_release(&r->told);
}
