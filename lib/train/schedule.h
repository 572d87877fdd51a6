/* schedule.h - the learning rate of a step. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdint.h>

enum schedule { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE };

/* The rate of step (from 0) of total: warm-up rises linearly, step s of w
 * having peak * (s + 1) / w; after it constant stays, linear and cosine fall
 * to floor * peak at the last step. */
double schedule_rate(enum schedule kind, double peak, double floor,
                     uint64_t step, uint64_t warmup, uint64_t total);

#endif
