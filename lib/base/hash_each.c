/* hash_each.c - several texts into their hashes, a lane each; a lane that is
 * through takes the next text. */
#include "base/hash.h"

#include <pthread.h>
#include <string.h>

#include "base/hash_lanes.h"

#define LEAST 3 /* texts: fewer are hashed sooner one after the other */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static hash_lanes_add *add_lanes; /* NULL: this machine has none */

static void
find(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        add_lanes = hash_lanes_add_avx512;
#endif
}

struct lanes {
    struct hash_lanes s;
    struct hash_part part[HASH_LANES]; /* what is left; h NULL: none */
    const uint8_t *p[HASH_LANES];
    size_t n; /* that have a text */
};

/* Whole blocks of the part that are not its text's last. */
static size_t
blocks_of(const struct hash_part *part)
{
    return part->n > 0 ? (part->n - 1) / HASH_BLOCK : 0;
}

/* The text's lane has it from the next whole block on, if there are any. */
static void
lane_take(struct lanes *l, size_t k, struct hash_part part)
{
    struct hash *h = part.h;
    size_t head = h->held > 0 ? HASH_BLOCK - h->held : 0;

    if (part.n <= head + HASH_BLOCK) {
        hash_add(h, part.p, part.n);
        return;
    }
    if (h->held > 0) {
        hash_add(h, part.p, head);
        hash_pass(h);
    }
    l->part[k] = (struct hash_part){
        h, (const uint8_t *)part.p + head, part.n - head
    };
    for (int i = 0; i < 8; i++)
        l->s.state[i][k] = h->state[i];
    l->s.done[k] = h->done;
    l->n++;
}

/* The rest of the text in a lane goes without it. */
static void
lane_give(struct lanes *l, size_t k)
{
    struct hash_part *part = &l->part[k];

    for (int i = 0; i < 8; i++)
        part->h->state[i] = l->s.state[i][k];
    part->h->done = l->s.done[k];
    hash_add(part->h, part->p, part->n);
    part->h = NULL;
    l->n--;
}

/* So many blocks that one of the texts is through; a lane without a text has
 * another's. */
static void
lanes_run(struct lanes *l)
{
    size_t least = SIZE_MAX, k, any = 0;

    for (k = 0; k < HASH_LANES; k++)
        if (l->part[k].h && blocks_of(&l->part[k]) < least) {
            least = blocks_of(&l->part[k]);
            any = k;
        }
    for (k = 0; k < HASH_LANES; k++)
        l->p[k] = l->part[l->part[k].h ? k : any].p;
    add_lanes(&l->s, l->p, least);
    for (k = 0; k < HASH_LANES; k++) {
        if (!l->part[k].h)
            continue;
        l->part[k].p = l->p[k] + least * HASH_BLOCK;
        l->part[k].n -= least * HASH_BLOCK;
        if (blocks_of(&l->part[k]) == 0)
            lane_give(l, k);
    }
}

void
hash_add_each(const struct hash_part *part, size_t n)
{
    struct lanes l = { .n = 0 };
    size_t i = 0, k;

    pthread_once(&once, find);
    for (; !add_lanes && i < n; i++)
        hash_add(part[i].h, part[i].p, part[i].n);
    do {
        for (k = 0; k < HASH_LANES; k++)
            while (i < n && !l.part[k].h)
                lane_take(&l, k, part[i++]);
        if (l.n >= LEAST)
            lanes_run(&l);
    } while (l.n >= LEAST || (l.n > 0 && i < n));
    for (k = 0; k < HASH_LANES; k++)
        if (l.part[k].h)
            lane_give(&l, k);
}
