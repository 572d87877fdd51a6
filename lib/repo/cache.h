/* cache.h - what is kept while there is room for it: what was used least
 * recently goes first. Private to lib/repo.
 *
 * An entry is the first member of what is cached. The cache knows of it a
 * hash and a cost; keys are compared, and memory is freed, by the owner, who
 * also says what goes: not everything may.
 */
#ifndef REPO_CACHE_H
#define REPO_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct cache_entry {
    uint64_t hash, cost;
    struct cache_entry *newer, *older; /* by last use */
    struct cache_entry *next;          /* in its bucket */
};

struct cache {
    struct cache_entry **bucket;
    unsigned bits;                     /* 2^bits buckets */
    struct cache_entry *newest, *oldest;
    uint64_t cost, max;                /* of all entries; what it may be */
};

void cache_init(struct cache *c, unsigned bits, uint64_t max);
void cache_release(struct cache *c); /* every entry was removed before */

/* An entry with that hash, and another one; NULL: there is none. */
struct cache_entry *cache_first(const struct cache *c, uint64_t hash);
struct cache_entry *cache_next(const struct cache_entry *x);

/* Adds an entry as the newest; makes an entry the newest; takes it out. */
void cache_add(struct cache *c, struct cache_entry *x, uint64_t hash,
               uint64_t cost);
void cache_touch(struct cache *c, struct cache_entry *x);
void cache_remove(struct cache *c, struct cache_entry *x);

static inline bool
cache_full(const struct cache *c)
{
    return c->cost > c->max;
}

#endif
