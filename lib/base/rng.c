/* rng.c - Philox4x32-10 and what is built on it. */
#include "base/rng.h"

#include <math.h>

static void
round_once(uint32_t c[4], const uint32_t k[2])
{
    uint64_t a = (uint64_t)0xd2511f53u * c[0];
    uint64_t b = (uint64_t)0xcd9e8d57u * c[2];
    uint32_t c1 = c[1], c3 = c[3];

    c[0] = (uint32_t)(b >> 32) ^ c1 ^ k[0];
    c[1] = (uint32_t)b;
    c[2] = (uint32_t)(a >> 32) ^ c3 ^ k[1];
    c[3] = (uint32_t)a;
}

void
philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k[2] = {key[0], key[1]};
    int i;

    for (i = 0; i < 10; i++) {
        round_once(c, k);
        k[0] += 0x9e3779b9u;
        k[1] += 0xbb67ae85u;
    }
    for (i = 0; i < 4; i++)
        out[i] = c[i];
}

void
rng_init(struct rng *r, uint64_t seed, uint64_t site)
{
    r->key[0] = (uint32_t)seed;
    r->key[1] = (uint32_t)(seed >> 32);
    r->counter[0] = r->counter[1] = 0;
    r->counter[2] = (uint32_t)site;
    r->counter[3] = (uint32_t)(site >> 32);
    r->used = 4;
}

uint32_t
rng_u32(struct rng *r)
{
    if (r->used == 4) {
        philox(r->out, r->counter, r->key);
        if (++r->counter[0] == 0)
            r->counter[1]++;
        r->used = 0;
    }
    return r->out[r->used++];
}

uint64_t
rng_u64(struct rng *r)
{
    uint64_t low = rng_u32(r);

    return low | (uint64_t)rng_u32(r) << 32;
}

uint64_t
rng_below(struct rng *r, uint64_t n)
{
    uint64_t skip = -n % n, v; /* 2^64 mod n values are too many */

    do
        v = rng_u64(r);
    while (v < skip);
    return v % n;
}

double
rng_double(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

/* Box and Muller; the second variate is not kept, so that the number of
 * values taken from the stream is fixed. */
double
rng_normal(struct rng *r)
{
    double u = 1 - rng_double(r), v = rng_double(r);

    return sqrt(-2 * log(u)) * cos(6.283185307179586477 * v);
}

uint64_t
rng_site(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    return h;
}

/* One pass of a six-round balanced Feistel network on 2 * half bits. */
static uint64_t
feistel(uint64_t v, int half, const uint32_t key[2], uint64_t epoch)
{
    uint32_t mask = (uint32_t)(((uint64_t)1 << half) - 1);
    uint32_t left = (uint32_t)(v >> half), right = (uint32_t)v & mask;
    uint32_t counter[4] = {0, 0, (uint32_t)epoch, (uint32_t)(epoch >> 32)};
    uint32_t out[4], next;
    uint32_t i;

    for (i = 0; i < 6; i++) {
        counter[0] = right;
        counter[1] = i;
        philox(out, counter, key);
        next = left ^ (out[0] & mask);
        left = right;
        right = next;
    }
    return (uint64_t)left << half | right;
}

uint64_t
rng_permute(uint64_t i, uint64_t n, uint64_t seed, uint64_t epoch)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    int half = 1;

    while (half < 32 && (n - 1) >> (2 * half))
        half++;
    do
        i = feistel(i, half, key, epoch);
    while (i >= n);
    return i;
}
