/* spike.h - losses far above those of the steps before. */
#ifndef TRAIN_SPIKE_H
#define TRAIN_SPIKE_H

#include <stdint.h>

#define SPIKE_MEMORY 128 /* steps that the mean is about of */
#define SPIKE_FIRST 32   /* before so many there is none */

/* Part of a run's state; all 0 at its beginning. */
struct spikes {
    double mean, variance; /* exponential, of the losses so far */
    uint64_t n;            /* losses; grows no further than SPIKE_MEMORY */
    uint64_t count;        /* spikes */
};

/* How many standard deviations loss is over the mean of the steps before,
 * which it then joins; 0 where that is at most `most` (0: any), for the first
 * SPIKE_FIRST, and for one that is not finite, which is left out. */
double spike_take(struct spikes *s, double loss, double most);

#endif
