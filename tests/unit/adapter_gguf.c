/* adapter_gguf.c - adapters as llama.cpp's file: what is written is what its
 * loader computes the same layer from. */
#include "weights/adapter_gguf.h"

#include <math.h>

#include "adapter_made.h"
#include "base/bytes.h"
#include "gguf_made.h"
#include "model/family.h"
#include "weights/gguf_config.h"

#define DIR "adapter-gguf-test.tmp"
#define FILE_NAME DIR "/a.gguf"

static int
write_gguf(struct adapter_made *x, enum dtype dtype)
{
    struct out out;
    int rc = out_open(&out, FILE_NAME, &x->e);

    if (rc == 0)
        rc = adapter_gguf_write(&x->a, &x->d, &x->base, dtype, &out, &x->e);
    if (rc == 0)
        return out_commit(&out, &x->e);
    out_release(&out);
    return rc;
}

static bool
has_text(const struct gguf *g, const char *key, const char *text)
{
    const struct gguf_key *k = gguf_find(g, key);
    struct gguf_text t;

    return k != NULL && gguf_string(k, &t) && gguf_text_is(t, text);
}

/* The module of the model that a tensor of the file is for. */
static const struct adapter_module *
item_of(const struct adapter_made *x, const char *name, const struct module **m)
{
    for (size_t i = 0; i < x->d.n_modules; i++) {
        *m = &x->d.module[i];
        for (size_t k = 0; k < x->a.n; k++) {
            struct buf own;
            bool is;

            buf_init(&own);
            gguf_weight_name(&own, *m);
            is = strncmp(own.data, name, own.len) == 0
                 && strcmp(x->a.item[k].name, (*m)->name) == 0;
            buf_release(&own);
            if (is)
                return &x->a.item[k];
        }
    }
    return NULL;
}

/* llama.cpp's get_scale (src/llama-adapter.h) times B is the adapter's scale
 * times B, in the rows of its converter's LlamaModel.permute: a head's
 * [2, n / 2] rows become [n / 2, 2]. */
static void
check_b(const struct adapter_made *x, const struct adapter_module *item,
        const struct module *m, const float *b, double alpha, bool paired)
{
    double runtime = alpha / item->rank, scale = adapter_scale(&x->a, item);
    uint32_t n = x->d.layer[m->layer].head_dim, half = n / 2;
    double worst = 0;

    for (uint32_t h = 0; h < item->out / (paired ? n : 1); h++)
        for (uint32_t i = 0; i < (paired ? n : 1); i++)
            for (uint32_t k = 0; k < item->rank; k++) {
                uint32_t from = paired ? h * n + i : h;
                uint32_t to = paired ? h * n + i % half * 2 + i / half : h;
                double want = scale * item->b[from * item->rank + k];
                double got = runtime * b[to * item->rank + k];

                worst = fmax(worst, fabs(got - want) / fabs(want));
            }
    CHECK(worst < 0x1p-22);
}

static void
check_gguf(const struct adapter_made *x, const char *arch, bool paired)
{
    struct err e = { 0 };
    double alpha = 0;
    struct gguf g;

    if (!CHECK(gguf_open(&g, FILE_NAME, &e) == 0))
        return;
    CHECK(has_text(&g, "general.type", "adapter")
          && has_text(&g, "adapter.type", "lora")
          && has_text(&g, "general.architecture", arch));
    CHECK(gguf_real(gguf_find(&g, "adapter.lora.alpha"), 0, &alpha)
          && alpha != 0);
    CHECK_EQ_U64(g.n_tensors, 2 * x->a.n);
    for (size_t i = 0; i < g.n_tensors; i += 2) {
        const struct gguf_tensor *a = &g.tensor[i], *b = a + 1;
        const struct module *m;
        const struct adapter_module *item = item_of(x, a->name.p, &m);

        if (!CHECK(item != NULL))
            break;
        CHECK(memcmp(a->name.p + a->name.n - 14, ".weight.lora_a", 14) == 0
              && memcmp(b->name.p + b->name.n - 14, ".weight.lora_b", 14)
              == 0 && memcmp(a->name.p, b->name.p, a->name.n - 1) == 0);
        CHECK(a->ne[0] == item->in && a->ne[1] == item->rank);
        CHECK(b->ne[0] == item->rank && b->ne[1] == item->out);
        CHECK(memcmp(gguf_data(&g, a), item->a, a->bytes) == 0);
        check_b(x, item, m, gguf_data(&g, b), alpha,
                paired && (m->role == ROLE_Q || m->role == ROLE_K));
    }
    gguf_release(&g);
}

