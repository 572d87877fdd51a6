/* evaluate.h - the loss of a model over records, record by record. */
#ifndef EVAL_EVALUATE_H
#define EVAL_EVALUATE_H

#include "data/batch.h"
#include "eval/mean_loss.h"
#include "model/prog.h"

/* Called with each batch. */
typedef int evaluate_batch(void *ctx, const struct batch_rows *b,
                           struct err *e);

/* Packs the records of s into batches of so many sequences, and calls fn with
 * each; every: all rows but padding go through the head. ERR_AGAIN when it
 * was asked to stop (base/stop.h). */
int evaluate_batches(const struct token_source *s, uint32_t batch,
                     uint32_t seq_len, bool every, evaluate_batch *fn,
                     void *ctx, struct err *e);

/* Runs every record of s through an evaluation program; target[i] is the loss
 * of record i's tokens that are to be learned, all[i] that of all its tokens.
 * Without all (NULL), rows of the other tokens are left out of the head, which
 * is much of the work. x's program is PROG_EVAL; its batch and inputs are
 * used. Packing doesn't change a loss: records don't see each other.
 * ERR_AGAIN when it was asked to stop (base/stop.h). */
int evaluate(struct exec *x, const struct token_source *s,
             struct record_loss *target, struct record_loss *all,
             struct err *e);

#endif
