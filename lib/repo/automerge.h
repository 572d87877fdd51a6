/* automerge.h - the three-way merge of a text, as git makes it.
 *
 * What both sides changed in different ways stands between markers, as in a
 * work tree: "<<<<<<< ours", "=======", ">>>>>>> theirs". Private to
 * lib/repo.
 */
#ifndef REPO_AUTOMERGE_H
#define REPO_AUTOMERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct merge_text {
    const char *p; /* not NULL */
    size_t n;
};

enum { MERGE_BASE, MERGE_OURS, MERGE_THEIRS };

/* *out (the caller's to free) and *n become the merge of text[1] and text[2],
 * which both come from text[0]; markers are 7 + longer signs long. *out is
 * NULL, with result 0, if comparing could take too long. */
int automerge(const struct merge_text text[3], unsigned longer, char **out,
              size_t *n, struct err *e);

#endif
