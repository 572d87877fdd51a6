/* cache.c - buckets of entries by hash, and one list of all by last use. */
#include "repo/cache.h"

#include <stdlib.h>

#include "base/mem.h"

void
cache_init(struct cache *c, unsigned bits, uint64_t max)
{
    c->bucket = mem_array((size_t)1 << bits, sizeof(*c->bucket));
    c->bits = bits;
    c->newest = c->oldest = NULL;
    c->cost = 0;
    c->max = max;
}

void
cache_release(struct cache *c)
{
    free(c->bucket);
    c->bucket = NULL;
}

/* The product's high bits depend on all bits of the hash. */
static struct cache_entry **
bucket_of(const struct cache *c, uint64_t hash)
{
    return &c->bucket[hash * 0x9e3779b97f4a7c15ull >> (64 - c->bits)];
}

static struct cache_entry *
find(struct cache_entry *x, uint64_t hash)
{
    while (x && x->hash != hash)
        x = x->next;
    return x;
}

struct cache_entry *
cache_first(const struct cache *c, uint64_t hash)
{
    return find(*bucket_of(c, hash), hash);
}

struct cache_entry *
cache_next(const struct cache_entry *x)
{
    return find(x->next, x->hash);
}

static void
list_remove(struct cache *c, struct cache_entry *x)
{
    if (x->newer)
        x->newer->older = x->older;
    else
        c->newest = x->older;
    if (x->older)
        x->older->newer = x->newer;
    else
        c->oldest = x->newer;
}

static void
list_front(struct cache *c, struct cache_entry *x)
{
    x->newer = NULL;
    x->older = c->newest;
    if (c->newest)
        c->newest->newer = x;
    else
        c->oldest = x;
    c->newest = x;
}

void
cache_add(struct cache *c, struct cache_entry *x, uint64_t hash,
          uint64_t cost)
{
    struct cache_entry **at = bucket_of(c, hash);

    x->hash = hash;
    x->cost = cost;
    x->next = *at;
    *at = x;
    list_front(c, x);
    c->cost += cost;
}

void
cache_touch(struct cache *c, struct cache_entry *x)
{
    if (x == c->newest)
        return;
    list_remove(c, x);
    list_front(c, x);
}

void
cache_remove(struct cache *c, struct cache_entry *x)
{
    struct cache_entry **at = bucket_of(c, x->hash);

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    list_remove(c, x);
    c->cost -= x->cost;
}
