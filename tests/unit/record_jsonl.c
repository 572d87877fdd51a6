/* record_jsonl.c - records as lines of JSON: every kind comes back byte for
 * byte, foreign lines are told apart by their keys, and bad ones refused. */
#include "record/jsonl.h"

#include "base/b64.h"
#include "base/rng.h"
#include "record/tokens.h"

#include <stdlib.h>

#include "test.h"

/* Reads a line that must be good; j->record and j->kind have it then. */
static bool
read_line(struct jsonl *j, const char *text)
{
    struct err e;

    if (jsonl_read(j, text, strlen(text), "f:1", &e) == 0)
        return true;
    printf("  %s: %s\n", text, e.text);
    return false;
}

/* The line of the record that j has read, in *b. */
static bool
write_line(struct buf *b, const struct jsonl *j, const char *type)
{
    struct err e;

    buf_reset(b);
    return jsonl_put_record(b, type, j->record.data, j->record.len, &e) == 0;
}

TEST(what_graft_writes_comes_back)
{
    static const struct {
        const char *type, *line;
    } rows[] = {
        {"text", "{\"kind\":\"doc\",\"text\":\"a\\n\\u0000\xc3\xa9\"}"},
        {"text", "{\"kind\":\"doc\",\"text\":{\"b64\":\"/wA=\"}}"},
        {"text", "{\"kind\":\"doc\",\"text\":\"\"}"},
        {"text", "{\"kind\":\"file\",\"path\":\"a\",\"time\":-5,"
                 "\"text\":\"x\"}"},
        {"text", "{\"kind\":\"commit\",\"ordinal\":7,\"time\":\"007\","
                 "\"author\":\"author_0\"}"},
        {"text", "{\"kind\":\"chat\",\"messages\":[{\"role\":\"user\","
                 "\"content\":\"q\"},{\"role\":{\"b64\":\"gA==\"},"
                 "\"content\":\"\"}],\"lang\":\"c\"}"},
        {"text", "{\"kind\":\"chat\",\"messages\":[{\"role\":\"assistant\","
                 "\"content\":null,\"tool_calls\":[{\"function\":{\"name\":"
                 "\"f\",\"arguments\":{\"a\":1.0,\"b\":\" \\\" \"}}}]},{"
                 "\"role\":\"tool\",\"content\":\"x\",\"name\":\"f\"},{"
                 "\"role\":\"user\",\"content\":[{\"type\":\"text\","
                 "\"text\":\"q\"}]}],\"tools\":[{\"n\":1}],"
                 "\"chat_template_kwargs\":{\"a\":true},\"x\":\"y\"}"},
        {"text", "{\"kind\":\"chat\",\"messages\":[{\"role\":\"u\","
                 "\"content\":\"\"}],\"tools\":\"[ 1]\"}"},
        {"tokens", "{\"kind\":\"tokens\",\"ids\":[5,70000,0],"
                   "\"mask\":[0,1,1],\"ordinal\":3,\"time\":-1,"
                   "\"group\":\"ffffffffffffffff\",\"quality\":-2,"
                   "\"text_id\":\"00112233445566778899aabbccddeeff"
                   "00112233445566778899aabbccddeeff\"}"},
        {"weights", "{\"kind\":\"asset\",\"name\":\"config.json\","
                    "\"data\":\"{}\"}"},
    };
    struct buf line;
    struct jsonl j;
    size_t i;

    buf_init(&line);
    jsonl_init(&j);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (CHECK(read_line(&j, rows[i].line))
            && CHECK(write_line(&line, &j, rows[i].type)))
            CHECK_STR(line.data, rows[i].line);
    }
    jsonl_release(&j);
    buf_release(&line);
}

