/* gguf_base.c - a GGUF file as a base: its config.json, its tensors' names,
 * shapes and order, and what is refused by name. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "gguf_made.h"
#include "model/family.h"
#include "said.h"
#include "test.h"
#include "weights/base.h"

static const char path[] = "gguf-base-test.tmp";

enum { F32 = 0, F16 = 1, Q2_K = 10 }; /* ggml's numbers */
enum { DIM = 8, HEADS = 2, KV = 1, FF = 12, VOCAB = 6 };

/* rows of cols floats, each of them the number of its row. */
static void
put_rows(struct gguf_made *m, const char *name, uint32_t rows, uint32_t cols)
{
    const uint64_t ne[2] = { cols ? cols : rows, rows };
    float x[64 * 64] = { 0 };

    for (uint32_t i = 0; i < rows * (cols ? cols : 1); i++)
        x[i] = (float)(cols ? i / cols : i);
    made_tensor(m, name, F32, cols ? 2 : 1, ne, x,
                rows * (cols ? cols : 1) * sizeof(*x));
}

static void
put_tensors(struct gguf_made *m)
{
    put_rows(m, "token_embd.weight", VOCAB, DIM);
    put_rows(m, "blk.0.attn_norm.weight", DIM, 0);
    put_rows(m, "blk.0.attn_q.weight", DIM, DIM);
    put_rows(m, "blk.0.attn_k.weight", DIM / HEADS * KV, DIM);
    put_rows(m, "blk.0.attn_v.weight", DIM / HEADS * KV, DIM);
    put_rows(m, "blk.0.attn_output.weight", DIM, DIM);
    put_rows(m, "blk.0.ffn_norm.weight", DIM, 0);
    put_rows(m, "blk.0.ffn_gate.weight", FF, DIM);
    put_rows(m, "blk.0.ffn_up.weight", FF, DIM);
    put_rows(m, "blk.0.ffn_down.weight", DIM, FF);
    put_rows(m, "output_norm.weight", DIM, 0);
}

/* The keys that a model has to have, but for one. */
static void
put_keys(struct gguf_made *m, const char *without)
{
    static const struct {
        const char *name;
        uint32_t value;
    } keys[] = {
        { "llama.context_length", 300 }, { "llama.embedding_length", DIM },
        { "llama.block_count", 1 }, { "llama.feed_forward_length", FF },
        { "llama.attention.head_count", HEADS },
    };
    static const char eps[] = "llama.attention.layer_norm_rms_epsilon";

    if (strcmp(without, "general.architecture") != 0)
        made_string(m, "general.architecture", "llama");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(without, keys[i].name) != 0)
            made_u32(m, keys[i].name, keys[i].value);
    if (strcmp(without, eps) != 0)
        made_f32(m, eps, 0x1p-17f);
}

/* A whole model; of so many key heads as its tensors have. */
static void
make_llama(struct gguf_made *m)
{
    made_init(m);
    put_keys(m, "");
    made_u32(m, "llama.attention.head_count_kv", KV);
    put_tensors(m);
}

/* Opens and describes what was made, which is released; the code, and whether
 * the message holds `part`. */
static int
open_made(struct gguf_made *m, struct model_desc *d, struct weights *w,
          const char *part)
{
    struct err e = { 0 };
    size_t unused = 0;
    int rc;

    CHECK(made_write(m, path));
    made_release(m);
    rc = weights_open(w, path, &e);
    if (rc == 0) {
        rc = base_describe(d, &unused, w, &e);
        CHECK_EQ_U64(unused, 0);
        if (rc < 0)
            weights_release(w);
    }
    CHECK(rc == 0 || strncmp(e.text, path, strlen(path)) == 0);
    if (part == NULL ? e.text[0] != '\0' : strstr(e.text, part) == NULL)
        CHECK_STR(e.text, part ? part : "");
    unlink(path);
    return rc;
}

