/* source.h - every record of a stream, of a set or of a split of one, in
 * turn: for who makes something else of them. */
#ifndef RECORD_SOURCE_H
#define RECORD_SOURCE_H

#include "base/err.h"
#include "stream/head.h"

/* Takes a record of a segment with that head; negative ends it all. */
typedef int source_take(void *ctx, const struct stream_head *head,
                        const void *p, size_t n, struct err *e);

/* Hands all records of path to take: a stream's (a file, "-", or a set's
 * directory) or, unless split is NULL, those of that split of a set. 0 when
 * they were whole; messages name the input and the record. Tensors are
 * ERR_DATA, a split that isn't there ERR_USAGE. */
int source_each(const char *path, const char *split, source_take *take,
                void *ctx, struct err *e);

#endif
