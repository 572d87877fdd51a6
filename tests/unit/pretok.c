/* pretok.c - pieces as Hugging Face's tokenizers cuts them
 * (tests/golden/pretok.json, made by the script beside it), what is refused,
 * bytes that are not UTF-8, and runs without end. */
#include "text/pretok.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "text/alphabet.h"
#include "text/tokenizer_read.h"
#include "text/uclass.h"

#include "test.h"

#define GOLDEN "tests/golden/pretok.json"

/* A pre-tokenizer alone. */
struct world {
    struct tokenizer t;
    struct pretok_run run;
};

/* From the value that comes next; false: refused, *e says why. */
static bool
world_read(struct world *w, struct json *j, struct err *e)
{
    memset(w, 0, sizeof(*w));
    if (tokenizer_read_pre(&w->t, j, e) < 0) {
        pretok_release(&w->t.pre);
        return false;
    }
    w->t.uclass = uclass_new();
    pretok_run_init(&w->run, &w->t.pre, w->t.uclass);
    return true;
}

static bool
world_open(struct world *w, const char *text, struct err *e)
{
    struct json j = json_on(text, strlen(text), "t.json");

    return json_check(text, strlen(text), "t.json", e) == 0
           && world_read(w, &j, e);
}

static void
world_close(struct world *w)
{
    pretok_run_release(&w->run);
    pretok_release(&w->t.pre);
    free(w->t.uclass);
}

/* Where pretok_next says that the piece, spelled, comes from is where it
 * is. */
static void
check_trace(const struct world *w, const uint8_t *text, size_t n,
            const struct buf *want)
{
    const struct pretok_run *r = &w->run;
    struct buf raw, got;

    buf_init(&raw);
    buf_init(&got);
    CHECK(r->n_put <= 1 && r->from <= n && r->n_from <= n - r->from);
    buf_add(&raw, " ", r->n_put);
    buf_add(&raw, text + r->from, r->n_from);
    alphabet_spell(&got, raw.data, raw.len);
    CHECK_STR(got.data, want->data);
    buf_release(&raw);
    buf_release(&got);
}

/* The pieces of p[n], spelled, a blank between; what pretok_next ended with
 * is returned. */
static int
cut(struct world *w, const void *p, size_t n, struct buf *out)
{
    struct buf one;
    const uint8_t *piece;
    size_t len;
    int rc;

    buf_init(&one);
    buf_reset(out);
    pretok_start(&w->run, p, n);
    while ((rc = pretok_next(&w->run, &piece, &len)) > 0) {
        buf_reset(&one);
        if (w->t.pre.spelled)
            buf_add(&one, piece, len);
        else
            alphabet_spell(&one, piece, len);
        check_trace(w, p, n, &one);
        if (out->len > 0)
            buf_addc(out, ' ');
        buf_add(out, one.data, one.len);
    }
    buf_release(&one);
    return rc;
}

/* [pre-tokenizer, [[text, pieces], ...]] */
static void
one_pre(struct json *j)
{
    struct buf text, want, got;
    struct json at;
    struct world w;
    struct err e;

    buf_init(&text);
    buf_init(&want);
    buf_init(&got);
    json_enter_array(j, &e);
    json_next_item(j);
    at = *j;
    if (!CHECK(world_read(&w, j, &e))) {
        printf("  %s\n", e.text);
        exit(1);
    }
    json_next_item(j);
    json_enter_array(j, &e);
    while (json_next_item(j)) {
        json_enter_array(j, &e);
        json_next_item(j);
        json_string(j, &text, &e);
        json_next_item(j);
        json_string(j, &want, &e);
        json_next_item(j);
        CHECK(cut(&w, text.data, text.len, &got) == 0);
        if (!CHECK(buf_is(&got, want.data)))
            printf("  %.400s\n  \"%s\"\n  want %s\n  got  %s\n", at.p,
                   text.data, want.data, got.data);
    }
    json_next_item(j);
    world_close(&w);
    buf_release(&text);
    buf_release(&want);
    buf_release(&got);
}

