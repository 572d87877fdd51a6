/* schedule.c - warm-up, then a constant, a line or half a cosine. */
#include "train/schedule.h"

#include <math.h>

double
schedule_rate(enum schedule kind, double peak, double floor, uint64_t step,
              uint64_t warmup, uint64_t total)
{
    double done, left;

    if (step < warmup)
        return peak * (double)(step + 1) / (double)warmup;
    if (kind == SCHEDULE_CONSTANT || total <= warmup + 1)
        return peak;
    done = (double)(step - warmup) / (double)(total - warmup - 1);
    if (done > 1)
        done = 1;
    left = kind == SCHEDULE_LINEAR ? 1 - done
                                   : 0.5 * (1 + cos(3.14159265358979 * done));
    return peak * (floor + (1 - floor) * left);
}
