/* init.c - names, shapes and initial values of a model's tensors. */
#include "weights/init.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "test.h"

#define FILE_NAME "init-test.tmp"

static const char gpt2[] = "{\"model_type\":\"gpt2\",\"n_embd\":64,"
    "\"n_layer\":8,\"n_head\":4,\"vocab_size\":500,\"n_positions\":32}";
static const char phi[] = "{\"model_type\":\"phi\",\"hidden_size\":64,"
    "\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":50,"
    "\"intermediate_size\":96}";

static const char mamba[] = "{\"model_type\":\"mamba\",\"hidden_size\":48,"
    "\"num_hidden_layers\":4,\"vocab_size\":50,\"state_size\":7,"
    "\"conv_kernel\":3,\"time_step_min\":0.002,\"time_step_max\":0.5,"
    "\"time_step_floor\":0.004,\"time_step_scale\":2}";

static bool scaled_outputs;

/* The bytes that model_init_put writes for the tensor of that name. */
static void
values_of(struct buf *b, const char *config, unsigned dtype, uint64_t seed,
          const char *name)
{
    struct model_desc d;
    struct model_init m;
    struct safetensor *t;
    struct err e = { 0 };
    struct out out;
    size_t n, i, found = 0;

    CHECK(desc_read(&d, config, strlen(config), "config", &e) == 0);
    t = model_tensors(&d, dtype, &n);
    model_init_start(&m, &d, seed);
    m.scaled = scaled_outputs;
    CHECK(out_open(&out, FILE_NAME, &e) == 0);
    for (i = 0; i < n; i++) {
        if (strcmp(t[i].name, name) != 0)
            continue;
        CHECK(tensor_bytes(&t[i].bytes, t[i].dtype, t[i].shape,
                           t[i].n_dims, &e) == 0);
        CHECK(model_init_put(&m, &t[i], &out, &e) == 0);
        found++;
    }
    CHECK_EQ_U64(found, 1);
    CHECK(out_commit(&out, &e) == 0);
    buf_reset(b);
    CHECK(file_read(b, FILE_NAME, 1 << 24, &e) == 0);
    CHECK(path_remove(FILE_NAME, &e) == 0);
    model_init_release(&m);
    model_tensors_free(t, n);
    desc_release(&d);
}

/* Mean and deviation of n values are those of a normal sample: within five
 * standard errors. */
static void
check_normal(const char *name, size_t n, double deviation)
{
    double sum = 0, squares = 0;
    struct buf b;
    float x;

    buf_init(&b);
    values_of(&b, gpt2, DTYPE_F32, 1, name);
    CHECK_EQ_U64(b.len, 4 * n);
    for (size_t i = 0; i < n; i++) {
        memcpy(&x, b.data + 4 * i, 4);
        sum += (double)x;
        squares += (double)x * (double)x;
    }
    CHECK(fabs(sum / (double)n) < 5 * deviation / sqrt((double)n));
    CHECK(fabs(sqrt(squares / (double)n) - deviation)
          < 5 * deviation / sqrt(2 * (double)n));
    buf_release(&b);
}

TEST(matrices_are_normal)
{
    check_normal("transformer.wte.weight", 500 * 64, 0.02);
    check_normal("transformer.h.3.attn.c_attn.weight", 64 * 192, 0.02);
    check_normal("transformer.h.3.attn.c_proj.weight", 64 * 64, 0.005);
    check_normal("transformer.h.7.mlp.c_proj.weight", 256 * 64, 0.005);
}

/* In phi, which has one layer, only what writes into the residual. */
TEST(outputs_into_the_residual_are_scaled_where_asked)
{
    struct buf a, b;

    buf_init(&a);
    buf_init(&b);
    for (int i = 0; i < 2; i++) {
        static const char *const name[] = {
            "model.layers.0.mlp.fc2.weight", "model.layers.0.mlp.fc1.weight"
        };
        float by = i ? 1 : (float)sqrt(0.5), x, y;

        values_of(&a, phi, DTYPE_F32, 1, name[i]);
        scaled_outputs = true;
        values_of(&b, phi, DTYPE_F32, 1, name[i]);
        scaled_outputs = false;
        for (size_t k = 0; k < a.len; k += sizeof(x)) {
            memcpy(&x, a.data + k, sizeof(x));
            memcpy(&y, b.data + k, sizeof(y));
            CHECK(fabsf(by * x - y) <= 1e-6f * fabsf(x));
        }
    }
    buf_release(&a);
    buf_release(&b);
}

