/* child.c - fork, limits, frames.
 *
 * A frame on the pipe: u32 length of the rest, little-endian; u8 type; bytes.
 */
#include "repo/child.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/signals.h"

#define FLUSH_BYTES (128u << 10)
#define READ_BYTES (256u << 10)
#define POLL_MS 100

/* ---- the child's end ---- */

void
sender_begin(struct sender *s, uint8_t type)
{
    s->frame = s->out.len;
    buf_u32(&s->out, 0);
    buf_addc(&s->out, type);
}

int
sender_flush(struct sender *s, struct err *e)
{
    size_t at = 0;
    ssize_t n;

    while (at < s->out.len) {
        n = write(s->fd, s->out.data + at, s->out.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_IO, "pipe");
        at += (size_t)n;
    }
    buf_reset(&s->out);
    return 0;
}

int
sender_end(struct sender *s, struct err *e)
{
    size_t n = s->out.len - s->frame - 4;

    if (n > CHILD_FRAME_MAX) {
        s->out.len = s->frame;
        return err_set(e, ERR_LIMIT, "a record too long (found %zu bytes, "
                       "limit %u)", n, CHILD_FRAME_MAX);
    }
    store_u32(s->out.data + s->frame, (uint32_t)n);
    return s->out.len >= FLUSH_BYTES ? sender_flush(s, e) : 0;
}

/* The soft limit; the hard one stays, so that the signal tells which it
 * was. */
static void
limit(int what, uint64_t value)
{
    struct rlimit r;

    if (getrlimit(what, &r) != 0)
        return;
    if (r.rlim_max == RLIM_INFINITY || value < r.rlim_max)
        r.rlim_cur = value;
    else
        r.rlim_cur = r.rlim_max;
    setrlimit(what, &r);
}

/* An address sanitizer takes terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__)
#define LIMIT_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIMIT_MEMORY 0
#endif
#endif
#ifndef LIMIT_MEMORY
#define LIMIT_MEMORY 1
#endif

/* Whole seconds of processor time that are left; at least one. */
static uint64_t
left(const struct child_limits *l)
{
    uint64_t spent = l->cpu_ms / 1000;

    return spent + 1 < l->seconds ? l->seconds - spent : 1;
}

/* Takes from the child what it doesn't need: output, input, core files. */
static void
confine(const struct child_limits *l)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    size_t i;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        signal_default(signals[i]);
    if (fd >= 0) {
        dup2(fd, 0);
        dup2(fd, 1);
        if (LIMIT_MEMORY) /* the parent speaks; or else a sanitizer */
            dup2(fd, 2);
        if (fd > 2)
            close(fd);
    }
    /* Blobs come and go by the megabyte: their pages are to stay. */
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    limit(RLIMIT_CORE, 0);
    if (l->seconds)
        limit(RLIMIT_CPU, left(l));
    if (l->memory && LIMIT_MEMORY)
        limit(RLIMIT_AS, l->memory);
}

/* ---- the parent's end ---- */

int
child_start(struct child *c, const struct child_limits *limits,
            int (*fn)(void *ctx, struct sender *s, struct watch *w),
            void *ctx, struct err *e)
{
    struct sender s = {0};
    struct err why;
    int fd[2], rc;

    memset(c, 0, sizeof(*c));
    c->limits = *limits;
    c->waited_ms = limits->waited_ms;
    c->cpu_ms = limits->cpu_ms;
    c->fd = -1;
    c->watch = mmap(NULL, sizeof(*c->watch), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->watch == MAP_FAILED) {
        c->watch = NULL;
        return err_errno(e, ERR_IO, "shared page");
    }
    if (pipe2(fd, O_CLOEXEC) != 0) {
        rc = err_errno(e, ERR_IO, "pipe");
        child_release(c);
        return rc;
    }
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0) {
        close(fd[0]);
        confine(limits);
        s.fd = fd[1];
        buf_init(&s.out);
        rc = fn(ctx, &s, c->watch);
        if (sender_flush(&s, &why) < 0 && rc == 0)
            rc = ERR_IO;
        _exit(-rc);
    }
    close(fd[1]);
    c->fd = fd[0];
    if (c->pid < 0) {
        c->pid = 0;
        rc = err_errno(e, ERR_IO, "fork");
        child_release(c);
        return rc;
    }
    return 0;
}

static uint64_t
ms_of(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000;
}

