/* tensors.c - the list of a description's tensors: names, shapes, what they
 * are for, what they begin as. */
#include <math.h>

#include "model/desc.h"
#include "model/family.h"
#include "model/layer_kind.h"
#include "model/roles.h"

#include "test.h"
#include "tiny_model.h"

static struct model_desc
described(const char *config)
{
    struct model_desc d;
    struct err e;

    if (!CHECK(desc_read(&d, config, strlen(config), "tiny", &e) == 0))
        exit(1);
    return d;
}

static const struct model_tensor *
tensor_named(const struct model_desc *d, const char *name)
{
    for (size_t i = 0; i < d->n_tensors; i++)
        if (strcmp(d->tensor[i].name, name) == 0)
            return &d->tensor[i];
    return NULL;
}

struct expected {
    const char *name;
    uint32_t n_dims, rows, cols;
    uint8_t flags, init;
};

static void
check_list(const struct model_desc *d, const struct expected *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct model_tensor *t = tensor_named(d, want[i].name);

        if (!CHECK(t != NULL && t->n_dims == want[i].n_dims
                   && t->rows == want[i].rows && t->cols == want[i].cols
                   && t->flags == want[i].flags && t->init == want[i].init
                   && t->expert == -1))
            printf("  %s\n", want[i].name);
    }
}

static size_t
count_linears(const struct model_desc *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_modules; i++)
        n += module_is_linear(d, &d->module[i]);
    return n;
}

enum { MATRIX = TENSOR_LINEAR | TENSOR_DECAYS,
       TABLE = TENSOR_EMBEDDING | TENSOR_DECAYS };

/* Stored [in, out], and outputs into the residual scaled. */
TEST(tensors_of_gpt2)
{
    static const struct expected want[] = {
        { "transformer.wte.weight", 2, 61, 24, TABLE, INIT_NORMAL },
        { "transformer.wpe.weight", 2, 64, 24, TABLE, INIT_NORMAL },
        { "transformer.h.0.ln_1.weight", 1, 1, 24, TENSOR_NORM, INIT_ONES },
        { "transformer.h.0.ln_1.bias", 1, 1, 24, TENSOR_BIAS, INIT_ZEROS },
        { "transformer.h.2.attn.c_attn.weight", 2, 24, 72, MATRIX,
          INIT_NORMAL },
        { "transformer.h.2.attn.c_attn.bias", 1, 1, 72, TENSOR_BIAS,
          INIT_ZEROS },
        { "transformer.h.1.attn.c_proj.weight", 2, 24, 24, MATRIX,
          INIT_SCALED },
        { "transformer.h.1.mlp.c_fc.weight", 2, 24, 96, MATRIX,
          INIT_NORMAL },
        { "transformer.h.1.mlp.c_proj.weight", 2, 96, 24, MATRIX,
          INIT_SCALED },
        { "transformer.ln_f.weight", 1, 1, 24, TENSOR_NORM, INIT_ONES },
    };
    struct model_desc d = described(tiny_gpt2);

    check_list(&d, want, sizeof(want) / sizeof(want[0]));
    CHECK_EQ_U64(d.n_tensors, 2 + 3 * 12 + 2);
    CHECK_EQ_U64(count_linears(&d), 3 * 4);
    desc_release(&d);
}

TEST(tensors_of_llama)
{
    static const struct expected want[] = {
        { "model.layers.0.self_attn.q_proj.weight", 2, 32, 24, MATRIX,
          INIT_NORMAL },
        { "model.layers.0.self_attn.k_proj.weight", 2, 16, 24, MATRIX,
          INIT_NORMAL },
        { "model.layers.2.self_attn.o_proj.weight", 2, 24, 32, MATRIX,
          INIT_NORMAL },
        { "model.layers.2.mlp.down_proj.weight", 2, 24, 40, MATRIX,
          INIT_NORMAL },
        { "model.norm.weight", 1, 1, 24, TENSOR_NORM, INIT_ONES },
        { "lm_head.weight", 2, 61, 24, TENSOR_DECAYS, INIT_NORMAL },
    };
    struct model_desc d = described(tiny_llama);

    check_list(&d, want, sizeof(want) / sizeof(want[0]));
    CHECK_EQ_U64(d.n_tensors, 1 + 3 * 9 + 2);
    CHECK_EQ_U64(count_linears(&d), 3 * 7);
    CHECK_EQ_U64(desc_params(&d),
                 2 * 61 * 24
                 + 3 * (2 * 24 + 2 * 32 * 24 + 2 * 16 * 24 + 3 * 40 * 24)
                 + 24);
    desc_release(&d);
}

