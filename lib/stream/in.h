/* in.h - the two kinds of streams that stream_in reads; private to
 * lib/stream.
 */
#ifndef STREAM_IN_H
#define STREAM_IN_H

#include "stream/stream.h"

/* What stream_in_segment, _record, _data and _block do where they may be
 * called, and the release of `state`; a stream_in has head, trailer and input
 * besides. *got is 0 before data. */
struct in_kind {
    int (*segment)(struct stream_in *in, struct err *e);
    int (*record)(struct stream_in *in, struct stream_rec *rec,
                  struct err *e);
    int (*data)(struct stream_in *in, void *p, size_t n, size_t *got,
                struct err *e);
    const struct id *(*block)(const struct stream_in *in);
    void (*release)(struct stream_in *in);
};

/* A file or pipe; regular: a file of a directory (in_open_regular). */
int in_bytes_open(struct stream_in *in, const char *path, bool regular,
                  const char *type, struct err *e);

/* A shard set, by its directory. */
int in_set_open(struct stream_in *in, const char *path, const char *type,
                struct err *e);

#endif
