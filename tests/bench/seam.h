/* seam.h - the time of ops over the contract of kernels/ops.h alone.
 *
 * A back end may return from a range before it is done, so what is timed is
 * so many runs and the wait for the results of an empty UPDATE, long enough
 * that the wait is little of it. The median of some rounds counts.
 */
#ifndef BENCH_SEAM_H
#define BENCH_SEAM_H

#include "kernels/ops.h"
#include "rounds.h"

#define ROUND_SECONDS 0.02
enum { ROUNDS = 5, MOST_RUNS = 4096 };

/* A range of a program in memory, ready to run. */
struct timed {
    struct backend *b;
    struct memory *m;
    enum range range; /* but UPDATE */
};

/* Seconds of so many runs. */
static inline int
timed_runs(const struct timed *t, unsigned runs, double *seconds,
           struct err *e)
{
    double start = clock_now(CLOCK_MONOTONIC);
    struct results results;
    int rc = 0;

    for (unsigned i = 0; i < runs && rc == 0; i++)
        rc = t->b->run(t->m, t->range, e);
    if (rc == 0)
        rc = t->b->run(t->m, RANGE_UPDATE, e);
    if (rc == 0)
        rc = t->b->results(t->m, &results, e);
    *seconds = clock_now(CLOCK_MONOTONIC) - start;
    return rc;
}

/* Seconds of one run. The first is not counted: it may prepare what the
 * others use. */
static inline int
timed_median(const struct timed *t, double *seconds, struct err *e)
{
    double round[ROUNDS];
    unsigned runs = 1;
    int rc = timed_runs(t, 1, &round[0], e);

    while (rc == 0) {
        rc = timed_runs(t, runs, &round[0], e);
        if (round[0] >= ROUND_SECONDS || runs >= MOST_RUNS)
            break;
        runs *= 2;
    }
    for (int i = 0; i < ROUNDS && rc == 0; i++)
        rc = timed_runs(t, runs, &round[i], e);
    if (rc == 0)
        *seconds = median(round, ROUNDS) / runs;
    return rc;
}

/* Ops of one range, UPDATE's among BWD's, by themselves, in the memory of a
 * program that has their buffers (NULL: in memory of their own). */
static inline int
time_list(struct backend *b, struct op_list *list, enum range range,
          struct memory *with, const struct batch *batch,
          const struct inputs *in, double *seconds, struct err *e)
{
    struct timed t = { .b = b, .range = range };
    int rc;

    if (range == RANGE_UPDATE)
        t.range = RANGE_BWD;
    for (int r = 0; r <= RANGE_COUNT; r++)
        list->range[r] = r <= (int)t.range ? 0 : list->n;
    rc = b->prepare(b, &t.m, list, with, e);
    if (rc < 0)
        return rc;
    rc = b->batch(t.m, batch, in, e);
    if (rc == 0)
        rc = timed_median(&t, seconds, e);
    b->release(t.m);
    return rc;
}

#endif