/* What is stored [inner, 1, width], and what has a name without a leaf. */
TEST(tensors_of_mamba)
{
    static const struct expected want[] = {
        { "backbone.embeddings.weight", 2, 61, 24, TABLE, INIT_NORMAL },
        { "backbone.layers.0.norm.weight", 1, 1, 24, TENSOR_NORM,
          INIT_ONES },
        { "backbone.layers.2.mixer.in_proj.weight", 2, 96, 24, MATRIX,
          INIT_NORMAL },
        { "backbone.layers.0.mixer.conv1d.weight", 3, 48, 4, TENSOR_DECAYS,
          INIT_FAN_IN },
        { "backbone.layers.0.mixer.conv1d.bias", 1, 1, 48, TENSOR_BIAS,
          INIT_ZEROS },
        { "backbone.layers.1.mixer.x_proj.weight", 2, 13, 48, MATRIX,
          INIT_NORMAL },
        { "backbone.layers.1.mixer.dt_proj.weight", 2, 48, 3,
          MATRIX | TENSOR_ASIDE, INIT_STEP },
        { "backbone.layers.1.mixer.dt_proj.bias", 1, 1, 48, TENSOR_BIAS,
          INIT_STEP_BIAS },
        { "backbone.layers.1.mixer.A_log", 2, 48, 5, TENSOR_EXACT,
          INIT_A_LOG },
        { "backbone.layers.1.mixer.D", 1, 1, 48, 0, INIT_ONES },
        { "backbone.layers.1.mixer.out_proj.weight", 2, 24, 48,
          MATRIX | TENSOR_ASIDE, INIT_OUT },
    };
    struct model_desc d = described(tiny_mamba);

    check_list(&d, want, sizeof(want) / sizeof(want[0]));
    CHECK_EQ_U64(d.n_tensors, 1 + 3 * 10 + 1);
    CHECK_EQ_U64(count_linears(&d), 3 * 2);
    desc_release(&d);
}

/* What heads have, and one way in for all. */
TEST(tensors_of_mamba2)
{
    static const struct expected want[] = {
        { "backbone.layers.2.mixer.in_proj.weight", 2, 48 + 68 + 6, 24,
          MATRIX, INIT_NORMAL },
        { "backbone.layers.0.mixer.conv1d.weight", 3, 48 + 20, 4,
          TENSOR_DECAYS, INIT_FAN_IN },
        { "backbone.layers.0.mixer.conv1d.bias", 1, 1, 68, TENSOR_BIAS,
          INIT_ZEROS },
        { "backbone.layers.1.mixer.dt_bias", 1, 1, 6, 0, INIT_STEP_BIAS },
        { "backbone.layers.1.mixer.A_log", 1, 1, 6, 0, INIT_A_LOG },
        { "backbone.layers.1.mixer.D", 1, 1, 6, 0, INIT_ONES },
        { "backbone.layers.1.mixer.norm.weight", 1, 1, 48, TENSOR_NORM,
          INIT_ONES },
        { "backbone.layers.1.mixer.out_proj.weight", 2, 24, 48,
          MATRIX | TENSOR_ASIDE, INIT_OUT },
    };
    struct model_desc d = described(tiny_mamba2);

    check_list(&d, want, sizeof(want) / sizeof(want[0]));
    CHECK_EQ_U64(d.n_tensors, 1 + 3 * 9 + 2);
    CHECK_EQ_U64(count_linears(&d), 3);
    CHECK(d.step_low <= 0 && isinf(d.step_high));
    desc_release(&d);
}

