/* merges.c - the pair table (open addressing, at most half full) and the two
 * ways of merging.
 *
 * Most neighbours are no pair. A bit map of 8 bits a slot, which stays in the
 * near cache, says so without a look into the table.
 */
#include "text/merges.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/pair_hash.h"

#define SHORT_PIECE 32

/* A symbol of a long piece: a linked list through an array. */
struct merge_symbol {
    uint32_t id;
    int32_t prev, next; /* -1: none. id is MERGE_NONE when merged away */
};

/* A merge that may be done at symbol pos. */
struct merge_item {
    uint32_t rank, pos, id;
};

static const struct merge no_merge = {
    MERGE_NONE, MERGE_NONE, MERGE_NONE, MERGE_NONE
};

/* The pair's bit in maybe, 8 for each slot. */
static inline size_t
pair_bit(const struct merges *m, size_t hash)
{
    return hash & (m->mask << 3 | 7);
}

void
merges_init(struct merges *m, size_t n)
{
    size_t size = 16;

    while (size < 2 * n)
        size *= 2;
    m->slot = mem_table(size, sizeof(m->slot[0]));
    memset(m->slot, 0xff, size * sizeof(m->slot[0]));
    m->maybe = mem_table(size / 8, sizeof(m->maybe[0]));
    m->key = pair_hash_key();
    m->mask = size - 1;
    m->n = 0;
}

void
merges_release(struct merges *m)
{
    free(m->slot);
    free(m->maybe);
    memset(m, 0, sizeof(*m));
}

/* The slot of the pair, or the empty one where it belongs. */
static inline struct merge *
slot_of(const struct merges *m, size_t hash, uint32_t left, uint32_t right)
{
    size_t i = hash >> 3 & m->mask;
    struct merge *s;

    for (;; i = (i + 1) & m->mask) {
        s = &m->slot[i];
        if ((s->left == left && s->right == right) || s->rank == MERGE_NONE)
            return s;
    }
}

/* The pair's merge; its rank is MERGE_NONE if there is none. */
static inline const struct merge *
find(const struct merges *m, uint32_t left, uint32_t right)
{
    size_t hash = pair_hash(m->key, left, right), bit = pair_bit(m, hash);

    if (!(m->maybe[bit / 64] >> bit % 64 & 1))
        return &no_merge;
    return slot_of(m, hash, left, right);
}

void
merges_expect(const struct merges *m, uint32_t left, uint32_t right)
{
    size_t hash = pair_hash(m->key, left, right);

    __builtin_prefetch(&m->slot[hash >> 3 & m->mask], 1);
    __builtin_prefetch(&m->maybe[pair_bit(m, hash) / 64], 1);
}

void
merges_put(struct merges *m, uint32_t left, uint32_t right, uint32_t rank,
           uint32_t id)
{
    size_t hash = pair_hash(m->key, left, right), bit = pair_bit(m, hash);
    struct merge *s = slot_of(m, hash, left, right);

    if (s->rank == MERGE_NONE)
        m->n++;
    *s = (struct merge){ left, right, rank, id };
    m->maybe[bit / 64] |= (uint64_t)1 << bit % 64;
}

bool
merges_has(const struct merges *m, uint32_t left, uint32_t right)
{
    return find(m, left, right)->rank != MERGE_NONE;
}

void
merge_scratch_release(struct merge_scratch *s)
{
    free(s->symbol);
    free(s->heap);
    memset(s, 0, sizeof(*s));
}

/* A merge as a number: the rank above, what it makes below. */
static inline uint64_t
pair_key(const struct merges *m, uint32_t left, uint32_t right)
{
    const struct merge *pair = find(m, left, right);

    return (uint64_t)pair->rank << 32 | pair->id;
}

static size_t
merge_short(const struct merges *m, uint32_t *id, size_t n)
{
    uint64_t key[SHORT_PIECE], least;
    size_t i, best;

    for (i = 0; i + 1 < n; i++)
        key[i] = pair_key(m, id[i], id[i + 1]);
    while (n > 1) {
        least = key[0];
        best = 0;
        for (i = 1; i + 1 < n; i++) {
            best = key[i] < least ? i : best;
            least = key[i] < least ? key[i] : least;
        }
        if (least >> 32 == MERGE_NONE)
            break;
        id[best] = (uint32_t)least;
        n--;
        for (i = best + 1; i < n; i++) {
            id[i] = id[i + 1];
            key[i - 1] = key[i];
        }
        if (best > 0)
            key[best - 1] = pair_key(m, id[best - 1], id[best]);
        if (best + 1 < n)
            key[best] = pair_key(m, id[best], id[best + 1]);
    }
    return n;
}

