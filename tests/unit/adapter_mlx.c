/* adapter_mlx.c - adapters as mlx-lm's directory: round trip, and everything
 * that is refused. */
#include "weights/adapter_mlx.h"

#include <math.h>

#include "adapter_made.h"

#define DIR "adapter-mlx-test.tmp"

/* The same modules, ranks, names and bits of A; B times its scale over the
 * one that is read, within a rounding. */
static void
check_read(const struct adapter_made *x, const struct adapter *b,
           bool same_bits)
{
    CHECK_EQ_U64(b->n, x->a.n);
    for (size_t i = 0; i < b->n && i < x->a.n; i++) {
        const struct adapter_module *m = &x->a.item[i], *got = &b->item[i];
        double scale = adapter_scale(&x->a, m), found = adapter_scale(b, got);
        size_t n = (size_t)m->rank * m->out;
        double worst = 0;

        CHECK_STR(got->name, m->name);
        CHECK(got->rank == m->rank && got->in == m->in && got->out == m->out);
        CHECK(memcmp(got->a, m->a, 4 * (size_t)m->rank * m->in) == 0);
        CHECK(!same_bits || memcmp(got->b, m->b, 4 * n) == 0);
        for (size_t k = 0; k < n; k++)
            worst = fmax(worst, fabs(found * got->b[k] / (scale * m->b[k])
                                     - 1));
        CHECK(worst < 0x1p-22);
    }
}

/* But of experts, which mlx-lm has in one module. */
TEST(mlx_comes_back)
{
    struct adapter b;
    struct adapter_made x;

    for (size_t i = 0; i < N_TINY; i++) {
        made_adapter(&x, DIR, tiny_configs[i], 1, 1 + i % 2);
        x.a.rslora = i % 3 == 0;
        x.a.base = i > 0 ? "some/base" : NULL;
        if (tiny_configs[i] == tiny_mixtral) {
            CHECK(adapter_mlx_write(&x.a, x.d.n_layers, DTYPE_F32, DIR, &x.e)
                  == ERR_USAGE);
            made_drop(&x);
            continue;
        }
        CHECK(adapter_mlx_write(&x.a, x.d.n_layers, DTYPE_F32, DIR, &x.e)
              == 0);
        if (!CHECK(adapter_read(&b, DIR, &x.e) == 0))
            break;
        check_read(&x, &b, i % 2 == 0);
        CHECK(b.dropout == 0.25 && !b.rslora);
        /* by name where layers differ */
        CHECK_EQ_U64(b.n_targets, tiny_configs[i] == tiny_jamba
                     || tiny_configs[i] == tiny_qwen2_moe ? x.a.n : 0);
        CHECK(i > 0 ? strcmp(b.base, "some/base") == 0 : !b.base);
        CHECK(b.fan_in_fan_out == (tiny_configs[i] == tiny_gpt2));
        adapter_release(&b);
        made_drop(&x);
    }
}

/* A file of one tensor, by mlx-lm's name and shape. */
TEST(mlx_shapes_and_names)
{
    struct safetensors s;
    const struct safetensor *t;
    const float *turned;
    struct adapter_made x;

    made_adapter(&x, DIR, tiny_gpt2, 1, 1);
    CHECK(adapter_mlx_write(&x.a, 0, DTYPE_F32, DIR, &x.e) == 0);
    CHECK(safetensors_open(&s, DIR "/adapters.safetensors", 1 << 20, &x.e)
          == 0);
    t = safetensors_find(&s, "model.h.0.attn.c_attn.lora_a");
    CHECK(t != NULL && t->shape[0] == 24 && t->shape[1] == 2);
    turned = t ? safetensors_data(&s, t) : x.a.item[0].a;
    for (size_t i = 0; i < 48; i++)
        CHECK(turned[i] == x.a.item[0].a[i % 2 * 24 + i / 2]);
    t = safetensors_find(&s, "model.h.0.attn.c_attn.lora_b");
    CHECK(t != NULL && t->shape[0] == 2 && t->shape[1] == 72);
    safetensors_release(&s);
    made_drop(&x);
}

TEST(mlx_has_one_rank)
{
    struct adapter_made x;

    made_adapter(&x, DIR, tiny_llama, 2, 1);
    CHECK(adapter_mlx_write(&x.a, 3, DTYPE_F32, DIR, &x.e) == ERR_USAGE);
    CHECK_STR(x.e.text, "module model.layers.0.mlp.up_proj: rank 3, where "
              "others have 2: an adapter of mlx-lm has one rank");
    made_drop(&x);
}