/* A mamba2 with one key more than it needs, or another value of it. */
static void
check_mamba2(const char *more, const char *name)
{
    struct model_desc d;
    struct err e;
    char text[400];
    int n = snprintf(text, sizeof(text), "{\"model_type\": \"mamba2\", "
                     "\"vocab_size\": 61, \"hidden_size\": 24, "
                     "\"num_hidden_layers\": 1, %s}", more);

    if (CHECK(desc_read(&d, text, (size_t)n, "tiny", &e) == ERR_DATA)
        && !CHECK(strncmp(e.text + strlen("tiny: "), name, strlen(name))
                  == 0))
        printf("    %s\n", e.text);
}

TEST(heads_that_do_not_fit_are_refused)
{
    check_mamba2("\"num_heads\": 6, \"head_dim\": 9, \"n_groups\": 2",
                 "num_heads (found 6 of 9 columns each, expected as many as "
                 "expand times hidden_size, 48)");
    check_mamba2("\"num_heads\": 6, \"head_dim\": 8, \"n_groups\": 4",
                 "n_groups (found 4, which does not divide the 6 heads)");
    check_mamba2("\"num_heads\": 0, \"head_dim\": 8", "num_heads (found 0");
    check_mamba2("\"num_heads\": 6, \"head_dim\": 0", "head_dim (found 0");
    check_mamba2("\"num_heads\": 6, \"head_dim\": 8, \"n_groups\": 0",
                 "n_groups (found 0");
    check_mamba2("\"num_heads\": 6, \"head_dim\": 8, \"n_groups\": 2, "
                 "\"state_size\": 4294967297", "state_size (found");
    check_mamba2("\"num_heads\": 6, \"head_dim\": 8, \"n_groups\": 2, "
                 "\"time_step_limit\": [0.5, 0.25]", "time_step_limit");
    check_mamba2("\"num_heads\": 6, \"head_dim\": 8, \"n_groups\": 2, "
                 "\"time_step_limit\": [Infinity, Infinity]",
                 "time_step_limit");
    check_mamba2("\"num_heads\": 6, \"head_dim\": 8, \"n_groups\": 2, "
                 "\"rescale_prenorm_residual\": true",
                 "rescale_prenorm_residual");
}

/* As Python writes it, and as transformers 5 does. */
TEST(steps_may_be_without_bound)
{
    static const char *const limits[] = {
        "[0.5, Infinity]", "[0.5, {\"__float__\": \"Infinity\"}]",
    };

    for (int i = 0; i < 2; i++) {
        struct model_desc d;
        char text[400];
        struct err e;
        int n = snprintf(text, sizeof(text), "{\"model_type\": \"mamba2\", "
                         "\"architectures\": [\"an \\\" Infinity\"], "
                         "\"time_step_limit\": %s}", limits[i]);

        if (!CHECK(desc_read(&d, text, (size_t)n, "big", &e) == 0)) {
            printf("    %s\n", e.text);
            continue;
        }
        CHECK(d.step_low >= 0.5f && d.step_low <= 0.5f && isinf(d.step_high));
        desc_release(&d);
    }
}

