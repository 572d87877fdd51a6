/* train_plan.h - what a planned run takes, before it takes it. */
#ifndef TRAIN_TRAIN_PLAN_H
#define TRAIN_TRAIN_PLAN_H

#include "base/buf.h"
#include "model/fit.h"
#include "train/trainer.h"

struct plan_memory trainer_memory(const struct trainer *t);

/* ERR_LIMIT where the plan does not fit into the memory there is (fit.h);
 * with force a warning and 0. */
int trainer_fit(const struct trainer *t, bool force, struct err *e);

/* How the run keeps to so many bytes (fit_within). */
int trainer_choose(const struct trainer *t, uint64_t bytes, bool recompute,
                   struct fit_way *way, struct err *e);

/* The plan as a JSON object in one line: the bytes above, parameters,
 * trainable ones, steps, positions and floating-point operations a step. */
void trainer_plan_json(const struct trainer *t, struct buf *b);

/* The same for people: a line a part, memory in MiB. */
void trainer_plan_table(const struct trainer *t, struct buf *b);

#endif
