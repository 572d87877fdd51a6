/* base_json.c - what JSON is accepted, what is refused and where, reading
 * and writing. */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"

static const char *const good[] = {
    "{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "-1.5e+10",
    "[1,2,[3,{\"a\":[]}],{}]", "{\"a\":{\"a\":1},\"b\":{\"a\":2}}",
    "\"\\u0000\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\\\"\"",
    "[{\"a\":1},{\"a\":1}]", "{\"\":1}", "\t\r\n1\n", "[[],{},[[]]]",
    "1E5", "0.0e-0",
};

static const struct {
    const char *text;
    size_t at; /* the byte that the message names */
} bad[] = {
    {"", 0}, {" ", 1}, {"[", 1}, {"{", 1}, {"]", 0}, {"[1,]", 3},
    {"{\"a\":1,}", 7}, {"{\"a\"}", 4}, {"{\"a\":}", 5}, {"{1:2}", 1},
    {"[1 2]", 3}, {"1 2", 2}, {"[1}", 2}, {"{\"a\":1]", 6}, {"01", 1},
    {"-", 1}, {"-a", 1}, {"1.", 2}, {"1.e5", 2}, {"1e", 2}, {".5", 0},
    {"+1", 0}, {"nul", 0}, {"nulll", 4}, {"NaN", 0}, {"'a'", 0},
    {"\"a", 2}, {"\"\\", 2}, {"\"\\x\"", 2}, {"\"\\u12\"", 3},
    {"\"\\u12g4\"", 3}, {"\"\\ud800\"", 7}, {"\"\\udc00\"", 7},
    {"\"\\ud800\\u0041\"", 7}, {"\"a\nb\"", 2}, {"\"\xff\"", 1},
    {"\"\xed\xa0\x80\"", 1}, {"{\"a\":1,\"a\":2}", 7},
    {"{\"a\":1,\"b\":{},\"\\u0061\":2}", 14}, {"{\"a\\u0000b\":1}", 9},
    {"\xef\xbb\xbf{}", 0}, {"[],", 2}, {"[]]", 2}, {"/**/1", 0},
};

TEST(honest_json_is_accepted)
{
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!CHECK(json_check(good[i], strlen(good[i]), "f", &e) == 0))
            printf("  %s: %s\n", good[i], e.text);
}

TEST(anything_else_is_refused_with_its_place)
{
    char start[40];
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(json_check(bad[i].text, strlen(bad[i].text), "f", &e) ==
              ERR_DATA);
        snprintf(start, sizeof(start), "f: byte %zu: ", bad[i].at);
        if (!CHECK(strncmp(e.text, start, strlen(start)) == 0))
            printf("  %s: %s\n", bad[i].text, e.text);
    }
}

/* Every proper prefix of an object or array is an error, never a crash. */
TEST(a_cut_text_is_refused_at_every_byte)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{}}";
    struct err e;
    char *copy;
    size_t n;

    for (n = 0; n < sizeof(text) - 1; n++) {
        copy = malloc(n ? n : 1); /* no NUL behind: an overrun shows */
        memcpy(copy, text, n);
        CHECK(json_check(copy, n, "f", &e) == ERR_DATA);
        free(copy);
    }
    CHECK(json_check(text, n, "f", &e) == 0);
}

TEST(depth_is_limited_to_64)
{
    char text[200];
    struct err e;

    memset(text, '[', 100);
    memset(text + 64, ']', 64);
    CHECK(json_check(text, 128, "f", &e) == 0);
    memset(text, '[', 100);
    memset(text + 65, ']', 65);
    CHECK(json_check(text, 130, "f", &e) == ERR_DATA);
    CHECK_STR(e.text, "f: byte 64: nested more than 64 deep");
}

