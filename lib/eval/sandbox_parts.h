/* sandbox_parts.h - what the sides of a sandbox tell each other. Private to
 * lib/eval.
 *
 * Three processes: the keeper, which makes the namespaces and has the clock;
 * the first, which is process 1 of them, builds the file system and starts
 * the program; and the program. When the first ends, the kernel kills all
 * that is left.
 */
#ifndef EVAL_SANDBOX_PARTS_H
#define EVAL_SANDBOX_PARTS_H

#include <stdbool.h>

#include "eval/sandbox.h"

/* What comes over the pipe of reports: one of them, but for the clock, which
 * may come behind another. */
struct sandbox_report {
    int what;      /* enum sandbox_end, or SANDBOX_FAILED */
    int status;    /* as there; errno of a failure, or 0 */
    char text[64]; /* what failed */
};

#define SANDBOX_FAILED 99

/* The ends for writing. */
struct sandbox_pipes {
    int said, told, report;
};

/* Never returns: what was to be done failed, because of errno. */
_Noreturn void sandbox_fail(int report, const char *what);

/* The first process, from its start to its end. folder is NULL, or the one
 * that was made for a sandbox of Landlock's. */
_Noreturn void sandbox_first(const struct sandbox_limits *limits,
                             const struct sandbox_job *job,
                             const struct sandbox_pipes *pipes,
                             const char *folder);

/* Keeps the process, and what it will be, from calls by which it could leave
 * the sandbox's bounds; alone: there are no namespaces about it. 0, or -1 with
 * errno. */
int sandbox_filter(bool alone);

/* Of Landlock's kind: lets the process open the system's files and the
 * folder's, and no others; removes the folder; counts the user's threads. */
void sandbox_landlock(const char *folder, int report);
void sandbox_remove(const char *folder);
uint64_t sandbox_tasks(void);

#endif
