/* context_score.h - held-out records with the records before them that are
 * most like what stands before their target, against the same without.
 * Private to lib/eval. */
#ifndef EVAL_CONTEXT_SCORE_H
#define EVAL_CONTEXT_SCORE_H

#include "eval/context.h"
#include "eval/scores.h"

/* Of each record: what stands before it, and its losses then. */
struct context_scores {
    struct context_size *size;
    struct context_counts counts;
    struct record_loss *base, *adapter; /* adapter: NULL where there is none */
};

/* Measures the records of s->split once more, each behind its context
 * (o->context), under the base and, where there is one, the adapter. The loss
 * is that of the same tokens of the target. ERR_AGAIN when asked to stop. On
 * failure *c is released. */
int context_score(struct context_scores *c, const struct scores *s,
                  const struct model *m, const struct score_opts *o,
                  struct err *e);
void context_scores_release(struct context_scores *c);

#endif
