/* merges.c - the pair table (open addressing, at most two thirds full) and
 * the two ways of merging.
 *
 * A slot is one word, the pair above and its rank below, so that the tables of
 * large vocabularies stay in the near cache. Most neighbours are no pair: a
 * bit map of 8 bits a slot says so without a look into the table. A text
 * begins as bytes, whose tokens are those of the lowest ids nearly always: of
 * their pairs a plain table has the ranks.
 */
#include "text/merges.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/pair_hash.h"

#define SHORT_PIECE 32
#define ID_BITS 21
#define RANK_BITS 22
#define RANK_MASK (((uint64_t)1 << RANK_BITS) - 1)
#define NO_RANK UINT32_MAX
#define BLOCK 8 /* ranks */
#define LEVELS 11 /* 8^11 is over 2^31 */
#define LOW 256 /* ids below have their pairs in merges.low as well */

_Static_assert(MERGE_MOST_IDS == (uint32_t)1 << ID_BITS
               && MERGE_MOST == RANK_MASK
               && 2 * ID_BITS + RANK_BITS == 64, "a slot is of 64 bits");

/* The pair's bit in maybe, 8 for each slot. */
static inline size_t
pair_bit(const struct merges *m, size_t hash)
{
    return hash & (m->mask << 3 | 7);
}

static inline uint64_t
pair_of(uint32_t left, uint32_t right)
{
    return (uint64_t)left << ID_BITS | right;
}

void
merges_init(struct merges *m, size_t n)
{
    size_t size = 16;

    while (2 * size < 3 * n)
        size *= 2;
    m->slot = mem_table(size, sizeof(m->slot[0]));
    m->maybe = mem_table(size / 8, sizeof(m->maybe[0]));
    m->low = mem_table(LOW * LOW, sizeof(m->low[0]));
    m->id = NULL;
    m->most = n;
    m->key = pair_hash_key();
    m->mask = size - 1;
    m->n = 0;
}

void
merges_release(struct merges *m)
{
    free(m->slot);
    free(m->maybe);
    free(m->low);
    free(m->id);
    memset(m, 0, sizeof(*m));
}

/* The slot of the pair, or the empty one where it belongs. */
static inline uint64_t *
slot_of(const struct merges *m, size_t hash, uint64_t pair)
{
    size_t i = hash >> 3 & m->mask;

    while (m->slot[i] != 0 && m->slot[i] >> RANK_BITS != pair)
        i = (i + 1) & m->mask;
    return &m->slot[i];
}

/* The pair's rank; NO_RANK if it is none. */
static inline uint32_t
rank_of(const struct merges *m, uint32_t left, uint32_t right)
{
    size_t hash = pair_hash(m->key, left, right), bit = pair_bit(m, hash);

    if (!(m->maybe[bit / 64] >> bit % 64 & 1))
        return NO_RANK;
    return (uint32_t)(*slot_of(m, hash, pair_of(left, right)) & RANK_MASK)
           - 1;
}

/* What the merge of that rank gives. */
static inline uint32_t
id_of_rank(const struct merges *m, uint32_t rank)
{
    return m->id ? m->id[rank] : m->first + rank;
}

void
merges_expect(const struct merges *m, uint32_t left, uint32_t right)
{
    size_t hash = pair_hash(m->key, left, right);

    __builtin_prefetch(&m->slot[hash >> 3 & m->mask], 1);
    __builtin_prefetch(&m->maybe[pair_bit(m, hash) / 64], 1);
}

/* Notes what the merge of that rank gives. */
static void
put_id(struct merges *m, uint32_t rank, uint32_t id)
{
    uint32_t i;

    if (m->n == 0)
        m->first = id - rank;
    if (!m->id && id == m->first + rank)
        return;
    if (!m->id) {
        m->id = mem_array(m->most, sizeof(m->id[0]));
        for (i = 0; i < m->most; i++)
            m->id[i] = m->first + i;
    }
    m->id[rank] = id;
}

void
merges_put(struct merges *m, uint32_t left, uint32_t right, uint32_t rank,
           uint32_t id)
{
    size_t hash = pair_hash(m->key, left, right), bit = pair_bit(m, hash);
    uint64_t *s = slot_of(m, hash, pair_of(left, right));

    put_id(m, rank, id);
    if (*s == 0)
        m->n++;
    *s = pair_of(left, right) << RANK_BITS | (rank + 1);
    m->maybe[bit / 64] |= (uint64_t)1 << bit % 64;
    if ((left | right) < LOW)
        m->low[left * LOW + right] = rank + 1;
}

