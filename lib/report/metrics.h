/* metrics.h - metrics.jsonl of a run, as far as it can be read.
 *
 * Each number of a line becomes a curve by its name, those of an object in
 * the line by both names, as in "hardware.load": so what a later version
 * writes is there, too. Memory does not grow with the file.
 */
#ifndef REPORT_METRICS_H
#define REPORT_METRICS_H

#include "base/err.h"
#include "report/curve.h"

#define METRICS_SERIES 48
#define METRICS_NAME 64 /* bytes of a name, with a NUL */

struct metrics_series {
    char name[METRICS_NAME];
    struct curve curve;
};

struct metrics {
    struct metrics_series *series;
    size_t n;
    uint64_t lines;     /* good ones */
    uint64_t bad;       /* left out: no JSON, no object, no step */
    uint64_t first_bad; /* number of its line, from 1 */
    bool cut;           /* the last line has no end: left out, not in bad */
    uint64_t unnamed;   /* numbers beyond METRICS_SERIES names */
    uint64_t step;      /* the last */
    double seconds;     /* of training: tokens by their rate */
    bool missing;       /* there is no such file */
};

/* *m is released in any case. Only a file that can't be read is an error: a
 * line that is none is counted. */
int metrics_read(struct metrics *m, const char *path, struct err *e);
void metrics_release(struct metrics *m);

/* The curve of that name; NULL where no line has it. */
const struct curve *metrics_curve(const struct metrics *m, const char *name);

/* Its last value, fallback where there is none. */
double metrics_last(const struct metrics *m, const char *name,
                    double fallback);

#endif
