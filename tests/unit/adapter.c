/* adapter.c - PEFT's two files: round trip, and everything that is refused. */
#include "weights/adapter.h"

#include <math.h>

#include "base/buf.h"
#include "base/io.h"
#include "test.h"
#include "weights/adapter_saved.h"

#define DIR "adapter-test.tmp"

static const float values[] = {
    1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6, 0.5f, 0.25f, 0.125f, 8,
};

/* rank 2; k_proj maps 3 to 1, q_proj 2 to 3. */
static struct adapter
example(void)
{
    static const char *target[] = { "q_proj", "self_attn.k_proj" };
    static struct adapter_module item[2];
    struct adapter a = {
        .rank = 2, .alpha = 4, .dropout = 0.25, .target = target,
        .n_targets = 2, .item = item, .n = 2, .base = "some/base \"x\"",
    };

    item[0] = (struct adapter_module){
        "model.layers.0.self_attn.q_proj", 2, 3, 2, 4, values, values + 4, NULL
    };
    item[1] = (struct adapter_module){
        "model.layers.0.self_attn.k_proj", 3, 1, 2, 4, values + 6, values + 12,
        NULL
    };
    return a;
}

static void
write_example(const struct adapter *a)
{
    const struct safetensors_meta meta = { "graft.test", "yes" };
    struct err e = { 0 };

    CHECK(path_remove(DIR, &e) == 0);
    CHECK(adapter_write(a, DIR, &meta, 1, NULL, &e) == 0);
}

