/* sandbox.h - a program that nobody has read is run where it can do nothing.
 *
 * It has user, mount, process, network, IPC and host name namespaces of its
 * own (namespaces(7)) and is nobody there, with no capability. It sees /usr,
 * /bin, /lib* and /sbin, to be read only, the linker's cache and
 * /etc/alternatives, five devices of /dev, and /tmp: a file system in memory,
 * of so many bytes, its working directory and the only place to write to.
 * There is no /etc/passwd, no home, no /proc, and no network, not even
 * loopback. A system call filter keeps it from making namespaces of its own,
 * where these bounds would not be, and from memory that no limit counts.
 * Address space, processor time, size of files, processes and descriptors
 * have limits; when the program ends, or the time is over, every process that
 * it has started is killed, wherever it went.
 *
 * Where the kernel gives a user no namespaces, there is the other kind: rules
 * for files (landlock(7)) in place of the file system, and a filter that
 * refuses sockets, signals, changes of modes and owners, and leaving the group
 * of processes, by which it is killed. What that gives up: its folder is one
 * of /tmp on the disk, bounded file by file, its processes are counted with
 * those of its user, and it sees that there are other files and processes,
 * but can't open or signal them.
 *
 * Limits: memory is bounded process by process (SANDBOX_PROCESSES of them),
 * not in sum; the kernel is asked to take these first when memory is short.
 * The kernel itself is trusted. Linux 5.14 or later, 6.2 for landlock.
 */
#ifndef EVAL_SANDBOX_H
#define EVAL_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SANDBOX_PROCESSES 32
#define SANDBOX_CLOCK_TIMES 3   /* the clock's seconds to the processor's */
#define SANDBOX_TELL 3          /* the program's descriptor to tell on */
#define SANDBOX_TOLD_MAX 256    /* bytes that are kept of what it tells, */
#define SANDBOX_SAID_MAX 16384  /* and of the end of its stderr */

enum sandbox_kind { SANDBOX_NAMESPACES, SANDBOX_LANDLOCK };

#define SANDBOX_KINDS "namespaces|landlock" /* as an option's choices */

struct sandbox_limits {
    enum sandbox_kind kind;
    unsigned seconds; /* of processor time, for each process; by the clock
                         SANDBOX_CLOCK_TIMES as many for all */
    uint64_t memory;  /* bytes of address space, for each process */
    uint64_t disk;    /* bytes of /tmp, or of each file */
};

/* A file that is in its folder when the program starts; it may be executed. */
struct sandbox_file {
    const char *name, *p;
    size_t n;
};

struct sandbox_job {
    const struct sandbox_file *file;
    size_t n_files;
    const char *const *argv; /* ended by NULL; argv[0] is a path */
};

enum sandbox_end {
    SANDBOX_EXIT,   /* status: what it exited with */
    SANDBOX_SIGNAL, /* status: the signal that killed it */
    SANDBOX_CPU,    /* its processor time was over */
    SANDBOX_CLOCK   /* the time by the clock was over */
};

struct sandbox_result {
    enum sandbox_end end;
    int status;
    struct buf told, said;
};

/* Runs the program to its end, with nothing on stdin and stdout nowhere.
 * ERR_IO "WHAT: why" where there can be no sandbox; *r is released then. */
int sandbox_run(struct sandbox_result *r, const struct sandbox_limits *limits,
                const struct sandbox_job *job, struct err *e);
void sandbox_result_release(struct sandbox_result *r);

#endif
