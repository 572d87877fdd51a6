/* run_wanted.h - the run that options ask for, as a directory of it is
 * compared with: train takes it up, preflight only looks. */
#ifndef CLI_RUN_WANTED_H
#define CLI_RUN_WANTED_H

#include "cli/train_options.h"
#include "train/rundir.h"

struct run_wanted {
    struct buf identity, rest; /* rundir_open's */
    struct run_taking how;
};

/* Of options that are planned: t is the trainer. ERR_USAGE where a run is to be
 * extended that is not there. On failure w is released. */
int run_wanted_make(struct run_wanted *w, const struct train_options *o,
                    const struct args *args, const struct run_inputs *in,
                    const struct trainer *t, struct err *e);
void run_wanted_release(struct run_wanted *w);

#endif
