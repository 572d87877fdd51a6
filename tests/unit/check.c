/* check.c - the checks on completions. */
#include "text/check.h"

#include "test.h"

static bool
passes(const char *checks, const char *text)
{
    cJSON *o = cJSON_Parse(checks);
    struct check_result r = { .passed = false };
    struct check_set c;
    struct err e;

    if (CHECK(check_read(&c, o, "test", &e) == 0)) {
        r = check_run(&c, text, strlen(text));
        check_release(&c);
    }
    cJSON_Delete(o);
    return r.passed;
}

static int
error_of(const char *checks)
{
    cJSON *o = cJSON_Parse(checks);
    struct check_set c;
    struct err e;
    int rc = check_read(&c, o, "test", &e);

    if (rc == 0)
        check_release(&c);
    cJSON_Delete(o);
    return rc;
}

TEST(each_kind_holds_and_fails)
{
    CHECK(passes("{}", "anything"));
    CHECK(passes("{\"exact\": \"int x;\"}", "  int x;\n"));
    CHECK(!passes("{\"exact\": \"int x;\"}", "int  x;"));
    CHECK(passes("{\"contains\": [\"a\", \"b\"]}", "b a"));
    CHECK(!passes("{\"contains\": [\"a\", \"b\"]}", "a"));
    CHECK(passes("{\"contains\": \"a\"}", "cab"));
    CHECK(passes("{\"regex\": \"^ret\\\\w+\\\\s+0;$\"}", "{\nreturn  0;\n}"));
    CHECK(!passes("{\"regex\": \"^return 1\"}", "return 0;"));
    CHECK(passes("{\"forbidden\": [\"goto\"]}", "while (1)"));
    CHECK(!passes("{\"forbidden\": [\"goto\"]}", "goto out;"));
    CHECK(!passes("{\"contains\": \"x\", \"forbidden\": \"y\"}", "xy"));
}

TEST(a_pattern_that_explodes_counts_as_not_matched)
{
    CHECK(!passes("{\"regex\": \"(a+)+$\"}",
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
}

TEST(bad_checks_are_refused)
{
    CHECK(error_of("{\"regex\": \"(\"}") == ERR_DATA);
    CHECK(error_of("{\"contains\": 3}") == ERR_DATA);
    CHECK(error_of("{\"contains\": [\"a\", 3]}") == ERR_DATA);
    CHECK(error_of("{\"exact\": [\"a\"]}") == ERR_DATA);
}

static const struct test tests[] = {
    RUN(each_kind_holds_and_fails),
    RUN(a_pattern_that_explodes_counts_as_not_matched),
    RUN(bad_checks_are_refused),
};

TEST_MAIN("check", tests)
