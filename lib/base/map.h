/* map.h - a hash table from byte strings to numbers, in insertion order.
 *
 * The hash is SipHash under a key drawn at start, so hostile keys can't make
 * it slow; iteration follows insertion, so nothing depends on the key. Keys
 * are copied. Lookups are about 100 times as common as insertions.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    size_t at, len; /* the key: map.keys + at */
    uint64_t value;
};

struct map_slot {
    uint32_t at;   /* index + 1 into entry, 0: free */
    uint32_t hash; /* of its key */
};

struct map {
    struct map_entry *entry; /* n entries in insertion order */
    size_t n, cap;
    struct map_slot *slot;
    size_t n_slots;
    char *keys;
    size_t keys_len, keys_cap;
};

void map_init(struct map *m);
void map_release(struct map *m);

/* Empties m in constant time; a small map keeps its memory. */
void map_clear(struct map *m);

/* The entry of key, or NULL. Valid until the next map_put. */
struct map_entry *map_get(const struct map *m, const void *key, size_t n);

struct map_key {
    const void *p;
    size_t n;
};

/* map_get of each of the n keys into found: sooner than one after the other,
 * as the memory that they lie in is waited for once. */
void map_get_all(const struct map *m, const struct map_key *key, size_t n,
                 struct map_entry **found);

/* The entry of key, added with value if it was absent (*added tells, and may
 * be NULL); an existing value is kept. */
struct map_entry *map_put(struct map *m, const void *key, size_t n,
                          uint64_t value, bool *added);

/* The key of entry i (0 <= i < m->n). Not NUL-terminated. */
const char *map_key(const struct map *m, size_t i);

#endif
