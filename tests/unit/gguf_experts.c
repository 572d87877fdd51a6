/* gguf_experts.c - GGUF files of models with a mixture of experts as bases:
 * which tensors become which modules, and what is refused. */
#include <stdlib.h>
#include <unistd.h>

#include "gguf_made.h"
#include "test.h"
#include "weights/base.h"

enum { F32 = 0, DIM = 4, HEADS = 2, FF = 6, VOCAB = 5, EXPERTS = 3 };

static const char path[] = "gguf-experts-test.tmp";

/* Columns first; 0: no such dimension. Floats count up from 0. */
static void
put(struct gguf_made *m, const char *name, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t ne[3] = { a, b, c };
    float x[DIM * FF * (EXPERTS + 1)];
    uint64_t n = a * (b ? b : 1) * (c ? c : 1);

    CHECK(n <= sizeof(x) / sizeof(x[0]));
    for (uint64_t i = 0; i < n; i++)
        x[i] = (float)i;
    made_tensor(m, name, F32, c ? 3 : b ? 2 : 1, ne, x, n * sizeof(*x));
}

static void
put_attention(struct gguf_made *m)
{
    put(m, "token_embd.weight", DIM, VOCAB, 0);
    put(m, "blk.0.attn_norm.weight", DIM, 0, 0);
    put(m, "blk.0.attn_q.weight", DIM, DIM, 0);
    put(m, "blk.0.attn_k.weight", DIM, DIM, 0);
    put(m, "blk.0.attn_v.weight", DIM, DIM, 0);
    put(m, "blk.0.attn_q_norm.weight", DIM / HEADS, 0, 0);
    put(m, "blk.0.attn_k_norm.weight", DIM / HEADS, 0, 0);
    put(m, "blk.0.attn_output.weight", DIM, DIM, 0);
    put(m, "blk.0.ffn_norm.weight", DIM, 0, 0);
    put(m, "output_norm.weight", DIM, 0, 0);
}

/* Keys but `without`, or `with` of that value in place of the usual one. */
static void
put_keys(struct gguf_made *m, const char *without, const char *with,
         uint32_t value)
{
    static const struct {
        const char *name;
        uint32_t value;
    } keys[] = {
        { "context_length", 64 }, { "embedding_length", DIM },
        { "block_count", 1 }, { "feed_forward_length", 2 * FF },
        { "attention.head_count", HEADS }, { "expert_count", EXPERTS },
        { "expert_used_count", 2 }, { "expert_feed_forward_length", FF },
        { "expert_shared_count", 0 },
    };
    char name[64];

    made_string(m, "general.architecture", "qwen3moe");
    made_f32(m, "qwen3moe.attention.layer_norm_rms_epsilon", 0x1p-17f);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(name, sizeof(name), "qwen3moe.%s", keys[i].name);
        if (strcmp(keys[i].name, without) != 0)
            made_u32(m, name, strcmp(keys[i].name, with) ? keys[i].value
                                                         : value);
    }
}

/* A model whose tensor of all gates is of that shape; see put_keys. */
static int
opened(struct weights *w, struct model_desc *d, const char *without,
       const char *with, uint32_t value, uint64_t gates, struct err *e)
{
    struct gguf_made m;
    size_t unused = 0;
    int rc;

    made_init(&m);
    put_keys(&m, without, with, value);
    put_attention(&m);
    put(&m, "blk.0.ffn_gate_inp.weight", DIM, EXPERTS, 0);
    put(&m, "blk.0.ffn_gate_exps.weight", DIM, FF, gates);
    put(&m, "blk.0.ffn_up_exps.weight", DIM, FF, EXPERTS);
    put(&m, "blk.0.ffn_down_exps.weight", FF, DIM, EXPERTS);
    CHECK(made_write(&m, path));
    made_release(&m);
    rc = weights_open(w, path, e);
    if (rc == 0) {
        rc = base_describe(d, &unused, w, e);
        CHECK_EQ_U64(unused, 0);
        if (rc < 0)
            weights_release(w);
    }
    unlink(path);
    return rc;
}

static void
check_refused(const char *without, const char *with, uint32_t value,
              uint64_t gates, const char *part)
{
    struct model_desc d;
    struct weights w;
    struct err e = { 0 };

    CHECK(opened(&w, &d, without, with, value, gates, &e) == ERR_DATA);
    if (strstr(e.text, part) == NULL)
        CHECK_STR(e.text, part);
}

TEST(a_tensor_of_all_experts_is_one_for_each)
{
    struct model_desc d;
    struct weights w;
    struct err e = { 0 };

    CHECK(opened(&w, &d, "", "", 0, EXPERTS, &e) == 0);
    CHECK_STR(e.text, "");
    CHECK(d.route_norm);
    CHECK(d.layer[0].experts == EXPERTS && d.layer[0].top_k == 2
          && d.layer[0].expert_dim == FF);
    for (uint32_t i = 0; i < EXPERTS; i++) {
        const struct weight *up, *down;
        char name[80];

        snprintf(name, sizeof(name),
                 "model.layers.0.mlp.experts.%u.up_proj.weight", i);
        up = weights_find(&w, name);
        CHECK(up != NULL && up->n_dims == 2 && up->shape[0] == FF
              && up->shape[1] == DIM
              && *(const float *)up->data == (float)(i * FF * DIM));
        snprintf(name, sizeof(name),
                 "model.layers.0.mlp.experts.%u.down_proj.weight", i);
        down = weights_find(&w, name);
        CHECK(down != NULL && down->shape[0] == DIM && down->shape[1] == FF);
    }
    desc_release(&d);
    weights_release(&w);
}

TEST(what_no_mixture_is_made_of_is_refused)
{
    check_refused("expert_count", "", 0, EXPERTS,
                  ": has no key qwen3moe.expert_count");
    check_refused("expert_used_count", "", 0, EXPERTS,
                  ": has no key qwen3moe.expert_used_count");
    check_refused("expert_feed_forward_length", "", 0, EXPERTS,
                  ": has no key qwen3moe.expert_feed_forward_length");
    check_refused("", "expert_used_count", 4, EXPERTS,
                  "num_experts_per_tok (found 4, expected at most the 3 ");
    check_refused("", "expert_count", 2, EXPERTS,
                  "tensor blk.0.ffn_gate_exps.weight: not the matrices of 2 "
                  "experts");
    check_refused("", "expert_count", 0, EXPERTS,
                  "num_experts (found 0, expected ");
    check_refused("", "", 0, EXPERTS + 1,
                  "tensor blk.0.ffn_gate_exps.weight: not the matrices of 3 "
                  "experts");
    check_refused("", "", 0, 0,
                  "tensor blk.0.ffn_gate_exps.weight: not the matrices of 3 "
                  "experts");
    check_refused("", "expert_feed_forward_length", FF + 2, EXPERTS,
                  "experts.0.gate_proj.weight");
    check_refused("", "expert_shared_count", 1, EXPERTS,
                  "key qwen3moe.expert_shared_count (found 1, expected 0");
}

static const struct test tests[] = {
    RUN(a_tensor_of_all_experts_is_one_for_each),
    RUN(what_no_mixture_is_made_of_is_refused),
};

TEST_MAIN("gguf_experts", tests)
