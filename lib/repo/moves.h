/* moves.h - what the two sides of a merge renamed since their merge base.
 *
 * As git's merge finds them: files of the same content; and of those whose
 * other side is not as in the base, what is alike (rename_edited.h). What one
 * side added to a directory goes where the other one took that
 * (dir_moves.h). Private to lib/repo.
 */
#ifndef REPO_MOVES_H
#define REPO_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "repo/dir_moves.h"
#include "repo/losses.h"
#include "repo/objects.h"
#include "repo/rename_edited.h"
#include "repo/tree.h"
#include "repo/versions.h"

/* Reuse it from merge to merge. */
struct moves {
    struct objects *objects;
    uint64_t max_entries; /* of a tree_compare */
    struct losses *losses;
    struct rename_edited edited;
    struct dir_moves dirs;
    struct tree_diff diff[2]; /* from the base to ours, to theirs; what they
                               * have at: the base, the other side */
    struct map path[2];       /* of either half of a pair to its change */
    struct buf key;           /* scratch */
    bool too_hard;            /* over a limit: nothing can be told */
};

void moves_init(struct moves *m, struct objects *o, uint64_t max_blob,
                uint64_t max_entries, struct losses *losses);
void moves_release(struct moves *m);

/* Whether a path at which base, ours and theirs have this may have come or
 * gone by a rename: not one that all have, nor one that both removed. */
bool moves_concern(const struct tree_at at[3]);

/* Replaces *m by the renames between three trees: base, ours, theirs. */
int moves_find(struct moves *m, const struct oid tree[3], struct err *e);

/* Puts into from[3] what git merges at a path: base, ours and theirs, which
 * are at first what these have there. v merges what it needs for that. */
int moves_apply(struct moves *m, struct versions *v, const char *path,
                size_t n, struct version from[3], struct err *e);

#endif
