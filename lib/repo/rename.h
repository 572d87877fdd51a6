/* rename.h - renames without a change of content.
 *
 * A path that went and one that came with the same blob are one rename. A
 * file that was also edited is a deletion and an addition: telling those
 * apart would be a guess. Empty files are not paired.
 */
#ifndef REPO_RENAME_H
#define REPO_RENAME_H

#include "repo/tree.h"

/* Sets `renamed` in both halves of each pair. Of several candidates that of
 * the same last name part is taken, then the first in order. */
void rename_pair(struct tree_diff *d);

#endif