TEST(lines_of_others_are_known_by_their_keys)
{
    static const struct {
        const char *line, *type, *want;
        uint64_t ignored;
    } rows[] = {
        {"{\"text\":\"a\"}", "text", "{\"kind\":\"doc\",\"text\":\"a\"}", 0},
        {" { \"n\" : 1.5e3 , \"text\" : \"a\", \"ok\": true, \"Bad\": \"\" }",
         "text", "{\"kind\":\"doc\",\"text\":\"a\",\"n\":\"1.5e3\"}", 2},
        {"{\"text\":\"a\",\"time\":12}", "text",
         "{\"kind\":\"doc\",\"text\":\"a\",\"time\":12}", 0},
        {"{\"messages\":[{\"content\":\"c\",\"role\":\"r\"}]}", "text",
         "{\"kind\":\"chat\",\"messages\":[{\"role\":\"r\","
         "\"content\":\"c\"}]}", 0},
        {"{\"messages\":[{\"role\":\"r\",\"content\":\"c\",\"name\":\"n\"}]}",
         "text", "{\"kind\":\"chat\",\"messages\":[{\"role\":\"r\","
         "\"content\":\"c\",\"name\":\"n\"}]}", 0},
        {"{\"messages\":[{\"role\":\"r\", \"tool_calls\" : [ 1, {\"a\": 2}],"
         "\"name\":null}, {\"role\":\"u\",\"x\":1,\"content\":null}],"
         "\"tools\" : [ {} ], \"other\": []}", "text",
         "{\"kind\":\"chat\",\"messages\":[{\"role\":\"r\",\"content\":null,"
         "\"tool_calls\":[1,{\"a\":2}]},{\"role\":\"u\",\"content\":null,"
         "\"x\":1}],\"tools\":[{}]}", 1},
        {"{\"completion\":\"c\",\"prompt\":\"p\"}", "text",
         "{\"kind\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":"
         "\"p\"},{\"role\":\"assistant\",\"content\":\"c\"}]}", 0},
        {"{\"text\":\"a\",\"prompt\":\"p\"}", "text",
         "{\"kind\":\"doc\",\"text\":\"a\",\"prompt\":\"p\"}", 0},
    };
    struct buf line;
    struct jsonl j;
    size_t i;

    buf_init(&line);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        jsonl_init(&j);
        if (CHECK(read_line(&j, rows[i].line))
            && CHECK(write_line(&line, &j, rows[i].type)))
            CHECK_STR(line.data, rows[i].want);
        CHECK_EQ_U64(j.n_ignored, rows[i].ignored);
        jsonl_release(&j);
    }
    buf_release(&line);
}

TEST(ids_without_a_mask_are_all_learned)
{
    struct tokens t;
    struct jsonl j;
    struct err e;

    jsonl_init(&j);
    j.ordinal = 9;
    CHECK(read_line(&j, "{\"ids\":[1,2,3]}") && j.kind == JSONL_TOKENS);
    CHECK(tokens_decode(&t, j.record.data, j.record.len, 0, &e) == 0);
    CHECK(t.n == 3 && t.n_loss == 3);
    CHECK(t.origin.ordinal == 9 && t.origin.group == 9);
    CHECK(read_line(&j, "{\"ids\":[1,2],\"mask\":[0,1],\"group\":5}"));
    CHECK(tokens_decode(&t, j.record.data, j.record.len, 0, &e) == 0);
    CHECK(t.n == 2 && t.n_loss == 1 && t.origin.group == 5);
    jsonl_release(&j);
}

TEST(a_tensor_and_its_data_come_back)
{
    static const char line[] = "{\"kind\":\"tensor\",\"name\":\"a.b\","
                               "\"dtype\":\"F16\",\"shape\":[2,3]}";
    struct buf b, desc;
    struct jsonl j;
    struct err e;

    jsonl_init(&j);
    buf_init(&b);
    buf_init(&desc);
    CHECK(read_line(&j, line) && j.kind == JSONL_TENSOR);
    CHECK_EQ_U64(j.n_data, 12);
    buf_add(&desc, j.record.data, j.record.len);
    CHECK(jsonl_put_tensor(&b, desc.data, desc.len, 12, NULL, &e) == 0);
    CHECK_STR(b.data, line);
    buf_reset(&b);
    jsonl_put_data(&b, "\0\1\2\3\4", 5);
    CHECK(read_line(&j, b.data) && j.kind == JSONL_DATA);
    CHECK(j.record.len == 5 && memcmp(j.record.data, "\0\1\2\3\4", 5) == 0);
    jsonl_release(&j);
    buf_release(&b);
    buf_release(&desc);
}

TEST(a_header_line_comes_back)
{
    static const char line[] =
        "{\"graft\":1,\"type\":\"tokens\",\"keys\":{\"vocab\":\"9\","
        "\"tokenizer\":\"x\"},\"after\":{\"n\":4,\"oid\":\"ab\"},"
        "\"prov\":[\"a 1\",\"b 2\"]}";
    struct jsonl j;
    struct buf b;

    jsonl_init(&j);
    buf_init(&b);
    CHECK(read_line(&j, line) && j.kind == JSONL_HEAD);
    jsonl_put_head(&b, &j.head);
    CHECK_STR(b.data, line);
    buf_reset(&b);
    CHECK(read_line(&j, "{\"graft\":1,\"type\":\"text\"}"));
    jsonl_put_head(&b, &j.head);
    CHECK_STR(b.data, "{\"graft\":1,\"type\":\"text\"}");
    jsonl_release(&j);
    buf_release(&b);
}

