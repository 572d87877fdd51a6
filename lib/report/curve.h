/* curve.h - numbers by step, thinned as they come: memory and drawing don't
 * grow with a run, and no peak is lost.
 *
 * Steps are gathered in buckets of equal width, which doubles whenever there
 * would be more than CURVE_BUCKETS; each keeps its least, greatest and mean.
 */
#ifndef REPORT_CURVE_H
#define REPORT_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURVE_BUCKETS 240

/* What is beyond can't be drawn, and counts as not finite. */
#define CURVE_LARGEST 1e30

struct curve_bucket {
    uint64_t first, last; /* steps */
    double min, max, sum;
    uint64_t n;
    bool gap; /* something that is not finite came before it */
};

struct curve_point {
    uint64_t step;
    double value;
};

struct curve {
    struct curve_bucket bucket[CURVE_BUCKETS];
    size_t n;
    unsigned shift;   /* a bucket is 2^shift steps wide */
    uint64_t points;  /* finite ones */
    uint64_t lost;    /* that are not */
    uint64_t behind;  /* left out: their step is before the last one's */
    struct curve_point lost_first, first, last, least, most;
    bool gap;         /* private: something was lost since the last point */
};

/* Zeroed memory is an empty curve. */
void curve_add(struct curve *c, uint64_t step, double value);

/* The mean of bucket i. */
double curve_mean(const struct curve *c, size_t i);

#endif
