/* verify.h - the fsck of streams and shard sets: every byte is read, every
 * hash compared, every record decoded. What was left out on the way to them,
 * and their content ids, are told to those who ask for details (log_debug).
 */
#ifndef RECORD_VERIFY_H
#define RECORD_VERIFY_H

#include "stream/set.h"

struct stream_report {
    char type[STREAM_NAME_MAX + 1];
    uint64_t segments, records, tensors;
};

/* A stream, or any files of a set one after another. Also on failure *good
 * tells how many records and tensors come before the first damage. */
int stream_verify(struct stream_report *r, const char *path, uint64_t *good,
                  struct err *e);

/* A set's manifest, its files, and its lengths against its records. *m is
 * the manifest, to be released; *good as above. Warns of files in the
 * directory that look like the set's and are not. */
int record_set_verify(struct manifest *m, const char *path, uint64_t *good,
                      struct err *e);

#endif
