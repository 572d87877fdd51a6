/* base_hash.c - BLAKE2b-256: lengths around its blocks, in one piece and in
 * many, against libsodium's. */
#include "base/hash.h"
#include "base/rng.h"

#include <sodium.h>

#include "test.h"

#define MOST 2000
#define TOGETHER 24

static void
fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 167 + i / 251);
}

/* What libsodium says of p[n]. */
static struct id
expected(const uint8_t *p, size_t n)
{
    struct id id;

    crypto_generichash(id.b, ID_BYTES, p, n, NULL, 0);
    return id;
}

TEST(ids_of_all_lengths_are_libsodiums)
{
    uint8_t p[MOST];
    struct id id, want;

    fill(p, sizeof(p));
    for (size_t n = 0; n < MOST; n++) {
        id = id_of(p, n);
        want = expected(p, n);
        CHECK(id_equal(&id, &want));
    }
}

TEST(a_hash_takes_its_bytes_in_any_pieces)
{
    struct rng r;
    struct id id, want;
    uint8_t p[MOST];
    struct hash h;
    size_t at, k;

    rng_init(&r, 1, 0);
    fill(p, sizeof(p));
    for (int i = 0; i < 300; i++) {
        hash_init(&h);
        for (at = 0; at < MOST; at += k) {
            k = rng_below(&r, (i % 3 + 1) * HASH_BLOCK);
            if (k > MOST - at)
                k = MOST - at;
            hash_add(&h, p + at, k);
            id = hash_id(&h);
            want = expected(p, at + k);
            CHECK(id_equal(&id, &want));
        }
    }
}

/* Parts of random lengths, behind what their hashes already hold. */
static void
add_parts(struct rng *r, const uint8_t *p, size_t n)
{
    struct hash_part part[TOGETHER];
    struct hash h[TOGETHER];
    size_t held[TOGETHER];
    struct id id, want;

    for (size_t i = 0; i < n; i++) {
        held[i] = rng_below(r, 4) * rng_below(r, HASH_BLOCK);
        hash_init(&h[i]);
        hash_add(&h[i], p, held[i]);
        part[i] = (struct hash_part){
            &h[i], p + held[i], rng_below(r, MOST - held[i])
        };
    }
    hash_add_each(part, n);
    for (size_t i = 0; i < n; i++) {
        id = hash_id(&h[i]);
        want = expected(p, held[i] + part[i].n);
        CHECK(id_equal(&id, &want));
    }
}

TEST(parts_together_are_hashed_as_one_after_the_other)
{
    uint8_t p[MOST];
    struct rng r;

    rng_init(&r, 2, 0);
    fill(p, sizeof(p));
    for (int i = 0; i < 500; i++)
        add_parts(&r, p, rng_below(&r, TOGETHER + 1));
}

TEST(the_id_of_nothing_is_that_of_the_standard)
{
    char hex[ID_HEX + 1];
    struct id id = id_of(NULL, 0);

    CHECK_STR(id_hex(&id, hex), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47"
                                   "778f7787faab45cdf12fe3a8");
}

static const struct test tests[] = {
    RUN(ids_of_all_lengths_are_libsodiums),
    RUN(a_hash_takes_its_bytes_in_any_pieces),
    RUN(parts_together_are_hashed_as_one_after_the_other),
    RUN(the_id_of_nothing_is_that_of_the_standard),
};

TEST_MAIN("base_hash", tests)
