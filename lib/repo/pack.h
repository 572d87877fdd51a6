/* pack.h - one pack and its index. Private to lib/repo. */
#ifndef REPO_PACK_H
#define REPO_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/oid.h"

struct pack {
    char *name;              /* DIR/pack/pack-X, without extension */
    const uint8_t *idx;
    size_t idx_len;
    uint32_t n;
    unsigned version;
    int fd;                  /* of the pack, -1: not yet open */
    bool gone;               /* it was deleted */
    uint32_t number;         /* among all packs */
    uint64_t end;            /* of objects in the pack */
};

/* Opens p->name's index; sizes and fan-out are checked, so that look-ups
 * stay inside whatever else it holds. ERR_DATA if it is none. */
int pack_open_index(struct pack *p, struct err *e);

/* Opens the pack and compares its checksum with the index. A pack that was
 * deleted is marked gone. */
int pack_open(struct pack *p, struct err *e);
void pack_close(struct pack *p);

/* The entry of id. */
bool pack_find(const struct pack *p, const struct oid *id, uint32_t *out);

/* The entries whose ids begin with that byte: from *low, below *high. */
void pack_range(const struct pack *p, uint8_t first, uint32_t *low,
                uint32_t *high);
const uint8_t *pack_entry_name(const struct pack *p, uint32_t i);

/* The offset of entry i; false if it is not within the pack. */
bool pack_entry_offset(const struct pack *p, uint32_t i, uint64_t *out);

/* Reads up to n bytes at offset, at least one. */
int pack_read_at(const struct pack *p, uint64_t offset, void *to, size_t n,
                 size_t *got, struct err *e);

/* "NAME.pack: byte OFFSET: WHAT"; returns ERR_DATA. */
int pack_damaged(const struct pack *p, uint64_t offset, const char *what,
                 struct err *e);

#endif
