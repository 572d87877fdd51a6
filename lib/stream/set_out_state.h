/* set_out_state.h - a set that is being made, between what opens and ends it
 * and what cuts its files; private to lib/stream.
 */
#ifndef STREAM_SET_OUT_STATE_H
#define STREAM_SET_OUT_STATE_H

#include "stream/set_lengths_out.h"
#include "stream/set_out.h"

struct set_out_state {
    char *dir;
    bool made;    /* the directory is ours */
    bool locked;
    int spare;    /* a descriptor to take back with when all are in use */
    bool started; /* set_out_begin was called */
    bool done;    /* the manifest is written, or need not be */
    bool committing; /* which manifest is there is not known: keep all */
    bool replace;
    bool have_old, same;
    struct set old;
    struct stream_head head; /* of the files */
    uint64_t file_bytes;
    struct stream_out file;
    bool open;                   /* file is being written */
    struct lengths_out lengths;
    uint64_t records, tensors;   /* that came, in all */
    uint64_t first_record;       /* of the current file */
    uint64_t first_tensor;
    uint64_t raw;                /* bytes in the current file */
    uint64_t data, data_got;     /* of the current tensor */
};

/* ERR_EXISTS: the set that is there is another one. */
int set_out_refuse(const struct set_out_state *s, const char *what,
                   uint64_t at, struct err *e);

/* Ends the current file, kept or written; last: nothing comes behind it. */
int set_out_end_file(struct set_out *o, bool last, struct err *e);

#endif
