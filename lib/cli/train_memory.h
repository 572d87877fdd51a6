/* train_memory.h - how a run keeps to the memory that it is given: batch,
 * accumulation and recomputation, where they are left to it. */
#ifndef CLI_TRAIN_MEMORY_H
#define CLI_TRAIN_MEMORY_H

#include "cli/train_options.h"

/* Resolves the options (train_options_resolve) and plans the run.
 *
 * With --max-memory, batch and accum become those of the first way that takes
 * no more: as asked; fewer sequences in as many more micro-batches, so that a
 * step has as many as were asked for; and with recomputation, unless the user
 * said something of it. With --recompute auto alone it is what is asked for
 * when the plan does not fit into the memory there is without. *o has what was
 * chosen, and a line says it. What a run at o->out was begun with is chosen
 * again, whatever is free by now.
 *
 * ERR_LIMIT where there is no such way. On failure *t is released. */
int train_options_plan(struct trainer *t, struct train_opts *opts,
                       struct run_adapter *a, struct train_options *o,
                       const struct args *args, const struct run_inputs *in,
                       struct err *e);

#endif
