/* map.c - open addressing over a table of indices.
 *
 * slot[] holds index + 1 into entry[] and the key's hash, so that of the
 * entries only those of a key are looked at, and growing looks at none. Linear
 * probing, at most four fifths full: to pass over slots of others costs little.
 * Limits: 2^31 entries.
 */
#include "base/map.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

#define SMALL_SLOTS 32
#define MANY 64

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char sip_key[crypto_shorthash_KEYBYTES];

static void
setup(void)
{
    randombytes_buf(sip_key, sizeof(sip_key));
}

static uint32_t
hash_of(const void *key, size_t n)
{
    unsigned char out[crypto_shorthash_BYTES];

    crypto_shorthash(out, key, n, sip_key);
    return load_u32(out);
}

void
map_init(struct map *m)
{
    pthread_once(&once, setup);
    memset(m, 0, sizeof(*m));
}

void
map_release(struct map *m)
{
    free(m->entry);
    free(m->slot);
    free(m->keys);
    memset(m, 0, sizeof(*m));
}

void
map_clear(struct map *m)
{
    if (m->n_slots > SMALL_SLOTS) {
        map_release(m);
        return;
    }
    if (m->slot)
        memset(m->slot, 0, m->n_slots * sizeof(*m->slot));
    m->n = 0;
    m->keys_len = 0;
}

/* From slot i on the first that is free or whose key has the hash. */
static size_t
probe(const struct map *m, size_t i, uint32_t hash)
{
    size_t mask = m->n_slots - 1;

    for (i &= mask; m->slot[i].at != 0 && m->slot[i].hash != hash;)
        i = (i + 1) & mask;
    return i;
}

/* The slot that holds key, or the free one where it belongs. */
static struct map_slot *
find(const struct map *m, const void *key, size_t n, uint32_t hash)
{
    size_t i = probe(m, hash, hash);
    const struct map_entry *t;

    for (; m->slot[i].at != 0; i = probe(m, i + 1, hash)) {
        t = &m->entry[m->slot[i].at - 1];
        if (t->len == n && memcmp(m->keys + t->at, key, n) == 0)
            break;
    }
    return &m->slot[i];
}

static struct map_entry *
find_entry(const struct map *m, const void *key, size_t n, uint32_t hash)
{
    uint32_t at = find(m, key, n, hash)->at;

    return at == 0 ? NULL : &m->entry[at - 1];
}

struct map_entry *
map_get(const struct map *m, const void *key, size_t n)
{
    return m->n == 0 ? NULL : find_entry(m, key, n, hash_of(key, n));
}

/* map_get of at most MANY keys of a map that is not empty. */
static void
get_many(const struct map *m, const struct map_key *key, size_t n,
         struct map_entry **found)
{
    uint32_t hash[MANY], at;
    size_t k;

    for (k = 0; k < n; k++) {
        hash[k] = hash_of(key[k].p, key[k].n);
        __builtin_prefetch(&m->slot[hash[k] & (m->n_slots - 1)]);
    }
    for (k = 0; k < n; k++) {
        at = m->slot[probe(m, hash[k], hash[k])].at;
        found[k] = &m->entry[at > 0 ? at - 1 : 0];
        __builtin_prefetch(found[k]);
    }
    for (k = 0; k < n; k++)
        __builtin_prefetch(m->keys + found[k]->at);
    for (k = 0; k < n; k++)
        found[k] = find_entry(m, key[k].p, key[k].n, hash[k]);
}

void
map_get_all(const struct map *m, const struct map_key *key, size_t n,
            struct map_entry **found)
{
    size_t i, many;

    if (n > 0 && m->n == 0)
        memset(found, 0, n * sizeof(found[0]));
    for (i = 0; i < n && m->n > 0; i += many) {
        many = n - i < MANY ? n - i : MANY;
        get_many(m, key + i, many, found + i);
    }
}

static void
grow_slots(struct map *m)
{
    size_t n = m->n_slots ? m->n_slots * 2 : SMALL_SLOTS, i, at;
    struct map_slot *slot = mem_table(n, sizeof(*slot));

    for (i = 0; i < m->n_slots; i++) {
        if (m->slot[i].at == 0)
            continue;
        at = m->slot[i].hash & (n - 1);
        while (slot[at].at != 0)
            at = (at + 1) & (n - 1);
        slot[at] = m->slot[i];
    }
    free(m->slot);
    m->slot = slot;
    m->n_slots = n;
}

/* Appends key to the entries; its slot is the caller's to set. */
static struct map_entry *
append(struct map *m, const void *key, size_t n)
{
    struct map_entry *t;

    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : SMALL_SLOTS / 2;
        m->entry = mem_grow(m->entry, m->cap * sizeof(*m->entry));
    }
    if (n >= m->keys_cap - m->keys_len) {
        m->keys_cap = m->keys_cap * 2 + n + 64;
        m->keys = mem_grow(m->keys, m->keys_cap);
    }
    t = &m->entry[m->n++];
    t->at = m->keys_len;
    t->len = n;
    if (n > 0)
        memcpy(m->keys + t->at, key, n);
    m->keys_len += n;
    return t;
}

struct map_entry *
map_put(struct map *m, const void *key, size_t n, uint64_t value, bool *added)
{
    uint32_t hash = hash_of(key, n);
    struct map_entry *t;
    struct map_slot *s;

    if ((m->n + 1) * 5 > m->n_slots * 4)
        grow_slots(m);
    s = find(m, key, n, hash);
    if (added)
        *added = s->at == 0;
    if (s->at != 0)
        return &m->entry[s->at - 1];
    t = append(m, key, n);
    t->value = value;
    *s = (struct map_slot){ (uint32_t)m->n, hash };
    return t;
}

const char *
map_key(const struct map *m, size_t i)
{
    return m->keys + m->entry[i].at;
}