bool
merges_has(const struct merges *m, uint32_t left, uint32_t right)
{
    return rank_of(m, left, right) != NO_RANK;
}

bool
merges_at(const struct merges *m, size_t i, uint32_t *left, uint32_t *right,
          uint32_t *rank)
{
    uint64_t pair = m->slot[i] >> RANK_BITS;

    *left = (uint32_t)(pair >> ID_BITS);
    *right = (uint32_t)(pair & (MERGE_MOST_IDS - 1));
    *rank = (uint32_t)(m->slot[i] & RANK_MASK) - 1;
    return m->slot[i] != 0;
}

void
merge_scratch_release(struct merge_scratch *s)
{
    free(s->link);
    free(s->rank);
    memset(s, 0, sizeof(*s));
}

/* rank_of of two that a text begins with. */
static inline uint32_t
first_rank(const struct merges *m, uint32_t left, uint32_t right)
{
    return (left | right) < LOW ? m->low[left * LOW + right] - 1 :
           rank_of(m, left, right);
}

/* The ranks of two pairs, of which the first ends where the second begins:
 * what either lies in is fetched before the other is waited for. */
static inline void
ranks_of(const struct merges *m, uint32_t a, uint32_t b, uint32_t c,
         uint32_t *left, uint32_t *right)
{
    size_t h = pair_hash(m->key, a, b), k = pair_hash(m->key, b, c);
    size_t x = pair_bit(m, h), y = pair_bit(m, k);
    uint64_t u = m->maybe[x / 64] >> x % 64, v = m->maybe[y / 64] >> y % 64;

    *left = *right = NO_RANK;
    if (u & 1)
        __builtin_prefetch(&m->slot[h >> 3 & m->mask]);
    if (v & 1)
        *right = (uint32_t)(*slot_of(m, k, pair_of(b, c)) & RANK_MASK) - 1;
    if (u & 1)
        *left = (uint32_t)(*slot_of(m, h, pair_of(a, b)) & RANK_MASK) - 1;
}

/* The lowest rank, the leftmost of equal ones, of n + 3 that are there: its
 * place, below SHORT_PIECE. key: rank * SHORT_PIECE + place. */
static inline uint32_t
lowest(const uint32_t *key, size_t n)
{
    uint32_t a = key[0], b = key[1], c = key[2], d = key[3];

    for (size_t i = 4; i < n; i += 4) {
        a = key[i] < a ? key[i] : a;
        b = key[i + 1] < b ? key[i + 1] : b;
        c = key[i + 2] < c ? key[i + 2] : c;
        d = key[i + 3] < d ? key[i + 3] : d;
    }
    a = b < a ? b : a;
    c = d < c ? d : c;
    return c < a ? c : a;
}

#define NO_KEY UINT32_MAX

static inline uint32_t
key_of(uint32_t rank, size_t place)
{
    return rank == NO_RANK ? NO_KEY : rank * SHORT_PIECE + (uint32_t)place;
}

/* A symbol stays where it was; one that is merged away leaves a gap. */
static size_t
merge_short(const struct merges *m, uint32_t *id, size_t n)
{
    uint32_t key[SHORT_PIECE + 4]; /* of the symbol and the next */
    uint8_t next[SHORT_PIECE], prev[SHORT_PIECE + 1];
    size_t i, gone, left = 0;
    uint32_t least, before, behind;

    for (i = 0; i < n; i++) {
        next[i] = (uint8_t)(i + 1);
        prev[i + 1] = (uint8_t)i;
    }
    for (i = 0; i + 1 < n; i++)
        key[i] = key_of(first_rank(m, id[i], id[i + 1]), i);
    for (; i < n + 3; i++)
        key[i] = NO_KEY;
    while (least = lowest(key, n), least != NO_KEY) {
        i = least % SHORT_PIECE;
        gone = next[i];
        id[i] = id_of_rank(m, least / SHORT_PIECE);
        key[gone] = NO_KEY;
        next[i] = next[gone];
        prev[next[i]] = (uint8_t)i;
        if (i > 0 && next[i] < n) {
            ranks_of(m, id[prev[i]], id[i], id[next[i]], &before, &behind);
            key[prev[i]] = key_of(before, prev[i]);
            key[i] = key_of(behind, i);
        } else if (i > 0) {
            key[prev[i]] = key_of(rank_of(m, id[prev[i]], id[i]), prev[i]);
            key[i] = NO_KEY;
        } else {
            key[0] = next[0] < n ?
                     key_of(rank_of(m, id[0], id[next[0]]), 0) : NO_KEY;
        }
    }
    for (i = 0; i < n; i = next[i])
        id[left++] = id[i];
    return left;
}

