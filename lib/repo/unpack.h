/* unpack.h - a packed object: by its offset in a pack, its bytes. Private to
 * lib/repo.
 *
 * Limits: chains of 4096 deltas; 64 MiB for an object, and for a cache of
 * what deltas are against.
 */
#ifndef REPO_UNPACK_H
#define REPO_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#include "base/err.h"
#include "repo/pack.h"
#include "repo/packdata.h"

struct unpacker {
    struct cache cache;      /* of packdata.h, for all packs together */
    z_stream z;
    uint8_t in[32u << 10];   /* what z reads */
};

/* False if there is no memory. */
bool unpacker_init(struct unpacker *u);
void unpacker_release(struct unpacker *u);

/* The object at offset of the open pack p. Of one over max bytes *out is
 * NULL; else it is one reference. ERR_DATA if it is damaged, ERR_LIMIT if it
 * is too large, with the pack's name and an offset. */
int unpack_object(struct unpacker *u, const struct pack *p, uint64_t offset,
                  uint64_t max, int *type, uint64_t *size,
                  struct pack_data **out, struct err *e);

#endif
