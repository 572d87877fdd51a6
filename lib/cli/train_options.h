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
#include "weights/lora.h"

/* Of struct train_options alone: train_options_plan makes one of the others
 * of it. */
enum { RECOMPUTE_AUTO = RECOMPUTE_BLOCK + 1 };

struct train_options {
    const char *data, *base, *out, *init, *init_adapter, *config;
    struct machine_options machine;
    int method, loss, schedule, optimizer, recompute, offload;
    int muon_adjust;
    uint64_t rank, steps, tokens, batch, accum, seq_len, seed;
    struct opt_share warmup, decay_steps;
    struct opt_every save_every;
    uint64_t eval_every, eval_records, log_every, keep;
    uint64_t head_chunk, max_memory, plateau_patience, patience, max_bad;
    double alpha, dropout, epochs, lr, lr_floor, lr_ratio;
    double decay, clip, beta1, beta2, epsilon, z_loss;
    double momentum, muon_lr_ratio;
    double plateau_factor, back_off, spike;
    struct opt_list targets, rank_pattern, alpha_pattern, save, token_rows;
    struct opt_list watch;
    bool rslora, dora, tied, resume, inexact, dry_run, force, keep_best,
         extend, print_config, lr_find, profile;
};

extern const struct opt train_option_table[];

/* Before anything is opened: ERR_USAGE for options that exclude each other.
 * A list of targets that means every linear becomes an empty one. */
int train_options_check(struct train_options *o, const struct args *args,
                        struct err *e);

/* With the inputs open: *o gets what is learned, and the rank, the alpha, the
 * kind of scale and, unless it was given, the dropout of the adapter that the
 * run begins with; the model's head and embedding are two where one of them
 * is to be trained alone.
 * ERR_USAGE where there is nowhere to offload from; ERR_DATA where nothing
 * would be left of the dropout, the data don't fit the length of sequences, or
 * evaluations are to decide something and there is nothing to evaluate. */
int train_options_settle(struct train_options *o, const struct args *args,
                         struct run_inputs *in, struct err *e);

/* Whether the run's result depends on its evaluations. */
bool train_options_validated(const struct train_options *o);

/* The adapter of a run: what the options or, where it begins with one, that
 * one's config say of it, and what each module has of it. */
struct run_adapter {
    struct adapter config; /* without modules; strings are borrowed */
    struct adapter_patterns rank, alpha; /* of the options */
    struct adapter tokens; /* of the options: no more than tokens */
    struct lora_part *parts;
    float *fixed;        /* of --init pissa (weights/pissa.h); NULL: another */
};

/* What a trainer is told. *a has to outlive the trainer's planning, and is
 * the caller's to release, after the trainer and also after a failure.
 * ERR_USAGE for targets and patterns that no module matches, and a start that
 * can't be made. */
int train_options_resolve(struct train_opts *t, struct run_adapter *a,
                          const struct train_options *o,
                          const struct run_inputs *in, struct err *e);
void run_adapter_release(struct run_adapter *a);

#endif
