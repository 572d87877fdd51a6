/* set_part.h - the files of a shard set, compared with its manifest; private
 * to lib/stream.
 */
#ifndef STREAM_SET_PART_H
#define STREAM_SET_PART_H

#include "stream/manifest.h"

/* The path of file i, which must be there: a set without it is not the one
 * that its manifest tells of. NULL and ERR_DATA; the caller frees it. */
char *set_part_path(const struct manifest *m, const char *set, size_t i,
                    struct err *e);

/* A file's header, trailer and length against its line in the manifest:
 * ERR_DATA names both sides. */
int set_part_compare(const struct manifest *m, size_t i, const char *path,
                     const struct stream_head *head,
                     const struct stream_trailer *t, uint64_t bytes,
                     struct err *e);

/* Opens file i and begins its segment; on failure it is released. */
int set_part_open(struct stream_in *in, const struct manifest *m,
                  const char *set, size_t i, struct err *e);

/* After stream_in_record gave 0: the file is the one in the manifest, and
 * nothing follows. */
int set_part_end(struct stream_in *in, const struct manifest *m, size_t i,
                 struct err *e);

#endif
