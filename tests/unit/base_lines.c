/* base_lines.c - texts by lines: counts, and steps from line to line. */
#include "base/lines.h"

#include <string.h>

#include "test.h"

TEST(counts_are_those_of_a_plain_loop)
{
    static char text[5000];
    size_t i, n;

    for (i = 0; i < sizeof(text); i++)
        text[i] = (i + 5) % 7 < 5 ? '\n' : i % 2 ? '\x8a' : 'x';
    for (n = 0; n < sizeof(text); n += n < 20 ? 1 : 83) {
        size_t want = 0;

        for (i = 0; i < n; i++)
            want += text[i] == '\n';
        CHECK_EQ_U64(newlines_count(text, n), want);
        want += n > 0 && text[n - 1] != '\n';
        CHECK_EQ_U64(lines_count(text, n), want);
    }
}

TEST(steps_go_to_the_starts_of_lines)
{
    static const char p[] = "a\nbc\n\nd"; /* lines at 0, 2, 5, 6 */
    size_t n = strlen(p);

    CHECK_EQ_U64(lines_back(p, 6, 0), 6);
    CHECK_EQ_U64(lines_back(p, 6, 1), 5);
    CHECK_EQ_U64(lines_back(p, 6, 2), 2);
    CHECK_EQ_U64(lines_back(p, 6, 9), 0);
    CHECK_EQ_U64(lines_back(p, 0, 1), 0);
    CHECK_EQ_U64(lines_on(p, 0, n, 0), 0);
    CHECK_EQ_U64(lines_on(p, 0, n, 2), 5);
    CHECK_EQ_U64(lines_on(p, 5, n, 1), 6);
    CHECK_EQ_U64(lines_on(p, 5, n, 2), n);
    CHECK_EQ_U64(lines_on(p, 0, n, 9), n);
}

static const struct test tests[] = {
    RUN(counts_are_those_of_a_plain_loop),
    RUN(steps_go_to_the_starts_of_lines),
};

TEST_MAIN("base_lines", tests)