/* llama.cpp's names of the architectures (NULL: not written), and which of its
 * converters permute; a family that is new is asked for here. */
TEST(gguf_of_every_family)
{
    static const struct {
        const char *model_type, *arch;
        bool paired;
    } known[] = {
        { "llama", "llama", true }, { "mistral", "llama", true },
        { "granite", "granite", true }, { "qwen2", "qwen2", false },
        { "qwen3", "qwen3", false }, { "olmo2", "olmo2", false },
        { "gemma3_text", "gemma3", false }, { "gpt2", "gpt2", false },
        { "starcoder2", "starcoder2", false }, { "phi", "phi2", false },
        { "mamba", NULL, false }, { "mamba2", NULL, false },
        { "jamba", NULL, false }, { "mixtral", NULL, false },
        { "qwen2_moe", NULL, false }, { "qwen3_moe", "qwen3moe", false },
        { "gemma", "gemma", false }, { "phi3", "phi3", false },
        { "gpt_bigcode", "starcoder", false },
    };
    enum { N_KNOWN = sizeof(known) / sizeof(known[0]) };
    struct adapter_made x;

    for (size_t i = 0; i < N_TINY; i++) {
        size_t k = 0;

        made_adapter(&x, DIR, tiny_configs[i], 3, 2);
        x.a.rslora = i % 2 == 0;
        while (k < N_KNOWN && strcmp(known[k].model_type,
                                    x.d.family->model_type) != 0)
            k++;
        if (CHECK(k < N_KNOWN) && known[k].arch == NULL)
            CHECK(write_gguf(&x, DTYPE_F32) == ERR_USAGE);
        else if (k < N_KNOWN && CHECK(write_gguf(&x, DTYPE_F32) == 0))
            check_gguf(&x, known[k].arch, known[k].paired);
        made_drop(&x);
    }
}

TEST(gguf_names)
{
    static const char *const llama[] = {
        "blk.0.attn_q", "blk.0.attn_k", "blk.0.attn_v", "blk.0.attn_output",
        "blk.0.ffn_gate", "blk.0.ffn_up", "blk.0.ffn_down", "blk.1.attn_q",
    };
    static const char *const gpt2[] = {
        "blk.0.attn_qkv", "blk.0.attn_output", "blk.0.ffn_up",
        "blk.0.ffn_down",
    };
    struct adapter_made x;
    struct gguf g;

    made_adapter(&x, DIR, tiny_llama, 1, 1);
    CHECK(write_gguf(&x, DTYPE_F32) == 0);
    CHECK(gguf_open(&g, FILE_NAME, &x.e) == 0);
    for (size_t i = 0; i < 8; i++)
        CHECK(memcmp(g.tensor[2 * i].name.p, llama[i], strlen(llama[i]))
              == 0);
    gguf_release(&g);
    made_drop(&x);
    made_adapter(&x, DIR, tiny_gpt2, 1, 1);
    CHECK(write_gguf(&x, DTYPE_F32) == 0);
    CHECK(gguf_open(&g, FILE_NAME, &x.e) == 0);
    for (size_t i = 0; i < 4; i++)
        CHECK(memcmp(g.tensor[2 * i].name.p, gpt2[i], strlen(gpt2[i])) == 0);
    gguf_release(&g);
    made_drop(&x);
}

