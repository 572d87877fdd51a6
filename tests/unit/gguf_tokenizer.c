/* gguf_tokenizer.c - the tokenizer in a GGUF file: the ids of real ones are
 * those of the tokenizer.json that they were made from, what special tokens
 * and templates become, and what is refused. */
#include "weights/gguf_tokenizer.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gguf_made.h"
#include "test.h"
#include "text/tokenizer.h"

#define KEY "tokenizer.ggml."

/* ---- files ---- */

static void
add_strings(struct gguf_made *m, const char *name, const char *const *s,
            size_t n)
{
    made_array(m, name, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        made_text(&m->keys, s[i]);
}

/* What is asked of the file that m makes; m is released. */
static int
convert(struct gguf_made *m, struct buf *json, struct buf *config,
        struct err *e)
{
    struct buf file;
    struct gguf g;
    int rc;

    buf_init(&file);
    made_file(m, &file);
    made_release(m);
    rc = gguf_parse(&g, file.data, file.len, "x.gguf", e);
    g.path = mem_strdup("x.gguf");
    if (!CHECK(rc == 0)) {
        printf("  %s\n", e->text);
        buf_release(&file);
        return rc;
    }
    CHECK(gguf_has_tokenizer(&g));
    rc = gguf_tokenizer(json, &g, e);
    if (rc == 0 && config != NULL)
        rc = gguf_tokenizer_config(config, &g, e);
    gguf_release(&g);
    buf_release(&file);
    return rc;
}

/* ---- a small one ---- */

static const char *const tokens[] = { "a", "b", "ab", "<s>", "<t>", "  ",
                                      "[PAD6]", "", "\xc4\xa0" };
static const int32_t kinds[] = { 1, 1, 1, 3, 4, 4, 5, 1, 1 };

#define N_TOKENS (sizeof(tokens) / sizeof(tokens[0]))

/* A file with one thing changed. */
struct small {
    const char *model, *pre, *arch;
    const char *token;  /* instead of the second */
    const char *merge;  /* instead of the first */
    int32_t kind;       /* instead of the second's */
    size_t n_kinds, n_more; /* more tokens than there are, all empty */
    int begins, begin;  /* of the keys; -1: not there */
    bool numbers;       /* the merges are numbers */
};

static const struct small usual = { "gpt2", "gpt-2", "llama", "b", "a b", 1,
                                    N_TOKENS, 0, -1, -1, false };

static void
make_small(struct gguf_made *m, const struct small *c)
{
    made_init(m);
    made_string(m, "general.architecture", c->arch);
    made_string(m, KEY "model", c->model);
    if (c->pre)
        made_string(m, KEY "pre", c->pre);
    made_array(m, KEY "tokens", GGUF_STRING, N_TOKENS + c->n_more);
    for (size_t i = 0; i < N_TOKENS; i++)
        made_text(&m->keys, i == 1 ? c->token : tokens[i]);
    for (size_t i = 0; i < c->n_more; i++)
        made_text(&m->keys, "");
    made_array(m, KEY "token_type", GGUF_I32, c->n_kinds);
    for (size_t i = 0; i < c->n_kinds; i++)
        buf_u32(&m->keys, (uint32_t)(i == 1 ? c->kind : kinds[i]));
    made_array(m, KEY "merges", c->numbers ? GGUF_U64 : GGUF_STRING, 1);
    if (c->numbers)
        buf_u64(&m->keys, 1);
    else
        made_text(&m->keys, c->merge);
    if (c->begins >= 0)
        made_bool(m, KEY "add_bos_token", c->begins);
    if (c->begin >= 0)
        made_u32(m, KEY "bos_token_id", (uint32_t)c->begin);
}

/* Opens the tokenizer of a small file. */
static bool
open_small(struct tokenizer *t, const struct small *c, struct buf *config)
{
    struct gguf_made m;
    struct err e = { 0 };
    struct buf json;
    int rc;

    buf_init(&json);
    make_small(&m, c);
    rc = convert(&m, &json, config, &e);
    if (rc == 0)
        rc = tokenizer_read(t, json.data, json.len, "made.json", &e);
    buf_release(&json);
    if (!CHECK(rc == 0))
        printf("  %s\n", e.text);
    return rc == 0;
}

static void
check_ids(const struct tokenizer *t, const char *text, bool marks,
          const uint32_t *want, size_t n)
{
    struct encoder en;
    struct ids ids;

    encoder_init(&en, t);
    ids_init(&ids);
    encoder_add(&en, text, strlen(text), marks, &ids);
    CHECK_EQ_U64(ids.n, n);
    for (size_t i = 0; i < n && i < ids.n; i++)
        CHECK_EQ_U64(ids.id[i], want[i]);
    ids_release(&ids);
    encoder_release(&en);
}

TEST(kinds_of_tokens)
{
    static const uint32_t marked[] = { 2, 3, 4, 5, 8, 0 };
    static const uint32_t plain[] = { 2, 5, 8, 0 };
    struct tokenizer t;

    if (!open_small(&t, &usual, NULL))
        return;
    CHECK_EQ_U64(t.n, N_TOKENS);
    check_ids(&t, "ab<s><t>   a", true, marked, 6);
    check_ids(&t, "ab   a", false, plain, 4); /* blanks are words */
    CHECK(tokenizer_special(&t, 3));
    CHECK(!tokenizer_special(&t, 4));
    CHECK(tokenizer_find(&t, "[EMPTY_7]", 9) == 7);
    CHECK(tokenizer_begin(&t) == TOKEN_NONE);
    tokenizer_release(&t);
}

/* By the key, or where there is none as it is usual; no id: no token. */
TEST(what_a_text_begins_with)
{
    static const struct {
        const char *pre;
        int begins, begin;
        uint32_t want;
    } row[] = {
        { "gpt-2", 1, 3, 3 }, { "gpt-2", 0, 3, TOKEN_NONE },
        { "gpt-2", -1, 3, TOKEN_NONE }, { "llama-bpe", -1, 3, 3 },
        { "llama-bpe", 0, 3, TOKEN_NONE }, { "llama-bpe", -1, -1, TOKEN_NONE },
        { "tekken", -1, 3, 3 }, { "qwen2", -1, 3, TOKEN_NONE },
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct small c = usual;
        struct tokenizer t;

        c.pre = row[i].pre;
        c.begins = row[i].begins;
        c.begin = row[i].begin;
        if (!open_small(&t, &c, NULL))
            continue;
        CHECK_EQ_U64(tokenizer_begin(&t), row[i].want);
        tokenizer_release(&t);
    }
}

TEST(without_a_pre_tokenizer_the_architecture_tells)
{
    struct small c = usual;
    struct tokenizer t;

    c.pre = NULL;
    c.arch = "starcoder2";
    if (open_small(&t, &c, NULL)) {
        CHECK(t.pre.n == 1 && t.pre.step[0].scan == SCAN_DIGITS);
        tokenizer_release(&t);
    }
    c.pre = "default";
    c.arch = "qwen2";
    if (open_small(&t, &c, NULL)) {
        CHECK(t.pre.n == 1 && t.pre.step[0].scan == SCAN_QWEN2);
        tokenizer_release(&t);
    }
}

/* ---- refusals ---- */

static void
refused(const struct small *c, int code, const char *part)
{
    struct gguf_made m;
    struct err e = { 0 };
    struct buf json;

    buf_init(&json);
    make_small(&m, c);
    CHECK_EQ_U64(convert(&m, &json, NULL, &e), code);
    CHECK(strncmp(e.text, "x.gguf: ", 8) == 0 && !strchr(e.text, '\n'));
    if (!strstr(e.text, part))
        CHECK_STR(e.text, part);
    buf_release(&json);
}

TEST(what_can_not_be_is_refused_by_name)
{
    struct small c = usual;

    c.model = "llama";
    refused(&c, ERR_DATA, "tokenizers of kind \"llama\"");
    c = usual, c.pre = "kimi-k2";
    refused(&c, ERR_DATA, "pre-tokenizer \"kimi-k2\"");
    c = usual, c.pre = NULL;
    refused(&c, ERR_DATA, "pre-tokenizer \"llama\"");
    c = usual, c.token = "a";
    refused(&c, ERR_DATA, "tokens 0 and 1 are both \"a\"");
    c = usual, c.token = "\xff";
    refused(&c, ERR_DATA, "token 1: invalid UTF-8");
    c = usual, c.kind = 7;
    refused(&c, ERR_DATA, "token_type: token 1 is of a kind");
    c = usual, c.kind = -1;
    refused(&c, ERR_DATA, "token_type: token 1 is of a kind");
    c = usual, c.n_kinds = 3;
    refused(&c, ERR_DATA, "token_type: found 3 elements, expected 9");
    c = usual, c.begins = 1;
    refused(&c, ERR_DATA, "begins with token -1");
    c.begin = N_TOKENS;
    refused(&c, ERR_DATA, "begins with token 9");
    c.begin = 7; /* it is empty */
    refused(&c, ERR_DATA, "begins with token 7");
    c = usual, c.numbers = true;
    refused(&c, ERR_DATA, "merges: found an array of u64");
    c = usual, c.n_more = GGUF_MAX_TOKENS;
    refused(&c, ERR_LIMIT, "tokens: 2097161 elements, limit 2097152");
}

TEST(merges_have_to_make_tokens)
{
    static const char *const bad[] = { "a", "", " ", "a ", " b", "b a",
                                       "a c", "c b", "a  b", "ab a" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct small c = usual;

        c.merge = bad[i];
        refused(&c, ERR_DATA, "merge 0 makes no token of two others");
    }
}

/* file[n], read as far as it can be: each step succeeds or says why not. */
static size_t
read_damaged(const char *file, size_t n)
{
    void *copy = mem_dup(file, n);
    struct buf json, config;
    struct tokenizer t;
    struct err e = { 0 };
    struct gguf g;
    int rc = gguf_parse(&g, copy, n, "x.gguf", &e);
    size_t opened = 0;

    buf_init(&json);
    buf_init(&config);
    if (rc == 0) {
        g.path = mem_strdup("x.gguf");
        rc = gguf_tokenizer(&json, &g, &e);
        if (rc == 0)
            rc = gguf_tokenizer_config(&config, &g, &e);
        gguf_release(&g);
    }
    if (rc == 0 && tokenizer_read(&t, json.data, json.len, "made", &e) == 0) {
        opened = 1;
        tokenizer_release(&t);
    }
    CHECK(rc == 0 || (e.text[0] != '\0' && !strchr(e.text, '\n')));
    buf_release(&json);
    buf_release(&config);
    free(copy);
    return opened;
}

TEST(a_damaged_file_is_read_or_refused)
{
    struct gguf_made m;
    struct buf file;
    size_t opened = 0;

    buf_init(&file);
    make_small(&m, &usual);
    made_string(&m, "tokenizer.chat_template", "{{ 1 }}");
    made_file(&m, &file);
    made_release(&m);
    for (size_t at = 0; at < file.len; at++) {
        char was = file.data[at];
        const char other[] = { 0, (char)0xff, (char)(was ^ 1) };

        for (size_t i = 0; i < sizeof(other); i++) {
            file.data[at] = other[i];
            opened += read_damaged(file.data, file.len);
        }
        file.data[at] = was;
    }
    CHECK(opened > file.len / 10 && opened < 2 * file.len);
    buf_release(&file);
}

/* ---- templates ---- */

TEST(the_chat_template_comes_with_its_tokens)
{
    struct small c = usual;
    struct gguf_made m;
    struct err e = { 0 };
    struct buf json, config;
    cJSON *o = NULL;

    buf_init(&json);
    buf_init(&config);
    c.begin = 3;
    make_small(&m, &c);
    made_u32(&m, KEY "eos_token_id", 4);
    made_string(&m, "tokenizer.chat_template", "{{ \"x\" }}\n");
    made_string(&m, "tokenizer.chat_template.tool_use", "tools");
    CHECK(convert(&m, &json, &config, &e) == 0);
    CHECK(json_user(&o, config.data, config.len, "config", &e) == 0);
    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(o, "bos_token")),
              "<s>");
    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(o, "eos_token")),
              "<t>");
    CHECK(cJSON_GetObjectItem(o, "pad_token") == NULL);
    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(
                  cJSON_GetObjectItem(o, "chat_template"), "default")),
              "{{ \"x\" }}\n");
    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(
                  cJSON_GetObjectItem(o, "chat_template"), "tool_use")),
              "tools");
    cJSON_Delete(o);
    buf_reset(&config);
    make_small(&m, &c);
    made_u32(&m, KEY "eos_token_id", N_TOKENS);
    CHECK(convert(&m, &json, &config, &e) == ERR_DATA);
    CHECK(strstr(e.text, "eos_token_id: there is no such token") != NULL);
    buf_reset(&config);
    make_small(&m, &c);
    made_string(&m, "tokenizer.chat_template", "\xff");
    CHECK(convert(&m, &json, &config, &e) == ERR_DATA);
    CHECK(strstr(e.text, "chat_template: invalid UTF-8") != NULL);
    buf_release(&json);
    buf_release(&config);
}

