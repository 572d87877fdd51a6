/* train_options.h - what a user says of a training run.
 *
 * train's table, for every program that takes train's options and its run
 * file: it checks them, opens the run's inputs, settles what depends on them,
 * and has the trainer's own options.
 */
#ifndef CLI_TRAIN_OPTIONS_H
#define CLI_TRAIN_OPTIONS_H

#include "cli/machine.h"
#include "train/inputs.h"
#include "train/trainer.h"

struct train_options {
    const char *data, *base, *out, *init_adapter, *config;
    struct machine_options machine;
    int method, loss, schedule, optimizer, recompute, offload;
    uint64_t rank, steps, tokens, batch, accum, seq_len, warmup, seed;
    struct opt_every save_every;
    uint64_t eval_every, eval_records, log_every, keep;
    uint64_t head_chunk;
    double alpha, dropout, epochs, lr, lr_floor, decay, clip;
    struct opt_list targets;
    bool resume, inexact, dry_run, force;
};

extern const struct opt train_option_table[];

/* Before anything is opened: ERR_USAGE for options that exclude each other.
 * A list of targets that means every linear becomes an empty one. */
int train_options_check(struct train_options *o, const struct args *args,
                        struct err *e);

/* With the inputs open: *o gets what is learned, and the rank, the alpha and,
 * unless it was given, the dropout of the adapter that the run begins with.
 * ERR_USAGE where there is nowhere to offload from; ERR_DATA where nothing
 * would be left of the dropout, or the data don't fit the length of
 * sequences. */
int train_options_settle(struct train_options *o, const struct args *args,
                         const struct run_inputs *in, struct err *e);

/* What a trainer is told. *targets is the caller's to free, after the
 * trainer was planned; it stays NULL where nothing is to free. */
struct train_opts train_options_resolve(const struct train_options *o,
                                        const struct run_inputs *in,
                                        const char ***targets);

#endif
