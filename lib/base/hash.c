/* hash.c - BLAKE2b-256, RFC 7693 (section 3 has the names used here).
 *
 * In plain integers: the four mixes of half a round need nothing of each
 * other, which keeps a processor's arithmetic units busy. Vectors have them in
 * their lanes, and wait for the result of each instruction instead.
 */
#include "base/hash.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash_lanes.h"
#include "base/hex.h"
#include "base/io.h"

typedef uint64_t word;

#include "base/hash_mix.inc"

/* F: the block p into the state, which is of `done` bytes then. */
static void
compress(uint64_t state[8], const uint8_t p[HASH_BLOCK], uint64_t done,
         bool last)
{
    uint64_t v[WORDS], m[WORDS];

    for (int i = 0; i < WORDS; i++)
        m[i] = load_u64(p + 8 * i);
    memcpy(v, state, 8 * sizeof(v[0]));
    memcpy(v + 8, iv, sizeof(iv));
    v[12] ^= done;
    v[14] ^= last ? UINT64_MAX : 0;
    mix_all(v, m);
    for (int i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

void
hash_init(struct hash *h)
{
    memcpy(h->state, iv, sizeof(iv));
    h->state[0] ^= 0x01010000 ^ ID_BYTES; /* no key */
    h->done = 0;
    h->held = 0;
}

void
hash_pass(struct hash *h)
{
    h->done += HASH_BLOCK;
    compress(h->state, h->block, h->done, false);
    h->held = 0;
}

/* Whole blocks go by; what may be the last waits. */
void
hash_add(struct hash *h, const void *p, size_t n)
{
    const uint8_t *at = p;
    size_t k = HASH_BLOCK - h->held;

    if (n == 0)
        return;
    if (n > k) {
        memcpy(h->block + h->held, at, k);
        hash_pass(h);
        for (at += k, n -= k; n > HASH_BLOCK; n -= HASH_BLOCK) {
            h->done += HASH_BLOCK;
            compress(h->state, at, h->done, false);
            at += HASH_BLOCK;
        }
    }
    memcpy(h->block + h->held, at, n);
    h->held += n;
}

void
hash_u64(struct hash *h, uint64_t v)
{
    uint8_t raw[8];

    store_u64(raw, v);
    hash_add(h, raw, sizeof(raw));
}

void
hash_field(struct hash *h, const void *p, size_t n)
{
    hash_u64(h, n);
    hash_add(h, p, n);
}

struct id
hash_id(const struct hash *h)
{
    uint8_t block[HASH_BLOCK] = { 0 };
    uint64_t state[8];
    struct id id;

    memcpy(state, h->state, sizeof(state));
    memcpy(block, h->block, h->held);
    compress(state, block, h->done + h->held, true);
    for (int i = 0; i < ID_BYTES / 8; i++)
        store_u64(id.b + 8 * i, state[i]);
    return id;
}

struct id
id_of(const void *p, size_t n)
{
    struct hash h;

    hash_init(&h);
    hash_add(&h, p, n);
    return hash_id(&h);
}

int
id_of_file(struct id *out, const char *path, struct err *e)
{
    struct hash h;
    struct in in;
    const char *p;
    size_t got;
    int rc;

    rc = in_open_regular(&in, path, e);
    if (rc < 0)
        return rc;
    hash_init(&h);
    for (;;) {
        rc = in_peek(&in, 1, &p, &got, e);
        if (rc < 0 || got == 0)
            break;
        hash_add(&h, p, got);
        in_take(&in, got);
    }
    if (rc == 0)
        *out = hash_id(&h);
    in_release(&in);
    return rc;
}

bool
id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, ID_BYTES) == 0;
}

char *
id_hex(const struct id *id, char out[ID_HEX + 1])
{
    return hex_put(out, id->b, ID_BYTES);
}

bool
id_parse(struct id *out, const char *hex, size_t n)
{
    return n == ID_HEX && hex_take(out->b, ID_BYTES, hex, false);
}
