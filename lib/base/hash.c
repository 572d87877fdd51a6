/* hash.c - BLAKE2b-256 through libsodium.
 *
 * libsodium's state wants an alignment of 64, which a struct on the heap does
 * not have; it is copied to the stack and back around each call.
 */
#include "base/hash.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/io.h"

_Static_assert(sizeof(crypto_generichash_state) <=
               sizeof(((struct hash *)0)->state), "state does not fit");

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* AMD's family 26 (Zen 5), whose vector additions take two cycles where those
 * of whole numbers take one. */
static bool
slow_vectors(void)
{
#ifdef __x86_64__
    unsigned a = 0, b, c, d;

    if (__builtin_cpu_is("amd") && __get_cpuid(1, &a, &b, &c, &d))
        return (a >> 8 & 0xf) + (a >> 20 & 0xff) == 26;
#endif
    return false;
}

/* Lets libsodium choose an implementation. Until then it has the one of whole
 * numbers, and with slow vectors that is the fastest: 1.8 times as fast as the
 * AVX2 one, which it would choose. It can only fail when there is no source of
 * randomness, which hashing does without. */
static void
setup(void)
{
    if (slow_vectors() || sodium_init() < 0)
        return;
}

void
hash_init(struct hash *h)
{
    crypto_generichash_state s;

    pthread_once(&once, setup);
    crypto_generichash_init(&s, NULL, 0, ID_BYTES);
    memcpy(h->state, &s, sizeof(s));
}

void
hash_add(struct hash *h, const void *p, size_t n)
{
    crypto_generichash_state s;

    if (n == 0)
        return;
    memcpy(&s, h->state, sizeof(s));
    crypto_generichash_update(&s, p, n);
    memcpy(h->state, &s, sizeof(s));
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
    crypto_generichash_state s;
    struct id id;

    memcpy(&s, h->state, sizeof(s));
    crypto_generichash_final(&s, id.b, sizeof(id.b));
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
