/* tokenizer.c - a tokenizer.json as hostile input, bytes that are not UTF-8,
 * marks in content, and pieces without end. */
#include "text/tokenizer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "text/alphabet.h"

#include "test.h"

#define PRE \
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"

/* A file with the 256 bytes, merges "a a" and "aa aa", added tokens of the
 * caller, and what else the caller wants. */
struct file {
    const char *pre, *normalizer, *decoder, *added, *model;
    const char *vocab, *merges; /* besides the bytes; instead of the two */
};

static void
put_file(struct buf *b, const struct file *f)
{
    struct buf name;
    char byte;
    int i;

    buf_init(&name);
    buf_addf(b, "{%s", f->pre ? f->pre : PRE);
    if (f->normalizer)
        buf_addf(b, ",\"normalizer\":%s", f->normalizer);
    if (f->decoder)
        buf_addf(b, ",\"decoder\":%s", f->decoder);
    if (f->added)
        buf_addf(b, ",\"added_tokens\":[%s]", f->added);
    buf_addf(b, ",\"model\":{%s\"vocab\":{", f->model ? f->model : "");
    for (i = 0; i < 256; i++) {
        byte = (char)i;
        buf_reset(&name);
        alphabet_spell(&name, &byte, 1);
        if (byte == '"' || byte == '\\')
            buf_addf(b, "\"\\%s\":%d,", name.data, i);
        else
            buf_addf(b, "\"%s\":%d,", name.data, i);
    }
    buf_addf(b, "\"aa\":256,\"aaaa\":257%s},\"merges\":[%s]}}",
             f->vocab ? f->vocab : "",
             f->merges ? f->merges : "\"a a\",[\"aa\",\"aa\"]");
    buf_release(&name);
}

static int
read_file(struct tokenizer *t, const struct file *f, struct err *e)
{
    struct buf b;
    int rc;

    buf_init(&b);
    put_file(&b, f);
    rc = tokenizer_read(t, b.data, b.len, "t.json", e);
    buf_release(&b);
    return rc;
}

/* The file is refused with that code and text. */
static void
refused(const struct file *f, int code, const char *text)
{
    struct tokenizer t;
    struct err e = { 0 };
    int rc = read_file(&t, f, &e);

    if (!CHECK(rc == code) || !CHECK(strstr(e.text, text) != NULL))
        printf("  %d \"%s\", expected \"%s\"\n", rc, e.text, text);
    if (rc == 0)
        tokenizer_release(&t);
}

#define ADDED(id, content, more) \
    "{\"id\":" id ",\"content\":\"" content "\"" more "}"