static int
refused(struct gguf_made *m, const char *part)
{
    struct model_desc d;
    struct weights w;
    int rc = open_made(m, &d, &w, part);

    if (rc == 0) {
        desc_release(&d);
        weights_release(&w);
    }
    return rc;
}

TEST(tensors_have_names_of_hugging_face)
{
    struct gguf_made m;
    struct model_desc d;
    struct weights w;
    const struct weight *t;

    make_llama(&m);
    CHECK(open_made(&m, &d, &w, NULL) == 0);
    CHECK_EQ_U64(w.n, 11);
    t = weights_find(&w, "model.layers.0.mlp.gate_proj.weight");
    CHECK(t != NULL && t->n_dims == 2 && t->shape[0] == FF
          && t->shape[1] == DIM && t->dtype == DTYPE_F32);
    t = weights_find(&w, "model.embed_tokens.weight");
    CHECK(t != NULL && t->shape[0] == VOCAB);
    CHECK(d.tied && d.vocab == VOCAB && d.dim == DIM && d.max_pos == 300);
    CHECK_EQ_U64(d.layer[0].kv_heads, KV);
    CHECK_EQ_U64(d.layer[0].head_dim, DIM / HEADS);
    CHECK(d.eps == 0x1p-17f);
    /* Not 3e+02, which transformers refuses. */
    CHECK(strstr(weights_asset(&w, "config.json")->data,
                 "\"max_position_embeddings\": 300,") != NULL);
    desc_release(&d);
    weights_release(&w);
}

static void
check_order(const struct weight *t, const float *order, size_t n)
{
    const float *x = t->data;

    for (size_t i = 0; x != NULL && i < n; i++)
        CHECK(x[i * DIM] == order[i] && x[i * DIM + DIM - 1] == order[i]);
}

/* Heads of four rows: the file has the rows 0 2 1 3. */
TEST(queries_and_keys_are_put_in_order)
{
    static const float order[DIM] = { 0, 2, 1, 3, 4, 6, 5, 7 };
    static const float plain[] = { 0, 1, 2, 3 };
    struct gguf_made m;
    struct model_desc d;
    struct weights w;
    const struct weight *q, *k;
    struct err e;
    struct id before, after;

    make_llama(&m);
    CHECK(open_made(&m, &d, &w, NULL) == 0);
    q = weights_find(&w, "model.layers.0.self_attn.q_proj.weight");
    k = weights_find(&w, "model.layers.0.self_attn.k_proj.weight");
    CHECK_EQ_U64(w.copied, q->bytes + k->bytes);
    CHECK(q->data == NULL && k->data == NULL);
    before = weights_id(&w);
    CHECK(weights_ready(&w, q, &e) == 0 && weights_ready(&w, k, &e) == 0);
    check_order(q, order, DIM);
    check_order(k, order, DIM / HEADS);
    check_order(weights_find(&w, "model.layers.0.self_attn.v_proj.weight"),
                plain, 4);
    after = weights_id(&w);
    CHECK(id_equal(&before, &after));
    check_order(q, order, DIM);
    weights_done(&w, q);
    CHECK(q->data == NULL && k->data != NULL);
    CHECK(weights_ready(&w, q, &e) == 0);
    check_order(q, order, DIM);
    desc_release(&d);
    weights_release(&w);
}

TEST(keys_that_are_missing)
{
    static const char *const needed[] = {
        "llama.context_length", "llama.embedding_length",
        "llama.block_count", "llama.feed_forward_length",
        "llama.attention.head_count",
        "llama.attention.layer_norm_rms_epsilon",
    };
    struct gguf_made m;
    char part[100];

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        made_init(&m);
        put_keys(&m, needed[i]);
        put_tensors(&m);
        snprintf(part, sizeof(part), ": has no key %s", needed[i]);
        CHECK(refused(&m, part) == ERR_DATA);
    }
    made_init(&m);
    put_keys(&m, "general.architecture");
    put_tensors(&m);
    CHECK(refused(&m, "general.architecture (found nothing, expected one of "
                  "llama, ") == ERR_DATA);
}

