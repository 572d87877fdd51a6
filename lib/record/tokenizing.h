/* tokenizing.h - segments of text records to segments of token records, by
 * all threads.
 */
#ifndef RECORD_TOKENIZING_H
#define RECORD_TOKENIZING_H

#include "record/packing.h"
#include "record/render.h"
#include "record/token_stats.h"
#include "stream/stream.h"

struct tokenizing {
    const char *program;    /* what the ledger calls it; set by the caller */
    struct render render;   /* the caller calls render_use or _own, and may
                               set begin before, max_tokens and marks; its
                               loss is set here */
    enum tokens_loss loss;  /* set by the caller: what is learned; auto: what
                               the layouts say, for all records alike */
    uint64_t records;       /* made so far */
    struct render_count there, kept, left[RENDER_REASONS]; /* sums of what
                             * record/render.h has of each record */
    uint64_t lost;          /* bytes that the tokenizer has no token for */
    struct token_stats *stats; /* set by the caller: counted in; or NULL */
    struct out *lines;      /* set by the caller, with render.offsets: where
                               the lines go, as there is no stream; or NULL */

    /* private */
    uint32_t end;
    bool begun;             /* render.loss is settled */
    struct tokenizing_worker *worker;
    struct tokenizing_batch *batch; /* two */
    struct groups groups;
    struct packing packing;
};

/* end: the token that closes a record, or TOKEN_NONE. After par_set_threads;
 * t must live as long, and *z stays where it is. */
void tokenizing_init(struct tokenizing *z, const struct tokenizer *t,
                     uint32_t end);
void tokenizing_release(struct tokenizing *z);

/* Makes of the segment that `in` has begun a segment of `out`, or lines where
 * out is NULL; their bytes do not depend on the number of threads. prov: the
 * program's line of provenance, or NULL. */
int tokenizing_segment(struct tokenizing *z, struct stream_in *in,
                       struct stream_out *out, const char *prov,
                       struct err *e);

#endif
