/* packs.h - packed objects. Private to lib/repo.
 *
 * Why not libgit2's reader: it inflates every object twice (for its header,
 * then for its body) and most delta bases again and again, because its cache
 * of 16 MiB is emptied whenever it overflows; it hangs on deltas that need
 * each other; and it maps packs, which counts as memory in use. This one
 * reads with pread, keeps bases in a cache bounded in bytes, and refuses
 * sizes before it allocates.
 *
 * Indices are mapped; those of version 1 and 2 are known. Multi-pack
 * indices, reverse indices and bitmaps are not needed and not looked at.
 * Limits: see unpack.h.
 */
#ifndef REPO_PACKS_H
#define REPO_PACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/oid.h"
#include "repo/packdata.h"

struct packs; /* the open packs of some object directories */

struct packs *packs_new(void);
void packs_free(struct packs *p);

/* Adds the packs of DIR/pack; those that are known already stay. What is no
 * index or pack is ERR_DATA. */
int packs_add(struct packs *p, const char *dir, struct err *e);

/* *found is false, with result 0, if no pack has it. Of an object over max
 * bytes *data is NULL; else it is one reference. */
int packs_read(struct packs *p, const struct oid *id, uint64_t max,
               bool *found, int *type, uint64_t *size,
               struct pack_data **data, struct err *e);

/* Calls fn for every id that begins with the n hex digits. */
void packs_prefix(const struct packs *p, const char *hex, size_t n,
                  void (*fn)(void *ctx, const struct oid *id), void *ctx);

#endif
