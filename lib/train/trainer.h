/* trainer.h - one run of training: programs, memory, data and counters.
 *
 * trainer_plan builds the programs and knows the memory; trainer_start takes
 * it; trainer_step gives one step of the optimiser to the back end, which may
 * do it later; trainer_report says what came of it. Which step, which rows
 * and which random numbers come next is all in state, so a run that goes on
 * from a checkpoint is the run that was never stopped.
 */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "data/batch.h"
#include "eval/mean_loss.h"
#include "train/checkpoint.h"
#include "train/schedule.h"
#include "weights/model.h"

struct profile;

struct train_opts {
    struct prog_opts prog;   /* mode is set here */
    uint32_t accum;          /* micro-batches a step */
    uint64_t steps;          /* of the whole run */
    uint64_t rows;           /* packed sequences of the whole run: the last
                                step has what is left of them; 0: every step
                                is full */
    struct course course;    /* of the learning rate */
    struct validation_opts validation;
    uint32_t max_bad;        /* steps in a row that are not finite, which end
                                the run; 0: none do */
    double back_off;         /* what each of them leaves of the rate: 1 for
                                all of it */
    double spike;            /* standard deviations that are told of; 0: none
                                are */
    uint64_t seed;
    uint32_t init_iterations; /* pissa_start's, where an adapter begins so */
};

struct step_report {
    uint64_t step;      /* counted from 1 */
    double loss;        /* mean over supervised tokens; NAN if there are none */
    double z_loss;      /* the same, of what --z-loss adds */
    double balance;     /* and of the experts' load-balancing loss */
    double lr, grad_norm;
    uint64_t tokens;    /* positions of this step, without padding */
    uint64_t supervised;
    bool skipped;       /* not finite or nothing supervised: nothing moved */
    double spike;       /* spike_take's */
};

struct trainer {
    struct train_opts opts;
    const struct model *model;
    const struct frozen *base; /* the model's, or what planning made of it */
    struct token_source train, val;
    struct prog prog, eval_prog;
    struct exec exec, eval_exec;
    struct packer packer;
    struct batch_rows *micro; /* accum of them */
    struct train_state state; /* whole while no report is to come */
    struct step_report *ring; /* backend.ahead of them: those to come, as far
                                 as they are known */
    uint64_t launched, reported; /* steps */
    uint64_t updates_before;  /* state.updates when the run was taken up */
    struct record_loss *val_loss;
    struct profile *profile;  /* profile_open's; NULL: nobody asks */
};

/* How long to train, where no number of steps is given. */
struct train_length {
    double epochs;     /* passes over the data, if tokens is 0 */
    uint64_t tokens;   /* positions */
    uint64_t seed;
    uint32_t seq_len;
};

/* The packed sequences that hold so much of the data. */
uint64_t train_rows(const struct token_source *s,
                    const struct train_length *len);

/* Builds and plans, for the model's base or another of its description; m,
 * base and the sources must outlive the trainer. On failure t is released. */
int trainer_plan(struct trainer *t, const struct train_opts *o,
                 const struct model *m, const struct frozen *base,
                 const struct token_source *train,
                 const struct token_source *val, struct err *e);

/* Takes the memory and sets the parameters to their start: the base's for
 * full training, a fresh adapter's for LoRA. */
int trainer_start(struct trainer *t, struct err *e);
void trainer_release(struct trainer *t);

/* Goes on from state, which was read from a checkpoint. */
void trainer_resume(struct trainer *t);

/* Tokens of the whole run, at most: padding counts. */
double trainer_tokens(const struct trainer *t);

/* The learning rate of the next step. */
double trainer_rate(const struct trainer *t);

/* One step more, not while trainer_is_full. Of state, what only the step's
 * end can tell (updates, skipped, bad_row) moves with its report. ERR_AGAIN
 * when it was asked to stop (base/stop.h) between two micro-batches: then the
 * step was not taken, and state is as before. What the back end has of it by
 * then is left: the next step, if there were one, would begin with gradients
 * of zero. */
int trainer_step(struct trainer *t, struct err *e);

/* Whether reports have to be read before the next step. */
bool trainer_is_full(const struct trainer *t);

/* The report of the oldest step that has none yet, which is waited for: 1; 0
 * when there is no such step. ERR_IO after opts.max_bad steps in a row that
 * were not finite: up to backend.ahead - 1 more have been done by the time
 * somebody asks. */
int trainer_report(struct trainer *t, struct step_report *r, struct err *e);

/* ERR_IO where a parameter or a moment is not finite, which no step mends:
 * such a state is not to be kept. */
int trainer_check(const struct trainer *t, struct err *e);

/* The loss over the validation split with the parameters as they are;
 * ERR_AGAIN as in evaluate. */
int trainer_evaluate(struct trainer *t, struct mean_loss *m, struct err *e);

#endif
