/* schedule.h - the learning rate of a step. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdint.h>

enum schedule {
    SCHEDULE_CONSTANT,
    SCHEDULE_LINEAR,
    SCHEDULE_COSINE,
    SCHEDULE_WSD,          /* warm-up, stable, decay (MiniCPM) */
    SCHEDULE_INVERSE_SQRT, /* transformers' inverse_sqrt */
    SCHEDULE_PLATEAU       /* torch's ReduceLROnPlateau */
};

/* Where an inverse square root without warm-up begins to fall, in steps. */
#define INVERSE_SQRT_TIMESCALE 10000

struct course {
    uint8_t kind;    /* enum schedule */
    double peak;
    double floor;    /* part of peak: the least after warm-up */
    uint64_t warmup; /* steps */
    uint64_t decay;  /* wsd: the last steps, in which it falls */
    double factor;   /* plateau: what a cut leaves of the rate */
};

/* The rate of step (from 0) of total; cuts: of a plateau, so far. Warm-up
 * rises linearly, step s of w having peak * (s + 1) / w; after it
 *   constant  stays;
 *   linear, cosine  fall to floor * peak at the last step;
 *   wsd  stays, and falls to floor * peak in the last decay steps, i of d
 *        having floor + (1 - floor) (1 - sqrt(i / d)) of it (Haegele et al.,
 *        arXiv:2405.18392);
 *   inverse_sqrt  is peak * sqrt(t / (s + 1 + t - w)), t being w, or
 *        INVERSE_SQRT_TIMESCALE where that is 0;
 *   plateau  is peak * factor^cuts;
 * the last two down to floor * peak. */
double schedule_rate(const struct course *c, uint64_t cuts, uint64_t step,
                     uint64_t total);

#endif
