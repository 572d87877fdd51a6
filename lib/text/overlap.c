/* overlap.c - a table of the runs of tokens that texts are not to have. */
#include "text/overlap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/shingles.h"

#define FIRST_SLOTS 1024

void
overlap_init(struct overlap *o)
{
    memset(o, 0, sizeof(*o));
    o->n_slots = FIRST_SLOTS;
    o->slot = mem_array(o->n_slots, sizeof(o->slot[0]));
}

void
overlap_release(struct overlap *o)
{
    free(o->slot);
}

/* The hash's slot, or the free one where it would be. */
static struct overlap_slot *
slot_of(const struct overlap *o, uint64_t hash)
{
    size_t i = hash & (o->n_slots - 1);

    while (o->slot[i].hash != 0 && o->slot[i].hash != hash)
        i = (i + 1) & (o->n_slots - 1);
    return &o->slot[i];
}

static void
grow(struct overlap *o)
{
    struct overlap_slot *old = o->slot;
    size_t n = o->n_slots;

    o->n_slots *= 2;
    o->slot = mem_array(o->n_slots, sizeof(o->slot[0]));
    for (size_t i = 0; i < n; i++)
        if (old[i].hash != 0)
            *slot_of(o, old[i].hash) = old[i];
    free(old);
}

struct adding {
    struct overlap *o;
    struct overlap_at at;
};

static void
add_run(void *ctx, uint64_t hash, bool words)
{
    struct adding *a = ctx;
    struct overlap_slot *slot = slot_of(a->o, hash | 1);

    if (slot->hash != 0 || !words)
        return;
    *slot = (struct overlap_slot){ hash | 1, a->at };
    if (++a->o->n > a->o->n_slots / 2)
        grow(a->o);
}

static void
count_run(void *ctx, uint64_t hash, bool words)
{
    (void)ctx;
    (void)hash;
    (void)words;
}

bool
overlap_add(struct overlap *o, const char *p, size_t n, struct overlap_at at)
{
    struct adding a = { o, at };
    uint64_t length = shingles_of(p, n, 0, 1, count_run, NULL);

    if (length < OVERLAP_LEAST)
        return false;
    if (length > OVERLAP_MOST)
        length = OVERLAP_MOST;
    o->length[length] = true;
    shingles_of(p, n, length, length, add_run, &a);
    return true;
}

struct finding {
    const struct overlap *o;
    const struct overlap_slot *found;
};

static void
find_run(void *ctx, uint64_t hash, bool words)
{
    struct finding *f = ctx;
    const struct overlap_slot *slot;

    if (f->found || !words)
        return;
    slot = slot_of(f->o, hash | 1);
    if (slot->hash != 0)
        f->found = slot;
}

bool
overlap_find(const struct overlap *o, const char *p, size_t n,
             struct overlap_at *at)
{
    struct finding f = { o, NULL };

    for (size_t i = OVERLAP_MOST; i >= OVERLAP_LEAST && !f.found; i--)
        if (o->length[i])
            shingles_of(p, n, i, i, find_run, &f);
    if (f.found)
        *at = f.found->at;
    return f.found != NULL;
}
