/* progress_line.h - the text of a line of progress: numbers and a clock's
 * reading in, characters out; private to lib/base. */
#ifndef BASE_PROGRESS_LINE_H
#define BASE_PROGRESS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_SAMPLES 16
#define PROGRESS_NOTE 48 /* bytes, with a NUL */

/* What was done at a time: units with a part of one, and of the whole. */
struct progress_sample {
    uint64_t ms;
    double units, whole;
};

/* How far the work is. The rate is that of the last half of the time, or a
 * little more: what comes now and then, like an evaluation, has its part in
 * it, and what the beginning took is forgotten. */
struct progress_line {
    const char *program, *unit;
    uint64_t done, total; /* units */
    uint64_t at, of;      /* part of the current unit, or of the whole */
    const char *doing;    /* what that part is of, or NULL */
    char note[PROGRESS_NOTE]; /* what has come out so far; "": nothing */
    uint64_t began;       /* ms */
    double before;        /* units that were done then */
    struct progress_sample sample[PROGRESS_SAMPLES];
    unsigned n;       /* samples; the first is of the beginning */
    uint64_t every;   /* ms between two */
};

void progress_line_begin(struct progress_line *l, uint64_t ms);

/* Takes a sample if it is time for one and something was done. */
void progress_line_sample(struct progress_line *l, uint64_t ms);

/* Writes the line into out[cap], at most columns characters and a NUL;
 * returns their number. ended: with the mean rate and the time it took in
 * the place of the last rate and the time left. */
size_t progress_line_format(const struct progress_line *l, uint64_t ms,
                            bool ended, size_t columns, char *out,
                            size_t cap);

#endif
