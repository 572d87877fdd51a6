/* refs.h - references of a repository, read without libgit2.
 *
 * Loose references win over packed ones. A symbolic reference may only name
 * something below refs/, five steps at most.
 *
 * Limits: 2^20 references.
 */
#ifndef REPO_REFS_H
#define REPO_REFS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "repo/oid.h"
#include "repo/place.h"

struct ref {
    char *name;
    struct oid id; /* of a commit or a tag, not peeled */
    struct err *why; /* or why it can't be read; NULL */
};

/* All references below refs/, sorted bytewise by name. Symbolic references
 * to nothing are left out; what is no reference is there, with the reason. */
int refs_list(const struct place *p, struct ref **out, size_t *n,
              struct err *e);
void refs_free(struct ref *ref, size_t n);

/* Follows HEAD or a full name. *found is false, with result 0, if it or
 * what it points at doesn't exist; then *target, if not NULL, is the name
 * that is missing, to be freed. */
int refs_resolve(const struct place *p, const char *name, struct oid *id,
                 bool *found, char **target, struct err *e);

#endif