TEST(an_adapter_comes_back)
{
    struct adapter a = example(), b;
    struct err e = { 0 };

    a.rslora = true;
    a.fan_in_fan_out = true;
    write_example(&a);
    CHECK(adapter_read(&b, DIR, &e) == 0);
    CHECK_EQ_U64(b.rank, 2);
    CHECK(b.alpha == 4 && b.dropout == 0.25);
    CHECK(b.rslora && b.fan_in_fan_out);
    CHECK(fabs(adapter_scale(&b, b.item) - 4 / sqrt(2)) < 1e-15);
    CHECK_STR(b.base, "some/base \"x\"");
    CHECK_EQ_U64(b.n_targets, 2);
    CHECK_STR(b.target[1], "self_attn.k_proj");
    CHECK_EQ_U64(b.n, 2);
    CHECK_STR(b.item[0].name, "model.layers.0.self_attn.k_proj");
    CHECK_EQ_U64(b.item[0].in, 3);
    CHECK_EQ_U64(b.item[0].out, 1);
    CHECK(memcmp(b.item[0].a, values + 6, 24) == 0);
    CHECK(memcmp(b.item[0].b, values + 12, 8) == 0);
    CHECK(memcmp(b.item[1].a, values, 16) == 0);
    CHECK(memcmp(b.item[1].b, values + 4, 24) == 0);
    adapter_release(&b);

    /* Writing over it is allowed: a run saves its adapter again. */
    a = example();
    a.base = NULL;
    CHECK(adapter_write(&a, DIR, NULL, 0, NULL, &e) == 0);
    CHECK(adapter_read(&b, DIR, &e) == 0);
    CHECK(!b.rslora && !b.base);
    CHECK(adapter_scale(&b, b.item) == 2);
    adapter_release(&b);
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(targets_follow_from_the_modules)
{
    struct adapter a = example(), b;
    struct adapter_module item[3];
    struct err e = { 0 };

    memcpy(item, a.item, sizeof(*item));
    memcpy(item + 1, a.item, 2 * sizeof(*item));
    item[0].name = "model.layers.10.self_attn.q_proj";
    a.item = item;
    a.n = 3;
    a.n_targets = 0;
    write_example(&a);
    CHECK(adapter_read(&b, DIR, &e) == 0);
    CHECK_EQ_U64(b.n_targets, 2);
    CHECK_STR(b.target[0], "self_attn.q_proj");
    CHECK_STR(b.target[1], "self_attn.k_proj");
    CHECK_EQ_U64(b.n, 3);
    adapter_release(&b);
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(modules_of_their_own_strength_come_back)
{
    struct adapter_pattern ranks[] = { { "x", 7 }, { "layers.*.k_proj", 1 } };
    struct adapter_pattern alphas[] = { { "k_proj", 3 }, { "k.*", 9 } };
    struct adapter a = example(), b;
    struct err e = { 0 };

    a.rank_pattern.item = ranks;
    a.alpha_pattern.item = alphas;
    a.rank_pattern.n = a.alpha_pattern.n = 2;
    a.item[1].rank = 1;
    a.dora = true;
    a.item[0].magnitude = values + 12; /* 3 and 1 of them */
    a.item[1].magnitude = values + 15;
    write_example(&a);
    CHECK(adapter_read(&b, DIR, &e) == 0);
    CHECK(b.dora && b.rank == 2 && b.rank_pattern.n == 2);
    CHECK_STR(b.rank_pattern.item[1].key, "layers.*.k_proj");
    CHECK(b.item[0].rank == 1 && b.item[1].rank == 2);
    CHECK(adapter_scale(&b, &b.item[0]) == 3);
    CHECK(adapter_scale(&b, &b.item[1]) == 2);
    CHECK(memcmp(b.item[0].b, values + 12, 4) == 0);
    CHECK(memcmp(b.item[0].magnitude, values + 15, 4) == 0);
    CHECK(memcmp(b.item[1].magnitude, values + 12, 12) == 0);
    adapter_release(&b);
    CHECK(path_remove(DIR, &e) == 0);
}

/* Beside the matrices; all ends of names that the list has. */
TEST(modules_to_save_come_back)
{
    const char *save[] = { "norm", "lm_head" };
    struct adapter_tensor whole[] = {
        { .name = "model.layers.0.input_layernorm.weight", .n_dims = 1,
          .rows = 1, .cols = 3, .data = values },
        { .name = "lm_head.weight", .n_dims = 2, .rows = 4, .cols = 2,
          .data = values + 3 },
        { .name = "lm_head.bias", .n_dims = 1, .rows = 1, .cols = 4,
          .data = values + 2 },
    };
    struct adapter a = example(), b;
    const struct adapter_tensor *t;
    struct err e = { 0 };

    a.save = save;
    a.n_save = 2;
    a.whole = whole;
    a.n_whole = 3;
    write_example(&a);
    CHECK(adapter_read(&b, DIR, &e) == 0);
    CHECK(b.n == 2 && b.n_save == 2 && b.n_whole == 3 && !b.tied);
    CHECK_STR(b.save[1], "lm_head");
    t = adapter_saved(&b, "lm_head.weight");
    CHECK(t && t->n_dims == 2 && t->rows == 4 && t->cols == 2
          && memcmp(t->data, values + 3, 32) == 0);
    t = adapter_saved(&b, "model.layers.0.input_layernorm.weight");
    CHECK(t && t->n_dims == 1 && t->rows == 1 && t->cols == 3
          && memcmp(t->data, values, 12) == 0);
    CHECK(adapter_saved(&b, "lm_head") == NULL);
    adapter_release(&b);
    CHECK(path_remove(DIR, &e) == 0);
}

/* Ids in PEFT's order, rows with them; by names, and of one that is another's,
 * too. */
TEST(rows_of_tokens_come_back)
{
    int32_t id[] = { 9, 2, 5 }, more[] = { 1 };
    struct adapter_tokens tokens[] = {
        { .id = id, .n = 3, .cols = 2, .module = "model.embed_tokens",
          .rows = (float *)values },
        { .key = "lm_head", .id = more, .n = 1, .cols = 2,
          .module = "lm_head", .rows = (float *)values + 8 },
    };
    struct adapter a = example(), b;
    struct err e = { 0 };

    a.tokens = tokens;
    a.n_tokens = 1;
    write_example(&a);
    CHECK(adapter_read(&b, DIR, &e) == 0);
    if (!CHECK(b.n_tokens == 1 && b.tokens[0].n == 3))
        return;
    CHECK(b.tokens[0].key == NULL && b.tokens[0].id[0] == 2
          && b.tokens[0].id[1] == 5 && b.tokens[0].id[2] == 9);
    CHECK(memcmp(b.tokens[0].rows, values + 2, 16) == 0
          && memcmp(b.tokens[0].rows + 4, values, 8) == 0);
    CHECK_STR(b.tokens[0].module, "model.embed_tokens");
    adapter_release(&b);
    tokens[0].key = "embed_tokens";
    a.n_tokens = 2;
    write_example(&a);
    CHECK(adapter_read(&b, DIR, &e) == 0);
    CHECK(b.n_tokens == 2 && strcmp(b.tokens[0].key, "embed_tokens") == 0
          && b.tokens[1].cols == 2 && b.tokens[1].rows[0] < 0);
    adapter_release(&b);
    CHECK(path_remove(DIR, &e) == 0);
}

static void
check_refused(const char *part)
{
    struct adapter b;
    struct err e = { 0 };

    CHECK(adapter_read(&b, DIR, &e) == ERR_DATA);
    if (!strstr(e.text, part))
        CHECK_STR(e.text, part);
    CHECK(strncmp(e.text, DIR "/adapter_", strlen(DIR) + 9) == 0);
}

static int
read_with_config(const char *config)
{
    struct err e = { 0 };
    struct adapter b;
    int rc;

    CHECK(file_write(DIR "/" ADAPTER_CONFIG, config, strlen(config), &e)
          == 0);
    rc = adapter_read(&b, DIR, &e);
    if (rc == 0)
        adapter_release(&b);
    return rc;
}

static void
check_config(const char *config, const char *part)
{
    CHECK(read_with_config(config) == ERR_DATA);
    check_refused(part);
}

#define CONFIG(more) "{\"peft_type\":\"LORA\",\"r\":2,\"target_modules\":" \
    "[\"q_proj\",\"k_proj\"]" more "}"

TEST(a_config_that_means_something_else_is_refused)
{
    struct adapter a = example();
    struct err e = { 0 };

    write_example(&a);
    CHECK(read_with_config(CONFIG("")) == 0);
    CHECK(read_with_config(CONFIG(",\"use_dora\":false,\"new_thing\":{},"
                                  "\"other\":null,\"bias\":\"none\"")) == 0);
    check_config(CONFIG(",\"use_dora\":true"), "k_proj has no "
                 "lora_magnitude_vector");
    check_config(CONFIG(",\"rank_pattern\":{\"q_proj\":4}"),
                 "ranks 2 and 2 of its matrices, expected r = 4");
    check_config(CONFIG(",\"rank_pattern\":{\"q_proj\":1.5}"), "q_proj "
                 "(found 1.5, expected a whole number from 1 to 65536, as a "
                 "value of rank_pattern)");
    check_config(CONFIG(",\"rank_pattern\":{\"(\":2}"), "is no pattern");
    check_config(CONFIG(",\"rank_pattern\":[1]"), "rank_pattern (found [1]");
    check_config(CONFIG(",\"alpha_pattern\":{\"q\":\"4\"}"),
                 "q (found \"4\", expected a number");
    check_config(CONFIG(",\"modules_to_save\":[\"lm_head\"]"),
                 "modules_to_save: the adapter has no tensors of 'lm_head'");
    check_config(CONFIG(",\"modules_to_save\":[\"proj\"]"),
                 "means module model.layers.0.self_attn.k_proj, of which the "
                 "adapter has matrices");
    check_config(CONFIG(",\"modules_to_save\":[\"\"]"),
                 "modules_to_save (found \"\", expected a list");
    check_config(CONFIG(",\"modules_to_save\":\"lm_head\""),
                 "modules_to_save (found \"lm_head\", expected a list");
    check_config(CONFIG(",\"new_thing\":1"), "new_thing");
    check_config(CONFIG(",\"bias\":\"all\""), "bias");
    check_config(CONFIG(",\"init_lora_weights\":\"pissa\""), "pissa");
    check_config(CONFIG(",\"lora_alpha\":\"4\""), "lora_alpha");
    check_config(CONFIG(",\"lora_dropout\":2"), "lora_dropout");
    check_config(CONFIG(",\"lora_alpha\":null"),
                 "lora_alpha (found null");
    check_config(CONFIG(",\"use_rslora\":\"true\""),
                 "use_rslora (found \"true\", expected true or false)");
    check_config("{\"peft_type\":\"IA3\"}", "peft_type");
    check_config("{\"peft_type\":\"LORA\",\"r\":2}", "target_modules");
    check_config("{\"peft_type\":\"LORA\",\"r\":0}", "r (found 0, expected");
    check_config("{\"peft_type\":\"LORA\",\"r\":1.5}", "r (found 1.5,");
    check_config("{\"peft_type\":\"LORA\",\"r\":3,\"target_modules\":[]}",
                 "expected r = 3");
    check_config("[]", "no JSON object");
    check_config("{", "byte");
    CHECK(path_remove(DIR, &e) == 0);
}

#define TOKENS(value) CONFIG(",\"trainable_token_indices\":" value)

TEST(ids_that_are_none_are_refused)
{
    int32_t id[] = { 1, 2 };
    struct adapter_tokens tokens = {
        .id = id, .n = 2, .cols = 2, .module = "model.embed_tokens",
        .rows = (float *)values
    };
    struct adapter a = example();
    struct err e = { 0 };

    a.tokens = &tokens;
    a.n_tokens = 1;
    write_example(&a);
    CHECK(read_with_config(TOKENS("[1,2]")) == 0);
    CHECK(read_with_config(TOKENS("{\"embed_tokens\":[2,1]}")) == 0);
    CHECK(read_with_config(TOKENS("{\"embed_tokens\":[2,1],"
                                  "\"lm_head\":[2,1]}")) == 0);
    check_config(CONFIG(""), "trainable_tokens_delta: expected");
    check_config(TOKENS("[1]"), "2 rows, expected 1 as in trainable_token");
    check_config(TOKENS("[1,1]"), "1 is there twice, of the embedding");
    check_config(TOKENS("[1,-1]"), "(found -1, expected the id of a token)");
    check_config(TOKENS("[1,2.5]"), "(found 2.5, expected the id");
    check_config(TOKENS("[1,\"2\"]"), "(found \"2\", expected the id");
    check_config(TOKENS("[1,3e9]"), "expected the id");
    check_config(TOKENS("[]"), "(found [], expected a list of ids");
    check_config(TOKENS("{}"), "(found {}, expected a list of ids");
    check_config(TOKENS("7"), "(found 7, expected a list of ids");
    check_config(TOKENS("{\"embed_tokens\":7}"), "(found 7, expected a list");
    check_config(TOKENS("{\"\":[1,2]}"), "expected names of modules");
    check_config(TOKENS("{\"lm_head\":[1,2]}"), "trainable_tokens_delta: "
                 "expected");
    check_config(TOKENS("{\"embed_tokens\":[1,2],\"lm_head\":[1]}"),
                 "the adapter has no rows of lm_head");
    CHECK(path_remove(DIR, &e) == 0);
}

#define TARGETS(targets, more) "{\"peft_type\":\"LORA\",\"r\":2," \
    "\"target_modules\":" targets more "}"

/* PEFT would leave them out, so their matrices had no effect there. */
TEST(modules_that_the_config_does_not_select_are_refused)
{
    static const char out[] = "leaves out module "
                              "model.layers.0.self_attn.";
    struct adapter a = example();
    struct err e = { 0 };

    write_example(&a);
    CHECK(read_with_config(TARGETS("\"all-linear\"", "")) == 0);
    CHECK(read_with_config(TARGETS("\".*\\\\.(q|k)_proj\"", "")) == 0);
    CHECK(read_with_config(CONFIG(",\"layers_to_transform\":[3,0]")) == 0);
    CHECK(read_with_config(CONFIG(",\"layers_to_transform\":0")) == 0);
    CHECK(read_with_config(CONFIG(",\"exclude_modules\":[\"o\"]")) == 0);
    check_config(TARGETS("[\"q_proj\"]", ""), out);
    check_config(TARGETS("[\"proj\"]", ""), out);
    check_config(TARGETS("\"q_proj\"", ""), out);
    check_config(TARGETS("\"(\"", ""), "is no pattern");
    check_config(TARGETS("\"(.*.*.*.*.*.*)+[xz]\"", ""), "is no pattern");
    check_config(CONFIG(",\"layers_to_transform\":[1]"), out);
    check_config(CONFIG(",\"exclude_modules\":[\"q_proj\"]"), out);
    check_config(CONFIG(",\"exclude_modules\":\".*k_proj\""), out);
    CHECK(path_remove(DIR, &e) == 0);
}

/* One tensor more, or a changed one, in a file of F32 and zeros. */
static void
check_tensors(const char *header, size_t n_data, const char *part)
{
    struct err e = { 0 };
    struct buf b;

    buf_init(&b);
    buf_u64(&b, strlen(header));
    buf_addstr(&b, header);
    memset(buf_room(&b, n_data), 0, n_data);
    b.len += n_data;
    CHECK(file_write(DIR "/" ADAPTER_WEIGHTS, b.data, b.len, &e) == 0);
    buf_release(&b);
    check_refused(part);
}

#define TENSOR(name, shape, begin, end) "\"base_model.model." name \
    ".weight\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" \
    #begin "," #end "]}"

TEST(tensors_that_are_no_adapter_are_refused)
{
    struct adapter a = example();
    struct err e = { 0 };

    write_example(&a);
    check_tensors("{}", 0, "no adapter matrices");
    check_tensors("{" TENSOR("x.lora_A", "[2,3]", 0, 24) "}", 24,
                  "no lora_B");
    check_tensors("{" TENSOR("x.lora_B", "[3,2]", 0, 24) "}", 24,
                  "expected base_model");
    check_tensors("{" TENSOR("lm_head", "[2]", 0, 8) "}", 8,
                  "expected base_model");
    check_tensors("{" TENSOR(".lora_A", "[2]", 0, 8) "}", 8,
                  "expected base_model");
    check_tensors("{" TENSOR("x.lora_A", "[2,3]", 0, 24) ","
                  TENSOR("x.lora_B", "[3,1]", 24, 36) "}", 36,
                  "ranks 2 and 1");
    check_tensors("{" TENSOR("x.lora_A", "[0,3]", 0, 0) ","
                  TENSOR("x.lora_B", "[3,0]", 0, 0) "}", 0,
                  "expected a matrix");
    check_tensors("{" TENSOR("x.lora_A", "[2,3,1]", 0, 24) ","
                  TENSOR("x.lora_B", "[3,2]", 24, 48) "}", 48,
                  "expected a matrix");
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(a_value_that_is_not_finite_is_refused)
{
    float bad[16];
    struct adapter a = example();
    struct err e = { 0 };

    memcpy(bad, values, sizeof(bad));
    bad[7] = NAN;
    a.item[1].a = bad + 6;
    write_example(&a);
    check_refused("k_proj.lora_A.weight: element 1 is");
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(missing_files)
{
    struct adapter a = example(), b;
    struct err e = { 0 };

    CHECK(adapter_read(&b, "no-such-adapter", &e) == ERR_IO);
    write_example(&a);
    CHECK(path_remove(DIR "/" ADAPTER_WEIGHTS, &e) == 0);
    CHECK(adapter_read(&b, DIR, &e) == ERR_IO);
    CHECK(path_remove(DIR, &e) == 0);
}

static const char llama[] = "{\"model_type\":\"llama\",\"hidden_size\":8,"
    "\"num_attention_heads\":2,\"num_key_value_heads\":1,"
    "\"num_hidden_layers\":2,\"intermediate_size\":12,\"vocab_size\":16}";

TEST(an_adapter_belongs_to_a_model)
{
    struct adapter_module item[2] = {
        { .name = "model.layers.0.self_attn.q_proj", .in = 8, .out = 8 },
        { .name = "model.layers.1.mlp.down_proj", .in = 12, .out = 8 },
    };
    struct adapter a = { .rank = 2, .item = item, .n = 2 };
    struct model_desc d;
    struct err e = { 0 };
    size_t linears = 0;

    CHECK(desc_read(&d, llama, strlen(llama), "llama", &e) == 0);
    CHECK(adapter_match(&a, &d, &linears, &e) == 0);
    CHECK_EQ_U64(linears, 14);
    item[1].in = 8;
    CHECK(adapter_match(&a, &d, &linears, &e) == ERR_DATA);
    CHECK(strstr(e.text, "maps 8 to 8, in the base 12 to 8") != NULL);
    item[1].name = "model.layers.2.mlp.down_proj";
    CHECK(adapter_match(&a, &d, &linears, &e) == ERR_DATA);
    item[1].name = "model.embed_tokens";
    CHECK(adapter_match(&a, &d, &linears, &e) == ERR_DATA);
    a.n = 0;
    CHECK(adapter_match(&a, &d, &linears, &e) == ERR_DATA);
    desc_release(&d);
}

static const struct test tests[] = {
    RUN(an_adapter_comes_back),
    RUN(targets_follow_from_the_modules),
    RUN(modules_of_their_own_strength_come_back),
    RUN(modules_to_save_come_back),
    RUN(rows_of_tokens_come_back),
    RUN(ids_that_are_none_are_refused),
    RUN(a_config_that_means_something_else_is_refused),
    RUN(modules_that_the_config_does_not_select_are_refused),
    RUN(tensors_that_are_no_adapter_are_refused),
    RUN(a_value_that_is_not_finite_is_refused),
    RUN(missing_files),
    RUN(an_adapter_belongs_to_a_model),
};

TEST_MAIN("adapter", tests)
