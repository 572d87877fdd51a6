/* plot.h - a figure: curves over the steps, as SVG that needs neither a script
 * nor a size: as wide as there is room, its letters as large as the text's.
 */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include "base/buf.h"
#include "report/curve.h"

#define PLOT_COLOURS 8 /* classes c0 to c7 of the page's style */

struct plot_curve {
    const struct curve *curve;
    const struct curve *half; /* half of each point's interval, or NULL */
    const char *label;        /* at its end; NULL: none */
    const char *more;         /* of it, where there is room; or NULL */
    size_t colour;            /* any; beyond PLOT_COLOURS they are dashed */
    bool points;              /* dots, for what is seldom measured */
    bool band;                /* from the least to the greatest of steps that
                                 fall together */
};

struct plot {
    const char *title, *unit; /* of the y axis */
    const struct plot_curve *curve;
    size_t n;
    uint64_t last_step; /* where the x axis ends */
    double scale;       /* values are multiplied by that; 0: 1 */
    int height;         /* pixels, of the plane */
    bool from_zero;     /* 0 is part of the y axis */
    double mark;        /* a line at that height (scaled), with its name */
    const char *mark_label; /* NULL: no mark */
};

/* Appends a <figure>; without any point, one that says so. */
void plot_put(struct buf *b, const struct plot *p);

#endif
