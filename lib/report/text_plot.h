/* text_plot.h - a curve in characters, for a terminal. */
#ifndef REPORT_TEXT_PLOT_H
#define REPORT_TEXT_PLOT_H

#include "base/buf.h"
#include "report/curve.h"

/* Appends a plane of printable ASCII, at most `columns` wide and rows + 2
 * lines high: the means of `line` (two heights a row: ' and . and : for both),
 * `points` as o, either of which may be NULL. Nothing where neither has any.
 */
void text_plot(struct buf *b, const struct curve *line,
               const struct curve *points, uint64_t last_step,
               size_t columns, int rows);

#endif
