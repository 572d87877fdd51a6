/* delta.c - git's deltas: what they make, and what is refused of them. */
#include "repo/delta.h"

#include <string.h>

#include "test.h"

#define BASE "0123456789abcdef"

/* The result of ops on BASE, if they give exactly its length. */
static bool
gives(const char *ops, size_t n, const char *want)
{
    char out[64] = "";
    size_t len = strlen(want);

    return delta_apply(ops, n, BASE, strlen(BASE), out, len)
           && memcmp(out, want, len) == 0;
}

#define GIVES(ops, want) gives(ops, sizeof(ops) - 1, want)

/* Whether ops on BASE are refused where n_out bytes are to come out, and the
 * next byte stays as it is. */
static bool
refuses(const char *ops, size_t n, size_t n_out)
{
    char out[64];

    memset(out, '!', sizeof(out));
    return !delta_apply(ops, n, BASE, strlen(BASE), out, n_out)
           && out[n_out] == '!';
}

#define REFUSES(ops, n_out) refuses(ops, sizeof(ops) - 1, n_out)

TEST(copies_and_literals_follow_each_other)
{
    CHECK(GIVES("\3xyz", "xyz"));
    CHECK(GIVES("\x91\4\3", "456"));
    CHECK(GIVES("\x90\2\1-\x91\x0e\2", "01-ef"));
    CHECK(GIVES("\x91\x0f\1\x90\1", "f0"));
    CHECK(GIVES("", ""));
}

TEST(sizes_are_seven_bits_a_byte)
{
    uint64_t base = 0, result = 0;

    CHECK(delta_sizes("\x10\x05+", 3, &base, &result) == 2);
    CHECK(base == 16 && result == 5);
    CHECK(delta_sizes("\x80\x01\xff\x7f", 4, &base, &result) == 4);
    CHECK(base == 128 && result == 16383);
    CHECK(delta_sizes("\x10", 1, &base, &result) == 0);
    CHECK(delta_sizes("\x10\x80", 2, &base, &result) == 0);
    CHECK(delta_sizes("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01", 11,
                      &base, &result) == 0);
}

TEST(what_leaves_base_delta_or_result_is_refused)
{
    CHECK(REFUSES("\x91\x0f\2", 2)); /* beyond the base */
    CHECK(REFUSES("\x91\x11\1", 1));
    CHECK(REFUSES("\x9f\xff\xff\xff\xff\1", 1));
    CHECK(REFUSES("\3xy", 3));       /* beyond the delta */
    CHECK(REFUSES("\x91\4", 1));
    CHECK(REFUSES("\3xyz", 2));      /* beyond the result */
    CHECK(REFUSES("\x90\3", 2));
    CHECK(REFUSES("\3xyz", 4));      /* short of it */
    CHECK(REFUSES("\0", 0));         /* no such operation */
}

TEST(a_copy_of_no_length_is_of_65536_bytes)
{
    static char base[65536], out[65536];
    static const char op[] = "\x80";

    memset(base, 'x', sizeof(base));
    CHECK(delta_apply(op, 1, base, sizeof(base), out, sizeof(out)));
    CHECK(memcmp(base, out, sizeof(out)) == 0);
    CHECK(!delta_apply(op, 1, base, sizeof(base) - 1, out, sizeof(out)));
}

static const struct test tests[] = {
    RUN(copies_and_literals_follow_each_other),
    RUN(sizes_are_seven_bits_a_byte),
    RUN(what_leaves_base_delta_or_result_is_refused),
    RUN(a_copy_of_no_length_is_of_65536_bytes),
};

TEST_MAIN("delta", tests)
