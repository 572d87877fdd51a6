/* curve.c - buckets of steps that merge in pairs. */
#include "report/curve.h"

#include <math.h>

double
curve_mean(const struct curve *c, size_t i)
{
    return c->bucket[i].sum / (double)c->bucket[i].n;
}

static void
merge(struct curve_bucket *to, const struct curve_bucket *from)
{
    to->last = from->last;
    to->min = fmin(to->min, from->min);
    to->max = fmax(to->max, from->max);
    to->sum += from->sum;
    to->n += from->n;
}

/* Doubles the width. */
static void
widen(struct curve *c)
{
    size_t kept = 0;

    c->shift++;
    for (size_t i = 1; i < c->n; i++) {
        if (c->bucket[i].first >> c->shift
            == c->bucket[kept].first >> c->shift)
            merge(&c->bucket[kept], &c->bucket[i]);
        else
            c->bucket[++kept] = c->bucket[i];
    }
    c->n = kept + 1;
}

/* Whether the step is of the last bucket. */
static bool
in_last(const struct curve *c, uint64_t step)
{
    return c->n > 0
           && step >> c->shift == c->bucket[c->n - 1].first >> c->shift;
}

static void
note(struct curve *c, const struct curve_point *p)
{
    if (c->points == 0) {
        c->first = c->least = c->most = *p;
    } else {
        if (p->value < c->least.value)
            c->least = *p;
        if (p->value > c->most.value)
            c->most = *p;
    }
    c->last = *p;
    c->points++;
}

void
curve_add(struct curve *c, uint64_t step, double value)
{
    const struct curve_point p = { step, value };
    const struct curve_bucket one = { step, step, value, .max = value,
                                      .sum = value, .n = 1, .gap = c->gap };

    if ((c->points > 0 && step < c->last.step)
        || (c->lost > 0 && step < c->lost_first.step)) {
        c->behind++;
        return;
    }
    if (!(fabs(value) <= CURVE_LARGEST)) {
        if (c->lost == 0)
            c->lost_first = p;
        c->lost++;
        c->gap = true;
        return;
    }
    note(c, &p);
    c->gap = false;
    while (c->n == CURVE_BUCKETS && !in_last(c, step))
        widen(c);
    if (in_last(c, step))
        merge(&c->bucket[c->n - 1], &one);
    else
        c->bucket[c->n++] = one;
}