TEST(what_is_not_known_exactly_is_refused_by_name)
{
    static const struct {
        struct file f;
        const char *text;
    } bad[] = {
        { { .normalizer = "{\"type\":\"Lowercase\"}" },
          "normalizer \"Lowercase\"" },
        { { .normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{"
                          "\"type\":\"Lowercase\"}]}" },
          "normalizer \"Lowercase\"" },
        { { .normalizer = "{\"type\":\"Prepend\",\"prepend\":\"x\"}" },
          "Prepend is supported of the blank" },
        { { .normalizer = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":"
                          "\"a\"},\"content\":\"b\"}" },
          "Replace is supported of a string" },
        { { .normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":"
                          "\"a\"},\"content\":\"0123456789abcdef0\"}" },
          "over 16 times as long" },
        { { .decoder = "{\"type\":\"Metaspace\"}" }, "decoder \"Metaspace\"" },
        { { .pre = "\"pre_tokenizer\":{\"type\":\"Whitespace\"}" },
          "pre-tokenizer \"Whitespace\"" },
        { { .pre = "\"pre_tokenizer\":{\"type\":\"ByteLevel\","
                   "\"add_prefix_space\":false,\"new\":1}" },
          "setting \"new\"" },
        { { .pre = "\"pre_tokenizer\":{\"type\":\"Digits\"}" },
          "pre-tokenizer \"Digits\" is not supported (without" },
        { { .model = "\"type\":\"WordPiece\"," }, "model \"WordPiece\"" },
        { { .model = "\"dropout\":0.1," }, "\"dropout\"" },
        { { .model = "\"byte_fallback\":1," }, "true or false" },
        { { .pre = "\"pre_tokenizer\":null",
            .model = "\"ignore_merges\":true," }, "ignore_merges" },
        { { .pre = "\"pre_tokenizer\":null",
            .model = "\"unk_token\":\"<u>\"," },
          "unk_token \"<u>\" is not in" },
        { { .pre = "\"pre_tokenizer\":null",
            .decoder = "{\"type\":\"ByteLevel\"}" },
          "decoder \"ByteLevel\"" },
        { { .pre = "\"pre_tokenizer\":{\"type\":\"Metaspace\","
                   "\"replacement\":\"\u2581\"}" }, "no token for what" },
        { { .pre = "\"pre_tokenizer\":{\"type\":\"Metaspace\","
                   "\"replacement\":\"\u2581\",\"prepend_scheme\":\"x\"}" },
          "prepend_scheme \"x\"" },
        { { .model = "\"end_of_word_suffix\":\"</w>\"," },
          "\"end_of_word_suffix\"" },
        { { .model = "\"novelty\":1," }, "\"novelty\"" },
    };
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(&bad[i].f, ERR_DATA, bad[i].text);
}

TEST(bad_ids_merges_and_tokens_are_refused)
{
    static const struct {
        struct file f;
        const char *text;
    } bad[] = {
        { { .vocab = ",\"x y\":-1" }, "not an unsigned integer" },
        { { .vocab = ",\"xy\":258.5" }, "not an unsigned integer" },
        { { .vocab = ",\"xy\":2147483648" }, "not below 2^31" },
        { { .vocab = ",\"xy\":9007199254740993" }, "not below 2^31" },
        { { .vocab = ",\"xy\":99999999999999999999" }, "over 2^64" },
        { { .vocab = ",\"xy\":257" }, "id 257 twice" },
        { { .vocab = ",\"xy\":259" }, "258 entries" },
        { { .vocab = ",\"aa\":258" }, "duplicate key" },
        { { .vocab = ",\"x\\u0000\":258" }, "" },
        { { .vocab = ",\"\xff\":258" }, "invalid UTF-8" },
        { { .merges = "\"a a\",\"a b\"" }, "merge 1 gives \"ab\"" },
        { { .merges = "\"aa zz\"" }, "merge 0: \"zz\"" },
        { { .merges = "\"aa\"" }, "merge 0 is not two tokens" },
        { { .merges = "\"a a a\"" }, "merge 0 is not two tokens" },
        { { .merges = "[\"a\"]" }, "merge 0" },
        { { .merges = "[\"a\",\"a\",\"a\"]" }, "merge 0 is not of two" },
        { { .merges = "7" }, "expected a string" },
        { { .added = ADDED("258", "", "") }, "without content" },
        { { .added = "{\"content\":\"x y\"}" }, "usable id" },
        { { .added = ADDED("300", "<x>", "") }, "id 300, expected 258" },
        { { .added = ADDED("255", "<x>", "") }, "id 255, expected 258" },
        { { .added = ADDED("258", "<x>", ",\"loud\":true") }, "\"loud\"" },
        { { .added = ADDED("258", "<x>", ",\"special\":1") },
          "true or false" },
        { { .added = ADDED("258", "<x>", ",\"rstrip\":true") ","
                     ADDED("259", "\\u3000x", "") },
          "rstrip of added token \"<x>\" is not supported beside added" },
        { { .added = ADDED("258", " x", ",\"rstrip\":true") },
          "which begins with white space" },
        { { .normalizer = "{\"type\":\"NFC\"}",
            .added = ADDED("258", "\\u212b", ",\"normalized\":true") ","
                     ADDED("259", "A\\u030a", ",\"normalized\":true") },
          "is another one when normalized" },
    };
    struct file f = { .vocab = NULL };
    struct buf b;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(&bad[i].f, ERR_DATA,
                strcmp(bad[i].text, "258 entries") == 0 ?
                "259 tokens with id 259" : bad[i].text);
    buf_init(&b);
    buf_addstr(&b, ",\"");
    memset(buf_room(&b, 100000), 'b', 100000);
    b.len += 100000;
    buf_addstr(&b, "\":258");
    f.vocab = b.data;
    refused(&f, ERR_LIMIT, "100000 bytes, limit 4096");
    f.vocab = NULL;
    buf_reset(&b);
    for (i = 0; i < 1100; i++)
        buf_addf(&b, "%s{\"id\":%zu,\"content\":\"%04000zu\"}",
                 i > 0 ? "," : "", 258 + i, i);
    f.added = b.data;
    refused(&f, ERR_LIMIT, "added tokens of ");
    buf_release(&b);
}

TEST(more_tokens_or_merges_than_the_table_holds_are_refused)
{
    struct file f = { .vocab = NULL };
    struct buf b;
    size_t i;

    buf_init(&b);
    for (i = 258; i <= MERGE_MOST_IDS; i++)
        buf_addf(&b, ",\"v%zu\":%zu", i, i);
    f.vocab = b.data;
    refused(&f, ERR_LIMIT, "a vocabulary of 2097153 tokens, limit 2097152");
    f.vocab = NULL;
    buf_reset(&b);
    for (i = 0; i <= MERGE_MOST; i++)
        buf_addstr(&b, i > 0 ? ",\"a a\"" : "\"a a\"");
    f.merges = b.data;
    refused(&f, ERR_LIMIT, "a list of 4194304 merges, limit 4194303");
    buf_release(&b);
}

TEST(what_is_no_tokenizer_is_refused)
{
    static const char *const bad[] = {
        "", "{", "[]", "{}", "{\"model\":{}}", "{\"model\":7," PRE "}",
        "{\"model\":{\"vocab\":{}}," PRE "}",
        "{\"model\":{\"vocab\":{},\"merges\":[]}," PRE "}",
        "{\"model\":{\"merges\":[]}," PRE "}",
    };
    static const char empty[] =
        "{\"model\":{\"vocab\":{ },\"merges\":[]}," PRE "}";
    struct tokenizer t;
    struct buf b;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(tokenizer_read(&t, bad[i], strlen(bad[i]), "t.json", &e) ==
              ERR_DATA);
    CHECK(tokenizer_read(&t, empty, sizeof(empty) - 1, "t.json", &e) ==
          ERR_DATA);
    CHECK_STR(e.text, "t.json: byte 21: an empty vocabulary");
    buf_init(&b);
    memset(buf_room(&b, 1000000), '[', 1000000);
    b.len = 1000000;
    CHECK(tokenizer_read(&t, b.data, b.len, "t.json", &e) == ERR_DATA);
    CHECK(strstr(e.text, "depth") || strstr(e.text, "deep")
          || strstr(e.text, "64"));
    buf_release(&b);
    CHECK(tokenizer_read(&t, "", (size_t)TOKENIZER_MAX_FILE + 1, "t.json",
                         &e) == ERR_LIMIT);
    CHECK(tokenizer_open(&t, "/nonexistent/t.json", &e) == ERR_IO);
}

TEST(every_cut_of_a_file_is_refused)
{
    static const struct file f = {
        .added = ADDED("258", "<x>", ",\"special\":true"),
        .normalizer = "{\"type\":\"NFC\"}", .decoder = "null"
    };
    struct tokenizer t;
    struct buf b;
    struct err e;
    char *copy;
    size_t n;

    buf_init(&b);
    put_file(&b, &f);
    CHECK(tokenizer_read(&t, b.data, b.len, "t.json", &e) == 0);
    tokenizer_release(&t);
    for (n = 0; n < b.len; n += 1 + n / 40) {
        copy = mem_dup(b.data, n);
        CHECK(tokenizer_read(&t, copy, n, "t.json", &e) == ERR_DATA);
        free(copy);
    }
    buf_release(&b);
}

/* ---- what the tokenizer of struct file does ---- */

struct world {
    struct tokenizer t;
    struct encoder en;
    struct ids ids;
    struct buf back;
};

static void
world_open(struct world *w, const struct file *f)
{
    struct err e;

    if (!CHECK(read_file(&w->t, f, &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    encoder_init(&w->en, &w->t);
    ids_init(&w->ids);
    buf_init(&w->back);
}

static void
world_close(struct world *w)
{
    encoder_release(&w->en);
    ids_release(&w->ids);
    buf_release(&w->back);
    tokenizer_release(&w->t);
}

/* How many ids p[n] has; their bytes are p[n] again. */
static size_t
there_and_back(struct world *w, const void *p, size_t n, bool marks)
{
    w->ids.n = 0;
    buf_reset(&w->back);
    encoder_add(&w->en, p, n, marks, &w->ids);
    tokenizer_decode(&w->t, w->ids.id, w->ids.n, &w->back);
    CHECK(w->back.len == n && memcmp(w->back.data, p, n) == 0);
    return w->ids.n;
}

static const char *const four[] = {
    PRE,
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
    "{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\""
    ",\"add_prefix_space\":false,\"use_regex\":true}]}",
#define SPLIT(digits) \
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":" \
    "\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|" \
    "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}" digits "| ?[^\\\\s" \
    "\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|" \
    "\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":" \
    "\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"
    SPLIT(""),
    SPLIT("{1,3}"),
};

TEST(any_bytes_come_back)
{
    static const char *const odd[] = {
        "\x80", "a\xffz", "\xc3", "\xc3(", "\xe2\x82", "\xf0\x9f\x98",
        "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80",
        " \xff", "\xff\xfe \xfd", "caf\xe9 au lait", "'\xc5s", "\n\xff\n",
    };
    struct world w;
    uint8_t all[512];
    size_t k, i;

    for (i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)(i * 167);
    for (k = 0; k < 4; k++) {
        struct file f = { .pre = four[k] };

        world_open(&w, &f);
        CHECK(pretok_scans(&w.t.pre));
        CHECK_EQ_U64(w.t.pre.step[0].scan, k);
        for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
            CHECK_EQ_U64(there_and_back(&w, odd[i], strlen(odd[i]), true),
                         strlen(odd[i]));
        for (i = 0; i < sizeof(all); i++)
            there_and_back(&w, all + i, sizeof(all) - i, false);
        world_close(&w);
    }
}

TEST(long_runs_end_soon)
{
    static const char kinds[] = "a^ \n-\t1\xff";
    const size_t n = 1 << 20;
    char *p = mem_alloc(n);
    struct world w;
    size_t k, i;

    for (k = 0; k < 4; k++) {
        struct file f = { .pre = four[k] };

        world_open(&w, &f);
        for (i = 0; kinds[i]; i++) {
            memset(p, kinds[i], n);
            CHECK_EQ_U64(there_and_back(&w, p, n, true),
                         kinds[i] == 'a' ? n / 4 : n);
        }
        world_close(&w);
    }
    free(p);
}

/* A mark's spelling in content stays text, a word is found. */
TEST(content_never_becomes_a_mark)
{
    static const struct file f = {
        .added = ADDED("258", "<|end|>", ",\"special\":true") ","
                 ADDED("259", "<|sep|>", ",\"normalized\":false") ","
                 ADDED("260", "<|nor|>",
                       ",\"special\":true,\"normalized\":true") ","
                 ADDED("261", "<word>", ",\"normalized\":true")
    };
    static const char text[] = "x<|end|><|sep|><|nor|><word>y";
    struct world w;

    world_open(&w, &f);
    CHECK_EQ_U64(there_and_back(&w, text, strlen(text), true), 6);
    CHECK_EQ_U64(w.ids.id[1], 258);
    CHECK_EQ_U64(w.ids.id[2], 259);
    CHECK_EQ_U64(w.ids.id[3], 260);
    CHECK_EQ_U64(w.ids.id[4], 261);
    CHECK_EQ_U64(there_and_back(&w, text, strlen(text), false), 1 + 21 + 2);
    CHECK_EQ_U64(w.ids.id[22], 261);
    CHECK(tokenizer_special(&w.t, 258));
    CHECK(!tokenizer_special(&w.t, 261));
    CHECK_EQ_U64(tokenizer_find(&w.t, "<|sep|>", 7), 259);
    CHECK_EQ_U64(tokenizer_find(&w.t, "<|six|>", 7), TOKEN_NONE);
    CHECK_EQ_U64(tokenizer_end(&w.t), TOKEN_NONE);
    world_close(&w);
}

/* Listed twice: one id, the last flags, once special is special. */
TEST(a_token_listed_twice_is_one)
{
    static const struct file f = {
        .added = ADDED("258", "<x>", ",\"special\":true") ","
                 ADDED("258", "<x>", ",\"rstrip\":true") ","
                 ADDED("97", "a", ",\"special\":true,\"normalized\":false")
    };
    struct world w;

    world_open(&w, &f);
    CHECK_EQ_U64(w.t.n, 259);
    CHECK(tokenizer_special(&w.t, 258));
    w.ids.n = 0;
    encoder_add(&w.en, "<x>  yaa", 8, true, &w.ids);
    CHECK_EQ_U64(w.ids.n, 4);
    CHECK_EQ_U64(w.ids.id[3], 97);
    world_close(&w);
}

/* The last rank of a merge that is listed twice holds, and the order of the
 * model's keys means nothing. */
TEST(a_merge_listed_twice_has_its_last_rank)
{
    static const struct file f = {
        .vocab = ",\"ab\":258", .merges = "\"a a\",\"a b\",\"a a\""
    };
    struct world w;

    world_open(&w, &f);
    CHECK_EQ_U64(there_and_back(&w, "aab", 3, true), 2);
    CHECK_EQ_U64(w.ids.id[0], 97);
    CHECK_EQ_U64(w.ids.id[1], 258);
    world_close(&w);
}

/* Bytes of a vocabulary that lacks them are left out and counted, each time
 * they come. */
/* Whether the tokenizer merges left and right to that id. */
static bool
merges_to(const struct tokenizer *t, const char *left, const char *right,
          uint32_t id)
{
    uint32_t pair[2] = {
        tokenizer_find(t, left, strlen(left)),
        tokenizer_find(t, right, strlen(right))
    };
    struct merge_scratch scratch = { 0 };
    size_t n = merge_piece(&t->merges, &scratch, pair, 2);

    merge_scratch_release(&scratch);
    return n == 1 && pair[0] == id;
}

/* Names with escapes, in merges of both forms, over more than one block; and
 * merges that don't give the tokens in their order. */
TEST(names_may_have_escapes_and_merges_any_order)
{
    struct file f = {
        .vocab = ",\"\\u0061\\\"\":258,\"\\\"\\\"\":259,\"zz\":260,"
                 "\"a\\\"zz\":261"
    };
    struct tokenizer t;
    struct err e;
    struct buf b;
    int i;

    buf_init(&b);
    for (i = 0; i < 70; i++)
        buf_addf(&b, "%s,[\"a\\\"\",\"\\u007az\"],\"\\\" \\\"\"",
                 i > 0 ? ",\"\\u0061 \\\"\"" : "\"z z\"");
    f.merges = b.data;
    if (CHECK(read_file(&t, &f, &e) == 0)) {
        CHECK(merges_to(&t, "z", "z", 260) && merges_to(&t, "a", "\"", 258));
        CHECK(merges_to(&t, "a\"", "zz", 261));
        CHECK(merges_to(&t, "\"", "\"", 259));
        CHECK(!merges_to(&t, "a", "a", 256));
        CHECK_EQ_U64(t.merges.n, 4);
        tokenizer_release(&t);
    } else {
        printf("  %s\n", e.text);
    }
    buf_addstr(&b, ",\"\\\" \\u0061\"");
    f.merges = b.data;
    refused(&f, ERR_DATA, "merge 210 gives \"\"a\", which is not in");
    buf_release(&b);
}

TEST(bytes_without_a_token_are_counted)
{
    static const char text[] = "{" PRE ",\"model\":{\"merges\":[\"a a\"],"
        "\"vocab\":{\"a\":0,\"aa\":1}}}";
    struct tokenizer t;
    struct encoder en;
    struct ids ids;
    struct err e;
    int i;

    CHECK(tokenizer_read(&t, text, strlen(text), "t.json", &e) == 0);
    encoder_init(&en, &t);
    ids_init(&ids);
    for (i = 0; i < 3; i++)
        encoder_add(&en, "aba", 3, true, &ids);
    CHECK_EQ_U64(ids.n, 3);
    CHECK_EQ_U64(ids.id[2], 1);
    CHECK_EQ_U64(en.n_lost, 3);
    ids_release(&ids);
    encoder_release(&en);
    tokenizer_release(&t);
}

static const struct test tests[] = {
    RUN(what_is_not_known_exactly_is_refused_by_name),
    RUN(bad_ids_merges_and_tokens_are_refused),
    RUN(more_tokens_or_merges_than_the_table_holds_are_refused),
    RUN(what_is_no_tokenizer_is_refused),
    RUN(every_cut_of_a_file_is_refused),
    RUN(any_bytes_come_back),
    RUN(long_runs_end_soon),
    RUN(content_never_becomes_a_mark),
    RUN(a_token_listed_twice_is_one),
    RUN(a_merge_listed_twice_has_its_last_rank),
    RUN(names_may_have_escapes_and_merges_any_order),
    RUN(bytes_without_a_token_are_counted),
};

TEST_MAIN("tokenizer", tests)
