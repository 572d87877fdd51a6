/* normal.c - steps of a normaliser one after another, and where they changed
 * the text. */
#include "text/normal.h"

#include <stdlib.h>

#include "base/rng.h"
#include "text/uclass.h"

#include "test.h"

static void
put_step(struct normalizer *z, enum normal_kind kind, const char *from,
         const char *to)
{
    struct normal_step *s = normalizer_insert(z, z->n, kind);

    buf_addstr(&s->from, from);
    buf_addstr(&s->to, to);
}

TEST(steps_follow_each_other)
{
    struct normalizer z = { NULL, 0 };
    struct text_changes c;
    uint8_t *uclass = uclass_new();
    struct buf b;

    buf_init(&b);
    text_changes_init(&c);
    put_step(&z, NORMAL_REPLACE, "ab", "c");
    put_step(&z, NORMAL_PREPEND, "", "> ");
    put_step(&z, NORMAL_REPLACE, "cc", "");
    normal_add(&b, &z, uclass, "xabyababz", 9, &c);
    CHECK_STR(b.data, "> xcyz");
    CHECK_EQ_U64(c.n, 3);
    CHECK(c.change[0].at == 0 && c.change[0].n == 2 && c.change[0].from == 0
          && c.change[0].len == 0);
    CHECK(c.change[1].at == 3 && c.change[1].n == 1 && c.change[1].from == 1
          && c.change[1].len == 2);
    CHECK(c.change[2].at == 5 && c.change[2].n == 0 && c.change[2].from == 4
          && c.change[2].len == 4);
    CHECK(!normal_needed(&z, uclass, "", 0));
    buf_release(&b);
    text_changes_release(&c);
    normalizer_release(&z);
    free(uclass);
}

/* Between the changes the two texts are alike, and they end together. */
static bool
holds(const struct text_changes *c, const char *p, size_t n,
      const struct buf *b)
{
    size_t at = 0, from = 0, i, len;

    for (i = 0; i <= c->n; i++) {
        len = (i < c->n ? c->change[i].at : b->len) - at;
        if (from + len > n || at + len > b->len
            || (i < c->n && c->change[i].from != from + len)
            || memcmp(b->data + at, p + from, len) != 0)
            return false;
        at += len + (i < c->n ? c->change[i].n : 0);
        from += len + (i < c->n ? c->change[i].len : 0);
    }
    return at == b->len && from == n;
}

TEST(changes_of_several_steps_lead_back)
{
    static const char *const text[] = { "a", "ab", "b", "", "ba", "aa", "c",
                                        "e\xcc\x81", "bcb", "abc" };
    uint8_t *uclass = uclass_new();
    struct text_changes c;
    struct normalizer z;
    struct rng r;
    struct buf b;
    char p[64];
    size_t i, k, n;

    buf_init(&b);
    text_changes_init(&c);
    rng_init(&r, 3, 0);
    for (i = 0; i < 4000; i++) {
        z = (struct normalizer){ NULL, 0 };
        for (k = rng_below(&r, 4); k < 4; k++) {
            n = rng_below(&r, 8);
            if (n == 0)
                normalizer_insert(&z, z.n, NORMAL_FORM)->form =
                    (enum form)(i % 4);
            else if (n == 1)
                put_step(&z, NORMAL_PREPEND, "", text[rng_below(&r, 10)]);
            else
                put_step(&z, NORMAL_REPLACE, text[rng_below(&r, 3)],
                         text[rng_below(&r, 10)]);
        }
        for (n = 0; n < 40;)
            n += (size_t)snprintf(p + n, 8, "%s", text[rng_below(&r, 10)]);
        buf_reset(&b);
        text_changes_reset(&c);
        normal_add(&b, &z, uclass, p, n, &c);
        if (!CHECK(holds(&c, p, n, &b)))
            printf("  \"%s\" to \"%s\"\n", p, b.data);
        normalizer_release(&z);
    }
    buf_release(&b);
    text_changes_release(&c);
    free(uclass);
}

static const struct test tests[] = {
    RUN(steps_follow_each_other),
    RUN(changes_of_several_steps_lead_back),
};

TEST_MAIN("normal", tests)
