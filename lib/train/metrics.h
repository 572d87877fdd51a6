/* metrics.h - the lines of metrics.jsonl (schemas/metrics.schema.json). */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include "base/buf.h"
#include "eval/mean_loss.h"
#include "train/runloop.h"

/* Appends the object of a step, the last of a line's; of one whose result is
 * not finite, what is not has null. */
void metrics_step(struct buf *b, const struct run_line *line,
                  const struct step_report *r, const struct train_state *s);

/* Appends that of the evaluation after so many steps. */
void metrics_evaluation(struct buf *b, uint64_t step,
                        const struct mean_loss *m);

#endif
