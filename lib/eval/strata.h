/* strata.h - the losses of a split by what its records are. Private to
 * lib/eval. */
#ifndef EVAL_STRATA_H
#define EVAL_STRATA_H

#include "eval/scores.h"

/* Appends ", \"strata\": {...}": for each of the ways of o->by a list of
 * strata, each with its name, counts, losses and difference, of the target.
 * Reads the records again for their languages and repositories. */
int strata_put(struct buf *b, const struct score_opts *o, struct scores *s,
               struct err *e);

#endif