/* DoRA's magnitudes are .m; a module that lacks them is refused. */
TEST(mlx_dora)
{
    float magnitude[80];
    struct adapter b;
    struct adapter_made x;

    for (size_t i = 0; i < 80; i++)
        magnitude[i] = (float)i;
    made_adapter(&x, DIR, tiny_llama, 1, 1);
    x.a.dora = true;
    for (size_t i = 0; i < x.a.n; i++)
        x.a.item[i].magnitude = magnitude;
    CHECK(adapter_mlx_write(&x.a, 3, DTYPE_F32, DIR, &x.e) == 0);
    CHECK(adapter_read(&b, DIR, &x.e) == 0);
    CHECK(b.dora);
    check_read(&x, &b, true);
    for (size_t i = 0; i < b.n; i++)
        CHECK(memcmp(b.item[i].magnitude, magnitude, 4 * b.item[i].out) == 0);
    adapter_release(&b);
    x.a.dora = false;
    CHECK(adapter_mlx_write(&x.a, 3, DTYPE_F32, DIR, &x.e) == 0);
    CHECK(adapter_read(&b, DIR, &x.e) == 0);
    CHECK(!b.dora && b.item[0].magnitude == NULL);
    adapter_release(&b);
    made_drop(&x);
}

/* Reads DIR with that config; the message holds part. */
static void
check_config(const char *config, const char *part)
{
    struct err e = { 0 };
    struct adapter a;

    CHECK(file_write(DIR "/adapter_config.json", config, strlen(config), &e)
          == 0);
    if (part == NULL) {
        CHECK(adapter_read(&a, DIR, &e) == 0);
        CHECK_STR(e.text, "");
        adapter_release(&a);
        return;
    }
    CHECK(adapter_read(&a, DIR, &e) == ERR_DATA);
    CHECK(strncmp(e.text, DIR "/adapter", strlen(DIR) + 8) == 0);
    if (strstr(e.text, part) == NULL)
        CHECK_STR(e.text, part);
}

#define LORA "\"lora_parameters\":{\"rank\":2,\"scale\":20,\"dropout\":0"
#define QUERIES ",\"keys\":[\"self_attn.q_proj\",\"mlp.up_proj\"]}"

TEST(mlx_configs)
{
    struct adapter_module two[2];
    struct adapter_made x;

    made_adapter(&x, DIR, tiny_llama, 1, 1);
    for (size_t i = 0, n = 0; i < x.a.n && n < 2; i++)
        if (strstr(x.a.item[i].name, "s.1.self_attn.q")
            || strstr(x.a.item[i].name, "s.0.mlp.up"))
            two[n++] = x.a.item[i];
    {
        struct adapter a = { .rank = 2, .alpha = 3, .item = two, .n = 2 };

        CHECK(adapter_mlx_write(&a, 0, DTYPE_F32, DIR, &x.e) == 0);
    }
    check_config("{\"num_layers\":-1," LORA QUERIES "}", NULL);
    check_config("{\"num_layers\":2," LORA "},\"fine_tune_type\":\"lora\","
                 "\"iters\":1000,\"model\":null}", NULL);
    check_config("{\"num_layers\":1," LORA ",\"keys\":[\"mlp.up_proj\","
                 "\"model.layers.1.self_attn.q_proj\"]}}", NULL);
    check_config("{\"num_layers\":1," LORA QUERIES "}", "num_layers (found "
                 "1) leaves out some of the layers 0 to 1");
    check_config("{\"num_layers\":2," LORA ",\"keys\":[\"q_proj\","
                 "\"mlp.up_proj\"]}}", "keys leaves out module "
                 "model.layers.1.self_attn.q_proj");
    check_config("{\"num_layers\":2," LORA ",\"keys\":[3]}}",
                 "keys (found 3, expected a list of strings)");
    check_config("{\"num_layers\":2," LORA ",\"keys\":{}}}", "keys (found");
    check_config("{\"num_layers\":2," LORA ",\"alpha\":16}}",
                 "alpha (found 16, expected none");
    check_config("{" LORA "}}", "num_layers (found nothing");
    check_config("{\"num_layers\":2}", "lora_parameters (found nothing");
    check_config("{\"num_layers\":2,\"lora_parameters\":[]}",
                 "lora_parameters (found []");
    check_config("{\"num_layers\":2,\"lora_parameters\":{\"rank\":2,"
                 "\"dropout\":0}}", "scale (found nothing");
    check_config("{\"num_layers\":2,\"fine_tune_type\":\"full\"," LORA "}}",
                 "fine_tune_type (found \"full\"");
    check_config("{\"num_layers\":2,\"fine_tune_type\":\"dora\"," LORA "}}",
                 "module model.layers.0.mlp.up_proj has no m, and");
    check_config("{\"num_layers\":2,\"lora_parameters\":{\"rank\":3,"
                 "\"scale\":1,\"dropout\":0}}",
                 "ranks 2 and 2 of its matrices, expected r = 3");
    check_config("[]", "no JSON object");
    made_drop(&x);
}

