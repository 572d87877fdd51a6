/* scribe.h - a repository as records: the reading half of gitscrape.
 *
 * It runs in a child process, reads and compares what can't be trusted
 * (lib/repo), and sends encoded records. Frames to the parent: 'H' a walk was
 * made, 'A' an author, 'R' a record, 'L' some of a commit is unreadable, 'C' a
 * commit is complete, 'B' a commit is unreadable, 'E' the end by an error.
 * Numbers are u64, little-endian.
 */
#ifndef RECORD_SCRIBE_H
#define RECORD_SCRIBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "repo/child.h"
#include "repo/history.h"

/* What is to be read. Strings are the caller's. */
struct scribe_job {
    const char *path;
    const char *name;         /* in the records; NULL: the directory's */
    bool trust, trust_owner;
    struct history_options history;
    size_t context;           /* kept lines around an edit, or CHANGE_ALL */
    struct map poison;        /* objects not to be touched */
};

/* The child's function, for child_start; job is a struct scribe_job. Failures
 * go to the parent as a frame; the result is always 0. */
int scribe_run(void *job, struct sender *s, struct watch *w);

#endif