TEST(bad_lines_are_refused_with_what_is_wrong)
{
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"[1]", "found an array, expected an object"},
        {"{}", "no known keys"},
        {"{\"a\":1}", "no known keys (found \"a\""},
        {"{\"text\":1}", "found a number, expected a string"},
        {"{\"text\":null}", "found null, expected a string"},
        {"{\"text\":\"a\",\"text\":\"b\"}", "duplicate key"},
        {"{\"text\":\"a\",\"messages\":[]}", "ambiguous"},
        {"{\"text\":\"a\",\"ids\":[1]}", "ambiguous"},
        {"{\"prompt\":\"a\"}", "no known keys"},
        {"{\"text\":{\"b64\":\"?\"}}", "bad base64"},
        {"{\"text\":{\"b64\":\"AA==\",\"x\":1}}", "more than \"b64\""},
        {"{\"text\":{\"x\":\"AA==\"}}", "found an object"},
        {"{\"messages\":[]}", "no messages"},
        {"{\"messages\":[{\"role\":\"a\"}]}", "needs \"role\" and"},
        {"{\"messages\":[{\"role\":\"a\",\"content\":[\"x\"]}]}",
         "found a string, expected an object"},
        {"{\"messages\":[{\"role\":\"a\",\"content\":[{\"type\":\"image\","
         "\"text\":\"\"}]}]}", "a part of a content that is no text"},
        {"{\"messages\":[{\"role\":\"a\",\"content\":1}]}",
         "found a number, expected a string"},
        {"{\"ids\":[-1]}", "not an unsigned integer"},
        {"{\"ids\":[1.5]}", "not an unsigned integer"},
        {"{\"ids\":[4294967296]}", "over 2^32 - 1"},
        {"{\"ids\":[1,2],\"mask\":[1]}", "mask and ids differ in length"},
        {"{\"ids\":[1],\"mask\":[2]}", "bad mask"},
        {"{\"ids\":[1],\"group\":\"xy\"}", "bad group"},
        {"{\"ids\":[1],\"time\":9223372036854775808}", "out of range"},
        {"{\"ids\":[1],\"text_id\":\"00\"}", "bad text_id"},
        {"{\"kind\":\"blog\",\"text\":\"a\"}", "unknown kind \"blog\""},
        {"{\"kind\":\"tokens\",\"ids\":[1],\"x\":1}", "unknown key \"x\""},
        {"{\"kind\":\"tokens\"}", "no \"ids\""},
        {"{\"kind\":\"doc\",\"Text\":\"a\"}", "field name"},
        {"{\"kind\":\"asset\",\"name\":\"../x\",\"data\":\"\"}", "name"},
        {"{\"kind\":\"tensor\",\"name\":\"x\",\"dtype\":\"F9\","
         "\"shape\":[1]}", "type"},
        {"{\"kind\":\"tensor\",\"name\":\"x\",\"dtype\":\"F32\",\"shape\":"
         "[4294967296,4294967296,4294967296]}", "too large"},
        {"{\"graft\":3,\"type\":\"text\"}", "unknown version"},
        {"{\"graft\":0,\"type\":\"text\"}", "unknown version"},
        {"{\"graft\":1,\"type\":\"x\"}", "unknown type"},
        {"{\"graft\":1,\"type\":\"text\",\"x\":1}", "unknown key"},
        {"{\"text\":\"a\"} x", "trailing bytes"},
    };
    struct jsonl j;
    struct err e;
    size_t i;

    jsonl_init(&j);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        e.text[0] = '\0';
        CHECK(jsonl_read(&j, rows[i].line, strlen(rows[i].line), "f:1",
                         &e) == ERR_DATA);
        if (!CHECK(strncmp(e.text, "f:1: ", 5) == 0
                   && strstr(e.text, rows[i].why)))
            printf("  %s: %s\n", rows[i].line, e.text);
    }
    jsonl_release(&j);
}

TEST(ids_are_below_the_vocabulary)
{
    struct jsonl j;
    struct err e;

    jsonl_init(&j);
    j.vocab = 10;
    CHECK(read_line(&j, "{\"ids\":[9]}"));
    CHECK(jsonl_read(&j, "{\"ids\":[10]}", 12, "f:1", &e) == ERR_DATA);
    jsonl_release(&j);
}

TEST(base64_comes_back_and_is_strict)
{
    static const char *const bad[] = {
        "A", "AA", "AAA", "A===", "AB==", "AAB=", "AA=A", "AA==AAAA",
        "A A=", "AA-_", "====",
    };
    uint8_t raw[40];
    struct buf b, back;
    size_t i;

    buf_init(&b);
    buf_init(&back);
    for (i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t)(i * 151 + 7);
        buf_reset(&b);
        buf_reset(&back);
        b64_put(&b, raw, i);
        CHECK_EQ_U64(b.len, (i + 2) / 3 * 4);
        CHECK(b64_get(&back, b.data, b.len));
        CHECK(back.len == i && memcmp(back.data, raw, i) == 0);
    }
    buf_reset(&b);
    b64_put(&b, "foobar", 5);
    CHECK_STR(b.data, "Zm9vYmE=");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&back);
        CHECK(!b64_get(&back, bad[i], strlen(bad[i])));
        CHECK_EQ_U64(back.len, 0);
    }
    buf_release(&b);
    buf_release(&back);
}

