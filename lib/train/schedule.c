/* schedule.c - warm-up, then one of the courses of schedule.h. */
#include "train/schedule.h"

#include <math.h>

/* Part of the way from the peak to the floor that is left: 1 to 0. */
static double
left_of_fall(const struct course *c, uint64_t step, uint64_t total)
{
    double done;

    if (total <= c->warmup + 1)
        return 1;
    done = (double)(step - c->warmup) / (double)(total - c->warmup - 1);
    if (done > 1)
        done = 1;
    return c->kind == SCHEDULE_LINEAR
           ? 1 - done : 0.5 * (1 + cos(3.14159265358979 * done));
}

static double
left_of_decay(const struct course *c, uint64_t step, uint64_t total)
{
    uint64_t after = total > c->warmup ? total - c->warmup : 0;
    uint64_t decay = c->decay < after ? c->decay : after;

    if (step < total - decay)
        return 1;
    if (step >= total)
        return 0;
    return 1 - sqrt((double)(step - (total - decay) + 1) / (double)decay);
}

double
schedule_rate(const struct course *c, uint64_t cuts, uint64_t step,
              uint64_t total)
{
    double w = (double)c->warmup, part = 1, t;

    if (step < c->warmup)
        return c->peak * (double)(step + 1) / w;
    switch (c->kind) {
    case SCHEDULE_LINEAR:
    case SCHEDULE_COSINE:
        part = left_of_fall(c, step, total);
        return c->peak * (c->floor + (1 - c->floor) * part);
    case SCHEDULE_WSD:
        part = left_of_decay(c, step, total);
        return c->peak * (c->floor + (1 - c->floor) * part);
    case SCHEDULE_INVERSE_SQRT:
        t = w > 0 ? w : INVERSE_SQRT_TIMESCALE;
        part = sqrt(t / ((double)(step + 1) + t - w));
        break;
    case SCHEDULE_PLATEAU:
        part = pow(c->factor, (double)cuts);
        break;
    default:
        return c->peak;
    }
    return c->peak * fmax(part, c->floor);
}
