/* forest.h - a figure of numbers with their intervals, a row each. */
#ifndef REPORT_FOREST_H
#define REPORT_FOREST_H

#include "base/buf.h"

struct forest_row {
    const char *label;
    double value;     /* a row without a number is left out */
    double low, high; /* its interval; NAN where there is none */
    size_t colour;    /* as in plot.h */
    bool next;        /* begins a group: a little room above */
};

/* Appends a <figure>. zero: the axis begins or ends there, and has a line. */
void forest_put(struct buf *b, const char *title, const char *unit,
                const struct forest_row *row, size_t n, bool zero,
                int decimals);

#endif