TEST(pieces_are_those_of_tokenizers)
{
    struct buf text, key;
    struct json j;
    struct err e;
    size_t n = 0;

    buf_init(&text);
    buf_init(&key);
    if (file_read(&text, GOLDEN, 1 << 24, &e) < 0
        || json_check(text.data, text.len, GOLDEN, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    j = json_on(text.data, text.len, GOLDEN);
    json_enter_object(&j, &e);
    while (json_next_key(&j, &key)) {
        if (!buf_is(&key, "cases")) {
            json_skip(&j);
            continue;
        }
        json_enter_array(&j, &e);
        for (; json_next_item(&j); n++)
            one_pre(&j);
    }
    CHECK(n >= 100);
    buf_release(&text);
    buf_release(&key);
}

#define BYTES \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define LIST(steps) \
    "{\"type\":\"Sequence\",\"pretokenizers\":[" steps "," BYTES "]}"
#define SPLIT(regex) \
    LIST("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"}," \
         "\"behavior\":\"Isolated\",\"invert\":false}")

TEST(an_expression_that_is_not_known_exactly_is_refused_by_name)
{
    static const struct {
        const char *pre, *text;
    } bad[] = {
        { SPLIT("(a)\\\\1"), "expression \"(a)\\1\" \"\\1\" is not" },
        { SPLIT("(?<n>a)"), "group ( \"?<\" is not supported" },
        { SPLIT("(?i)a"), "group ( \"?i\" is not supported" },
        { SPLIT("\\\\p{Klingon}"), "\"\\p{Klingon}\" is not supported" },
        { SPLIT("\\\\pL"), "\"\\pL\" is not supported" },
        { SPLIT("[[:alpha:]]"), "\"[:alpha:\" is not supported" },
        { SPLIT("\\\\X"), "\"\\X\" is not supported" },
        { SPLIT("(?i:stra\u00dfe)"), "\"st\" in (?i:...)" },
        { SPLIT("(?i:\u00e4)"), "of ASCII characters only" },
        { SPLIT("(?:a*){2}"), "an interval of what may be nothing" },
        { SPLIT("a**"), "a quantifier on a quantifier" },
        { SPLIT("(a"), "a group without its )" },
        { SPLIT("a)"), "a ) without its group" },
        { SPLIT("[a"), "a class without its ]" },
        { SPLIT("[b-a]"), "range \"b-a]\"" },
        { SPLIT("a{2000}"), "quantifier \"{2000}\"" },
        { SPLIT("(?<=a+)b"), "lookbehind" },
        { SPLIT("\\\\"), "ends with a backslash" },
        { LIST("{\"type\":\"UnicodeScripts\"}"),
          "\"UnicodeScripts\" is not supported (supported are Sequence, " },
        { LIST("{\"type\":\"Split\",\"pattern\":{\"Glob\":\"*\"}}"),
          "pattern \"Glob\" is not supported (supported are Regex and" },
        { LIST("{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},"
               "\"behavior\":\"Shaken\"}"), "behavior \"Shaken\"" },
        { LIST("{\"type\":\"Split\",\"pattern\":{\"String\":\"\"},"
               "\"behavior\":\"Isolated\"}"), "an empty string" },
        { LIST(BYTES), "ByteLevel behind another" },
    };
    struct world w;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        e.text[0] = 0;
        if (!CHECK(!world_open(&w, bad[i].pre, &e))
            || !CHECK(strstr(e.text, bad[i].text) != NULL))
            printf("  \"%s\", expected \"%s\"\n", e.text, bad[i].text);
    }
}

