/* exactness.h - how many records are completed as they are.
 *
 * What stands before a record's target is gone on from with the likeliest
 * token each time, and held against the target: a hunk, the middle of a
 * file, a commit's message, by what the set was laid out for. It is exact
 * where the last token is right, too.
 */
#ifndef EVAL_EXACTNESS_H
#define EVAL_EXACTNESS_H

#include "base/buf.h"
#include "eval/score.h"

/* Whether there is memory to complete records: ERR_LIMIT. */
int exactness_fit(const struct model *m, const struct score_opts *o,
                  struct err *e);

/* Appends ", \"exactness\": {...}": of o->exactness records, spread evenly
 * over the split, how many there are, how many are left out, because their
 * target is not their end or they are longer than the context; and for base
 * and (with an adapter) adapter the share of those that are exact, and that
 * of their targets' tokens that come before the first wrong one. */
int exactness_put(struct buf *b, const struct model *m,
                  const struct score_opts *o, struct err *e);

#endif
