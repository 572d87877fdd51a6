/* fim.c - the draws of filling in the middle: how often, which of the two
 * orders, and where the cuts are. */
#include "record/fim.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "test.h"

#define DRAWS 20000

static struct id
id_number(uint64_t i)
{
    return id_of(&i, sizeof(i));
}

/* 4.4 standard errors of a share p of n: one case in 100,000 is beyond. */
static bool
is_share(double got, double p, double n)
{
    return fabs(got / n - p) < 4.4 * sqrt(p * (1 - p) / n);
}

TEST(rates_are_kept)
{
    struct fim f = { .rate = 0.3, .spm_rate = 0.8, .seed = 7 };
    double apart = 0, spm = 0;

    for (uint64_t i = 0; i < DRAWS; i++) {
        struct id id = id_number(i);
        struct fim_draw d = fim_draw(&f, &id, 0, "abc", 3);

        apart += d.apart;
        spm += d.apart && d.spm;
        CHECK(d.apart || (d.from == 0 && d.to == 0));
    }
    CHECK(is_share(apart, 0.3, DRAWS));
    CHECK(is_share(spm, 0.8, apart));
}

TEST(none_and_all)
{
    struct fim none = { 0, 0, 0 }, all = { 1, 1, 0 };

    for (uint64_t i = 0; i < 1000; i++) {
        struct id id = id_number(i);

        CHECK(!fim_draw(&none, &id, 0, "abc", 3).apart);
        CHECK(!fim_draw(&none, &id, 0, "abc", 3).spm);
        CHECK(fim_draw(&all, &id, 0, "abc", 3).apart);
        CHECK(fim_draw(&all, &id, 0, "abc", 3).spm);
    }
}

/* Each of the (n + 1)^2 pairs of places in n characters is as likely: a
 * middle from a to b comes of two pairs if a < b, of one if a == b. */
TEST(cuts_are_uniform_over_characters)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t place[] = { 0, 1, 3, 6, 10, 11 };
    enum { PLACES = 6 };
    struct fim f = { 1, 0.5, 3 };
    double n[PLACES][PLACES] = { { 0 } };

    for (uint64_t i = 0; i < DRAWS; i++) {
        struct id id = id_number(i);
        struct fim_draw d = fim_draw(&f, &id, 0, text, strlen(text));
        size_t a = 0, b = 0;

        while (a < PLACES && place[a] != d.from)
            a++;
        while (b < PLACES && place[b] != d.to)
            b++;
        if (!CHECK(a < PLACES && b < PLACES && a <= b))
            return;
        n[a][b]++;
    }
    for (size_t a = 0; a < PLACES; a++)
        for (size_t b = a; b < PLACES; b++)
            CHECK(is_share(n[a][b], (a < b ? 2.0 : 1.0) / 36, DRAWS));
}

TEST(a_draw_is_of_its_record_place_and_seed)
{
    static const char text[] = "The quick brown fox jumps over the lazy dog";
    struct fim f = { 1, 0.5, 1 }, other = { 1, 0.5, 2 };
    size_t n = strlen(text), same[3] = { 0, 0, 0 };

    for (uint64_t i = 0; i < 1000; i++) {
        struct id id = id_number(i), next = id_number(i + 1);
        struct fim_draw d = fim_draw(&f, &id, 5, text, n);
        struct fim_draw again = fim_draw(&f, &id, 5, text, n);
        struct fim_draw of[3] = { fim_draw(&f, &next, 5, text, n),
                                  fim_draw(&f, &id, 6, text, n),
                                  fim_draw(&other, &id, 5, text, n) };

        CHECK(d.from == again.from && d.to == again.to && d.spm == again.spm);
        for (int k = 0; k < 3; k++)
            same[k] += of[k].from == d.from && of[k].to == d.to;
    }
    for (int k = 0; k < 3; k++)
        CHECK(same[k] < 20);
}

TEST(bytes_that_are_no_characters)
{
    struct fim f = { 1, 0, 0 };

    for (uint64_t i = 0; i < 1000; i++) {
        struct id id = id_number(i);
        struct fim_draw d = fim_draw(&f, &id, 0, "", 0);

        CHECK(d.apart && d.from == 0 && d.to == 0);
        d = fim_draw(&f, &id, 0, "\x80\x80\xffx\xc3", 5);
        CHECK(d.from <= d.to && d.to <= 5);
        CHECK(d.from != 1 && d.to != 1);
    }
}

TEST(a_half_is_at_a_line_end)
{
    CHECK_EQ_U64(fim_half("aaaa\nb\ncccc", 11), 5);
    CHECK_EQ_U64(fim_half("a\nbbbbbbbb\nc", 12), 2);
    CHECK_EQ_U64(fim_half("abcdef\n", 7), 3);
    CHECK_EQ_U64(fim_half("a\xc3\xa9", 3), 1);
    CHECK_EQ_U64(fim_half("\xc3\xa9" "a", 3), 2);
    CHECK_EQ_U64(fim_half("\xf0\x9f\x98\x80", 4), 0);
    CHECK_EQ_U64(fim_half("\n", 1), 0);
    CHECK_EQ_U64(fim_half("x", 1), 0);
    CHECK_EQ_U64(fim_half("\n\n", 2), 1);
}

static const struct test tests[] = {
    RUN(rates_are_kept),
    RUN(none_and_all),
    RUN(cuts_are_uniform_over_characters),
    RUN(a_draw_is_of_its_record_place_and_seed),
    RUN(bytes_that_are_no_characters),
    RUN(a_half_is_at_a_line_end),
};

TEST_MAIN("fim", tests)
