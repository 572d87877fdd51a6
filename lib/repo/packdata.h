/* packdata.h - the bytes of packed objects, which are shared, and a cache of
 * those that were made last: deltas are against them. Private to
 * lib/repo.
 */
#ifndef REPO_PACKDATA_H
#define REPO_PACKDATA_H

#include <stddef.h>
#include <stdint.h>

#include "repo/cache.h"

/* The bytes of an object, shared by whoever holds a reference. */
struct pack_data {
    unsigned refs;
    int type;
    size_t size;
    char data[]; /* size bytes and a NUL */
};

/* One reference; NULL if there is no memory. The bytes are not set. */
struct pack_data *pack_data_new(size_t size);
void pack_data_drop(struct pack_data *data); /* NULL is fine */

/* ---- the cache, by pack (its number) and offset ---- */

void pack_cache_init(struct cache *c, uint64_t max);
void pack_cache_release(struct cache *c);

/* A reference, or NULL. */
struct pack_data *pack_cache_get(struct cache *c, uint32_t pack,
                                 uint64_t offset);

/* Keeps a reference of its own, but not to what is over a quarter of it. */
void pack_cache_put(struct cache *c, uint32_t pack, uint64_t offset,
                    struct pack_data *data);

#endif