/* ---- long pieces ---- */

/* Symbol i's neighbours: the end is n, which lies behind all. */
struct merge_links {
    uint32_t prev, next;
};

/* The ranks of the symbols and the next in blocks, of each block the least in
 * the level above, and so on, up to one block: few levels, as each may wait
 * for memory. */
struct ranks {
    uint32_t *level[LEVELS];
    size_t n;
};

static inline uint32_t
least_of(const uint32_t block[BLOCK])
{
    uint32_t least = block[0];

    for (int i = 1; i < BLOCK; i++)
        least = block[i] < least ? block[i] : least;
    return least;
}

/* Where the block has its first `rank`. */
static inline size_t
place_of(const uint32_t block[BLOCK], uint32_t rank)
{
    size_t at = 0;

    for (size_t i = BLOCK; i-- > 0;)
        at = block[i] == rank ? i : at;
    return at;
}

static inline void
set_rank(const struct ranks *r, size_t i, uint32_t rank)
{
    r->level[0][i] = rank;
    for (size_t k = 1; k < r->n; k++) {
        i /= BLOCK;
        rank = least_of(r->level[k - 1] + i * BLOCK);
        if (r->level[k][i] == rank)
            break; /* and so are those above */
        r->level[k][i] = rank;
    }
}

/* The leftmost symbol of the lowest rank, which is *rank. */
static inline size_t
lowest_of_all(const struct ranks *r, uint32_t *rank)
{
    size_t at = 0;

    *rank = least_of(r->level[r->n - 1]);
    for (size_t k = r->n; k-- > 0;)
        at = at * BLOCK + place_of(r->level[k] + at * BLOCK, *rank);
    return at;
}

/* Lays the levels out in s, without what they say; returns how many ranks
 * the first has room for. */
static size_t
lay_levels(struct merge_scratch *s, struct ranks *r, size_t n)
{
    size_t size = (n + BLOCK - 1) / BLOCK * BLOCK, used = 0, level = size;
    size_t most = size + size / (BLOCK - 1) + LEVELS * BLOCK;

    if (most > s->cap) {
        s->cap = most;
        s->link = mem_grow(s->link, most * sizeof(s->link[0]));
        s->rank = mem_grow(s->rank, most * sizeof(s->rank[0]));
    }
    for (r->n = 0; r->n == 0 || r->level[r->n - 1] + BLOCK < s->rank + used;
         level = (level / BLOCK + BLOCK - 1) / BLOCK * BLOCK) {
        r->level[r->n++] = s->rank + used;
        used += level;
    }
    memset(s->rank, 0xff, used * sizeof(s->rank[0])); /* NO_RANK */
    return size;
}

static void
begin_long(const struct merges *m, struct merge_scratch *s, struct ranks *r,
           const uint32_t *id, size_t n)
{
    size_t size = lay_levels(s, r, n), i, k;

    for (i = 0; i <= n; i++)
        s->link[i] = (struct merge_links){ (uint32_t)i - 1,
                                           (uint32_t)i + 1 };
    for (i = 0; i + 1 < n; i++)
        r->level[0][i] = first_rank(m, id[i], id[i + 1]);
    for (k = 1; k < r->n; k++) {
        size /= BLOCK;
        for (i = 0; i < size; i++)
            r->level[k][i] = least_of(r->level[k - 1] + i * BLOCK);
        size = (size + BLOCK - 1) / BLOCK * BLOCK;
    }
}

static size_t
merge_long(const struct merges *m, struct merge_scratch *s, uint32_t *id,
           size_t n)
{
    struct merge_links *link;
    size_t i, left = 0;
    uint32_t rank, prev, next;
    struct ranks r;

    begin_long(m, s, &r, id, n);
    link = s->link;
    while (i = lowest_of_all(&r, &rank), rank != NO_RANK) {
        id[i] = id_of_rank(m, rank);
        next = link[link[i].next].next;
        prev = link[i].prev;
        set_rank(&r, link[i].next, NO_RANK);
        link[i].next = next;
        link[next].prev = (uint32_t)i;
        rank = next < n ? rank_of(m, id[i], id[next]) : NO_RANK;
        set_rank(&r, i, rank);
        if (i > 0)
            set_rank(&r, prev, rank_of(m, id[prev], id[i]));
    }
    for (i = 0; i < n; i = link[i].next)
        id[left++] = id[i];
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