static int
reap(struct child *c)
{
    struct rusage used = {0};
    int status = 0;

    while (wait4(c->pid, &status, 0, &used) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    c->cpu_ms += ms_of(&used.ru_utime) + ms_of(&used.ru_stime);
    return status;
}

void
child_release(struct child *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        reap(c);
    }
    if (c->fd >= 0)
        close(c->fd);
    if (c->watch)
        munmap(c->watch, sizeof(*c->watch));
    free(c->in);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}

static int
kill_slow(struct child *c, bool *died, const char *what, unsigned seconds,
          int code, struct err *e)
{
    kill(c->pid, SIGKILL);
    reap(c);
    *died = true;
    return err_set(e, code, "%s took over %u seconds", what, seconds);
}

/* Waits until the pipe has something, keeping the time. */
static int
wait_input(struct child *c, bool *died, struct err *e)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    uint64_t start = clock_ms(), spent;
    int n;

    for (;;) {
        n = poll(&p, 1, POLL_MS);
        if (n < 0 && errno != EINTR)
            return err_errno(e, ERR_IO, "poll");
        spent = clock_ms() - start;
        start += spent;
        c->waited_ms += spent;
        if (n > 0)
            return 0;
        if (c->watch->reading && c->watch->ticks == c->ticks)
            c->stalled_ms += spent;
        else
            c->stalled_ms = 0;
        c->ticks = c->watch->ticks;
        if (c->limits.stall && c->stalled_ms > 1000ull * c->limits.stall)
            return kill_slow(c, died, "one object", c->limits.stall,
                             ERR_DATA, e);
        if (c->limits.seconds
            && c->waited_ms > 1000ull * c->limits.seconds)
            return kill_slow(c, died, "reading", c->limits.seconds,
                             ERR_LIMIT, e);
    }
}

/* Reads until n bytes are unread, or the end. */
static int
fill(struct child *c, size_t n, bool *died, struct err *e)
{
    ssize_t got;
    int rc;

    while (c->end - c->pos < n) {
        if (c->pos > 0) {
            memmove(c->in, c->in + c->pos, c->end - c->pos);
            c->end -= c->pos;
            c->pos = 0;
        }
        if (c->cap - c->end < READ_BYTES || c->cap < n) {
            c->cap = (n > c->end ? n : c->end) + READ_BYTES;
            c->in = mem_grow(c->in, c->cap);
        }
        rc = wait_input(c, died, e);
        if (rc < 0)
            return rc;
        got = read(c->fd, c->in + c->end, c->cap - c->end);
        if (got < 0 && errno != EINTR)
            return err_errno(e, ERR_IO, "pipe");
        if (got == 0)
            return 0;
        if (got > 0)
            c->end += (size_t)got;
    }
    return 0;
}

/* The pipe has ended: how did the child? */
static int
finish(struct child *c, bool *died, struct err *e)
{
    bool torn = c->end > c->pos;
    int status = reap(c);

    if (WIFSIGNALED(status)) {
        *died = true;
        if (WTERMSIG(status) == SIGXCPU)
            return err_set(e, ERR_LIMIT, "reading took over %u seconds of "
                           "processor time", c->limits.seconds);
        return err_set(e, ERR_DATA, "the reader died of signal %d (%s)",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    if (LIMIT_MEMORY && WEXITSTATUS(status) == 1) /* no allocation */
        return err_set(e, ERR_LIMIT, "the reader ran out of memory (limit "
                       "%llu bytes)", (unsigned long long)c->limits.memory);
    if (WEXITSTATUS(status) != 0 || torn) {
        *died = true;
        return err_set(e, ERR_DATA, "the reader ended with status %d",
                       WEXITSTATUS(status));
    }
    return 0;
}

int
child_next(struct child *c, uint8_t *type, const char **p, size_t *n,
           bool *died, struct err *e)
{
    uint32_t len;
    int rc;

    *died = false;
    rc = fill(c, 5, died, e);
    if (rc < 0)
        return rc;
    if (c->end - c->pos < 5)
        return finish(c, died, e);
    len = load_u32(c->in + c->pos);
    if (len == 0 || len > CHILD_FRAME_MAX)
        return err_set(e, ERR_DATA, "bad frame from the reader (%u bytes)",
                       len);
    rc = fill(c, (size_t)4 + len, died, e);
    if (rc < 0)
        return rc;
    if (c->end - c->pos < (size_t)4 + len)
        return finish(c, died, e);
    *type = (uint8_t)c->in[c->pos + 4];
    *p = c->in + c->pos + 5;
    *n = len - 1;
    c->pos += (size_t)4 + len;
    return 1;
}
