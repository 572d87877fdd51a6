/* scale.h - the range of an axis and where its ticks stand. */
#ifndef REPORT_SCALE_H
#define REPORT_SCALE_H

#include "base/buf.h"
#include "report/curve.h"

#define SCALE_TICKS 12

struct scale {
    double low, high;         /* low < high */
    double tick[SCALE_TICKS]; /* round numbers in it, ascending */
    size_t n;
    int decimals;             /* that tell the ticks apart */
};

/* A scale over [low, high], widened to what can be drawn, with about `ticks`
 * ticks at multiples of 1, 2 or 5 times a power of ten. */
void scale_set(struct scale *s, double low, double high, int ticks);

/* The same, with a tick at its upper end. */
void scale_set_round(struct scale *s, double low, double high, int ticks);

/* Where v is, from 0 to 1; beyond for what is out of it. */
double scale_at(const struct scale *s, double v);

/* The range that the curves have together, from the least of their buckets to
 * the greatest; false without a point. Where less than one in fifty of these
 * would take more than three quarters of the height, they are out of it. */
bool scale_range(const struct curve *const *curve, size_t n, double *low,
                 double *high);

#endif
