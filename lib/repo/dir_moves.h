/* dir_moves.h - directories that a side of a merge renamed, and what the
 * other side added to them, which git's merge takes along.
 *
 * A directory is renamed that a side no longer has, where most of its files
 * went to one other directory. Private to lib/repo.
 */
#ifndef REPO_DIR_MOVES_H
#define REPO_DIR_MOVES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/map.h"
#include "repo/tree.h"

/* Of each side. Reuse it from merge to merge. */
struct dir_moves {
    struct map removed[2]; /* directories that only the base has */
    struct map count[2];   /* of files that went from one to another */
    struct map renamed[2]; /* to the entry of count that has most */
    struct map to[2];      /* where new files go: 1 + change; 0: several */
    struct buf key;
};

void dir_moves_init(struct dir_moves *m);
void dir_moves_release(struct dir_moves *m);

/* Replaces *m by what the sides, as they differ from the base, removed. */
void dir_moves_find_removed(struct dir_moves *m,
                            const struct tree_diff diff[2]);

/* Whether a file that a side no longer has is to be followed, since it tells
 * where a directory went that the other side added to. */
bool dir_moves_want(struct dir_moves *m, int side, const struct tree_diff *d,
                    const struct tree_change *gone);

/* With the pairs of both sides known: where directories and files went. */
void dir_moves_find_renamed(struct dir_moves *m,
                            const struct tree_diff diff[2]);

/* The file that a side added, or renamed, which goes to a path, or NULL. */
const struct tree_change *dir_moves_to(const struct dir_moves *m, int side,
                                       const struct tree_diff *d,
                                       const char *path, size_t n);

/* Whether a side's file at a path goes elsewhere. */
bool dir_moves_away(struct dir_moves *m, int side, const char *path,
                    size_t n);

#endif
