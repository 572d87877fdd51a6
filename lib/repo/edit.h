/* edit.h - the edits that turn one text into another, by lines.
 *
 * The common beginning and end are cut off at line boundaries with the speed
 * of memcmp; what is between goes to libgit2's xdiff, with a few lines more
 * on both sides so that an edit can slide to where a person expects it.
 */
#ifndef REPO_EDIT_H
#define REPO_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* A run of whole lines of one text: the first is line (from 0), at byte at.
 * A last line without newline is a line. */
struct edit_run {
    size_t line, n_lines, at, len;
};

struct edit {
    struct edit_run side[2]; /* before, after */
};

/* In order; between two edits both texts are equal. */
struct edit_list {
    struct edit *edit;
    size_t n, cap;
    size_t n_lines[2];
    struct edit_engine *engine; /* made on first use */
    struct buf salted[2];       /* long texts; see salt.h */
};

void edit_list_init(struct edit_list *l);
void edit_list_release(struct edit_list *l);

/* Replaces *l. before_lines is lines_count of the first text. *too_hard is
 * set, with result 0 and no edits, if comparing could take too long. */
int edit_list_make(struct edit_list *l, const char *before, size_t n_before,
                   size_t before_lines, const char *after, size_t n_after,
                   bool *too_hard, struct err *e);

#endif
