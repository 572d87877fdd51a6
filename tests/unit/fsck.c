/* fsck.c - the fsck of a base finds what was broken. */
#include "weights/fsck.h"

#include <math.h>

#include "base/io.h"
#include "tensor/modeldir.h"
#include "test.h"
#include "weights/init.h"

#define DIR "fsck-test.tmp"

static const char llama[] = "{\"model_type\":\"llama\",\"hidden_size\":8,"
    "\"num_attention_heads\":2,\"num_key_value_heads\":1,"
    "\"num_hidden_layers\":2,\"intermediate_size\":12,\"vocab_size\":16}";

struct damage {
    struct model_init init;
    const char *name; /* of the tensor that gets one bad value */
    size_t index;
    float value;
};

static int
put_damaged(void *ctx, const struct safetensor *t, struct out *out,
            struct err *e)
{
    struct damage *d = ctx;
    float x[256];

    if (strcmp(t->name, d->name) != 0)
        return model_init_put(&d->init, t, out, e);
    for (size_t i = 0; i < 256; i++)
        x[i] = i == d->index ? d->value : 1;
    return out_write(out, x, t->bytes, e);
}

/* A base with that config and the tensors of the model `tensors`, but for
 * the first `drop` of them. */
static void
write_base(const char *config, const char *tensors, size_t drop,
           struct damage *damage)
{
    struct out_dir w;
    struct model_desc d;
    struct safetensor *t;
    struct err e = { 0 };
    size_t n;

    CHECK(path_remove(DIR, &e) == 0);
    CHECK(desc_read(&d, tensors, strlen(tensors), "config", &e) == 0);
    t = model_tensors(&d, DTYPE_F32, &n);
    model_init_start(&damage->init, &d, 3);
    CHECK(out_dir_open(&w, DIR, &e) == 0);
    CHECK(out_dir_put(&w, MODELDIR_CONFIG, config, strlen(config),
                             &e) == 0);
    CHECK(modeldir_put_weights(&w, t + drop, n - drop,
                               &(struct modeldir_source){ put_damaged,
                                                          damage },
                               NULL, 0, &e)
          == 0);
    CHECK(out_dir_commit(&w, &e) == 0);
    out_dir_release(&w);
    model_init_release(&damage->init);
    model_tensors_free(t, n);
    desc_release(&d);
}

static void
check_refused(const char *part)
{
    struct base_report r;
    struct err e = { 0 };

    CHECK(base_check(&r, DIR, true, &e) == ERR_DATA);
    if (!strstr(e.text, part))
        CHECK_STR(e.text, part);
}

TEST(a_whole_base_passes)
{
    struct damage none = { .name = "" };
    struct base_report r;
    struct err e = { 0 };

    write_base(llama, llama, 0, &none);
    CHECK(base_check(&r, DIR, true, &e) == 0);
    CHECK_STR(r.model_type, "llama");
    /* 2 x 16 x 8 vocabulary, 2 layers, 1 norm */
    CHECK_EQ_U64(r.params, 2 * 16 * 8 + 8
                 + 2 * (2 * 8 + 2 * 64 + 2 * 32 + 3 * 96));
    CHECK_EQ_U64(r.tensors, 3 + 2 * 9);
    CHECK_EQ_U64(r.unused, 0);
    CHECK_EQ_U64(r.bytes, 4 * r.params);
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(a_value_that_is_not_finite_is_named)
{
    struct damage nan = { .name = "model.layers.1.mlp.up_proj.weight",
                          .index = 17, .value = NAN };
    struct err e = { 0 };

    write_base(llama, llama, 0, &nan);
    check_refused("tensor model.layers.1.mlp.up_proj.weight: element 17 is");
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(config_and_tensors_have_to_agree)
{
    static const char wider[] = "{\"model_type\":\"llama\",\"hidden_size\":8,"
        "\"num_attention_heads\":2,\"num_key_value_heads\":1,"
        "\"num_hidden_layers\":2,\"intermediate_size\":12,"
        "\"vocab_size\":17}";
    struct damage none = { .name = "" };
    struct err e = { 0 };

    write_base(wider, llama, 0, &none);
    check_refused("bad shape (found [16, 8], expected [17, 8])");
    write_base(llama, llama, 1, &none);
    check_refused("tensor model.embed_tokens.weight is missing");
    write_base("{}", llama, 0, &none);
    check_refused("model_type");
    CHECK(path_remove(DIR "/config.json", &e) == 0);
    check_refused("no config.json");
    CHECK(path_remove(DIR, &e) == 0);
}

TEST(a_bad_scale_is_found)
{
    const int8_t q[260] = { 0 };
    const uint16_t scale[4] = { 0, 0, 0, 0x7c00 };
    const struct weight t = {
        .name = "w", .dtype = DTYPE_I8, .n_dims = 2, .shape = { 2, 130 },
        .data = q, .scale = scale, .bytes = 260,
    };
    uint64_t index = 0;
    float value = 0;

    CHECK(weight_bad(&t, &index, &value));
    CHECK_EQ_U64(index, 130 + 128);
    CHECK(isinf(value));
}

/* The second row's second block of Q4_0. */
TEST(a_bad_scale_inside_a_block_is_found)
{
    uint8_t data[4 * 18] = { 0 };
    const struct weight t = {
        .name = "w", .dtype = DTYPE_Q4_0, .n_dims = 2, .shape = { 2, 64 },
        .data = data, .bytes = sizeof(data),
    };
    uint64_t index = 0;
    float value = 0;

    CHECK(!weight_bad(&t, &index, &value));
    data[3 * 18 + 1] = 0x7c;
    CHECK(weight_bad(&t, &index, &value));
    CHECK_EQ_U64(index, 64 + 32);
    CHECK(isinf(value));
}

static const struct test tests[] = {
    RUN(a_whole_base_passes),
    RUN(a_value_that_is_not_finite_is_named),
    RUN(config_and_tensors_have_to_agree),
    RUN(a_bad_scale_is_found),
    RUN(a_bad_scale_inside_a_block_is_found),
};

TEST_MAIN("fsck", tests)
