/* remerge.h - the merge that git would have made of a merge commit's parents,
 * so that what the merge itself decided is what differs from it.
 *
 * Path by path, of those that differ from every parent: versions.h has how
 * three versions of a path are merged, moves.h which paths they come from.
 * What is no file is taken from the first parent. Several merge bases are
 * merged themselves before, as git does. Of more than two parents, the third
 * is merged with the merge of the first two, and so on. Everything comes from
 * what is before the merge. Private to lib/repo.
 *
 * Limits: renames are followed only between two parents that have one merge
 * base; merge bases of merge bases to a depth of 8, 64 in all; those of
 * versions.h and of rename_edited.h.
 */
#ifndef REPO_REMERGE_H
#define REPO_REMERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/bases.h"
#include "repo/losses.h"
#include "repo/moves.h"
#include "repo/objects.h"
#include "repo/tree.h"
#include "repo/versions.h"
#include "repo/walk.h"

struct remerge_node;

/* Reuse it from merge to merge. */
struct remerge {
    const struct walk *walk;
    struct bases bases;
    struct versions versions;   /* texts that are merged are held */
    struct moves moves;
    uint32_t merge;             /* the commit, an index of the walk */
    struct oid *tree;           /* the parents' trees, then the bases' */
    size_t n_trees, tree_cap;
    struct remerge_node *node;  /* what is merged, in order */
    size_t n_nodes, node_cap;
    bool crossed;               /* bases over the limit */
    struct version *version;    /* of each node, at one path */
    size_t version_cap;
    struct buf path;
};

struct remerge_limits {
    uint64_t max_blob;    /* longer files are not merged */
    uint64_t max_entries; /* of a tree_compare */
};

/* For a walk that is complete. */
void remerge_init(struct remerge *r, struct objects *o, const struct walk *w,
                  const struct remerge_limits *limits,
                  struct losses *losses);
void remerge_release(struct remerge *r);

/* Finds what r->merge was made of: r->tree[n_trees], of which the parents
 * come first, is what remerge_apply wants to know of the changed paths.
 * ERR_DATA if a merge base can't be read. */
int remerge_plan(struct remerge *r, struct err *e);

/* Puts into d, made by tree_compare of these trees, what git would have made
 * as the side before, and takes out what is as git would have made it. Where
 * that can't be told, skip says why, and the side before means nothing. The
 * texts are held until remerge_drop. */
int remerge_apply(struct remerge *r, struct tree_diff *d, struct err *e);
void remerge_drop(struct remerge *r);

#endif
