/* scores.h - what was measured on a split, and how it is told. Private to
 * lib/eval. */
#ifndef EVAL_SCORES_H
#define EVAL_SCORES_H

#include "data/dataset.h"
#include "eval/mean_loss.h"
#include "eval/score.h"

/* Of each record, the loss of the tokens that are to be learned, and of all
 * of them. NULL for a model that isn't there. */
struct losses {
    struct record_loss *target, *all;
};

struct scores {
    struct data_split *split;
    uint64_t n;               /* records */
    struct losses base, with; /* without and with the adapter */
};

/* The members of the summary, each after a comma. */
void scores_put(struct buf *b, const struct score_opts *o,
                const struct scores *s);

/* A line for each record. */
int scores_write(const struct scores *s, const char *path, struct err *e);

#endif
