/* rename.h - renames without a change of content.
 *
 * A path that went and one that came with the same blob are one rename. In
 * what is told of a commit, a file that was also edited is a deletion and an
 * addition: telling those apart would be a guess. Where git's guess is wanted,
 * because git merged by it, see rename_edited.h. Empty files are not paired.
 */
#ifndef REPO_RENAME_H
#define REPO_RENAME_H

#include <stdbool.h>

#include "repo/span.h"
#include "repo/tree.h"

/* Sets `renamed` in both halves of each pair. Of several candidates that of
 * the same last name part is taken, then the first in order. */
void rename_pair(struct tree_diff *d);

/* Whether a change is a file that went, or one that came, not empty and
 * without another half so far. */
bool rename_gone(const struct tree_change *c);
bool rename_come(const struct tree_change *c);

/* The last part of a change's path; it lies in d->paths. */
struct span rename_last_name(const struct tree_diff *d,
                             const struct tree_change *c);

#endif
