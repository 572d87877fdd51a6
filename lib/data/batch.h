/* batch.h - packed rows of tokens as the arrays that ops read.
 *
 * A micro-batch is batch sequences of seq_len rows. Each sequence holds
 * slices of records one after the other; positions count from 0 in each
 * slice and doc_first tells where it begins, so that no slice sees another.
 * Rows after the last slice are padding: token 0, weight 0, a document of
 * their own.
 */
#ifndef DATA_BATCH_H
#define DATA_BATCH_H

#include "data/packer.h"
#include "kernels/ops.h"

/* The tokens of one record, as a source gives them: n ids and n flags, a
 * flag telling whether the token is to be learned (1) or is context (0).
 * Valid until the next call. */
struct record_tokens {
    const uint32_t *ids;
    const uint8_t *learn;
    uint32_t n;
};

/* Where records come from. get fills *out with record i or fails. */
struct token_source {
    int (*get)(void *ctx, uint64_t i, struct record_tokens *out,
               struct err *e);
    void *ctx;
    uint64_t n_records;
    const uint32_t *len; /* tokens of each record */
    const struct draws *draws; /* as the packer has it; NULL: each once */
    const uint32_t *cluster; /* the number, below n_records, of each record's
                                commit; NULL: each is its own */
    uint32_t vocab;      /* ids are below it */
};

/* The arrays behind a struct batch, and which record each row is of. */
struct batch_rows {
    struct batch view;   /* what ops read; n and the pointers are set */
    int32_t *ids, *target, *pos, *doc_first, *head_row;
    float *weight;
    uint64_t *record;    /* of each row; UINT64_MAX for padding */
    uint32_t batch, seq_len;
    bool every;          /* all rows but padding go through the head, not only
                            those to be learned; the caller's */
    uint32_t n_head;     /* rows of the head */
    uint32_t n_tokens;   /* rows that are not padding */
};

void batch_init(struct batch_rows *b, uint32_t batch, uint32_t seq_len);
void batch_release(struct batch_rows *b);

/* Fills the first rows sequences, at most batch, from the packer's next rows;
 * the others are padding: the last batches of an evaluation or of a run. */
int batch_fill(struct batch_rows *b, struct packer *p,
               const struct token_source *s, uint64_t rows, struct err *e);

#endif