/* llama.cpp takes an alpha of 0 for none, and multiplies by 1. */
TEST(an_alpha_of_zero)
{
    struct adapter_made x;
    struct gguf g;
    double alpha = 0;

    made_adapter(&x, DIR, tiny_llama, 1, 1);
    x.a.alpha = 0;
    for (size_t i = 0; i < x.a.n; i++)
        x.a.item[i].alpha = 0;
    CHECK(write_gguf(&x, DTYPE_F32) == 0);
    CHECK(gguf_open(&g, FILE_NAME, &x.e) == 0);
    CHECK(gguf_real(gguf_find(&g, "adapter.lora.alpha"), 0, &alpha)
          && alpha == 1);
    for (size_t i = 0; i < g.tensor[1].bytes / 4; i++)
        CHECK(((const float *)gguf_data(&g, &g.tensor[1]))[i] == 0);
    gguf_release(&g);
    made_drop(&x);
}

TEST(gguf_of_narrow_types)
{
    float top[2] = { 1, 65504 };
    struct adapter_made x;
    struct gguf g;

    made_adapter(&x, DIR, tiny_gpt2, 1, 1);
    CHECK(write_gguf(&x, DTYPE_BF16) == 0);
    CHECK(gguf_open(&g, FILE_NAME, &x.e) == 0);
    CHECK_STR(gguf_format(g.tensor[0].type)->name, "BF16");
    CHECK_EQ_U64(load_u16(gguf_data(&g, &g.tensor[0])),
                 f32_to_bf16(x.a.item[0].a[0]));
    gguf_release(&g);
    CHECK(write_gguf(&x, DTYPE_F16) == 0);
    memcpy((float *)x.a.item[0].a, top, sizeof(top));
    CHECK(write_gguf(&x, DTYPE_F16) == 0);
    top[1] = 65520;
    memcpy((float *)x.a.item[0].a, top, sizeof(top));
    CHECK(write_gguf(&x, DTYPE_F16) == ERR_DATA);
    CHECK_STR(x.e.text, "module transformer.h.0.attn.c_attn: a value is too "
              "great for F16");
    CHECK(write_gguf(&x, DTYPE_F32) == 0);
    made_drop(&x);
}

TEST(what_gguf_has_no_place_for)
{
    static const float magnitude[64] = { 1 };
    static const uint64_t ne[] = { 24, 72 };
    struct gguf_made m;
    struct buf file;
    struct adapter_made x;

    made_adapter(&x, DIR, tiny_llama, 1, 1);
    x.a.item[3].magnitude = magnitude;
    CHECK(write_gguf(&x, DTYPE_F32) == ERR_USAGE);
    CHECK_STR(x.e.text, "module model.layers.0.self_attn.k_proj: a GGUF "
              "adapter has no place for the magnitudes of DoRA: merge the "
              "adapter into its base instead");
    made_drop(&x);

    /* A file of Phi-2's that has q, k and v in one matrix. */
    made_adapter(&x, DIR, tiny_phi, 1, 1);
    made_init(&m);
    made_string(&m, "general.architecture", "phi2");
    made_tensor(&m, "blk.0.attn_qkv.weight", 0, 2, ne, NULL, 24 * 72 * 4);
    buf_init(&file);
    made_file(&m, &file);
    made_release(&m);
    CHECK(gguf_parse(&x.source.gguf, file.data, file.len, "x", &x.e) == 0);
    CHECK(write_gguf(&x, DTYPE_F32) == ERR_USAGE);
    CHECK_STR(x.e.text, "module model.layers.0.self_attn.q_proj: base holds "
              "no tensor blk.0.attn_q.weight, but a larger one: merge the "
              "adapter into its base instead");
    gguf_release(&x.source.gguf);
    buf_release(&file);
    made_drop(&x);
}

static const struct test tests[] = {
    RUN(gguf_of_every_family),
    RUN(gguf_names),
    RUN(an_alpha_of_zero),
    RUN(gguf_of_narrow_types),
    RUN(what_gguf_has_no_place_for),
};

TEST_MAIN("adapter_gguf", tests)
