/* bpe_pairs.c - a hash table of pairs, and a heap that finds the top one.
 *
 * The heap has an entry for each pair at a count that is at least the true
 * one: counts only fall after a pair was pushed, save in the merge that makes
 * its newest token, and there it is pushed anew. A popped entry whose count
 * is stale goes back with the true one.
 */
#include "text/bpe_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/pair_hash.h"

struct bpe_pair_entry {
    int64_t count;
    uint32_t left, right;
    uint32_t pair;
};

void
bpe_pairs_init(struct bpe_pairs *s)
{
    memset(s, 0, sizeof(*s));
    s->key = pair_hash_key();
}

void
bpe_pairs_release(struct bpe_pairs *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        free(s->pair[i].place);
    free(s->pair);
    free(s->slot);
    free(s->heap);
    free(s->touched);
    bpe_pairs_init(s);
}

/* ---- the table ---- */

static void
place_pair(struct bpe_pairs *s, uint32_t i)
{
    const struct bpe_pair *p = &s->pair[i];
    size_t at = pair_hash(s->key, p->left, p->right) & s->mask;

    while (s->slot[at])
        at = (at + 1) & s->mask;
    s->slot[at] = i + 1;
}

static void
grow_pairs(struct bpe_pairs *s)
{
    uint32_t i;

    s->cap = s->cap * 2 + 512;
    s->pair = mem_grow(s->pair, s->cap * sizeof(s->pair[0]));
    for (s->mask = 1024; s->mask < 2 * s->cap; s->mask *= 2)
        ;
    free(s->slot);
    s->slot = mem_array(s->mask, sizeof(s->slot[0]));
    s->mask--;
    for (i = 0; i < s->n; i++)
        place_pair(s, i);
}

/* The number of the pair, which is made if need be. */
static uint32_t
pair_of(struct bpe_pairs *s, uint32_t left, uint32_t right)
{
    size_t at;
    struct bpe_pair *p;

    if (s->n == s->cap)
        grow_pairs(s);
    at = pair_hash(s->key, left, right) & s->mask;
    for (; s->slot[at]; at = (at + 1) & s->mask) {
        p = &s->pair[s->slot[at] - 1];
        if (p->left == left && p->right == right)
            return s->slot[at] - 1;
    }
    s->pair[s->n] = (struct bpe_pair){ .left = left, .right = right };
    s->slot[at] = (uint32_t)++s->n;
    return (uint32_t)s->n - 1;
}

static void
note_place(struct bpe_pair *p, uint32_t place)
{
    if (p->n == p->cap) {
        p->cap = p->cap * 2 + 2;
        p->place = mem_grow(p->place, p->cap * sizeof(p->place[0]));
    }
    p->unsorted |= p->n > 0 && place < p->place[p->n - 1];
    p->place[p->n++] = place;
}

static int
by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

uint32_t *
bpe_pairs_take_places(struct bpe_pairs *s, uint32_t pair, size_t *n)
{
    struct bpe_pair *p = &s->pair[pair];
    uint32_t *place = p->place;

    *n = p->n;
    if (p->unsorted)
        qsort(place, p->n, sizeof(place[0]), by_place);
    p->place = NULL;
    p->n = p->cap = 0;
    p->unsorted = false;
    return place;
}

static void
touch(struct bpe_pairs *s, uint32_t pair)
{
    if (s->pair[pair].touched)
        return;
    s->pair[pair].touched = true;
    if (s->n_touched == s->cap_touched) {
        s->cap_touched = s->cap_touched * 2 + 256;
        s->touched = mem_grow(s->touched,
                              s->cap_touched * sizeof(s->touched[0]));
    }
    s->touched[s->n_touched++] = pair;
}

void
bpe_pairs_add(struct bpe_pairs *s, uint32_t left, uint32_t right,
              int64_t count, uint32_t place)
{
    uint32_t pair = pair_of(s, left, right);

    s->pair[pair].count += count;
    note_place(&s->pair[pair], place);
    touch(s, pair);
}

void
bpe_pairs_drop(struct bpe_pairs *s, uint32_t left, uint32_t right,
               int64_t count)
{
    uint32_t pair = pair_of(s, left, right);

    s->pair[pair].count -= count;
}

/* ---- the heap: the highest count first, then the smallest ids ---- */

static int
before(const struct bpe_pair_entry *a, const struct bpe_pair_entry *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static void
heap_push(struct bpe_pairs *s, uint32_t pair)
{
    const struct bpe_pair *p = &s->pair[pair];
    struct bpe_pair_entry item = { p->count, p->left, p->right, pair };
    size_t i = s->n_heap++, up;

    if (i == s->cap_heap) {
        s->cap_heap = s->cap_heap * 2 + 1024;
        s->heap = mem_grow(s->heap, s->cap_heap * sizeof(s->heap[0]));
    }
    for (; i > 0; i = up) {
        up = (i - 1) / 2;
        if (!before(&item, &s->heap[up]))
            break;
        s->heap[i] = s->heap[up];
    }
    s->heap[i] = item;
}

static struct bpe_pair_entry
heap_pop(struct bpe_pairs *s)
{
    struct bpe_pair_entry top = s->heap[0], last = s->heap[--s->n_heap];
    size_t i = 0, down;

    for (; (down = 2 * i + 1) < s->n_heap; i = down) {
        if (down + 1 < s->n_heap
            && before(&s->heap[down + 1], &s->heap[down]))
            down++;
        if (!before(&s->heap[down], &last))
            break;
        s->heap[i] = s->heap[down];
    }
    s->heap[i] = last;
    return top;
}

void
bpe_pairs_settle(struct bpe_pairs *s)
{
    size_t i;

    for (i = 0; i < s->n_touched; i++) {
        s->pair[s->touched[i]].touched = false;
        if (s->pair[s->touched[i]].count > 0)
            heap_push(s, s->touched[i]);
    }
    s->n_touched = 0;
}

struct bpe_pair *
bpe_pairs_top(struct bpe_pairs *s, int64_t min)
{
    struct bpe_pair_entry top;
    struct bpe_pair *p;

    while (s->n_heap > 0) {
        top = heap_pop(s);
        p = &s->pair[top.pair];
        if (p->count == top.count)
            return p->count >= min ? p : NULL;
        if (p->count >= min)
            heap_push(s, top.pair);
    }
    return NULL;
}
