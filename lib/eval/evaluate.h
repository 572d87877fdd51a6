/* evaluate.h - the loss of a model over records, record by record. */
#ifndef EVAL_EVALUATE_H
#define EVAL_EVALUATE_H

#include "data/batch.h"
#include "eval/mean_loss.h"
#include "model/prog.h"

/* Runs every record of s (or the first limit of them; 0: all) through an
 * evaluation program; out[i] is record i's. x's program is PROG_EVAL; its
 * batch and inputs are used. Packing doesn't change a loss: records don't see
 * each other. ERR_AGAIN when it was asked to stop (base/stop.h). */
int evaluate(struct exec *x, const struct token_source *s, uint64_t limit,
             struct record_loss *out, struct err *e);

#endif