/* Layers of two kinds; weights that begin as all others' do. */
TEST(tensors_of_jamba)
{
    static const struct expected want[] = {
        { "model.layers.0.mamba.in_proj.weight", 2, 96, 24, MATRIX,
          INIT_NORMAL },
        { "model.layers.0.mamba.conv1d.weight", 3, 48, 4, TENSOR_DECAYS,
          INIT_NORMAL },
        { "model.layers.0.mamba.dt_layernorm.weight", 1, 1, 3, TENSOR_NORM,
          INIT_ONES },
        { "model.layers.0.mamba.b_layernorm.weight", 1, 1, 5, TENSOR_NORM,
          INIT_ONES },
        { "model.layers.2.mamba.dt_proj.weight", 2, 48, 3,
          MATRIX | TENSOR_ASIDE, INIT_NORMAL },
        { "model.layers.2.mamba.dt_proj.bias", 1, 1, 48, TENSOR_BIAS,
          INIT_ZEROS },
        { "model.layers.2.mamba.A_log", 2, 48, 5, TENSOR_EXACT,
          INIT_A_LOG },
        { "model.layers.2.mamba.out_proj.weight", 2, 24, 48, MATRIX,
          INIT_NORMAL },
        { "model.layers.1.self_attn.k_proj.weight", 2, 12, 24, MATRIX,
          INIT_NORMAL },
        { "model.layers.1.feed_forward.down_proj.weight", 2, 24, 40, MATRIX,
          INIT_NORMAL },
        { "model.layers.2.pre_ff_layernorm.weight", 1, 1, 24, TENSOR_NORM,
          INIT_ONES },
        { "model.final_layernorm.weight", 1, 1, 24, TENSOR_NORM, INIT_ONES },
    };
    struct model_desc d = described(tiny_jamba);

    check_list(&d, want, sizeof(want) / sizeof(want[0]));
    CHECK_EQ_U64(d.n_tensors, 2 * (12 + 5) + (4 + 5) + 3);
    CHECK_EQ_U64(count_linears(&d), 2 * (3 + 3) + (4 + 3));
    desc_release(&d);
}

/* Layers with experts but for one, and an expert that all tokens go
 * through. */
TEST(tensors_of_qwen2_moe)
{
    static const struct expected want[] = {
        { "model.layers.0.self_attn.q_proj.bias", 1, 1, 24, TENSOR_BIAS,
          INIT_ZEROS },
        { "model.layers.0.mlp.gate.weight", 2, 5, 24,
          TENSOR_DECAYS | TENSOR_EXACT, INIT_NORMAL },
        { "model.layers.1.mlp.up_proj.weight", 2, 40, 24, MATRIX,
          INIT_NORMAL },
        { "model.layers.2.mlp.shared_expert.gate_proj.weight", 2, 20, 24,
          MATRIX, INIT_NORMAL },
        { "model.layers.2.mlp.shared_expert.down_proj.weight", 2, 24, 20,
          MATRIX, INIT_NORMAL },
        { "model.layers.2.mlp.shared_expert_gate.weight", 2, 1, 24,
          MATRIX | TENSOR_EXACT, INIT_NORMAL },
    };
    struct model_desc d = described(tiny_qwen2_moe);
    const struct model_tensor *of =
        tensor_named(&d, "model.layers.2.mlp.experts.4.down_proj.weight");

    check_list(&d, want, sizeof(want) / sizeof(want[0]));
    CHECK(of != NULL && of->expert == 4 && of->rows == 24 && of->cols == 12
          && of->flags == (MATRIX | TENSOR_ASIDE));
    CHECK_EQ_U64(d.n_tensors, 2 * (9 + 1 + 15 + 4) + (9 + 3) + 3);
    CHECK_EQ_U64(count_linears(&d), 2 * (4 + 4) + (4 + 3));
    desc_release(&d);
}

/* Of six layers, those that transformers 5 gives a window (layer_types of its
 * Qwen2MoeConfig). */