/* Modules that are not in every layer are told to PEFT one by one. */
TEST(mlx_of_the_last_layers)
{
    struct adapter b, c;
    struct adapter_made x;

    made_adapter(&x, DIR, tiny_llama, 1, 1);
    x.a.n -= 1; /* the last layer's v_proj is not adapted */
    CHECK(adapter_mlx_write(&x.a, 3, DTYPE_F32, DIR, &x.e) == 0);
    CHECK(adapter_read(&b, DIR, &x.e) == 0);
    CHECK_EQ_U64(b.n_targets, x.a.n);
    CHECK_STR(b.target[0], x.a.item[0].name);
    CHECK(adapter_write(&b, DIR "/peft", NULL, 0, NULL, &x.e) == 0);
    CHECK(adapter_read(&c, DIR "/peft", &x.e) == 0);
    check_read(&x, &c, true);
    adapter_release(&c);
    adapter_release(&b);
    x.a.n += 1;
    made_drop(&x);
}

/* A file of that header and of zeros. */
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
    CHECK(file_write(DIR "/adapters.safetensors", b.data, b.len, &e) == 0);
    check_config("{\"num_layers\":2," LORA "}}", part);
    buf_release(&b);
}

#define TENSOR(name, shape, begin, end) "\"" name "\":{\"dtype\":\"F32\"," \
    "\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

TEST(mlx_tensors_that_are_refused)
{
    struct err e = { 0 };

    CHECK(dir_make(DIR, &e) == 0);
    check_tensors("{" TENSOR("lm_head.lora_a", "[3,2]", 0, 24) ","
                  TENSOR("lm_head.lora_b", "[2,3]", 24, 48) "}", 48,
                  "module lm_head of the adapter is in no layer");
    check_tensors("{" TENSOR("lm_head.lora_a", "[3,2]", 0, 24) ","
                  TENSOR("lm_head.lora_c", "[2,3]", 24, 48) "}", 48,
                  "tensor lm_head.lora_c: expected MODULE.lora_a or its "
                  "lora_b");
    check_tensors("{" TENSOR("model.h.0.x.lora_a", "[3,2]", 0, 24) ","
                  TENSOR("model.h.0.x.lora_b", "[2,3]", 24, 48) "}", 48,
                  NULL);
    /* Hugging Face's name of the same module, which mlx-lm doesn't know. */
    check_tensors("{" TENSOR("model.h.0.x.lora_a", "[3,2]", 0, 24) ","
                  TENSOR("model.h.0.x.lora_b", "[2,3]", 24, 48) ","
                  TENSOR("transformer.h.0.x.lora_a", "[3,2]", 48, 72) "}", 72,
                  "tensor transformer.h.0.x.lora_a: expected MODULE.lora_a");
    /* A layer of experts has one more dimension. */
    check_tensors("{" TENSOR("model.layers.0.m.lora_a", "[2,3,2]", 0, 48) ","
                  TENSOR("model.layers.0.m.lora_b", "[2,2,3]", 48, 96) "}",
                  96, "shape [2, 3, 2], expected a matrix");
    CHECK(path_remove(DIR, &e) == 0);
}

static const struct test tests[] = {
    RUN(mlx_comes_back),
    RUN(mlx_shapes_and_names),
    RUN(mlx_has_one_rank),
    RUN(mlx_dora),
    RUN(mlx_configs),
    RUN(mlx_of_the_last_layers),
    RUN(mlx_tensors_that_are_refused),
};

TEST_MAIN("adapter_mlx", tests)