/* A quadratic search for duplicate keys would take minutes here. */
TEST(many_keys_and_many_objects_are_checked_in_linear_time)
{
    struct buf b;
    struct err e;
    int i;

    buf_init(&b);
    buf_addc(&b, '[');
    buf_addc(&b, '{');
    for (i = 0; i < 200000; i++)
        buf_addf(&b, "\"%d\":0,", i);
    buf_addstr(&b, "\"x\":0}");
    for (i = 0; i < 200000; i++)
        buf_addstr(&b, ",{\"k\":0}");
    buf_addc(&b, ']');
    CHECK(json_check(b.data, b.len, "f", &e) == 0);
    buf_release(&b);
}

TEST(bad_utf8_comes_before_all_else_that_is_wrong)
{
    static const char *const text[] = {
        "[1,,\"\xff\"]", "{\"a\":1,\"a\":\"\xc3\"}", "[x]\xff",
        "\"\n\" \xe4\xb8",
    };
    static const size_t at[] = { 5, 12, 3, 4 };
    char start[40];
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        CHECK(json_check(text[i], strlen(text[i]), "f", &e) == ERR_DATA);
        snprintf(start, sizeof(start), "f: byte %zu: invalid UTF-8", at[i]);
        CHECK_STR(e.text, start);
    }
}

/* Long arrays and objects in depths of 1 to 4, short ones between. */
static void
put_deep(struct buf *b, int depth)
{
    int i;

    buf_addstr(b, depth % 2 ? "{ \"short\": [1, {}], \"long\": " : "[[], ");
    if (depth < 4)
        put_deep(b, depth + 1);
    else
        for (i = 0; i < 400; i++)
            buf_addf(b, "%s\"]\\\"%d\"", i > 0 ? ", " : "", i);
    buf_addstr(b, depth % 2 ? ", \"\\u0061\": 7 }" : " , 8]");
}

/* Compares what readers with and without an index find at *j. */
static void
same_way(struct json j)
{
    struct json with = j, without = j;
    size_t n[2];
    struct err e;
    struct buf key;

    without.index = NULL;
    json_skip(&with);
    json_skip(&without);
    CHECK(with.p == without.p);
    without.p = j.p;
    buf_init(&key);
    if (json_kind(&j) == JSON_ARRAY) {
        CHECK(json_count_items(j, &n[0], &e) == 0);
        CHECK(json_count_items(without, &n[1], &e) == 0);
        CHECK_EQ_U64(n[0], n[1]);
        json_enter_array(&j, &e);
        while (json_next_item(&j)) {
            same_way(j);
            json_skip(&j);
        }
    } else if (json_kind(&j) == JSON_OBJECT) {
        json_enter_object(&j, &e);
        while (json_next_key(&j, &key)) {
            same_way(j);
            json_skip(&j);
        }
    }
    buf_release(&key);
}

TEST(an_index_finds_what_reading_finds)
{
    static const char *const root[] = { NULL };
    struct json_index ix;
    struct json j;
    struct err e;
    struct buf b;

    buf_init(&b);
    buf_addc(&b, ' ');
    put_deep(&b, 1);
    if (!CHECK(json_check_index(&ix, root, b.data, b.len, "f", &e) == 0))
        printf("  %s\n", e.text);
    CHECK_EQ_U64(ix.n, 3); /* the fourth is too deep */
    CHECK_EQ_U64(ix.span[0].n, 3);
    CHECK(ix.span[0].at == 1 && ix.span[0].end == b.len);
    j = json_on(b.data, b.len, "f");
    j.index = &ix;
    same_way(j);
    json_index_release(&ix);
    buf_release(&b);
}