TEST(windows_of_qwen2_moe)
{
    static const struct { int below; const char *slides; } rows[] = {
        { 0, "ffffff" }, { 1, "sfffff" }, { 3, "sfsfff" }, { 4, "sfsfff" },
        { 28, "sfsfsf" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct model_desc d;
        char text[300];

        snprintf(text, sizeof(text), "{\"model_type\": \"qwen2_moe\", "
                 "\"hidden_size\": 64, \"num_hidden_layers\": 6, "
                 "\"num_experts\": 4, \"use_sliding_window\": true, "
                 "\"max_window_layers\": %d}", rows[i].below);
        d = described(text);
        for (uint32_t l = 0; l < 6; l++)
            CHECK_EQ_U64(d.layer[l].window,
                         rows[i].slides[l] == 's' ? 4096 : 0);
        desc_release(&d);
    }
}

static void
check_refused_of(const char *type, const char *keys, const char *want)
{
    char text[200];
    struct model_desc d;
    struct err e;
    int n = snprintf(text, sizeof(text), "{\"model_type\": \"%s\", "
                     "\"hidden_size\": 64, \"num_hidden_layers\": 4%s}",
                     type, keys);

    if (!CHECK(desc_read(&d, text, (size_t)n, "config", &e) == ERR_DATA
               && strstr(e.text, want) != NULL))
        printf("    %s\n", e.text);
}

static void
check_refused(const char *keys, const char *want)
{
    check_refused_of("jamba", keys, want);
}

TEST(experts_that_do_not_fit_are_refused)
{
    static const struct { const char *keys, *want; } rows[] = {
        { ", \"num_experts\": 0", "num_experts (found 0, expected a whole" },
        { ", \"num_experts\": 3", "num_experts_per_tok (found 4, expected "
          "at most the 3 experts that there are)" },
        { ", \"shared_expert_intermediate_size\": 0",
          "shared_expert_intermediate_size (found 0, expected a whole" },
        { ", \"moe_intermediate_size\": 0",
          "moe_intermediate_size (found 0, expected a whole number" },
        { ", \"decoder_sparse_step\": 0", "decoder_sparse_step (found 0, " },
        { ", \"mlp_only_layers\": [0, 4]",
          "mlp_only_layers (found 4, expected layers from 0 to 3)" },
        { ", \"mlp_only_layers\": [-1]", "mlp_only_layers (found -1, " },
        { ", \"mlp_only_layers\": 1",
          "mlp_only_layers (found 1, expected a list of layers)" },
        { ", \"decoder_sparse_step\": 5, \"output_router_logits\": true",
          "output_router_logits (found true, and no layer has experts)" },
        { ", \"use_sliding_window\": true, \"sliding_window\": null",
          "sliding_window (found null, expected over 0, since " },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_refused_of("qwen2_moe", rows[i].keys, rows[i].want);
}

TEST(layers_that_do_not_fit_are_refused)
{
    check_refused(", \"num_experts_per_tok\": 17", "config: "
                  "num_experts_per_tok (found 17, expected at most the 16 ");
    check_refused(", \"num_experts\": 0", "num_experts");
    check_refused(", \"num_experts\": 1, \"attn_layer_period\": 0",
                  "attn_layer_period");
    check_refused(", \"num_experts\": 1, \"attn_layer_period\": 3, "
                  "\"attn_layer_offset\": 3", "attn_layer_offset (found 3, "
                  "expected less than attn_layer_period, which is 3)");
    check_refused(", \"expert_layer_period\": 4, "
                  "\"expert_layer_offset\": 5",
                  "expert_layer_offset (found 5, expected less than ");
    check_refused(", \"num_experts\": 1, \"mamba_dt_rank\": 129",
                  "mamba_dt_rank");
    check_refused(", \"num_experts\": 1, \"mamba_d_state\": 257",
                  "mamba_d_state");
}

TEST(a_tied_head_has_no_tensor_of_its_own)
{
    struct model_desc d = described(tiny_qwen2);
    const struct module *head = desc_module(&d, ROLE_HEAD, 0);
    const struct module *table = desc_module(&d, ROLE_EMBED, 0);
    size_t n = d.n_tensors;

    CHECK(tensor_named(&d, "lm_head.weight") == NULL);
    CHECK_EQ_U64(head->weight, table->weight);
    desc_untie(&d);
    CHECK_EQ_U64(d.n_tensors, n + 1);
    CHECK(tensor_named(&d, "lm_head.weight")
          == &d.tensor[head->weight]);
    CHECK(head->weight != table->weight);
    desc_release(&d);
}

static bool
is_norm(const struct model_desc *d, const struct module *m)
{
    return d->tensor[m->weight].flags & TENSOR_NORM;
}

/* Whether it is there as a part of another, or as its parts. */
static bool
is_elsewhere(const struct model_desc *d, unsigned role, uint32_t layer)
{
    if (role == ROLE_GATE || role == ROLE_UP)
        return desc_module(d, ROLE_GATE_UP, layer) != NULL;
    return role == ROLE_GATE_UP && desc_module(d, ROLE_GATE, layer) != NULL;
}

/* The linears are the layers' modules that aren't norms, and a layer lacks
 * none of its feed-forward's. */
static void
check_layers(const struct model_desc *d)
{
    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module *m = &d->module[i];

        CHECK((d->tensor[m->weight].flags & TENSOR_LINEAR
               || m->role == ROLE_CONV || m->role == ROLE_A_LOG
               || m->role == ROLE_HEAD_A_LOG || m->role == ROLE_STEP_BIAS
               || m->role == ROLE_SKIP || m->role == ROLE_ROUTER)
              == (role_info(m->role)->in_layer && !is_norm(d, m)));
    }
    for (uint32_t l = 0; l < d->n_layers; l++)
        for (unsigned role = 0; role < ROLE_COUNT; role++)
            if (ffn_kind(d->layer[l].ffn)->roles & ROLE_BIT(role)
                && !CHECK(desc_module(d, role, l) != NULL
                          || is_elsewhere(d, role, l)))
                printf("  %s: layer %u has no module of role %u\n",
                       d->family->model_type, l, role);
}

/* Each module finds its tensors, each tensor its module. */
TEST(lists_know_each_other)
{
    for (size_t m = 0; m < N_TINY; m++) {
        struct model_desc d = described(tiny_configs[m]);
        for (uint32_t i = 0; i < d.n_tensors; i++) {
            const struct module *of = &d.module[d.tensor[i].module];

            CHECK(of->weight == i || of->bias == i);
            CHECK(strncmp(d.tensor[i].name, of->name, strlen(of->name))
                  == 0);
        }
        for (size_t i = 0; i < d.n_modules; i++)
            CHECK((d.module[i].bias != NO_TENSOR) == d.module[i].has_bias);
        check_layers(&d);
        desc_release(&d);
    }
}

TEST(every_family_has_a_tiny_model)
{
    const struct family *f;

    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        bool found = false;

        for (size_t m = 0; m < N_TINY; m++) {
            struct model_desc d = described(tiny_configs[m]);

            found |= d.family == f;
            desc_release(&d);
        }
        if (!CHECK(found))
            printf("  no tiny model of %s\n", f->model_type);
    }
}

