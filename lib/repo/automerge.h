/* automerge.h - the three-way merge of a text, as git makes it.
 *
 * What both sides changed in different ways stands between markers, as in a
 * work tree: "<<<<<<< ours", "=======", ">>>>>>> theirs". Private to
 * lib/repo.
 */
#ifndef REPO_AUTOMERGE_H
#define REPO_AUTOMERGE_H

#include <stddef.h>

#include "base/err.h"
#include "repo/span.h"

/* What is merged, in the order that lib/repo has it in: where the two sides
 * come from, and they. */
enum { MERGE_BASE, MERGE_OURS, MERGE_THEIRS };

/* *out (the caller's to free) and *n become the merge of three texts, none
 * of them at NULL; markers are 7 + longer signs long. *out is NULL, with
 * result 0, if comparing could take too long. */
int automerge(const struct span text[3], unsigned longer, char **out,
              size_t *n, struct err *e);

#endif
