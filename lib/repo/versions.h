/* versions.h - merging versions of a path as git does. Private to lib/repo.
 *
 * Limits: 256 MiB of merged texts between two calls of versions_drop.
 */
#ifndef REPO_VERSIONS_H
#define REPO_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/losses.h"
#include "repo/objects.h"
#include "repo/tree.h"

struct version {
    struct tree_at at;
    unsigned skip; /* 1 + why it can't be told */
};

struct versions {
    struct objects *objects;
    uint64_t max_blob;     /* longer files are not merged */
    struct losses *losses;
    struct object **made;  /* merged texts, held */
    size_t n_made, made_cap;
    uint64_t made_bytes;
};

void versions_release(struct versions *v);

/* Lets go of the merged texts. */
void versions_drop(struct versions *v);

/* Sets *out to the merge of three versions, as MERGE_BASE and so on of
 * automerge.h say; each may be absent. depth: 0, or how deep in the merging of
 * merge bases it is. again: what comes of it is to be merged once more, so
 * that conflict markers are one sign longer. */
int versions_merge(struct versions *v, const struct version *const from[3],
                   unsigned depth, bool again, struct version *out,
                   struct err *e);

#endif
