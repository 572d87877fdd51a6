/* blob.h - blobs that are text: reading one, or a reason why not. Private to
 * lib/repo.
 */
#ifndef REPO_BLOB_H
#define REPO_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/objects.h"
#include "repo/skip.h"

/* Reads a blob, which is held until object_drop. *skip is set, and the result
 * 0 with *out NULL, if it is one that is left out: binary, a Git LFS pointer,
 * over max bytes. */
int blob_read(struct objects *o, const struct oid *id, uint64_t max,
              struct object **out, enum skip *skip, struct err *e);

/* The lines of a blob, counted once; or known by other means. */
size_t blob_lines(struct object *x);
void blob_set_lines(struct object *x, size_t n);

#endif