TEST(pre_tokenizers_nest_within_limits)
{
    struct world w;
    struct buf b;
    struct err e;
    int i, depth;

    buf_init(&b);
    for (depth = 10; depth <= 20; depth += 10) {
        buf_reset(&b);
        for (i = 0; i < depth; i++)
            buf_addstr(&b, "{\"type\":\"Sequence\",\"pretokenizers\":[");
        buf_addstr(&b, BYTES);
        for (i = 0; i < depth; i++)
            buf_addstr(&b, "]}");
        if (CHECK(world_open(&w, b.data, &e) == (depth == 10))
            && depth == 10)
            world_close(&w);
    }
    CHECK(strstr(e.text, "over 16 deep") != NULL);
    buf_reset(&b);
    buf_addstr(&b, "{\"type\":\"Sequence\",\"pretokenizers\":[");
    for (i = 0; i < 40; i++)
        buf_addstr(&b, "{\"type\":\"Digits\"},");
    buf_addstr(&b, BYTES "]}");
    CHECK(!world_open(&w, b.data, &e));
    CHECK(strstr(e.text, "over 32 pre-tokenizers") != NULL);
    buf_release(&b);
}

/* A byte that is none of a character is one itself: a symbol. */
TEST(bytes_that_are_not_utf8_are_symbols)
{
    struct world w;
    struct buf got;
    struct err e;

    buf_init(&got);
    if (!CHECK(world_open(&w, SPLIT("\\\\p{L}+|\\\\p{S}"), &e)))
        return;
    CHECK(cut(&w, "a\xffz\xe2\x82 \xc3\xa9", 8, &got) == 0);
    CHECK_STR(got.data, "a \xc3\xbf z \xc3\xa2 \xc4\xa4 \xc4\xa0 "
              "\xc3\x83\xc2\xa9");
    world_close(&w);
    buf_release(&got);
}

TEST(long_runs_take_linear_time)
{
    static const char *const pre[] = {
        SPLIT("\\\\s+$"), SPLIT("\\\\s?\\\\p{L}+|\\\\s*[\\\\r\\\\n]+|-+b"),
        SPLIT("[^\\\\s\\\\p{L}]+[\\\\r\\\\n]*|\\\\s+(?!\\\\S)|\\\\s+"),
        SPLIT("\\\\p{N}{1,3}+|(?:a|-)+"),
    };
    const size_t n = 1 << 20;
    char *p = mem_alloc(n);
    struct world w;
    struct buf got;
    struct err e;
    size_t i, k;

    buf_init(&got);
    for (i = 0; i < sizeof(pre) / sizeof(pre[0]); i++) {
        if (!CHECK(world_open(&w, pre[i], &e))) {
            printf("  %s\n", e.text);
            continue;
        }
        for (k = 0; k < 6; k++) {
            memset(p, "a^ \n-1"[k], n);
            p[n - 1] = 'x';
            CHECK(cut(&w, p, n, &got) == 0);
        }
        world_close(&w);
    }
    buf_release(&got);
    free(p);
}

TEST(what_takes_too_many_steps_is_told)
{
    struct world w;
    struct buf got;
    struct err e;
    char text[64];

    buf_init(&got);
    memset(text, 'a', sizeof(text));
    if (!CHECK(world_open(&w, SPLIT("(?:a+)+b"), &e)))
        return;
    CHECK(cut(&w, text, sizeof(text), &got) == ERR_LIMIT);
    CHECK(cut(&w, "aab", 3, &got) == 0);
    CHECK_STR(got.data, "aab");
    world_close(&w);
    buf_release(&got);
}

static const struct test tests[] = {
    RUN(pieces_are_those_of_tokenizers),
    RUN(an_expression_that_is_not_known_exactly_is_refused_by_name),
    RUN(pre_tokenizers_nest_within_limits),
    RUN(bytes_that_are_not_utf8_are_symbols),
    RUN(long_runs_take_linear_time),
    RUN(what_takes_too_many_steps_is_told),
};

TEST_MAIN("pretok", tests)