static void
check_tables(const struct family *f)
{
    const struct module_row *m = f->modules;
    size_t drops = 0, runs = 0;

    for (const struct key *k = f->keys; k->name != NULL; k++)
        drops += k->kind == KEY_DROP;
    CHECK(drops <= CONFIG_DROPS);
    for (bool was = false; m->name != NULL; m++) {
        bool inside = role_info(m->role)->in_layer;

        runs += inside && !was;
        was = inside;
    }
    if (!CHECK(runs == 1))
        printf("  the layers' modules of %s\n", f->model_type);
}

TEST(tables_are_whole)
{
    for (size_t i = 0; family_at(i) != NULL; i++)
        check_tables(family_at(i));
    for (unsigned k = 0; k < MIXER_KINDS; k++)
        CHECK(mixer_kind(k)->name != NULL && mixer_kind(k)->emit != NULL);
    for (unsigned k = 0; k < FFN_KINDS; k++)
        CHECK(ffn_kind(k)->name != NULL
              && (ffn_kind(k)->emit != NULL) == (k != FF_NONE));
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        CHECK(role_info(r)->out != NULL);
}

static const struct test tests[] = {
    RUN(tables_are_whole),
    RUN(every_family_has_a_tiny_model),
    RUN(tensors_of_gpt2),
    RUN(tensors_of_llama), RUN(tensors_of_mamba), RUN(tensors_of_mamba2),
    RUN(heads_that_do_not_fit_are_refused), RUN(steps_may_be_without_bound),
    RUN(tensors_of_jamba), RUN(tensors_of_qwen2_moe),
    RUN(windows_of_qwen2_moe), RUN(experts_that_do_not_fit_are_refused),
    RUN(layers_that_do_not_fit_are_refused),
    RUN(a_tied_head_has_no_tensor_of_its_own),
    RUN(lists_know_each_other),
};

TEST_MAIN("tensors", tests)
