/* detokenizing.h - segments of token records back to their texts. */
#ifndef RECORD_DETOKENIZING_H
#define RECORD_DETOKENIZING_H

#include "record/text.h"
#include "stream/stream.h"
#include "text/tokenizer.h"

struct detokenizing {
    const struct tokenizer *t;
    uint32_t end;              /* left off where it ends a record, or
                                  TOKEN_NONE */
    uint32_t begin;            /* the same where it begins one */
    struct stream_out *stream; /* where documents go, or NULL: */
    struct out *bytes;         /* their bytes alone */

    /* private */
    struct buf text, rec;
    struct text_rec doc;
    size_t skip; /* bytes of text that encoding had put before it */
    uint32_t *ids;
    size_t cap;
};

/* Empty; the caller sets the first five. */
void detokenizing_init(struct detokenizing *d);
void detokenizing_release(struct detokenizing *d);

/* Writes what the segment that `in` has begun says: as a segment of
 * documents, with prov (or NULL) as the program's line of provenance, or as
 * bytes. Tokens of another tokenizer are ERR_DATA. */
int detokenizing_segment(struct detokenizing *d, struct stream_in *in,
                         const char *prov, struct err *e);

#endif
