/* exactness.h - how much of records is completed as it is.
 *
 * Each span of a record's target is gone on to from what stands before it,
 * the right tokens of earlier spans, too, with the likeliest token each
 * time, and held against what is there: a hunk, the middle of a file, a
 * commit's message, by what the set was laid out for. It is exact where the
 * last token is right, too.
 */
#ifndef EVAL_EXACTNESS_H
#define EVAL_EXACTNESS_H

#include "base/buf.h"
#include "eval/score.h"

/* Whether there is memory to complete records: ERR_LIMIT. */
int exactness_fit(const struct model *m, const struct score_opts *o,
                  struct err *e);

/* Appends ", \"exactness\": {...}": of o->exactness records, spread evenly
 * over the split, how many there are, in how many spans, and how many are
 * left out, because nothing stands before their target or they are longer than
 * the context; and for base and (with an adapter) adapter the share of the
 * spans that are exact, and that of their tokens that come before the
 * first wrong one of theirs. An end of the record that is learned alone is no
 * span behind others. */
int exactness_put(struct buf *b, const struct model *m,
                  const struct score_opts *o, struct err *e);

#endif
