/* cache.c - lib/repo's cache: what it finds, and in which order it gives up. */
#include "repo/cache.h"

#include "test.h"

static const struct cache_entry *
nth(const struct cache *c, int n)
{
    const struct cache_entry *x = c->oldest;

    for (; x && n > 0; n--)
        x = x->newer;
    return x;
}

TEST(entries_of_one_hash_are_all_found)
{
    struct cache_entry x[8];
    struct cache c;

    cache_init(&c, 1, 100); /* two buckets, so that hashes share one */
    for (int i = 0; i < 8; i++)
        cache_add(&c, &x[i], i % 3 == 0 ? 7 : 10 + (uint64_t)i, 10);
    CHECK(cache_first(&c, 7) == &x[6]);
    CHECK(cache_next(&x[6]) == &x[3]);
    CHECK(cache_next(&x[3]) == &x[0]);
    CHECK(cache_next(&x[0]) == NULL);
    CHECK(cache_first(&c, 14) == &x[4]);
    CHECK(cache_next(&x[4]) == NULL);
    CHECK(cache_first(&c, 9) == NULL);
    for (int i = 0; i < 8; i++)
        cache_remove(&c, &x[i]);
    CHECK(cache_first(&c, 7) == NULL);
    CHECK(c.newest == NULL && c.oldest == NULL && c.cost == 0);
    cache_release(&c);
}

TEST(the_oldest_is_what_was_touched_least_recently)
{
    struct cache_entry x[3];
    struct cache c;

    cache_init(&c, 2, 29);
    for (int i = 0; i < 3; i++)
        cache_add(&c, &x[i], (uint64_t)i, 10);
    CHECK(cache_full(&c));
    cache_touch(&c, &x[1]);
    cache_touch(&c, &x[0]);
    cache_touch(&c, &x[0]);
    CHECK(nth(&c, 0) == &x[2] && nth(&c, 1) == &x[1]);
    CHECK(nth(&c, 2) == &x[0] && nth(&c, 3) == NULL);
    cache_remove(&c, &x[1]);
    CHECK(!cache_full(&c) && c.cost == 20);
    CHECK(x[2].newer == &x[0] && x[0].older == &x[2]);
    cache_remove(&c, &x[0]);
    CHECK(c.newest == &x[2] && c.oldest == &x[2]);
    cache_remove(&c, &x[2]);
    cache_release(&c);
}

static const struct test tests[] = {
    RUN(entries_of_one_hash_are_all_found),
    RUN(the_oldest_is_what_was_touched_least_recently),
};

TEST_MAIN("cache", tests)
