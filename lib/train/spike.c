/* spike.c - mean and variance that forget. */
#include "train/spike.h"

#include <math.h>

double
spike_take(struct spikes *s, double loss, double most)
{
    double over = 0, part, d = loss - s->mean;

    if (!isfinite(loss))
        return 0;
    if (s->n >= SPIKE_FIRST && most > 0 && s->variance > 0)
        over = d / sqrt(s->variance);
    if (s->n < SPIKE_MEMORY)
        s->n++;
    part = 1 / (double)s->n;
    s->mean += part * d;
    s->variance = (1 - part) * (s->variance + part * d * d);
    if (!(over > most))
        return 0;
    s->count++;
    return over;
}
