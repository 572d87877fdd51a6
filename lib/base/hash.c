/* hash.c - BLAKE2b-256, RFC 7693 (section 3 has the names used here).
 *
 * In plain integers: the four mixes of half a round need nothing of each
 * other, which keeps a processor's arithmetic units busy. Vectors have them in
 * their lanes, and wait for the result of each instruction instead.
 */
#include "base/hash.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/io.h"

#define WORDS 16 /* of a block, and of what is mixed */

static const uint64_t iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
    0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
    0x1f83d9abfb41bd6b, 0x5be0cd19137e2179
};

/* SIGMA: which words of the block a round takes, in what order. */
static const uint8_t sigma[10][WORDS] = {
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
    { 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
    { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
    { 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
    { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
    { 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
    { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
    { 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
    { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 }
};

static inline uint64_t
rotate(uint64_t v, int n)
{
    return v >> n | v << (64 - n);
}

/* G. */
__attribute__((always_inline)) static inline void
mix(uint64_t v[WORDS], int a, int b, int c, int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 63);
}

/* The columns, then the diagonals. */
__attribute__((always_inline)) static inline void
mix_round(uint64_t v[WORDS], const uint64_t m[WORDS], const uint8_t s[WORDS])
{
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
}

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
    mix_round(v, m, sigma[0]);
    mix_round(v, m, sigma[1]);
    mix_round(v, m, sigma[2]);
    mix_round(v, m, sigma[3]);
    mix_round(v, m, sigma[4]);
    mix_round(v, m, sigma[5]);
    mix_round(v, m, sigma[6]);
    mix_round(v, m, sigma[7]);
    mix_round(v, m, sigma[8]);
    mix_round(v, m, sigma[9]);
    mix_round(v, m, sigma[0]);
    mix_round(v, m, sigma[1]);
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
        h->done += HASH_BLOCK;
        compress(h->state, h->block, h->done, false);
        h->held = 0;
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
