/* filtering.h - segments of text records through a filter that looks at
 * records by all threads, and hands them on, changed or not, in their order.
 *
 * The filter is two functions. `look` is called of each record by one of the
 * threads and may depend on nothing but the record; `settle` is called of all
 * in their order, by the caller's thread, and says what becomes of it.
 */
#ifndef RECORD_FILTERING_H
#define RECORD_FILTERING_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "stream/stream.h"

/* Records that are in work at a time have as many slots, for what look
 * leaves to settle. */
#define FILTER_SLOTS 1024

enum filter_fate {
    FILTER_KEEP,   /* as it came: where look says nothing */
    FILTER_CHANGE, /* out is in its place */
    FILTER_DROP    /* settle counted it */
};

struct filter_item {
    const char *p; /* the encoded record */
    size_t n;
    uint64_t index; /* in its segment */
    size_t slot;
    enum filter_fate fate;
    struct buf out;  /* empty before look */
    struct err e;    /* look: code < 0 ends the filter in this record's turn, if
                        it isn't dropped */
};

struct filtering {
    /* set by the caller, after filtering_init */
    void (*look)(void *ctx, struct filter_item *it, int worker);
    int (*settle)(void *ctx, struct filter_item *it, struct stream_out *out,
                  struct err *e);
    void *ctx;
    uint64_t records, kept; /* that came, and that went on */

    /* private */
    struct filtering_batch *batch; /* two */
};

void filtering_init(struct filtering *f);
void filtering_release(struct filtering *f);

/* Begins a segment of `out` with the head of the one that `in` has begun.
 * prov: the program's line of provenance, or NULL. */
int filtering_begin(struct stream_in *in, struct stream_out *out,
                    const char *prov, struct err *e);

/* All records of the segment; the caller ends it (stream_pass_end). What can't
 * be read or looked at is told when all before it is written: "INPUT: record
 * N: ...". */
int filtering_records(struct filtering *f, struct stream_in *in,
                      struct stream_out *out, struct err *e);

/* What makes of the segment that `in` has begun one of `out`; prov: the
 * program's line of provenance, or NULL. And what comes when all have come. */
typedef int filter_segment(void *ctx, struct stream_in *in,
                           struct stream_out *out, const char *prov,
                           struct err *e);
typedef int filter_last(void *ctx, struct err *e);

struct filter_by {
    filter_segment *segment;
    void *filter; /* its ctx */
    filter_last *last;
    void *aside;  /* its ctx: what is written beside the stream */
    const char *prov;
};

/* All segments of `in` to a stream on standard output. `last` comes before the
 * end of that is written: where it fails, nobody sees the end. */
int filtering_stream(struct stream_in *in, const struct filter_by *by,
                     struct err *e);

#endif