/* ---- real ones ---- */

/* What a converter writes of a tokenizer.json. */
static void
make_real(struct gguf_made *m, const cJSON *o, const char *pre)
{
    const cJSON *model = cJSON_GetObjectItem(o, "model"), *v;
    const cJSON *added = cJSON_GetObjectItem(o, "added_tokens");
    const cJSON *list = cJSON_GetObjectItem(model, "merges");
    const char **name = mem_array(1 << 19, sizeof(*name));
    uint32_t *kind = mem_array(1 << 19, sizeof(*kind));
    struct buf both;
    size_t n = 0;

    buf_init(&both);
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(model, "vocab")) {
        name[v->valueint] = v->string;
        kind[v->valueint] = 1;
    }
    cJSON_ArrayForEach(v, added) {
        int id = cJSON_GetObjectItem(v, "id")->valueint;

        name[id] = cJSON_GetObjectItem(v, "content")->valuestring;
        kind[id] = cJSON_IsTrue(cJSON_GetObjectItem(v, "special")) ? 3 : 4;
    }
    while (n < 1 << 19 && name[n] != NULL)
        n++;
    made_init(m);
    made_string(m, KEY "model", "gpt2");
    made_string(m, KEY "pre", pre);
    add_strings(m, KEY "tokens", name, n);
    made_array(m, KEY "token_type", GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        buf_u32(&m->keys, kind[i]);
    made_array(m, KEY "merges", GGUF_STRING,
               (uint64_t)cJSON_GetArraySize(list));
    cJSON_ArrayForEach(v, list) {
        buf_reset(&both);
        if (cJSON_IsArray(v))
            buf_addf(&both, "%s %s", v->child->valuestring,
                     v->child->next->valuestring);
        else
            buf_addstr(&both, v->valuestring);
        made_text(&m->keys, both.data);
    }
    buf_release(&both);
    free(name);
    free(kind);
}

