/* chains.h - a hash table on disk: which entries have a key, newest first.
 *
 * Entries are numbered as they come; what they stand for is the caller's. A
 * key is a hash already, so it finds its chain by its lower bits.
 */
#ifndef TEXT_CHAINS_H
#define TEXT_CHAINS_H

#include <stdint.h>

#include "base/spill.h"

struct chain_entry {
    uint32_t key, next; /* next: the number of another, plus 1; 0: none */
};

struct chains {
    struct spill head, entry;
    uint64_t heads; /* a power of two */
    uint32_t n;
};

int chains_open(struct chains *c, const char *dir, struct err *e);
void chains_release(struct chains *c);

/* Adds entry c->n. ERR_IO; ERR_LIMIT: there are 2^32 - 1. */
int chains_add(struct chains *c, uint32_t key, struct err *e);

static inline const struct chain_entry *
chains_entry(const struct chains *c, uint32_t i)
{
    return (const struct chain_entry *)c->entry.p + i;
}

/* The newest entry of that key at or after link (a head's or a next), as a
 * link: its number plus 1. 0: there is none. */
static inline uint32_t
chains_skip(const struct chains *c, uint32_t link, uint32_t key)
{
    while (link > 0 && chains_entry(c, link - 1)->key != key)
        link = chains_entry(c, link - 1)->next;
    return link;
}

static inline uint32_t
chains_first(const struct chains *c, uint32_t key)
{
    const uint32_t *head = (const uint32_t *)c->head.p;

    return c->n == 0 ? 0 : chains_skip(c, head[key & (c->heads - 1)], key);
}

static inline uint32_t
chains_next(const struct chains *c, uint32_t link)
{
    const struct chain_entry *it = chains_entry(c, link - 1);

    return chains_skip(c, it->next, it->key);
}

#endif