/* Changes up to three bytes of line[*n], or cuts it, or doubles a part. */
static void
mutate(struct rng *r, char *line, size_t *n, size_t cap)
{
    static const char likely[] = "{}[]\",:\\u0dD819ebfnt \x80\xc3\xff-.";
    uint64_t edits = 1 + rng_below(r, 3);
    size_t at, len;

    while (edits-- > 0 && *n > 0) {
        at = rng_below(r, *n);
        switch (rng_below(r, 4)) {
        case 0:
            line[at] = likely[rng_below(r, sizeof(likely) - 1)];
            break;
        case 1:
            line[at] = (char)rng_u32(r);
            break;
        case 2:
            memmove(line + at, line + at + 1, *n - at - 1);
            --*n;
            break;
        default:
            len = rng_below(r, *n - at) + 1;
            if (*n + len > cap)
                break;
            memmove(line + at + len, line + at, *n - at);
            *n += len;
        }
    }
}

/* What a line gave as a record of that type is written and read again. */
static bool
comes_back(struct jsonl *again, struct buf *b, const struct jsonl *j,
           const char *type)
{
    struct err e;

    buf_reset(b);
    return jsonl_put_record(b, type, j->record.data, j->record.len, &e) ==
               0
           && jsonl_read(again, b->data, b->len, "f:2", &e) == 0
           && again->record.len == j->record.len
           && memcmp(again->record.data, j->record.data, j->record.len) == 0;
}

TEST(damaged_lines_are_refused_or_come_back)
{
    static const char *const seeds[] = {
        "{\"kind\":\"commit\",\"ordinal\":7,\"time\":-3,\"path\":"
        "{\"b64\":\"/wA=\"},\"change\":\"1 1\\n@@ -1,1 +1,1 @@\\n\"}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud83d\\ude00\"},"
        "{\"role\":\"a\",\"content\":\"\"}],\"x\":[1,{\"y\":null}]}",
        "{\"messages\":[{\"role\":\"a\",\"content\":[{\"type\":\"text\","
        "\"text\":\"q\"}],\"tool_calls\":[{\"b\":\"\\\"\"}]}],\"tools\":[1]}",
        "{\"ids\":[5,70000,0],\"mask\":[0,1,1],\"time\":-1,"
        "\"group\":\"00000000000000ff\",\"quality\":2}",
        "{\"kind\":\"asset\",\"name\":\"a.json\",\"data\":\"{}\"}",
        "{\"kind\":\"tensor\",\"name\":\"w\",\"dtype\":\"BF16\","
        "\"shape\":[2,3]}",
        "{\"graft\":1,\"type\":\"text\",\"keys\":{\"a\":\"b\"},"
        "\"after\":{\"n\":1,\"oid\":\"c\"},\"prov\":[\"d\"]}",
    };
    static const char *const type[] = {
        [JSONL_TEXT] = "text", [JSONL_TOKENS] = "tokens",
        [JSONL_ASSET] = "weights", [JSONL_DATA] = NULL
    };
    struct jsonl j, again;
    size_t i, n, good = 0;
    struct buf line;
    struct rng r;
    struct err e;
    char *copy;
    char raw[600];

    rng_init(&r, 11, rng_site("damaged lines"));
    jsonl_init(&j);
    jsonl_init(&again);
    buf_init(&line);
    for (i = 0; i < 30000; i++) {
        n = strlen(seeds[i % 6]);
        memcpy(raw, seeds[i % 6], n);
        mutate(&r, raw, &n, sizeof(raw));
        copy = malloc(n ? n : 1); /* no byte behind: an overrun shows */
        memcpy(copy, raw, n);
        if (jsonl_read(&j, copy, n, "f:1", &e) == 0) {
            good++;
            if (type[j.kind])
                CHECK(comes_back(&again, &line, &j, type[j.kind]));
        }
        free(copy);
    }
    CHECK(good > 1000 && good < 20000);
    jsonl_release(&j);
    jsonl_release(&again);
    buf_release(&line);
}

static const struct test tests[] = {
    RUN(what_graft_writes_comes_back),
    RUN(lines_of_others_are_known_by_their_keys),
    RUN(ids_without_a_mask_are_all_learned),
    RUN(a_tensor_and_its_data_come_back),
    RUN(a_header_line_comes_back),
    RUN(bad_lines_are_refused_with_what_is_wrong),
    RUN(ids_are_below_the_vocabulary),
    RUN(base64_comes_back_and_is_strict),
    RUN(damaged_lines_are_refused_or_come_back),
};

TEST_MAIN("record_jsonl", tests)
