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

TEST(json_is_json_bare_or_in_fences)
{
    static const char json[] = "{\"json\": true}";

    CHECK(passes(json, "{\"a\": [1, 2.5e3, null]}\n"));
    CHECK(passes(json, " 1 "));
    CHECK(passes(json, "Here:\n```json\n{\"a\": 1}\n```\nAs you wished."));
    CHECK(passes(json, "  ```\n[]"));
    CHECK(!passes(json, ""));
    CHECK(!passes(json, "{\"a\": 1,}"));
    CHECK(!passes(json, "{\"a\": 1} {}"));
    CHECK(!passes(json, "Here: {\"a\": 1}"));
    CHECK(!passes(json, "```\n```\n{}"));
    CHECK(!passes(json, "{\"a\": 1, \"a\": 2}"));
    CHECK(!passes(json, "\"\\ud800\""));
}

TEST(programs_are_left_to_others)
{
    struct check_result r;
    struct check_set c;
    struct err e;
    cJSON *o = cJSON_Parse("{\"compiles\": \"python\", \"test\": "
                           "{\"language\": \"c\", \"code\": \"x\"}}");

    CHECK(check_read(&c, o, "test", &e) == 0);
    cJSON_Delete(o);
    CHECK(c.n[CHECK_COMPILES] == 1 && c.n[CHECK_TEST] == 1);
    CHECK(c.item[CHECK_COMPILES]->language == CHECK_PYTHON);
    CHECK(c.item[CHECK_TEST]->language == CHECK_C);
    CHECK_STR(c.item[CHECK_TEST]->text, "x");
    r = check_run(&c, "", 0);
    CHECK(r.passed && !r.held[CHECK_COMPILES] && !r.held[CHECK_TEST]);
    CHECK(r.held[CHECK_JSON] && r.held[CHECK_EXACT]);
    check_release(&c);
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
    CHECK(error_of("{\"contains\": []}") == ERR_DATA);
    CHECK(error_of("{\"regex\": []}") == ERR_DATA);
    CHECK(error_of("{\"forbidden\": []}") == ERR_DATA);
    CHECK(error_of("{\"json\": \"true\"}") == ERR_DATA);
    CHECK(error_of("{\"compiles\": \"C\"}") == ERR_DATA);
    CHECK(error_of("{\"test\": {\"language\": \"c\"}}") == ERR_DATA);
    CHECK(error_of("{\"test\": {\"language\": \"c\", \"code\": \"x\","
                   " \"stdin\": 1}}") == ERR_DATA);
}

static const struct test tests[] = {
    RUN(each_kind_holds_and_fails),
    RUN(json_is_json_bare_or_in_fences),
    RUN(programs_are_left_to_others),
    RUN(a_pattern_that_explodes_counts_as_not_matched),
    RUN(bad_checks_are_refused),
};

TEST_MAIN("check", tests)