/* A model with one key more. */
static int
with_u32(const char *key, uint32_t v, const char *part)
{
    struct gguf_made m;

    make_llama(&m);
    made_u32(&m, key, v);
    return refused(&m, part);
}

static int
with_string(const char *key, const char *v, const char *part)
{
    struct gguf_made m;

    make_llama(&m);
    made_string(&m, key, v);
    return refused(&m, part);
}

TEST(keys_are_obeyed_or_refused)
{
    CHECK(with_u32("llama.expert_count", 0, NULL) == 0);
    CHECK(with_u32("llama.expert_count", 8, "key llama.expert_count (found "
                   "8, expected 0") == ERR_DATA);
    CHECK(with_u32("llama.logit_scale", 1, NULL) == 0);
    CHECK(with_u32("llama.logit_scale", 8, "key llama.logit_scale (found 8, "
                   "expected 1") == ERR_DATA);
    CHECK(with_u32("llama.attention.scale", 1, "expected no such key")
          == ERR_DATA);
    CHECK(with_u32("llama.unheard_of", 1, "key llama.unheard_of (found 1, "
                   "expected no such key") == ERR_DATA);
    CHECK(with_u32("llama.attention.value_length", 4, NULL) == 0);
    CHECK(with_u32("llama.attention.value_length", 8, "value_length (found "
                   "8, expected the length of a key") == ERR_DATA);
    CHECK(with_u32("llama.rope.dimension_count", 4, NULL) == 0);
    CHECK(with_u32("llama.rope.dimension_count", 2, "dimension_count (found "
                   "2, expected 4") == ERR_DATA);
    CHECK(with_u32("llama.attention.sliding_window", 300, NULL) == 0);
    CHECK(with_u32("llama.attention.key_length", 6, "q_proj.weight: no rows "
                   "of 2 heads of 6") == ERR_DATA);
    CHECK(with_u32("llama.vocab_size", 7, "bad shape") == ERR_DATA);
    CHECK(with_string("llama.vocab_size", "6", "vocab_size (found \"6\", "
                      "expected a whole number") == ERR_DATA);
    CHECK(with_u32("other.expert_count", 8, NULL) == 0);
    CHECK(with_u32("llama2.expert_count", 8, NULL) == 0);
    CHECK(with_u32("general.quantization_version", 2, NULL) == 0);
}

/* Both are llama to llama.cpp. */
TEST(a_llama_with_a_window_is_a_mistral)
{
    struct gguf_made m;
    struct model_desc d;
    struct weights w;

    make_llama(&m);
    made_u32(&m, "llama.attention.sliding_window", 299);
    CHECK(open_made(&m, &d, &w, NULL) == 0);
    CHECK_STR(d.family->model_type, "mistral");
    CHECK_EQ_U64(d.layer[0].window, 299);
    desc_release(&d);
    weights_release(&w);
    make_llama(&m);
    made_u32(&m, "llama.attention.sliding_window", 300);
    CHECK(open_made(&m, &d, &w, NULL) == 0);
    CHECK_STR(d.family->model_type, "llama");
    CHECK_EQ_U64(d.layer[0].window, 0);
    desc_release(&d);
    weights_release(&w);
}

TEST(files_that_are_no_whole_model)
{
    struct gguf_made m;

    CHECK(with_string("general.type", "model", NULL) == 0);
    CHECK(with_string("general.type", "adapter", "holds no model (found "
                      "general.type \"adapter\")") == ERR_DATA);
    CHECK(with_u32("split.count", 1, NULL) == 0);
    CHECK(with_u32("split.count", 3, "one of 3 files") == ERR_DATA);
    made_init(&m);
    made_string(&m, "general.architecture", "rwkv6");
    CHECK(refused(&m, "general.architecture (found \"rwkv6\"") == ERR_DATA);
    made_init(&m);
    put_keys(&m, "");
    CHECK(refused(&m, "tensor token_embd.weight is missing") == ERR_DATA);
}

