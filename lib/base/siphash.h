/* siphash.h - SipHash-1-3 (Aumasson and Bernstein): a hash under a key,
 * which who doesn't know the key can't make collide. It is what the tables of
 * Rust and Python use. Here, not in a library, as it takes less time than a
 * call where the bytes are few.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct siphash {
    uint64_t a, b, c, d;
};

static inline uint64_t
siphash_turn(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void
siphash_round(struct siphash *s)
{
    s->a += s->b;
    s->b = siphash_turn(s->b, 13) ^ s->a;
    s->a = siphash_turn(s->a, 32);
    s->c += s->d;
    s->d = siphash_turn(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = siphash_turn(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = siphash_turn(s->b, 17) ^ s->c;
    s->c = siphash_turn(s->c, 32);
}

static inline void
siphash_word(struct siphash *s, uint64_t word)
{
    s->d ^= word;
    siphash_round(s);
    s->a ^= word;
}

/* The last n % 8 of the n bytes that end at end, in a word. */
static inline uint64_t
siphash_rest(const uint8_t *end, size_t n)
{
    size_t k = n % 8;
    const uint8_t *p = end - k;

    if (k == 0)
        return 0;
    if (n > 8)
        return load_u64(end - 8) >> (64 - 8 * k);
    if (k >= 4)
        return load_u32(p) | (uint64_t)load_u32(end - 4) << (8 * k - 32);
    return p[0] | (uint64_t)p[k / 2] << (8 * (k / 2)) |
           (uint64_t)end[-1] << (8 * k - 8);
}

static inline uint64_t
siphash13(const uint64_t key[2], const void *p, size_t n)
{
    struct siphash s = {
        .a = key[0] ^ 0x736f6d6570736575, .b = key[1] ^ 0x646f72616e646f6d,
        .c = key[0] ^ 0x6c7967656e657261, .d = key[1] ^ 0x7465646279746573
    };
    const uint8_t *at = p;
    size_t left;
    int i;

    for (left = n; left >= 8; left -= 8, at += 8)
        siphash_word(&s, load_u64(at));
    siphash_word(&s, siphash_rest(at + left, n) | (uint64_t)n << 56);
    s.c ^= 0xff;
    for (i = 0; i < 3; i++)
        siphash_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

#endif
