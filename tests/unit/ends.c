/* ends.c - the tokens that end a text: which file says so, in which forms,
 * and what is refused. */
#include "eval/ends.h"

#include "said.h"
#include "test.h"

#define GENERATION "generation_config.json"

/* A base of 10 rows with these two files; NULL: without. */
static int
read_ends(struct end_tokens *t, const char *generation, const char *config,
          struct said *said, struct err *e)
{
    struct weight_asset a[2];
    struct weights w = { .path = (char *)"base", .asset = a };
    int rc;

    if (config != NULL)
        a[w.n_assets++] = (struct weight_asset){
            "config.json", config, strlen(config)
        };
    if (generation != NULL)
        a[w.n_assets++] = (struct weight_asset){
            GENERATION, generation, strlen(generation)
        };
    said_begin(said);
    rc = end_tokens_read(t, &w, 10, e);
    said_end(said);
    return rc;
}

/* The ends are those of the digits in want, in that order; a warning comes
 * where it has to. */
static void
check_ends(const char *generation, const char *config, const char *want,
           const char *warning)
{
    struct end_tokens t;
    struct said said;
    char got[16] = "";
    struct err e;

    if (!CHECK(read_ends(&t, generation, config, &said, &e) == 0))
        return;
    for (size_t i = 0; i < t.n; i++)
        got[i] = (char)('0' + t.id[i]);
    CHECK_STR(got, want);
    for (uint32_t id = 0; id < 12; id++)
        CHECK(end_tokens_has(&t, id)
              == (strchr(want, '0' + (int)id) != NULL));
    if (*warning == '\0')
        CHECK_STR(said.text, "");
    else
        CHECK(strstr(said.text, warning) != NULL);
    end_tokens_release(&t);
    CHECK(t.n == 0 && t.id == NULL);
}

TEST(one_several_or_none)
{
    check_ends(NULL, NULL, "", "");
    check_ends(NULL, "{}", "", "");
    check_ends(NULL, "{\"eos_token_id\": null}", "", "");
    check_ends(NULL, "{\"eos_token_id\": []}", "", "");
    check_ends(NULL, "{\"eos_token_id\": 0}", "0", "");
    check_ends(NULL, "{\"eos_token_id\": 9e0, \"x\": [{}]}", "9", "");
    check_ends(NULL, "{\"eos_token_id\": [7, 3, 7]}", "737", "");
    check_ends(NULL, "{\"EOS_TOKEN_ID\": 3}", "", "");
}

TEST(the_generation_config_comes_first_where_it_says_anything)
{
    static const char config[] = "{\"eos_token_id\": 1}";

    check_ends("{\"eos_token_id\": 2}", config, "2", "");
    check_ends("{\"eos_token_id\": [2, 4]}", config, "24", "");
    check_ends("{\"eos_token_id\": []}", config, "", "");
    check_ends("{\"eos_token_id\": null}", config, "1", "");
    check_ends("{}", config, "1", "");
    check_ends("{\"eos_token_id\": 2}", NULL, "2", "");
}

TEST(tokens_that_the_model_lacks_are_left_out_and_said)
{
    check_ends(NULL, "{\"eos_token_id\": [10, 5]}", "5",
               "base/config.json: eos_token_id 10 is none of the model's 10");
    check_ends("{\"eos_token_id\": -1}", NULL, "",
               "base/" GENERATION ": eos_token_id -1 is none");
    check_ends("{\"eos_token_id\": 4294967298}", "{\"eos_token_id\": 1}", "",
               "eos_token_id 4294967298 is none");
}

TEST(what_is_no_token_is_refused_by_file)
{
    static const char *const bad[] = {
        "{\"eos_token_id\": true}", "{\"eos_token_id\": \"2\"}",
        "{\"eos_token_id\": 1.5}", "{\"eos_token_id\": {}}",
        "{\"eos_token_id\": [1, null]}", "{\"eos_token_id\": [null, 1]}",
        "{\"eos_token_id\": [1, [2]]}",
        "{\"eos_token_id\": 1e999}", "{\"eos_token_id\": -1e300}",
        "{\"eos_token_id\": 1, \"eos_token_id\": 2}", "{\"eos_token_id\"",
        "", "\377",
    };
    struct end_tokens t;
    struct said said;
    struct err e;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&e, 0, sizeof(e));
        CHECK(read_ends(&t, bad[i], "{}", &said, &e) == ERR_DATA);
        if (!CHECK(strstr(e.text, "base/" GENERATION ": ") == e.text))
            printf("  %s: %s\n", bad[i], e.text);
        CHECK(t.n == 0 && t.id == NULL);
        CHECK(read_ends(&t, NULL, bad[i], &said, &e) == ERR_DATA);
        CHECK(strstr(e.text, "base/config.json: ") == e.text);
    }
}

static const struct test tests[] = {
    RUN(one_several_or_none),
    RUN(the_generation_config_comes_first_where_it_says_anything),
    RUN(tokens_that_the_model_lacks_are_left_out_and_said),
    RUN(what_is_no_token_is_refused_by_file),
};

TEST_MAIN("ends", tests)
