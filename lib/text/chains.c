/* chains.c - a hash table on disk that doubles. */
#include "text/chains.h"

#include <string.h>

#define FIRST_HEADS 4096

int
chains_open(struct chains *c, const char *dir, struct err *e)
{
    int rc;

    memset(c, 0, sizeof(*c));
    rc = spill_open(&c->head, dir, e);
    if (rc == 0)
        rc = spill_open(&c->entry, dir, e);
    return rc;
}

void
chains_release(struct chains *c)
{
    spill_release(&c->head);
    spill_release(&c->entry);
}

static void
link_entry(struct chains *c, uint32_t i)
{
    struct chain_entry *it = (struct chain_entry *)c->entry.p + i;
    uint32_t *head = (uint32_t *)c->head.p + (it->key & (c->heads - 1));

    it->next = *head;
    *head = i + 1;
}

/* Twice the heads, and every entry at its new one. */
static int
grow(struct chains *c, struct err *e)
{
    uint64_t heads = c->heads ? 2 * c->heads : FIRST_HEADS;
    int rc = spill_room(&c->head, heads * sizeof(uint32_t), e);

    if (rc < 0)
        return rc;
    memset(c->head.p, 0, c->heads * sizeof(uint32_t));
    c->heads = heads;
    for (uint32_t i = 0; i < c->n; i++)
        link_entry(c, i);
    return 0;
}

int
chains_add(struct chains *c, uint32_t key, struct err *e)
{
    struct chain_entry *it;
    int rc = 0;

    if (c->n == UINT32_MAX)
        return err_set(e, ERR_LIMIT, "too many records to compare with");
    if (c->n == c->heads)
        rc = grow(c, e);
    if (rc == 0)
        rc = spill_room(&c->entry, ((size_t)c->n + 1) * sizeof(*it), e);
    if (rc < 0)
        return rc;
    it = (struct chain_entry *)c->entry.p + c->n;
    it->key = key;
    link_entry(c, c->n++);
    return 0;
}
