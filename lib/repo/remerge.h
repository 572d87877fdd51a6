/* remerge.h - the merge that git would have made of a merge commit's parents,
 * so that what the merge itself decided is what differs from it.
 *
 * Path by path, of those that differ from every parent: a side that is as in
 * the merge base gives way to the other; where both changed a text, it is
 * merged by lines, with markers around what conflicts (automerge.h); a file
 * that one side removed and the other one changed is the changed one. What is
 * no file is taken from the first parent. Several merge bases are merged
 * themselves before, as git does. Of more than two parents, the third is
 * merged with the merge of the first two, and so on. Everything comes from
 * what is before the merge. Private to lib/repo.
 *
 * Limits: renames are not followed; merge bases of merge bases to a depth of
 * 8, 64 in all; 256 MiB of merged texts in a commit.
 */
#ifndef REPO_REMERGE_H
#define REPO_REMERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/bases.h"
#include "repo/losses.h"
#include "repo/objects.h"
#include "repo/tree.h"
#include "repo/walk.h"

struct remerge_node;
struct remerge_version;

/* Reuse it from merge to merge. */
struct remerge {
    struct objects *objects;
    const struct walk *walk;
    uint64_t max_blob;
    struct losses *losses;
    struct bases bases;
    uint32_t merge;             /* the commit, an index of the walk */
    struct oid *tree;           /* the parents' trees, then the bases' */
    size_t n_trees, tree_cap;
    struct remerge_node *node;  /* what is merged, in order */
    size_t n_nodes, node_cap;
    bool crossed;               /* bases over the limit */
    struct remerge_version *version; /* of each node, at one path */
    size_t version_cap;
    struct object **made;       /* merged texts, held */
    size_t n_made, made_cap;
    uint64_t made_bytes;
};

/* For a walk that is complete; files over max_blob are not merged. */
void remerge_init(struct remerge *r, struct objects *o, const struct walk *w,
                  uint64_t max_blob, struct losses *losses);
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