TEST(the_keys_of_one_object_are_kept)
{
    static const char text[] =
        "{\"n\":{\"v\":{\"x\":1}}, \"m\":{\"a\":[{\"v\":{\"y\":1}}],"
        "\"v\":{\"b\\\"\" : 2,\"c\":{\"d\":3}}, \"w\":{\"z\":1}}}";
    static const char *const path[] = { "m", "v", NULL };
    static const char *const none[] = { "m", "a", NULL };
    static const char twice[] = "{\"m\":{\"v\":{\"a\":1,\"a\":2}}}";
    struct json_index ix;
    struct err e;

    CHECK(json_check_index(&ix, path, text, sizeof(text) - 1, "f", &e) == 0);
    CHECK_EQ_U64(ix.keys.n, 2);
    CHECK(ix.keys.entry[0].len == 2
          && memcmp(map_key(&ix.keys, 0), "b\"", 2) == 0);
    CHECK(strncmp(text + ix.keys.entry[0].value, " 2,", 3) == 0);
    CHECK(strncmp(text + ix.keys.entry[1].value, "{\"d\"", 4) == 0);
    json_index_release(&ix);
    CHECK(json_check_index(&ix, none, text, sizeof(text) - 1, "f", &e) == 0);
    CHECK_EQ_U64(ix.keys.n, 0);
    json_index_release(&ix);
    CHECK(json_check_index(&ix, path, twice, sizeof(twice) - 1, "f", &e) ==
          ERR_DATA);
    CHECK_STR(e.text, "f: byte 17: duplicate key \"a\"");
    json_index_release(&ix);
}

TEST(a_view_is_in_the_text_or_in_the_room)
{
    static const char text[] = "[\"plain \u00e9\",\"\\u0041\\n\",\"\",7]";
    struct json j = json_on(text, sizeof(text) - 1, "f");
    struct json_text view;
    struct buf room;
    struct err e;

    buf_init(&room);
    json_enter_array(&j, &e);
    CHECK(json_next_item(&j) && json_view(&j, &view, &room, &e) == 0);
    CHECK(view.p == text + 2 && view.n == 8 && room.len == 0);
    CHECK(json_next_item(&j) && json_view(&j, &view, &room, &e) == 0);
    CHECK(view.p == room.data && view.n == 2
          && memcmp(view.p, "A\n", 2) == 0);
    CHECK(json_next_item(&j) && json_view(&j, &view, &room, &e) == 0);
    CHECK(view.n == 0);
    CHECK(json_next_item(&j)
          && json_view(&j, &view, &room, &e) == ERR_DATA);
    buf_release(&room);
}

TEST(the_reader_walks_a_document)
{
    static const char text[] =
        " { \"a\" : [ 1 , \"x\\u00e9\\n\" , true ] , \"skip\" : "
        "{\"p\":[\"]}\\\"\",{}]} , \"d\":-2.5, \"n\" : null } ";
    struct json j = json_on(text, sizeof(text) - 1, "f");
    struct buf key, s;
    struct err e;
    uint64_t u;
    double d;
    bool b;

    buf_init(&key);
    buf_init(&s);
    CHECK(json_check(text, sizeof(text) - 1, "f", &e) == 0);
    CHECK(json_kind(&j) == JSON_OBJECT);
    CHECK(json_enter_object(&j, &e) == 0);
    CHECK(json_next_key(&j, &key) && strcmp(key.data, "a") == 0);
    CHECK(json_enter_array(&j, &e) == 0);
    CHECK(json_next_item(&j) && json_u64(&j, &u, &e) == 0 && u == 1);
    CHECK(json_next_item(&j) && json_string(&j, &s, &e) == 0);
    CHECK_STR(s.data, "x\xc3\xa9\n");
    CHECK(json_next_item(&j) && json_bool(&j, &b, &e) == 0 && b);
    CHECK(!json_next_item(&j));
    CHECK(json_next_key(&j, &key) && strcmp(key.data, "skip") == 0);
    json_skip(&j);
    CHECK(json_next_key(&j, &key) && strcmp(key.data, "d") == 0);
    CHECK(json_u64(&j, &u, &e) == ERR_DATA);
    CHECK(json_double(&j, &d, &e) == 0 && d == -2.5);
    CHECK(json_next_key(&j, &key) && strcmp(key.data, "n") == 0);
    CHECK(json_enter_array(&j, &e) == ERR_DATA);
    CHECK_STR(e.text, "f: byte 83: found null, expected an array");
    CHECK(json_kind(&j) == JSON_NULL);
    json_skip(&j);
    CHECK(!json_next_key(&j, &key));
    buf_release(&key);
    buf_release(&s);
}

