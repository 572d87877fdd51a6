/* child.h - a child process that reads what can't be trusted.
 *
 * The child runs a function under limits on memory, processor time and wall
 * time and sends frames (a type and bytes) over a pipe; the parent reads
 * them and takes nothing on trust but their lengths' limit. When the child
 * dies or hangs, the watch page tells what it was reading.
 */
#ifndef REPO_CHILD_H
#define REPO_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "repo/watch.h"

#define CHILD_FRAME_MAX (64u << 20)

struct child_limits {
    uint64_t memory;    /* address space in bytes, 0: as it is */
    unsigned seconds;   /* the parent's time of waiting, and CPU time */
    unsigned stall;     /* seconds that one object may take */
    uint64_t waited_ms; /* of seconds: spent by earlier children */
    uint64_t cpu_ms;
};

/* ---- the child's end ---- */

struct sender {
    int fd;
    struct buf out;
    size_t frame; /* where the open frame begins in out */
};

/* A frame is what is added to s->out between begin and end. end writes when
 * enough has gathered. ERR_IO when the parent is gone. */
void sender_begin(struct sender *s, uint8_t type);
int sender_end(struct sender *s, struct err *e);
int sender_flush(struct sender *s, struct err *e);

/* ---- the parent's end ---- */

struct child {
    pid_t pid;         /* 0: none */
    int fd;
    struct child_limits limits;
    struct watch *watch;
    uint64_t waited_ms, cpu_ms; /* by the children before it, too; cpu_ms
                                 * has its own once it has ended */
    uint64_t stalled_ms, ticks;
    char *in;          /* [pos, end) is unread */
    size_t pos, end, cap;
};

/* Starts fn in a child. Its result is the child's exit status (0, or minus
 * an err_code); what it wrote to the sender has been flushed. */
int child_start(struct child *c, const struct child_limits *limits,
                int (*fn)(void *ctx, struct sender *s, struct watch *w),
                void *ctx, struct err *e);

/* The next frame: 1, with p[n] alive until the next call; 0 at the end of
 * all frames, the child having ended well; ERR_DATA when it died (by a
 * signal, or killed here because it hung) or sent nonsense; *died then
 * tells whether c->watch is worth a look. */
int child_next(struct child *c, uint8_t *type, const char **p, size_t *n,
               bool *died, struct err *e);

/* Kills the child if it is still there. */
void child_release(struct child *c);

#endif
