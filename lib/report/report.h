/* report.h - runs, what was measured of them, and the sets they learned from;
 * as a page or as text.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "report/run_facts.h"

struct report {
    struct run_facts *run;
    size_t n_runs;
    struct score_file *score; /* those of no run first */
    size_t n_scores;
    size_t n_free;            /* scores that no run was named before */
    struct set_facts *set;
    size_t n_sets;
};

/* Reads what the n paths name: a directory is a run, a file a score, which is
 * of the run that is named before it. data[n_data]: sets to look for the runs'
 * data in, besides where the runs found them. *r is released in any case. */
int report_read(struct report *r, char *const *path, size_t n,
                const char *const *data, size_t n_data, struct err *e);
void report_release(struct report *r);

/* A warning for each part that is damaged or left out, on stderr. */
void report_warn(const struct report *r);

/* Appends the page: one HTML file, with nothing outside of it. The same
 * report gives the same bytes. */
void report_page(const struct report *r, struct buf *b);

/* Appends the same in short for a terminal: at most `columns` wide, but for
 * names. */
void report_text(const struct report *r, size_t columns, struct buf *b);

#endif