TEST(integers_are_exact_and_bounded)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0}, {"9007199254740993", 0, 9007199254740993},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", ERR_DATA, 0}, {"-1", ERR_DATA, 0},
        {"-0", ERR_DATA, 0}, {"1.0", ERR_DATA, 0}, {"1e3", ERR_DATA, 0},
        {"\"1\"", ERR_DATA, 0},
    };
    struct json j;
    struct err e;
    uint64_t v;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v = 0;
        j = json_on(rows[i].text, strlen(rows[i].text), "f");
        CHECK(json_u64(&j, &v, &e) == rows[i].rc);
        CHECK_EQ_U64(v, rows[i].value);
    }
}

TEST(a_number_out_of_range_is_refused)
{
    struct json j = json_on("1e999", 5, "f");
    struct err e;
    double d;

    CHECK(json_double(&j, &d, &e) == ERR_DATA);
}

TEST(doubles_are_written_short_and_come_back)
{
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0.1, "0.1"}, {1e22, "1e+22"}, {5e-324, "5e-324"}, {3, "3"},
        {1.0 / 3, "0.3333333333333333"}, {NAN, "null"},
        {-INFINITY, "null"}, {-0.0, "-0"},
    };
    struct buf b;
    size_t i;

    buf_init(&b);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_reset(&b);
        json_put_double(&b, rows[i].v);
        CHECK_STR(b.data, rows[i].text);
    }
    buf_release(&b);
}

TEST(members_have_commas_between_them)
{
    struct buf b;

    buf_init(&b);
    buf_addc(&b, '{');
    json_put_number(&b, "a", 1);
    json_put_number(&b, "b", NAN);
    buf_addstr(&b, ", \"c\": {");
    json_put_number(&b, "d", 0.5);
    buf_addstr(&b, "}}");
    CHECK_STR(b.data, "{\"a\": 1, \"b\": null, \"c\": {\"d\": 0.5}}");
    buf_release(&b);
}

TEST(any_string_comes_back)
{
    char raw[260];
    struct buf b, s;
    struct json j;
    struct err e;
    int i;

    for (i = 0; i < 128; i++)
        raw[i] = (char)i;
    memcpy(raw + 128, "\xf0\x9f\x98\x80", 4);
    buf_init(&b);
    buf_init(&s);
    json_put_string(&b, raw, 132);
    CHECK(json_check(b.data, b.len, "f", &e) == 0);
    j = json_on(b.data, b.len, "f");
    CHECK(json_string(&j, &s, &e) == 0);
    CHECK(s.len == 132 && memcmp(s.data, raw, 132) == 0);
    buf_release(&b);
    buf_release(&s);
}

TEST(user_json_refuses_a_nul_that_a_c_string_would_lose)
{
    static const char text[] = "{\"a\":\"x\\u0000y\"}";
    cJSON *tree = NULL;
    struct err e;

    CHECK(json_user(&tree, text, sizeof(text) - 1, "f", &e) == ERR_DATA);
    CHECK(tree == NULL);
    CHECK(json_user(&tree, "{\"a\":[5]}", 9, "f", &e) == 0);
    CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(tree, "a")) == 1);
    cJSON_Delete(tree);
}

static const struct test tests[] = {
    RUN(honest_json_is_accepted),
    RUN(anything_else_is_refused_with_its_place),
    RUN(a_cut_text_is_refused_at_every_byte),
    RUN(depth_is_limited_to_64),
    RUN(many_keys_and_many_objects_are_checked_in_linear_time),
    RUN(bad_utf8_comes_before_all_else_that_is_wrong),
    RUN(an_index_finds_what_reading_finds),
    RUN(the_keys_of_one_object_are_kept),
    RUN(a_view_is_in_the_text_or_in_the_room),
    RUN(the_reader_walks_a_document),
    RUN(integers_are_exact_and_bounded),
    RUN(a_number_out_of_range_is_refused),
    RUN(doubles_are_written_short_and_come_back),
    RUN(members_have_commas_between_them),
    RUN(any_string_comes_back),
    RUN(user_json_refuses_a_nul_that_a_c_string_would_lose),
};

TEST_MAIN("base_json", tests)
