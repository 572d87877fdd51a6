/* map.c - open addressing over a table of indices.
 *
 * slot[] holds index + 1 into entry[], linear probing, at most half full.
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
static uint8_t sip_key[crypto_shorthash_KEYBYTES];

static void
setup(void)
{
    randombytes_buf(sip_key, sizeof(sip_key));
}

static uint64_t
hash_of(const void *key, size_t n)
{
    uint8_t out[crypto_shorthash_BYTES];

    crypto_shorthash(out, key, n, sip_key);
    return load_u64(out);
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

/* The slot that holds key, or the free one where it belongs. */
static uint32_t *
find(const struct map *m, const void *key, size_t n, uint64_t hash)
{
    size_t mask = m->n_slots - 1, i = hash & mask;
    const struct map_entry *t;

    while (m->slot[i] != 0) {
        t = &m->entry[m->slot[i] - 1];
        if (t->hash == hash && t->len == n
            && memcmp(m->keys + t->at, key, n) == 0)
            break;
        i = (i + 1) & mask;
    }
    return &m->slot[i];
}

struct map_entry *
map_get(const struct map *m, const void *key, size_t n)
{
    uint32_t s;

    if (m->n == 0)
        return NULL;
    s = *find(m, key, n, hash_of(key, n));
    return s == 0 ? NULL : &m->entry[s - 1];
}

void
map_get_all(const struct map *m, const struct map_key *key, size_t n,
            struct map_entry **found)
{
    uint64_t hash[MANY];
    size_t i, k, many;
    uint32_t s;

    for (i = 0; i < n; i += many) {
        many = n - i < MANY ? n - i : MANY;
        if (m->n == 0) {
            memset(found + i, 0, many * sizeof(found[0]));
            continue;
        }
        for (k = 0; k < many; k++) {
            hash[k] = hash_of(key[i + k].p, key[i + k].n);
            __builtin_prefetch(&m->slot[hash[k] & (m->n_slots - 1)]);
        }
        for (k = 0; k < many; k++) {
            s = m->slot[hash[k] & (m->n_slots - 1)];
            __builtin_prefetch(&m->entry[s > 0 ? s - 1 : 0]);
        }
        for (k = 0; k < many; k++) {
            s = *find(m, key[i + k].p, key[i + k].n, hash[k]);
            found[i + k] = s == 0 ? NULL : &m->entry[s - 1];
        }
    }
}

static void
grow_slots(struct map *m)
{
    size_t n = m->n_slots ? m->n_slots * 2 : SMALL_SLOTS, i, at;

    free(m->slot);
    m->slot = mem_array(n, sizeof(*m->slot));
    m->n_slots = n;
    for (i = 0; i < m->n; i++) {
        at = m->entry[i].hash & (n - 1);
        while (m->slot[at] != 0)
            at = (at + 1) & (n - 1);
        m->slot[at] = (uint32_t)(i + 1);
    }
}

/* Appends key to the entries; its slot is the caller's to set. */
static struct map_entry *
append(struct map *m, const void *key, size_t n, uint64_t hash)
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
    t->hash = hash;
    if (n > 0)
        memcpy(m->keys + t->at, key, n);
    m->keys_len += n;
    return t;
}

struct map_entry *
map_put(struct map *m, const void *key, size_t n, uint64_t value, bool *added)
{
    uint64_t hash = hash_of(key, n);
    struct map_entry *t;
    uint32_t *s;

    if ((m->n + 1) * 2 > m->n_slots)
        grow_slots(m);
    s = find(m, key, n, hash);
    if (added)
        *added = *s == 0;
    if (*s != 0)
        return &m->entry[*s - 1];
    t = append(m, key, n, hash);
    t->value = value;
    *s = (uint32_t)m->n;
    return t;
}

const char *
map_key(const struct map *m, size_t i)
{
    return m->keys + m->entry[i].at;
}