TEST(norms_are_one_and_biases_zero)
{
    const float one = 1;
    struct buf b;

    buf_init(&b);
    values_of(&b, gpt2, DTYPE_F32, 1, "transformer.ln_f.weight");
    CHECK_EQ_U64(b.len, 256);
    for (size_t i = 0; i < b.len; i += 4)
        CHECK(memcmp(b.data + i, &one, 4) == 0);
    values_of(&b, gpt2, DTYPE_F32, 1, "transformer.h.0.attn.c_attn.bias");
    CHECK_EQ_U64(b.len, 4 * 192);
    for (size_t i = 0; i < b.len; i++)
        CHECK_EQ_U64(b.data[i], 0);
    buf_release(&b);
}

/* Floats of layer 2's module, freed by the caller. */
static float *
mamba_values(const char *module, size_t n)
{
    char name[80];
    struct buf b;
    float *x;

    snprintf(name, sizeof(name), "backbone.layers.2.mixer.%s", module);
    buf_init(&b);
    values_of(&b, mamba, DTYPE_F32, 1, name);
    CHECK_EQ_U64(b.len, n * sizeof(*x));
    x = mem_dup(b.data, n * sizeof(*x));
    buf_release(&b);
    return x;
}

/* Uniform in bound about 0, to five standard errors of the square's mean. */
static void
check_uniform(const char *module, size_t n, double bound)
{
    float *x = mamba_values(module, n);
    double top = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        top = fmax(top, fabs((double)x[i]));
        squares += (double)x[i] * (double)x[i] / (bound * bound);
    }
    CHECK(top <= bound && top > 0.9 * bound);
    CHECK(fabs(squares / (double)n - 1.0 / 3)
          < 5 * sqrt(4.0 / 45 / (double)n));
    free(x);
}

/* As MambaPreTrainedModel._init_weights has it. */
TEST(scans_begin_as_mambas)
{
    float *x = mamba_values("A_log", 96 * 7);
    double low = 1, high = 0;

    for (size_t i = 0; i < 96 * 7; i++)
        CHECK(fabs(exp((double)x[i]) - (double)(i % 7 + 1)) < 1e-5);
    free(x);
    x = mamba_values("D", 96);
    for (size_t i = 0; i < 96; i++)
        CHECK(x[i] >= 1 && x[i] <= 1);
    free(x);
    x = mamba_values("dt_proj.bias", 96);
    for (size_t i = 0; i < 96; i++) {
        double step = log1p(exp((double)x[i]));

        low = fmin(low, step);
        high = fmax(high, step);
    }
    CHECK(low > 0.00399 && low < 0.00401); /* the floor, often */
    CHECK(high > 0.3 && high < 0.501);
    free(x);
    check_uniform("dt_proj.weight", 96 * 3, 2 / sqrt(3));
    check_uniform("conv1d.weight", 96 * 3, 1 / sqrt(3));
    check_uniform("out_proj.weight", 48 * 96, 1 / sqrt(96));
    scaled_outputs = true;
    check_uniform("out_proj.weight", 48 * 96, 1 / sqrt(96) / sqrt(8));
    scaled_outputs = false;
}

TEST(values_depend_on_seed_and_name_alone)
{
    static const char wider[] = "{\"model_type\":\"gpt2\",\"n_embd\":64,"
        "\"n_layer\":8,\"n_head\":4,\"vocab_size\":700}";
    struct buf a, b;

    buf_init(&a);
    buf_init(&b);
    values_of(&a, gpt2, DTYPE_F32, 5, "transformer.wte.weight");
    values_of(&b, wider, DTYPE_F32, 5, "transformer.wte.weight");
    CHECK(b.len > a.len && memcmp(a.data, b.data, a.len) == 0);
    values_of(&b, gpt2, DTYPE_F32, 6, "transformer.wte.weight");
    CHECK(b.len == a.len && memcmp(a.data, b.data, a.len) != 0);
    values_of(&a, gpt2, DTYPE_F32, 5, "transformer.h.0.mlp.c_fc.weight");
    values_of(&b, gpt2, DTYPE_F32, 5, "transformer.h.1.mlp.c_fc.weight");
    CHECK(memcmp(a.data, b.data, a.len) != 0);
    buf_release(&a);
    buf_release(&b);
}