/* Lists for layers are understood where all layers are alike. */
TEST(lists_for_layers)
{
    struct gguf_made m;

    made_init(&m);
    put_keys(&m, "");
    made_array(&m, "llama.attention.head_count_kv", GGUF_I32, 2);
    buf_u32(&m.keys, KV);
    buf_u32(&m.keys, KV);
    put_tensors(&m);
    CHECK(refused(&m, NULL) == 0);
    made_init(&m);
    put_keys(&m, "");
    made_array(&m, "llama.attention.head_count_kv", GGUF_I32, 2);
    buf_u32(&m.keys, KV);
    buf_u32(&m.keys, 2);
    put_tensors(&m);
    CHECK(refused(&m, "expected the same for all layers") == ERR_DATA);
}

/* A model with one tensor more. */
static int
with_tensor(const char *name, uint32_t type, uint64_t cols, const char *part)
{
    struct gguf_made m;

    make_llama(&m);
    made_tensor(&m, name, type, 1, &cols, NULL,
                cols / gguf_format(type)->block * gguf_format(type)->bytes);
    return refused(&m, part);
}

TEST(tensors_that_have_no_place)
{
    CHECK(with_tensor("blk.0.attn_q_norm.weight", F32, 4,
                      "tensor blk.0.attn_q_norm.weight has no place in a "
                      "llama model") == ERR_DATA);
    CHECK(with_tensor("blk.1.attn_norm.weight", F32, DIM, "no place")
          == ERR_DATA);
    CHECK(with_tensor("blk.0.attn_q.bias", F32, DIM, "no place")
          == ERR_DATA);
    CHECK(with_tensor("blk.0.attn_norm.scale", F32, DIM, "no place")
          == ERR_DATA);
    CHECK(with_tensor("blk.00.attn_norm.weight", F32, DIM, "no place")
          == ERR_DATA);
    CHECK(with_tensor("blk.", F32, DIM, "no place") == ERR_DATA);
    CHECK(with_tensor("blk.9999999999.attn_norm.weight", F32, DIM,
                      "no place") == ERR_DATA);
    CHECK(with_tensor("attn_norm.weight", F32, DIM, "no place") == ERR_DATA);
    CHECK(with_tensor("output.weight", Q2_K, 256, "tensor output.weight: "
                      "weights of type Q2_K are not supported") == ERR_DATA);
}

/* A model with these factors; the second pair turns once in 63000 tokens. */
static void
make_factors(struct gguf_made *m, float first, float second)
{
    const float factors[2] = { first, second };
    const uint64_t two = 2;

    make_llama(m);
    made_f32(m, "llama.rope.freq_base", 1e8f);
    made_tensor(m, "rope_freqs.weight", F32, 1, &two, factors, 8);
}

static int
with_factors(float first, float second, const char *part)
{
    struct gguf_made m;

    make_factors(&m, first, second);
    return refused(&m, part);
}

TEST(the_scaling_of_llama_3_is_found_again)
{
    struct gguf_made m;
    struct model_desc d;
    struct weights w;

    make_factors(&m, 1, 8);
    CHECK(open_made(&m, &d, &w, NULL) == 0);
    CHECK(strstr(weights_asset(&w, "config.json")->data,
                 "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": "
                 "8, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
                 "\"original_max_position_embeddings\": 8192}") != NULL);
    desc_release(&d);
    weights_release(&w);
}

