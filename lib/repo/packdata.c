/* packdata.c - counted references to the bytes of packed objects, one of
 * which the cache has. */
#include "repo/packdata.h"

#include <stdlib.h>

#include "base/mem.h"

#define BUCKET_BITS 12

struct base {
    struct cache_entry entry; /* the first member */
    struct pack_data *data;
    uint32_t pack;
    uint64_t offset;
};

struct pack_data *
pack_data_new(size_t size)
{
    struct pack_data *d = mem_try(sizeof(*d) + size + 1);

    if (d) {
        d->refs = 1;
        d->size = size;
        d->data[size] = '\0';
    }
    return d;
}

void
pack_data_drop(struct pack_data *data)
{
    if (data && --data->refs == 0)
        free(data);
}

void
pack_cache_init(struct cache *c, uint64_t max)
{
    cache_init(c, BUCKET_BITS, max);
}

static void
drop_oldest(struct cache *c)
{
    struct base *b = (struct base *)c->oldest;

    cache_remove(c, &b->entry);
    pack_data_drop(b->data);
    free(b);
}

void
pack_cache_release(struct cache *c)
{
    while (c->oldest)
        drop_oldest(c);
    cache_release(c);
}

static uint64_t
hash_of(uint32_t pack, uint64_t offset)
{
    return offset ^ (uint64_t)pack << 40;
}

struct pack_data *
pack_cache_get(struct cache *c, uint32_t pack, uint64_t offset)
{
    struct cache_entry *x = cache_first(c, hash_of(pack, offset));
    struct base *b;

    for (; x; x = cache_next(x)) {
        b = (struct base *)x;
        if (b->pack == pack && b->offset == offset) {
            cache_touch(c, x);
            b->data->refs++;
            return b->data;
        }
    }
    return NULL;
}

void
pack_cache_put(struct cache *c, uint32_t pack, uint64_t offset,
               struct pack_data *data)
{
    struct base *b;

    if (data->size > c->max / 4)
        return;
    b = mem_alloc(sizeof(*b));
    b->data = data;
    data->refs++;
    b->pack = pack;
    b->offset = offset;
    cache_add(c, &b->entry, hash_of(pack, offset),
              data->size + sizeof(*b));
    while (cache_full(c))
        drop_oldest(c);
}
