/* changed.h - the files that a commit changed, judged before any of them is
 * told. Private to lib/repo.
 *
 * A changed path is a file that was added, deleted, modified or renamed; one
 * whose type changed is two: a deletion and an addition. All blobs are read
 * here, so that one that can't be read is found before the first file has
 * been told, and some stay in memory for that.
 */
#ifndef REPO_CHANGED_H
#define REPO_CHANGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "repo/objects.h"
#include "repo/remerge.h"
#include "repo/skip.h"
#include "repo/span.h"
#include "repo/tree.h"

struct history_options;

struct changed_file {
    size_t change;           /* in changed.diff */
    char status;             /* A D M R */
    bool use[2];             /* sides that are there; none: left out */
    struct object *held[2];  /* or NULL */
};

/* Reuse it from commit to commit. */
struct changed {
    struct tree_diff diff;
    struct changed_file *file;
    size_t n, cap;
    uint64_t skips[N_SKIPS]; /* files that are left out */
    struct losses losses;    /* in skips, too */
    struct buf path, old_path;
};

/* bear_losses: what can't be read loses its path, or what is in its
 * directory, and no more. */
void changed_init(struct changed *c, bool bear_losses);
void changed_release(struct changed *c);

/* Replaces *c by what changed from the n parents' trees to the tree after
 * (tree_compare), as far as the options want it; with merge not NULL, from
 * the merge that git would have made of them (merge->merge is set). An object
 * that can't be read is an error, unless it is borne; then, too, objects may
 * be held. */
int changed_find(struct changed *c, struct objects *o,
                 const struct history_options *options,
                 const struct oid *parents, size_t n, const struct oid *after,
                 struct remerge *merge, struct err *e);

/* Lets go of the blobs that are held. */
void changed_drop(struct changed *c);

/* The id of a side that is there. */
const struct oid *changed_id(const struct changed *c,
                             const struct changed_file *f, int side);

/* The paths of a file, alive until the next call; old_path->p is NULL unless
 * it was renamed. */
void changed_paths(struct changed *c, const struct changed_file *f,
                   struct span *path, struct span *old_path);

#endif
