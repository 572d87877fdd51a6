/* jsonl_segments.c - lines to segments: what begins and ends one, what is
 * counted in its ledger, and which lines are refused by number. */
#include "record/jsonl_segments.h"

#include "base/io.h"
#include "said.h"
#include "test.h"

static char dir[] = "/tmp/graft-jsonl-XXXXXX";

static const char *
out_path(void)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/out", dir);
    return path;
}

/* Gives the lines, up to a NULL, to a converter with that vocabulary; the
 * stream is there if all were taken. */
static int
convert(const char *const *line, uint64_t vocab, bool keep_going,
        struct err *e)
{
    struct jsonl_segments s;
    struct stream_out out;
    int rc = 0;

    CHECK(stream_out_open(&out, out_path(), e) == 0);
    jsonl_segments_init(&s);
    s.program = "fromjsonl";
    s.name = "in";
    s.vocab = s.line.vocab = vocab;
    s.keep_going = keep_going;
    s.out = &out;
    for (; rc == 0 && *line; line++)
        rc = jsonl_segments_line(&s, *line, strlen(*line), e);
    if (rc == 0)
        rc = jsonl_segments_end(&s, e);
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    jsonl_segments_release(&s);
    return rc;
}

/* What the stream holds: "TYPE RECORDS+TENSORS", for each segment. */
static const char *
segments(void)
{
    static char text[256];
    struct stream_rec rec;
    struct stream_in in;
    struct err e;
    size_t at = 0;

    text[0] = '\0';
    CHECK(stream_in_open(&in, out_path(), NULL, &e) == 0);
    while (stream_in_segment(&in, &e) > 0) {
        while (stream_in_record(&in, &rec, &e) > 0)
            continue;
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "%s%s %" PRIu64 "+%" PRIu64, at ? ", " : "",
                               in.head.type, in.trailer.records,
                               in.trailer.tensors);
    }
    stream_in_release(&in);
    return text;
}

TEST(lines_become_segments)
{
    static const struct {
        const char *line[8], *segments;
    } rows[] = {
        {{NULL}, "text 0+0"},
        {{"", " \t\r", NULL}, "text 0+0"},
        {{"{\"text\": \"a\"}", " ", "{\"text\": \"b\"}"}, "text 2+0"},
        {{"{\"ids\": [1, 2]}"}, "tokens 1+0"},
        {{"{\"graft\":1,\"type\":\"text\"}", "{\"text\": \"a\"}",
          "{\"graft\":1,\"type\":\"tokens\"}", "{\"ids\": [1]}",
          "{\"ids\": [2]}"}, "text 1+0, tokens 2+0"},
        {{"{\"graft\":1,\"type\":\"text\"}", "{\"text\": \"a\"}",
          "{\"graft\":1,\"inputs\":[],\"ledger\":[[\"p\",\"r\",1]]}",
          "{\"ids\": [1]}"}, "text 1+0, tokens 1+0"},
        {{"{\"kind\":\"tensor\",\"name\":\"w\",\"dtype\":\"U8\","
          "\"shape\":[3]}", "{\"kind\":\"data\",\"b64\":\"AAA=\"}",
          "{\"kind\":\"data\",\"b64\":\"AA==\"}"}, "weights 0+1"},
    };
    struct err e;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!CHECK(convert(rows[i].line, 0, false, &e) == 0))
            printf("  row %zu: %s\n", i, e.text);
        else
            CHECK_STR(segments(), rows[i].segments);
}

TEST(lines_that_do_not_belong_are_refused_by_number)
{
    static const char tensor[] = "{\"kind\":\"tensor\",\"name\":\"w\","
                                 "\"dtype\":\"U8\",\"shape\":[3]}";
    static const struct {
        const char *line[4], *want;
    } rows[] = {
        {{"{\"text\": \"a\"}", "{\"ids\": [1]}"},
         "in:2: kinds are mixed (found tokens, expected text)"},
        {{"", "{\"graft\":1,\"inputs\":[],\"ledger\":[]}"},
         "in:2: the end of a segment without its beginning"},
        {{"{\"kind\":\"data\",\"b64\":\"AAA=\"}"},
         "in:1: data without a tensor to take them (found 2 bytes, expected "
         "0)"},
        {{tensor, tensor},
         "in:2: a record amid a tensor's data (3 bytes missing)"},
        {{tensor, "{\"kind\":\"data\",\"b64\":\"AAA=\"}"},
         "in:2: tensor data end early (1 bytes missing)"},
        {{tensor, "{\"kind\":\"data\",\"b64\":\"AAAAAA==\"}"},
         "in:2: data without a tensor to take them (found 4 bytes, expected "
         "3)"},
    };
    struct err e;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(convert(rows[i].line, 0, true, &e) == ERR_DATA);
        CHECK_STR(e.text, rows[i].want);
    }
}

TEST(bad_lines_are_refused_or_counted)
{
    static const char *const line[] = {
        "{\"ids\": [1]}", "{\"ids\": [9]}", "nonsense", "{\"ids\": [2]}",
        "{\"graft\":1,\"type\":\"tokens\"}", "{\"ids\": [9], \"x-y\": [1]}",
        "{\"ids\": \"\"}", NULL
    };
    struct stream_rec rec;
    struct stream_in in;
    struct said said;
    struct err e;

    CHECK(convert(line, 9, false, &e) == ERR_DATA);
    CHECK(strncmp(e.text, "in:2: ", 6) == 0);
    said_begin(&said);
    CHECK(convert(line, 9, true, &e) == 0);
    CHECK(strstr(said_end(&said), "in:7: byte 8: found a string"));
    CHECK_STR(segments(), "tokens 2+0, tokens 1+0");
    CHECK(stream_in_open(&in, out_path(), NULL, &e) == 0);
    CHECK(stream_in_segment(&in, &e) == 1);
    CHECK_STR(stream_head_get(&in.head, "vocab"), "9");
    while (stream_in_record(&in, &rec, &e) > 0)
        continue;
    CHECK_EQ_U64(ledger_get(&in.trailer.ledger, "fromjsonl", "bad-line"), 2);
    CHECK(stream_in_segment(&in, &e) == 1);
    CHECK(!stream_head_get(&in.head, "vocab"));
    while (stream_in_record(&in, &rec, &e) > 0)
        continue;
    CHECK_EQ_U64(ledger_get(&in.trailer.ledger, "fromjsonl", "bad-line"), 1);
    CHECK_EQ_U64(ledger_get(&in.trailer.ledger, "fromjsonl", "ignored-key"),
                 1);
    stream_in_release(&in);
}

static const struct test tests[] = {
    RUN(lines_become_segments),
    RUN(lines_that_do_not_belong_are_refused_by_number),
    RUN(bad_lines_are_refused_or_counted)
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(dir))
        return 1;
    rc = test_run("jsonl_segments", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(dir, &e);
    return rc;
}