static inline int
before(const struct merge_item *a, const struct merge_item *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->pos < b->pos;
}

static void
heap_push(struct merge_scratch *s, size_t *n, struct merge_item item)
{
    size_t i = *n, up;

    if (*n == s->cap_heap) {
        s->cap_heap = s->cap_heap * 2 + 256;
        s->heap = mem_grow(s->heap, s->cap_heap * sizeof(s->heap[0]));
    }
    for (; i > 0; i = up) {
        up = (i - 1) / 2;
        if (!before(&item, &s->heap[up]))
            break;
        s->heap[i] = s->heap[up];
    }
    s->heap[i] = item;
    (*n)++;
}

static struct merge_item
heap_pop(struct merge_scratch *s, size_t *n)
{
    struct merge_item top = s->heap[0], last = s->heap[--*n];
    size_t i = 0, down;

    for (; (down = 2 * i + 1) < *n; i = down) {
        if (down + 1 < *n && before(&s->heap[down + 1], &s->heap[down]))
            down++;
        if (!before(&s->heap[down], &last))
            break;
        s->heap[i] = s->heap[down];
    }
    if (*n > 0)
        s->heap[i] = last;
    return top;
}

/* Pushes the merge of symbol pos with its right neighbour, if there is one. */
static void
offer(const struct merges *m, struct merge_scratch *s, size_t *n_heap,
      int32_t pos)
{
    const struct merge_symbol *a;
    const struct merge *pair;

    if (pos < 0 || s->symbol[pos].next < 0)
        return;
    a = &s->symbol[pos];
    pair = find(m, a->id, s->symbol[a->next].id);
    if (pair->rank != MERGE_NONE)
        heap_push(s, n_heap, (struct merge_item){ pair->rank, (uint32_t)pos,
                                                  pair->id });
}

static void
list_symbols(struct merge_scratch *s, const uint32_t *id, size_t n)
{
    size_t i;

    if (n > s->cap_symbols) {
        s->cap_symbols = n;
        s->symbol = mem_grow(s->symbol, n * sizeof(s->symbol[0]));
    }
    for (i = 0; i < n; i++)
        s->symbol[i] = (struct merge_symbol){
            id[i], (int32_t)i - 1, i + 1 < n ? (int32_t)i + 1 : -1
        };
}

static size_t
merge_long(const struct merges *m, struct merge_scratch *s, uint32_t *id,
           size_t n)
{
    size_t i, n_heap = 0, left = 0;
    struct merge_symbol *a, *b;
    struct merge_item top;
    int32_t at;

    list_symbols(s, id, n);
    for (i = 0; i + 1 < n; i++)
        offer(m, s, &n_heap, (int32_t)i);
    while (n_heap > 0) {
        top = heap_pop(s, &n_heap);
        a = &s->symbol[top.pos];
        if (a->id == MERGE_NONE || a->next < 0)
            continue;
        b = &s->symbol[a->next];
        /* The pair may have changed since it was pushed. */
        if (find(m, a->id, b->id)->id != top.id)
            continue;
        a->id = top.id;
        b->id = MERGE_NONE;
        a->next = b->next;
        if (a->next >= 0)
            s->symbol[a->next].prev = (int32_t)top.pos;
        offer(m, s, &n_heap, a->prev);
        offer(m, s, &n_heap, (int32_t)top.pos);
    }
    for (at = 0; at >= 0; at = s->symbol[at].next)
        id[left++] = s->symbol[at].id;
    return left;
}

size_t
merge_piece(const struct merges *m, struct merge_scratch *s, uint32_t *id,
            size_t n)
{
    if (n < 2)
        return n;
    return n <= SHORT_PIECE ? merge_short(m, id, n) : merge_long(m, s, id, n);
}
