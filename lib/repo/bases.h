/* bases.h - where histories parted: the best common ancestors of commits.
 *
 * A best common ancestor is one that no other common ancestor descends from,
 * as in git-merge-base(1). It is found among the commits of a walk, whose
 * ordinals put every commit behind its parents, so that nothing is read for
 * it and nothing depends on times. Private to lib/repo.
 */
#ifndef REPO_BASES_H
#define REPO_BASES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/walk.h"

struct bases {
    const struct walk *walk;
    uint32_t *ordinal;  /* by commit */
    uint8_t *paint;     /* by ordinal; all 0 between calls */
    uint32_t *found;    /* the result: commits, latest ordinal first */
    size_t n, cap;
    uint32_t *heap;     /* ordinals that are painted and not yet looked at */
    size_t n_heap, heap_cap;
};

/* For a walk that is complete. */
void bases_init(struct bases *b, const struct walk *w);
void bases_release(struct bases *b);

/* Replaces b->found by the best common ancestors of any of the n commits of
 * one and of other; there may be none. ERR_DATA if that can't be told because
 * the parents of a commit are unknown. Commits are the walk's indices. */
int bases_find(struct bases *b, const uint32_t *one, size_t n, uint32_t other,
               struct err *e);

#endif
