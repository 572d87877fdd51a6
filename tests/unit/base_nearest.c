/* base_nearest.c - edits between names, and which of many is taken. */
#include "base/nearest.h"

#include <string.h>

#include "test.h"

static size_t
edits(const char *a, const char *b)
{
    struct nearest x = nearest_to(a, strlen(a), NEAREST_FAR);

    nearest_offer(&x, b);
    return x.edits;
}

TEST(edits_are_counted)
{
    CHECK_EQ_U64(edits("steps", "steps"), 0);
    CHECK_EQ_U64(edits("step", "steps"), 1);
    CHECK_EQ_U64(edits("stepss", "steps"), 1);
    CHECK_EQ_U64(edits("stops", "steps"), 1);
    CHECK_EQ_U64(edits("kitten", "sitting"), 3);
    CHECK_EQ_U64(edits("", "abc"), 3);
    CHECK_EQ_U64(edits("abc", ""), 3);
}

TEST(a_name_of_64_bytes_is_far_from_all)
{
    char name[65];

    memset(name, 'a', 64);
    name[64] = '\0';
    CHECK_EQ_U64(edits(name, name), NEAREST_FAR);
    CHECK_EQ_U64(edits(name + 1, name + 1), 0);
}

TEST(the_first_of_the_nearest_is_taken)
{
    struct nearest x = nearest_to("trainX", 5, 2);

    CHECK(!x.name);
    nearest_offer(&x, "brains");
    CHECK(strcmp(x.name, "brains") == 0);
    nearest_offer(&x, "rain");
    nearest_offer(&x, "brain");
    CHECK(strcmp(x.name, "rain") == 0);
    CHECK_EQ_U64(x.edits, 1);
}

TEST(what_takes_too_many_edits_is_not_near)
{
    struct nearest x = nearest_to("shard", 5, 2);

    nearest_offer(&x, "shortest");
    CHECK(!x.name);
    nearest_offer(&x, "shar");
    CHECK(x.name);
}

static const struct test tests[] = {
    RUN(edits_are_counted),
    RUN(a_name_of_64_bytes_is_far_from_all),
    RUN(the_first_of_the_nearest_is_taken),
    RUN(what_takes_too_many_edits_is_not_near),
};

TEST_MAIN("base_nearest", tests)
