/* set_lengths_out.h - the file of lengths of a set that is being made;
 * private to lib/stream.
 */
#ifndef STREAM_SET_LENGTHS_OUT_H
#define STREAM_SET_LENGTHS_OUT_H

#include "stream/manifest.h"

/* As long as what comes is what the old set's file has, nothing is written:
 * the first difference opens a file and copies what was equal. */
struct lengths_out {
    const char *dir;     /* the caller's */
    struct file_map old; /* the file that is there; empty without one */
    bool same;           /* old begins with all that came */
    uint64_t at;         /* bytes that came */
    struct out out;
    bool open;
    bool written; /* by lengths_out_end */
    struct hash hash;
};

/* The file of a set that is being made in dir. old: the manifest of the set
 * that is there, or NULL; its file damaged is ERR_DATA, and *l is then as
 * without one. */
int lengths_out_open(struct lengths_out *l, const char *dir,
                     const struct manifest *old, struct err *e);

int lengths_out_add(struct lengths_out *l, const void *p, size_t n,
                    struct err *e);

/* All has come. Where it is not the old set's, the file is now there under
 * its name; m gets its line. With nothing at all there is none. */
int lengths_out_end(struct lengths_out *l, struct manifest *m,
                    struct err *e);

/* Drops what was not ended. */
void lengths_out_release(struct lengths_out *l);

#endif
