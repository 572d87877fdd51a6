/* base_map.c - the hash table, content ids, par_for. */
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/par.h"

#include <pthread.h>
#include <stdlib.h>

#include "test.h"

TEST(a_map_keeps_values_and_order)
{
    struct map_entry *t;
    struct map m;
    char key[24];
    bool added;
    int i, n;

    map_init(&m);
    CHECK(map_get(&m, "a", 1) == NULL);
    for (i = 0; i < 10000; i++) {
        n = snprintf(key, sizeof(key), "key %d", i);
        map_put(&m, key, (size_t)n, (uint64_t)i, &added);
        CHECK(added);
    }
    for (i = 0; i < 10000; i++) {
        n = snprintf(key, sizeof(key), "key %d", i);
        t = map_put(&m, key, (size_t)n, 0, &added);
        CHECK(!added && t->value == (uint64_t)i);
        CHECK(map_get(&m, key, (size_t)n - 1) == NULL || i > 9);
        CHECK(m.entry[i].len == (size_t)n
              && memcmp(map_key(&m, (size_t)i), key, (size_t)n) == 0);
    }
    CHECK_EQ_U64(m.n, 10000);
    map_release(&m);
}

TEST(many_keys_are_found_at_once)
{
    enum { N = 200 };
    struct map_entry *found[N];
    struct map_key key[N];
    struct map m;
    char text[N][8];
    size_t i;

    map_init(&m);
    for (i = 0; i < N; i++) {
        key[i].p = text[i];
        key[i].n = (size_t)snprintf(text[i], sizeof(text[i]), "%zu", i);
    }
    found[0] = found[N - 1] = (struct map_entry *)text;
    map_get_all(&m, key, N, found);
    CHECK(!found[0] && !found[N - 1]);
    for (i = 0; i < N; i += 2)
        map_put(&m, key[i].p, key[i].n, i, NULL);
    map_get_all(&m, key, N, found);
    for (i = 0; i < N; i++)
        CHECK(i % 2 ? !found[i] : found[i] && found[i]->value == i);
    map_release(&m);
}

TEST(keys_are_bytes)
{
    struct map m;

    map_init(&m);
    map_put(&m, "", 0, 1, NULL);
    map_put(&m, "\0", 1, 2, NULL);
    map_put(&m, "\0\0", 2, 3, NULL);
    CHECK_EQ_U64(map_get(&m, "", 0)->value, 1);
    CHECK_EQ_U64(map_get(&m, "\0", 1)->value, 2);
    CHECK_EQ_U64(map_get(&m, "\0\0", 2)->value, 3);
    map_clear(&m);
    CHECK(m.n == 0 && map_get(&m, "", 0) == NULL);
    map_put(&m, "x", 1, 4, NULL);
    CHECK_EQ_U64(map_get(&m, "x", 1)->value, 4);
    map_release(&m);
}

/* b2sum -l 256 prints the same. */
TEST(ids_are_blake2b_256)
{
    struct id id = id_of("abc", 3), back;
    char hex[ID_HEX + 1];

    CHECK_STR(id_hex(&id, hex), "bddd813c634239723171ef3fee98579b"
                                "94964e3bb1cb3e427262c8c068d52319");
    CHECK(id_parse(&back, hex, ID_HEX) && id_equal(&id, &back));
    CHECK(!id_parse(&back, hex, ID_HEX - 1));
    hex[5] = 'G';
    CHECK(!id_parse(&back, hex, ID_HEX));
}

TEST(a_hash_can_go_on_after_its_id_was_taken)
{
    struct id part, whole, want = id_of("abcdef", 6);
    /* at every alignment of the heap and inside other things */
    char *raw = malloc(sizeof(struct hash) + 8);
    struct hash *h = (struct hash *)(void *)(raw + 8);

    hash_init(h);
    hash_add(h, "abc", 3);
    part = hash_id(h);
    hash_add(h, "def", 3);
    whole = hash_id(h);
    CHECK(!id_equal(&part, &whole));
    CHECK(id_equal(&whole, &want));
    free(raw);
}

TEST(fields_do_not_run_into_each_other)
{
    struct id a, b;
    struct hash h;

    hash_init(&h);
    hash_field(&h, "ab", 2);
    hash_field(&h, "c", 1);
    a = hash_id(&h);
    hash_init(&h);
    hash_field(&h, "a", 1);
    hash_field(&h, "bc", 2);
    b = hash_id(&h);
    CHECK(!id_equal(&a, &b));
}

static void
count(void *ctx, size_t i, int worker)
{
    unsigned char *seen = ctx;

    seen[i]++;
    if (worker < 0 || worker >= par_threads())
        seen[i] = 100;
}

TEST(par_for_runs_each_item_once)
{
    unsigned char seen[1000];
    int threads;
    size_t i;

    for (threads = 0; threads <= 5; threads++) {
        par_set_threads(threads);
        CHECK(threads == 0 ? par_threads() >= 1 : par_threads() == threads);
        memset(seen, 0, sizeof(seen));
        par_for(sizeof(seen), count, seen);
        for (i = 0; i < sizeof(seen); i++)
            CHECK_EQ_U64(seen[i], 1);
    }
    par_for(0, count, NULL);
}

struct beside {
    unsigned char seen[100];
    pthread_t caller;
    int own;      /* how often */
    size_t items; /* seen before it, by one thread */
};

static void
count_beside(void *ctx, size_t i, int worker)
{
    struct beside *b = ctx;

    count(b->seen, i, worker);
}

static void
own(void *ctx)
{
    struct beside *b = ctx;

    unsigned char inner[10] = { 0 };

    b->own++;
    CHECK(pthread_equal(pthread_self(), b->caller));
    par_for(sizeof(inner), count, inner);
    for (size_t i = 0; i < sizeof(inner); i++)
        CHECK_EQ_U64(inner[i], 1);
    for (size_t i = 0; i < sizeof(b->seen) && par_threads() == 1; i++)
        b->items += b->seen[i];
}

TEST(what_is_done_beside_the_items_is_done_once_by_the_caller_and_first)
{
    for (int threads = 1; threads <= 3; threads++) {
        par_set_threads(threads);
        for (size_t n = 0; n <= sizeof(((struct beside *)0)->seen); n++) {
            struct beside b = { .caller = pthread_self() };
            size_t sum = 0;

            par_for_beside(n, count_beside, own, &b);
            CHECK(b.own == 1 && b.items == 0);
            for (size_t i = 0; i < sizeof(b.seen); i++)
                sum += b.seen[i];
            CHECK_EQ_U64(sum, n);
        }
    }
}

static const struct test tests[] = {
    RUN(a_map_keeps_values_and_order),
    RUN(many_keys_are_found_at_once),
    RUN(keys_are_bytes),
    RUN(ids_are_blake2b_256),
    RUN(a_hash_can_go_on_after_its_id_was_taken),
    RUN(fields_do_not_run_into_each_other),
    RUN(par_for_runs_each_item_once),
    RUN(what_is_done_beside_the_items_is_done_once_by_the_caller_and_first),
};

TEST_MAIN("base_map", tests)