/* Pieces that pre-tokenizers, normalisers and added tokens cut, in many
 * orders. */
static void
fill_text(struct buf *b)
{
    static const char *const piece[] = {
        "foo", "Bar", " ", "  ", "\n", "\r\n", "\t", "1", "23", "4567", "'s",
        "'LL", "e\xcc\x81", "\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac", "\xc2\xbd",
        "()", "//", "#include", "\xf0\x9f\x98\x80", "<|endoftext|>", "_x",
        "\xe3\x81\x82", "\xc2\xa0", "    ", "<think>", "...", "x=1;", "\xff"
    };
    struct rng r;

    rng_init(&r, 3, 0);
    for (int i = 0; i < 30000; i++)
        buf_addstr(b, piece[rng_below(&r, sizeof(piece) / sizeof(piece[0]))]);
}

static void
encode(const struct tokenizer *t, const struct buf *text, bool marks,
       struct ids *ids)
{
    struct encoder en;

    encoder_init(&en, t);
    encoder_add(&en, text->data, text->len, marks, ids);
    encoder_release(&en);
}

/* A converter loses which special-looking tokens are words: with words false,
 * marks alone are compared. */
static void
check_real(const char *path, const char *pre, bool words,
           const struct buf *text)
{
    struct tokenizer own, made;
    struct gguf_made m;
    struct err e = { 0 };
    struct buf json;
    cJSON *o;

    buf_init(&json);
    if (!CHECK(json_user_file(&o, path, 64 << 20, &e) == 0))
        return;
    make_real(&m, o, pre);
    cJSON_Delete(o);
    if (!CHECK(convert(&m, &json, NULL, &e) == 0))
        printf("  %s: %s\n", pre, e.text);
    if (CHECK(tokenizer_open(&own, path, &e) == 0)
        && CHECK(tokenizer_read(&made, json.data, json.len, pre, &e) == 0)) {
        for (int marks = !words; marks < 2; marks++) {
            struct ids a, b;

            ids_init(&a);
            ids_init(&b);
            encode(&own, text, marks, &a);
            encode(&made, text, marks, &b);
            CHECK_EQ_U64(a.n, b.n);
            if (!CHECK(a.n == b.n && a.n > 10000
                       && memcmp(a.id, b.id, a.n * sizeof(a.id[0])) == 0))
                printf("  %s\n", pre);
            ids_release(&a);
            ids_release(&b);
        }
        tokenizer_release(&made);
        tokenizer_release(&own);
    }
    buf_release(&json);
}

