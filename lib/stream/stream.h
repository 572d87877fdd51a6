/* stream.h - reading and writing streams of records.
 *
 * A stream is one or more segments; a segment is a header, frames and a
 * trailer (man/man5/graft-stream.5 has every byte). What the reader hands
 * out has passed its frame's hash. That a segment is whole is known only
 * when stream_in_record has given 0: whoever writes files commits nothing
 * before that, which stream_out does by itself: without stream_out_close
 * nothing appears under the final name.
 *
 * A filter:
 *
 *     rc = stream_in_open(&in, "-", "text", e);
 *     rc = stream_out_open(&out, "-", e);
 *     while ((rc = stream_in_segment(&in, e)) > 0) {
 *         ... stream_head_copy(&head, &in.head), changed
 *         rc = stream_out_begin(&out, &head, e);
 *         while ((rc = stream_in_record(&in, &rec, e)) > 0)
 *             ... stream_out_record(&out, p, n, e)
 *             ... or stream_out_skip(&out, "scrub", "binary", 1)
 *         rc = stream_pass_end(&out, &in, e);
 *     }
 *     rc = stream_out_close(&out, e);
 *
 * Limits: a record 63 MiB, a frame 64 MiB raw, a descriptor 1 MiB, a trailer
 * 64 MiB (about 250 GB of records in a segment). Neither struct is for use
 * by two threads at once.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"
#include "stream/head.h"
#include "stream/trailer.h"

#define STREAM_RECORD_MAX (63u << 20)
#define STREAM_FRAME_MAX (64u << 20)
#define STREAM_FRAME_CLOSE (512u << 10)
#define STREAM_TENSOR_MAX (1u << 20) /* of a descriptor */
#define STREAM_BLOCK (16u << 20)     /* of tensor data */

/* ---- reading ---- */

/* What stream_in_record hands out; p lives until the next call. */
struct stream_rec {
    enum frame_kind kind; /* FRAME_RECORDS, or FRAME_TENSOR in weights */
    const void *p;        /* the record, or the tensor's descriptor */
    size_t n;
    uint64_t data;        /* FRAME_TENSOR: bytes that follow */
    uint64_t index;       /* of records: number within the segment */
};

struct stream_in {
    struct stream_head head;       /* of the segment that is open */
    struct stream_trailer trailer; /* complete after the 0 */
    uint64_t n_segments;           /* complete ones */
    uint64_t n_records;            /* handed out, in all segments */
    bool check_content;            /* recompute content ids (verify) */
    bool parts;                    /* take files of a set, see below */
    struct in in;                  /* of a set, the name and the offset */
    enum stream_phase {
        STREAM_BETWEEN, /* segments: before the first, or after one */
        STREAM_WITHIN,
        STREAM_FAILED
    } phase;
    const struct in_kind *kind;
    void *state;
};

/* path may be "-", or the directory of a shard set: then the stream is what
 * the set was made of, read from all of its files, which are compared with
 * the manifest. type: what the stream must hold, NULL for anything. No bytes
 * at all are ERR_DATA "empty input, no header".
 *
 * A file of a set is a part of a stream, and nothing says that the others
 * are there: on its own it is ERR_USAGE, unless in->parts is set, for a
 * program that only looks at records. */
int stream_in_open(struct stream_in *in, const char *path, const char *type,
                   struct err *e);
void stream_in_release(struct stream_in *in);

/* Begins the next segment: 1, and in->head is there; 0 at the end of the
 * input; negative. Only at the start or after stream_in_record gave 0. */
int stream_in_segment(struct stream_in *in, struct err *e);

/* The next record or tensor: 1; 0 when the trailer has come and everything
 * agrees with it; negative. Data of a tensor that was not read is skipped
 * (and checked). */
int stream_in_record(struct stream_in *in, struct stream_rec *rec,
                     struct err *e);

/* Up to n of the remaining bytes of the tensor; *got 0 at their end. Their
 * hashes are in the trailer, so they are vouched for by the final 0 only. */
int stream_in_data(struct stream_in *in, void *p, size_t n, size_t *got,
                   struct err *e);

/* After bytes that stream_in_data gave: the hash of the block of data that
 * ends with them, until the next call; NULL where none does. */
const struct id *stream_in_block(const struct stream_in *in);

/* ---- writing ---- */

struct stream_out {
    struct stream_trailer trailer; /* complete after stream_out_end */
    struct out out;
    struct stream_out_state *state;
};

/* path may be "-", but a terminal is no place for a stream (ERR_USAGE); a
 * file is written beside its name, see base/io.h. */
int stream_out_open(struct stream_out *o, const char *path, struct err *e);

/* Drops a file that was not closed. */
void stream_out_release(struct stream_out *o);

/* Writes the header of a segment. */
int stream_out_begin(struct stream_out *o, const struct stream_head *h,
                     struct err *e);

/* Adds a record; over STREAM_RECORD_MAX is ERR_LIMIT. */
int stream_out_record(struct stream_out *o, const void *p, size_t n,
                      struct err *e);

/* Frames of records are packed by all threads, several at once (par_for). A
 * caller that gives records beside a par_for of its own calls hold before it,
 * has so many jobs done among its items, and calls go after it: that writes
 * what was packed. */
size_t stream_out_hold(struct stream_out *o);
void stream_out_job(struct stream_out *o, size_t i, int worker);
int stream_out_go(struct stream_out *o, struct err *e);

/* Begins a tensor with its descriptor; n_data bytes are then to be given by
 * stream_out_data, in parts of any size. */
int stream_out_tensor(struct stream_out *o, const void *desc, size_t n,
                      uint64_t n_data, struct err *e);
int stream_out_data(struct stream_out *o, const void *p, size_t n,
                    struct err *e);

/* The same for the n bytes that stream_in_data just gave of the tensor that
 * is copied: their blocks have their hashes from the reader. */
int stream_out_copy(struct stream_out *o, const struct stream_in *in,
                    const void *p, size_t n, struct err *e);

/* Counts in the ledger what this program left out. */
void stream_out_skip(struct stream_out *o, const char *program,
                     const char *reason, uint64_t count);

/* Names an input by its content id. */
void stream_out_input_id(struct stream_out *o, const struct id *id);

/* Writes the trailer. o->trailer is complete until the next begin. Its last
 * bytes wait in a buffer for stream_out_close or the next segment: who reads
 * a stream that is released now finds it cut short. */
int stream_out_end(struct stream_out *o, struct err *e);

/* Flushes and puts the file in its place; releases o, also on failure.
 * A segment still open is ERR_IO. */
int stream_out_close(struct stream_out *o, struct err *e);

/* Ends o's segment as a filter does: names in's segment, which must be at its
 * end, as the input and hands on its ledger (its lines come before this
 * program's). */
int stream_pass_end(struct stream_out *o, const struct stream_in *in,
                    struct err *e);

#endif
