/* arch.c - what a config.json has to know about a tokenizer, and how an
 * architecture becomes one: keys that are kept, added and refused. */
#include "weights/arch.h"

#include <cjson/cJSON.h>

#include "tensor/dtype.h"
#include "test.h"

static void
check_error(int rc, const struct err *e, const char *text)
{
    if (!CHECK(rc == ERR_DATA && strstr(e->text, text) != NULL))
        printf("  %d \"%s\", expected \"%s\"\n", rc, e->text, text);
}

static int
read_vocab(struct vocab *v, const char *text, struct err *e)
{
    return vocab_read(v, text, strlen(text), "tok", e);
}

static void
check_vocab(const char *text, uint64_t size, uint64_t end)
{
    struct vocab v = { 77, 77 };
    struct err e = { 0 };

    if (!CHECK(read_vocab(&v, text, &e) == 0))
        printf("  %s: %s\n", text, e.text);
    CHECK_EQ_U64(v.size, size);
    CHECK_EQ_U64(v.end, end);
}

TEST(ids_of_vocabulary_and_added_tokens)
{
    check_vocab("{\"model\": {\"vocab\": {\"a\": 0, \"b\": 6, \"c\": 3}}}",
                7, UINT64_MAX);
    check_vocab("{\"added_tokens\": [{\"id\": 9, \"content\": \"x\"},"
                " {\"content\": \"<|endoftext|>\", \"special\": true,"
                " \"id\": 4}], \"model\": {\"merges\": [[\"vocab\"]],"
                " \"vocab\": {\"a\": 0}, \"type\": \"BPE\"}}", 10, 4);
    check_vocab("{\"model\": {\"vocab\": {\"<|endoftext|>\": 0}}}", 1, 0);
    check_vocab("{\"model\": {\"vocab\": {\"a\": 2147483647}}}",
                2147483648, UINT64_MAX);
    check_vocab("{\"vocab\": {\"a\": 99}, \"model\": {\"vocab\": {\"a\": 0}},"
                " \"post_processor\": {\"model\": {\"vocab\": 5}}}", 1,
                UINT64_MAX);
}

TEST(what_is_no_tokenizer_is_refused)
{
    static const char *const bad[] = {
        "", "7", "[]", "{}", "{\"model\": {\"vocab\": {}}}",
        "{\"model\": 5}", "{\"model\": {\"vocab\": [\"a\"]}}",
        "{\"model\": {\"vocab\": {\"a\": \"0\"}}}",
        "{\"model\": {\"vocab\": {\"a\": -1}}}",
        "{\"model\": {\"vocab\": {\"a\": 1.0}}}",
        "{\"model\": {\"vocab\": {\"a\": 2147483648}}}",
        "{\"model\": {\"vocab\": {\"a\": 99999999999999999999}}}",
        "{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}}}",
        "{\"model\": {\"vocab\": {\"a\": 0}}, \"added_tokens\": {}}",
        "{\"model\": {\"vocab\": {\"a\": 0}}, \"added_tokens\": [1]}",
        "{\"model\": {\"vocab\": {\"a\": 0}},"
        " \"added_tokens\": [{\"id\": null, \"content\": \"x\"}]}",
        "{\"model\": {\"vocab\": {\"a\": 0}},"
        " \"added_tokens\": [{\"id\": 1, \"content\": 1}]}",
        "{\"model\": {\"vocab\": {\"a\": 0}}} x",
    };
    struct vocab v = { 77, 77 };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = { 0 };

        check_error(read_vocab(&v, bad[i], &e), &e, "tok: ");
        CHECK(v.size == 77 && v.end == 77);
    }
}

TEST(an_added_token_has_an_id)
{
    struct err e = { 0 };
    struct vocab v;

    check_error(read_vocab(&v, "{\"model\": {\"vocab\": {\"a\": 0}},"
                           " \"added_tokens\": [{\"content\": \"x\"}]}",
                           &e), &e, "an added token without id");
}

static int
make_config(struct buf *b, unsigned *dtype, const char *text,
            const struct vocab *v, struct err *e)
{
    return arch_config(b, dtype, text, strlen(text), v, "arch", e);
}

/* The config.json of text says just what want does, and ends in a newline. */
static void
check_config(const char *text, const struct vocab *v, unsigned dtype,
             const char *want)
{
    cJSON *got, *expected = cJSON_Parse(want);
    struct err e = { 0 };
    unsigned found = 99;
    struct buf b;

    buf_init(&b);
    if (CHECK(make_config(&b, &found, text, v, &e) == 0)) {
        got = cJSON_Parse(b.data);
        CHECK_EQ_U64(found, dtype);
        CHECK(b.len > 0 && b.data[b.len - 1] == '\n');
        if (!CHECK(expected != NULL && cJSON_Compare(got, expected, true)))
            printf("  %s\n", b.data);
        cJSON_Delete(got);
    } else {
        printf("  %s\n", e.text);
    }
    cJSON_Delete(expected);
    buf_release(&b);
}

