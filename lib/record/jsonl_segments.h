/* jsonl_segments.h - lines of JSON (record/jsonl.h) to the segments of a
 * stream: a header line begins one, its last line ends it, and lines without
 * a header become segments of their own.
 */
#ifndef RECORD_JSONL_SEGMENTS_H
#define RECORD_JSONL_SEGMENTS_H

#include "record/jsonl.h"
#include "stream/stream.h"

struct jsonl_segments {
    /* set by the caller, after jsonl_segments_init */
    const char *program;   /* what the ledger calls it */
    const char *prov;      /* its line of provenance, or NULL */
    const char *name;      /* of the input, for messages */
    const char *tokenizer; /* content id that ids without a header are from,
                              or NULL */
    uint64_t vocab;        /* ids without a header are below it; 0: any */
    bool keep_going;       /* a bad line is warned of, counted and left out */
    struct stream_out *out;

    uint64_t bad;          /* lines left out */
    struct jsonl line;     /* n_ignored, n_padding: what was left out */

    /* private */
    uint64_t number;       /* of the line */
    bool open, begun;      /* a segment is; one was */
    char type[STREAM_NAME_MAX + 1]; /* of it */
    uint64_t records;      /* in it */
    uint64_t data_left;    /* of the tensor before */
    uint64_t bad_before, ignored_before, padding_before; /* the segment */
};

void jsonl_segments_init(struct jsonl_segments *s);
void jsonl_segments_release(struct jsonl_segments *s);

/* The next line, without its newline; white space alone is nothing. ERR_DATA
 * names the line. */
int jsonl_segments_line(struct jsonl_segments *s, const char *p, size_t n,
                        struct err *e);

/* All lines have come: ends the segment. No record at all is a segment of
 * text without one. */
int jsonl_segments_end(struct jsonl_segments *s, struct err *e);

#endif