TEST(ids_are_those_of_the_tokenizer_json)
{
    static const char *const row[][2] = {
        { "gpt2", "gpt-2" }, { "phi-2", "phi-2" },
        { "qwen2.5", "qwen2" }, { "starcoder2", "smollm" },
        { "o200k", "gpt-4o" }, { "deepseek-v4", "deepseek-v3" },
    };
    const char *shared = getenv("GRAFT_SHARED");
    struct buf text;

    if (shared == NULL || !path_exists(shared))
        SKIP("no GRAFT_SHARED");
    buf_init(&text);
    fill_text(&text);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct buf path;

        buf_init(&path);
        buf_addf(&path, "%s/tokenizers/%s/tokenizer.json", shared, row[i][0]);
        check_real(path.data, row[i][1],
                   strcmp(row[i][0], "deepseek-v4") != 0, &text);
        buf_release(&path);
    }
    buf_release(&text);
}

static const struct test tests[] = {
    RUN(kinds_of_tokens),
    RUN(what_a_text_begins_with),
    RUN(without_a_pre_tokenizer_the_architecture_tells),
    RUN(what_can_not_be_is_refused_by_name),
    RUN(merges_have_to_make_tokens),
    RUN(a_damaged_file_is_read_or_refused),
    RUN(the_chat_template_comes_with_its_tokens),
    RUN(ids_are_those_of_the_tokenizer_json),
};

TEST_MAIN("gguf_tokenizer", tests)