TEST(what_is_absent_is_added)
{
    static const struct vocab with_end = { 50, 3 }, without = { 60,
                                                                UINT64_MAX };

    check_config("{\"model_type\": \"gpt2\", \"n_embd\": 8}", &with_end,
                 DTYPE_F32, "{\"model_type\": \"gpt2\", \"n_embd\": 8,"
                 " \"torch_dtype\": \"float32\", \"vocab_size\": 50,"
                 " \"bos_token_id\": 3, \"eos_token_id\": 3,"
                 " \"architectures\": [\"GPT2LMHeadModel\"]}");
    check_config("{\"model_type\": \"llama\", \"vocab_size\": null,"
                 " \"architectures\": null}", &without, DTYPE_F32,
                 "{\"model_type\": \"llama\", \"torch_dtype\": \"float32\","
                 " \"vocab_size\": 60, \"bos_token_id\": null,"
                 " \"eos_token_id\": null,"
                 " \"architectures\": [\"LlamaForCausalLM\"]}");
    check_config("{\"model_type\": \"phi\"}", NULL, DTYPE_F32,
                 "{\"model_type\": \"phi\", \"torch_dtype\": \"float32\","
                 " \"bos_token_id\": null, \"eos_token_id\": null,"
                 " \"architectures\": [\"PhiForCausalLM\"]}");
}

TEST(what_is_there_is_kept)
{
    static const struct vocab v = { 50, 3 };

    check_config("{\"model_type\": \"qwen2\", \"torch_dtype\": \"bfloat16\","
                 " \"vocab_size\": 64, \"bos_token_id\": null,"
                 " \"eos_token_id\": [1, 2], \"architectures\": [\"X\"]}", &v,
                 DTYPE_BF16,
                 "{\"model_type\": \"qwen2\", \"torch_dtype\": \"bfloat16\","
                 " \"vocab_size\": 64, \"bos_token_id\": null,"
                 " \"eos_token_id\": [1, 2], \"architectures\": [\"X\"]}");
    check_config("{\"model_type\": \"gpt2\", \"dtype\": \"float16\","
                 " \"vocab_size\": 50, \"bos_token_id\": 7}", &v, DTYPE_F16,
                 "{\"model_type\": \"gpt2\", \"dtype\": \"float16\","
                 " \"vocab_size\": 50, \"bos_token_id\": 7,"
                 " \"eos_token_id\": 3,"
                 " \"architectures\": [\"GPT2LMHeadModel\"]}");
}

static void
check_refused(const char *text, const struct vocab *v, const char *want)
{
    struct err e = { 0 };
    unsigned dtype;
    struct buf b;

    buf_init(&b);
    buf_addstr(&b, "kept");
    check_error(make_config(&b, &dtype, text, v, &e), &e, want);
    CHECK_STR(b.data, "kept");
    buf_release(&b);
}

TEST(what_would_not_be_obeyed_is_refused)
{
    static const struct vocab v = { 50, 3 };

    check_refused("", NULL, "arch: ");
    check_refused("[]", NULL, "arch: has no model_type");
    check_refused("{}", NULL, "arch: has no model_type");
    check_refused("{\"model_type\": null}", NULL, "has no model_type");
    check_refused("{\"model_type\": 2}", NULL, "has no model_type");
    check_refused("{\"model_type\": \"bert\"}", NULL,
                  "arch: unknown model_type \"bert\" (expected one of llama, ");
    check_refused("{\"model_type\": \"gpt2\", \"n_embed\": 8}", NULL,
                  "gpt2 models have no key \"n_embed\" (the nearest is "
                  "\"n_embd\")");
    check_refused("{\"model_type\": \"llama\", \"n_embd\": 8}", NULL,
                  "llama models have no key \"n_embd\"");
    check_refused("{\"model_type\": \"gpt2\", \"vocabsize\": 8}", NULL,
                  "\"vocab_size\"");
    check_refused("{\"model_type\": \"gpt2\", \"vocab_size\": 49}", &v,
                  "arch: vocab_size is 49, the tokenizer needs 50");
    check_refused("{\"model_type\": \"gpt2\", \"vocab_size\": \"64\"}", &v,
                  "vocab_size");
    check_refused("{\"model_type\": \"gpt2\", \"dtype\": \"int8\"}", NULL,
                  "arch: dtype (expected float32, bfloat16 or float16)");
    check_refused("{\"model_type\": \"gpt2\", \"torch_dtype\": 32}", NULL,
                  "arch: dtype");
    check_refused("{\"model_type\": \"gpt2\", \"n_layer\": 1,"
                  " \"n_layer\": 2}", NULL, "arch: ");
}

/* As long as a key may be, and longer than any name that is compared. */
TEST(a_very_long_key_is_refused_as_well)
{
    char text[400];
    int n = snprintf(text, sizeof(text), "{\"model_type\": \"gpt2\", \"");

    memset(text + n, 'n', 300);
    snprintf(text + n + 300, sizeof(text) - 300 - (size_t)n, "\": 1}");
    check_refused(text, NULL, "gpt2 models have no key \"nnnn");
}

static const struct test tests[] = {
    RUN(ids_of_vocabulary_and_added_tokens),
    RUN(what_is_no_tokenizer_is_refused),
    RUN(an_added_token_has_an_id),
    RUN(what_is_absent_is_added),
    RUN(what_is_there_is_kept),
    RUN(what_would_not_be_obeyed_is_refused),
    RUN(a_very_long_key_is_refused_as_well),
};

TEST_MAIN("arch", tests)
