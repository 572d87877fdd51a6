/* scale.c - round numbers, and what of a curve is worth its place. */
#include "report/scale.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define SPIKES 50 /* one number in so many may be out of the range */
#define SPIKE 4   /* times the range of the others */

/* The distance of two ticks. */
static double
step_of(double span, int ticks)
{
    double power = pow(10, floor(log10(span / ticks)));
    double step = span / ticks / power;

    return (step <= 1 ? 1 : step <= 2 ? 2 : step <= 5 ? 5 : 10) * power;
}

void
scale_set(struct scale *s, double low, double high, int ticks)
{
    double span = high - low, step;

    if (!(span > 1e-9 * fmax(fabs(low), fabs(high)))) {
        span = fmax(1e-6, 0.1 * fmax(fabs(low), fabs(high)));
        low -= span / 2;
        high += span / 2;
    }
    s->low = low;
    s->high = high;
    step = step_of(span, ticks);
    s->decimals = (int)fmax(0, -floor(log10(step) + 1e-9));
    s->n = 0;
    for (double k = ceil(low / step - 1e-9);
         k * step <= high + 1e-9 * span && s->n < SCALE_TICKS; k++)
        s->tick[s->n++] = k == 0 ? 0 : k * step;
}

void
scale_set_round(struct scale *s, double low, double high, int ticks)
{
    double step;

    scale_set(s, low, high, ticks);
    step = step_of(s->high - s->low, ticks);
    scale_set(s, low, ceil(s->high / step - 1e-9) * step, ticks);
}

double
scale_at(const struct scale *s, double v)
{
    return (v - s->low) / (s->high - s->low);
}

static int
by_value(const void *pa, const void *pb)
{
    double x = *(const double *)pa, y = *(const double *)pb;

    return (x > y) - (x < y);
}

bool
scale_range(const struct curve *const *curve, size_t n, double *low,
            double *high)
{
    double *v, most;
    size_t all = 0, most_at;

    for (size_t i = 0; i < n; i++)
        all += curve[i] ? curve[i]->n : 0;
    if (all == 0)
        return false;
    v = mem_array(2 * all, sizeof(*v));
    all = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; curve[i] && k < curve[i]->n; k++) {
            v[all++] = curve[i]->bucket[k].min;
            v[all++] = curve[i]->bucket[k].max;
        }
    }
    qsort(v, all, sizeof(*v), by_value);
    most_at = all - 1 - all / SPIKES;
    most = v[most_at];
    *low = v[0];
    *high = v[all - 1] - *low > SPIKE * (most - *low) ? most : v[all - 1];
    free(v);
    return true;
}