/* Element i is draw i of the tensor's own stream, also far behind. */
TEST(elements_are_draws_by_number)
{
    static const char wide[] = "{\"model_type\":\"gpt2\",\"n_embd\":64,"
        "\"n_layer\":1,\"n_head\":4,\"vocab_size\":5000}";
    size_t n = 5000 * 64, wrong = 0;
    struct buf b;
    struct rng r;

    buf_init(&b);
    values_of(&b, wide, DTYPE_F32, 9, "transformer.wte.weight");
    CHECK_EQ_U64(b.len, 4 * n);
    rng_init(&r, 9, rng_site("transformer.wte.weight"));
    for (size_t i = 0; i < n; i++) {
        float want = (float)((double)0.02f * rng_normal(&r));

        wrong += memcmp(b.data + 4 * i, &want, 4) != 0;
    }
    CHECK_EQ_U64(wrong, 0);
    buf_release(&b);
}

TEST(narrow_types_hold_the_rounded_values)
{
    struct buf a, b;
    float wide, narrow;

    buf_init(&a);
    buf_init(&b);
    values_of(&a, gpt2, DTYPE_F32, 5, "transformer.wpe.weight");
    values_of(&b, gpt2, DTYPE_BF16, 5, "transformer.wpe.weight");
    CHECK_EQ_U64(a.len, 2 * b.len);
    for (size_t i = 0; i < b.len / 2; i++) {
        memcpy(&wide, a.data + 4 * i, 4);
        floats_load(&narrow, b.data + 2 * i, DTYPE_BF16, 1);
        CHECK(fabsf(wide - narrow) <= fabsf(wide) / 256);
    }
    buf_release(&a);
    buf_release(&b);
}

TEST(shapes_are_the_stored_ones)
{
    static const struct {
        const char *name;
        uint64_t rows, cols; /* cols 0: a vector */
    } expected[] = {
        { "model.embed_tokens.weight", 50, 64 },
        { "model.layers.0.input_layernorm.weight", 64, 0 },
        { "model.layers.0.self_attn.dense.weight", 64, 64 },
        { "model.layers.0.mlp.fc1.weight", 96, 64 },
        { "model.layers.0.mlp.fc1.bias", 96, 0 },
        { "model.layers.0.mlp.fc2.weight", 64, 96 },
        { "lm_head.bias", 50, 0 },
    };
    struct model_desc d;
    struct safetensor *t;
    struct err e = { 0 };
    size_t n, i, k, found = 0;

    CHECK(desc_read(&d, phi, strlen(phi), "phi", &e) == 0);
    t = model_tensors(&d, DTYPE_F16, &n);
    CHECK_EQ_U64(n, 1 + 14 + 2 + 2);
    for (i = 0; i < n; i++)
        for (k = 0; k < sizeof(expected) / sizeof(expected[0]); k++)
            if (strcmp(t[i].name, expected[k].name) == 0) {
                found++;
                CHECK_EQ_U64(t[i].n_dims, expected[k].cols ? 2 : 1);
                CHECK_EQ_U64(t[i].shape[0], expected[k].rows);
                CHECK_EQ_U64(t[i].shape[1], expected[k].cols);
                CHECK_EQ_U64(t[i].dtype, DTYPE_F16);
            }
    CHECK_EQ_U64(found, sizeof(expected) / sizeof(expected[0]));
    model_tensors_free(t, n);
    desc_release(&d);
}

static const struct test tests[] = {
    RUN(matrices_are_normal),
    RUN(outputs_into_the_residual_are_scaled_where_asked),
    RUN(norms_are_one_and_biases_zero),
    RUN(scans_begin_as_mambas),
    RUN(values_depend_on_seed_and_name_alone),
    RUN(elements_are_draws_by_number),
    RUN(narrow_types_hold_the_rounded_values),
    RUN(shapes_are_the_stored_ones),
};

TEST_MAIN("init", tests)
