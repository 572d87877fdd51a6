/* validation.h - what the course of the validation loss decides: which step
 * was the best, when the rate is cut, and when the run is over.
 *
 * The evaluation before the first step decides nothing: it is of the base.
 */
#ifndef TRAIN_VALIDATION_H
#define TRAIN_VALIDATION_H

#include <stdbool.h>
#include <stdint.h>

struct validation_opts {
    bool keep_best;    /* the result is that of the best evaluation */
    uint64_t patience; /* evaluations in a row that are no better than the
                          best, after which the run is over; 0: never */
    bool plateau;      /* the rate is cut */
    uint64_t plateau_patience; /* evaluations in a row without a gain that
                                  are borne before it is */
};

/* Part of a run's state; all 0 at its beginning. */
struct validation {
    double first;        /* loss before the first step; has_first */
    double best;         /* loss after best_step */
    double plateau_best;
    uint64_t has_first;
    uint64_t best_step;  /* 0: there is none yet */
    uint64_t worse;      /* evaluations since then */
    uint64_t over;       /* patience is at its end */
    uint64_t plateau_seen, plateau_bad, plateau_cuts;
};

/* Takes the loss after step steps: true when it is less than every other. One
 * that is not finite is never better. The rate's cuts are those of torch's
 * ReduceLROnPlateau (mode min, threshold 1e-4 of the best, no cooldown): a
 * gain is a loss under (1 - 1e-4) of the best, and after more than
 * plateau_patience in a row without one there is a cut. */
bool validation_take(struct validation *v, const struct validation_opts *o,
                     uint64_t step, double loss);

#endif