TEST(rope_scaling)
{
    struct gguf_made m;

    CHECK(with_factors(1, 1, NULL) == 0);
    CHECK(with_factors(2, 8, "factor 0 is no scaling that is implemented "
                       "(found 2, expected Llama 3's 1)") == ERR_DATA);
    CHECK(with_factors(NAN, 1, "factor 0 is no scaling") == ERR_DATA);
    CHECK(with_string("llama.rope.scaling.type", "none", NULL) == 0);
    CHECK(with_string("llama.rope.scaling.type", "linear", NULL) == 0);
    CHECK(with_string("llama.rope.scaling.type", "longrope", "rope.scaling."
                      "type (found \"longrope\"") == ERR_DATA);
    CHECK(with_string("llama.rope.scaling.type", "yarn", "has no key "
                      "llama.rope.scaling.factor") == ERR_DATA);
    make_llama(&m);
    made_f32(&m, "llama.rope.scaling.factor", -1);
    CHECK(refused(&m, "rope.scaling.factor (found -1") == ERR_DATA);
}

TEST(paths_that_are_meant_as_a_file_of_this_kind)
{
    struct err e;
    struct weights w;
    FILE *f = fopen("gguf-base-test.gguf", "wb");

    CHECK(f != NULL && fputs("no", f) >= 0 && fclose(f) == 0);
    CHECK(weights_open(&w, "gguf-base-test.gguf", &e) == ERR_DATA);
    CHECK(strstr(e.text, "no GGUF file") != NULL);
    unlink("gguf-base-test.gguf");
    CHECK(weights_open(&w, "gguf-base-test.gguf", &e) == ERR_IO);
}

static void
put_texts(struct gguf_made *m, const char *name, const char *const *text,
          size_t n)
{
    made_array(m, name, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        made_text(&m->keys, text[i]);
}

/* As a model directory has them; where it is of another kind there is none,
 * and the base is one all the same. */
TEST(the_tokenizer_s_files_are_assets)
{
    static const char *const tokens[] = { "a", "b", "ab", "c", "d", "e" };
    static const char *const merges[] = { "a b" };
    static const char *const kinds[] = { "gpt2", "llama" };

    for (int i = 0; i < 2; i++) {
        const struct weight_asset *json, *config;
        struct gguf_made m;
        struct model_desc d;
        struct weights w;
        struct said said;
        const char *text;

        make_llama(&m);
        made_string(&m, "tokenizer.ggml.model", kinds[i]);
        made_string(&m, "tokenizer.ggml.pre", "gpt-2");
        made_string(&m, "tokenizer.chat_template", "hello");
        put_texts(&m, "tokenizer.ggml.tokens", tokens, VOCAB);
        put_texts(&m, "tokenizer.ggml.merges", merges, 1);
        said_begin(&said);
        CHECK(open_made(&m, &d, &w, NULL) == 0);
        text = said_end(&said);
        json = weights_asset(&w, "tokenizer.json");
        config = weights_asset(&w, "tokenizer_config.json");
        CHECK((json != NULL) == (i == 0) && (config != NULL) == (i == 0));
        CHECK(i == 0 ? *text == '\0' : strstr(text, "kind \"llama\"") != NULL);
        CHECK(json == NULL || strstr(json->data, "\"ab\":2") != NULL);
        CHECK(config == NULL || strstr(config->data, "hello") != NULL);
        desc_release(&d);
        weights_release(&w);
    }
}

static const struct test tests[] = {
    RUN(the_tokenizer_s_files_are_assets),
    RUN(tensors_have_names_of_hugging_face),
    RUN(queries_and_keys_are_put_in_order),
    RUN(keys_that_are_missing),
    RUN(keys_are_obeyed_or_refused),
    RUN(a_llama_with_a_window_is_a_mistral),
    RUN(files_that_are_no_whole_model),
    RUN(lists_for_layers),
    RUN(tensors_that_have_no_place),
    RUN(the_scaling_of_llama_3_is_found_again),
    RUN(rope_scaling),
    RUN(paths_that_are_meant_as_a_file_of_this_kind),
};

TEST_MAIN("gguf_base", tests)
