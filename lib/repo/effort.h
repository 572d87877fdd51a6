/* effort.h - how much work it may be to compare two runs of lines.
 *
 * xdiff gives up its search for the best split of n lines after a cap that
 * grows with the root of n, so n lines cost it n times that cap at most: for
 * two files of 8 MB whose lines are the same few in another order, minutes.
 * Lines that the other side does not have at all cost nothing, and where the
 * sides are D edits apart n times D is enough. Whether that is too much is
 * found here by counting alone, so it is the same on every machine.
 */
#ifndef REPO_EFFORT_H
#define REPO_EFFORT_H

#include <stdbool.h>
#include <stddef.h>

#define EFFORT_MAX (1ull << 30) /* steps; some seconds */

struct effort_text {
    const char *p;
    size_t n, n_lines;
};

/* Both sides without what is common at their beginnings and ends. Looks into
 * them only where their lengths alone leave it open. */
bool effort_bearable(const struct effort_text side[2]);

#endif
