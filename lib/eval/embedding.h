/* embedding.h - segments of token records to segments of vectors. */
#ifndef EVAL_EMBEDDING_H
#define EVAL_EMBEDDING_H

#include "eval/hidden.h"
#include "stream/stream.h"

struct embedding {
    const struct model *m;
    struct exec *x;       /* hidden_open */
    enum hidden_pool pool;
    const char *program;  /* for the ledger */
    const char *base, *adapter; /* their content ids, hex; NULL: none */
    uint64_t records, empty;    /* that became vectors; that have no token */

    /* private */
    struct embedding_chunk *chunk;
};

/* Empty; the caller sets the first six. */
void embedding_init(struct embedding *g);
void embedding_release(struct embedding *g);

/* Makes of the segment of tokens that `in` has begun one of vectors, a vector a
 * record, in their order (a filter_segment of record/filtering.h, whose ctx is
 * a struct embedding). Records without a token are left out, counted. ERR_DATA
 * for tokens of another tokenizer. */
int embedding_segment(void *ctx, struct stream_in *in,
                      struct stream_out *out, const char *prov,
                      struct err *e);

#endif
