/* rename_edited.h - which files were renamed and edited, as git tells it when
 * it merges.
 *
 * Of those that went only the wanted ones are followed. First a last name
 * that only one file that went and one that came have, where three quarters
 * of the larger one are common; then whatever is at least half common, what
 * is most alike first. Private to lib/repo.
 *
 * Limits: 49,000,000 pairs, as in git, beyond which only the names count;
 * 256 MiB of files to be read for it and 2^28 steps, about a second, in one
 * merge. Files over max_blob are not read, and in no pair.
 */
#ifndef REPO_RENAME_EDITED_H
#define REPO_RENAME_EDITED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/losses.h"
#include "repo/objects.h"
#include "repo/similar.h"
#include "repo/tree.h"

/* Reuse it from comparison to comparison. */
struct rename_edited {
    struct objects *objects;
    struct losses *losses;
    uint64_t max_blob;
    uint64_t n_bytes, n_steps; /* so far; set to 0 for each merge */
    bool too_hard;             /* over a limit: the rest is not told */
    struct chunker chunker;
};

void rename_edited_release(struct rename_edited *r);

/* Sets `renamed` in both halves of each pair of d that rename_pair has left;
 * wanted[i] tells whether change i, one that went, is to be followed. A file
 * that can't be read is an error unless it is borne; it is then in no pair. */
int rename_edited_pair(struct rename_edited *r, struct tree_diff *d,
                       const bool *wanted, struct err *e);

#endif
