/* runloop.h - the steps of a run: logging, evaluating, saving, stopping. */
#ifndef TRAIN_RUNLOOP_H
#define TRAIN_RUNLOOP_H

#include "train/health.h"
#include "train/rundir.h"

/* What there is to say after a step, or (val not NULL) an evaluation. */
struct run_line {
    uint64_t step;         /* counted from 1; evaluations also have 0 */
    double loss, lr;       /* loss: mean since the last line */
    double z_loss;         /* the same; where has_z_loss */
    bool has_z_loss;
    double balance;        /* the same of the experts'; where has_balance */
    bool has_balance;
    double loss_at_end;    /* full training: of the last step, by the trend;
                              NAN where there is none */
    double steps_s, tok_s; /* since the last line */
    uint64_t tokens;       /* since the run began */
    uint64_t peak_bytes;   /* most memory resident so far */
    const struct health *health; /* since the last line; NULL: no new look */
    const struct mean_loss *val;
    double seconds;        /* that the evaluation took */
};

struct run_opts {
    uint64_t eval_every, log_every;    /* steps; 0: never */
    uint64_t save_steps, save_seconds; /* between checkpoints; 0: never */
    uint32_t keep;                     /* checkpoints */
    const struct health_rule *watch;   /* n_watch bounds, see watch_machine */
    size_t n_watch;
    void (*report)(const struct run_line *line);
};

/* Runs t from where its state is to its last step, writes what was trained
 * and completes the directory: 0. Asked to stop (base/stop.h), it leaves the
 * step or the evaluation that is under way, writes a checkpoint of what came
 * before and gives ERR_AGAIN. So it does when a bound of the machine that stops
 * it is broken; while one is broken that pauses it, it waits, with a
 * checkpoint. ERR_DATA when no step moved anything. On an
 * error the last checkpoint stays as it is. */
int run_loop(struct trainer *t, struct rundir *dir,
             const struct adapter *meta, const struct run_opts *o,
             struct err *e);

#endif
