/* train_options.c - what options of a run exclude each other, and what the
 * others come to: for the back end, for the trainer. */
#include "cli/train_options.h"

#include <math.h>

#include "base/par.h"
#include "test.h"
#include "tool/internal.h"

static const struct tool trial = {
    .name = "try", .summary = "try", .operands = "",
    .opts = train_option_table,
    .options_size = sizeof(struct train_options),
};

#define MAX_WORDS 12

static const char llama[] = "{\"model_type\":\"llama\",\"hidden_size\":8,"
    "\"num_attention_heads\":2,\"num_key_value_heads\":1,"
    "\"num_hidden_layers\":2,\"intermediate_size\":12,\"vocab_size\":16}";

/* The options of a line that is right by itself. */
static void
parse(struct train_options *o, struct args *args, const char *const *word)
{
    char *argv[MAX_WORDS] = { (char *)"try", (char *)"--data=d",
                              (char *)"--base=b", (char *)"-or" };
    int argc = 4;

    while (argc < MAX_WORDS && *word != NULL)
        argv[argc++] = (char *)*word++;
    tool_start(&trial, o, args, argc, argv);
}

#define LINE(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* They are refused with exactly that text. */
static void
refused(const char *const *line, const char *text)
{
    struct train_options o;
    struct args args;
    struct err e;

    parse(&o, &args, line);
    if (CHECK(train_options_check(&o, &args, &e) == ERR_USAGE))
        CHECK_STR(e.text, text);
}

static void
taken(const char *const *line)
{
    struct train_options o;
    struct args args;
    struct err e;

    parse(&o, &args, line);
    CHECK(train_options_check(&o, &args, &e) == 0);
}

TEST(a_run_has_one_length)
{
    static const char text[] = "give one of --steps, --epochs and --tokens";

    taken(LINE("--rank=4"));
    taken(LINE("--steps=3"));
    taken(LINE("--epochs=.5"));
    taken(LINE("--tokens=900"));
    refused(LINE("--steps=3", "--epochs=2"), text);
    refused(LINE("--steps=3", "--tokens=900"), text);
    refused(LINE("--epochs=2", "--tokens=900"), text);
}

TEST(full_training_has_no_adapter)
{
    static const char text[] = "--method full has no adapter";

    taken(LINE("--method=full"));
    refused(LINE("--method=full", "--init-adapter=a"), text);
    refused(LINE("--method=full", "--targets=q_proj"), text);
    refused(LINE("--method=full", "--modules-to-save=norm"), text);
    refused(LINE("--method=full", "--trainable-token-indices=3"), text);
    refused(LINE("--ensure-weight-tying"), "--ensure-weight-tying without "
            "--modules-to-save");
    refused(LINE("--method=full", "--dropout=0.1"), text);
}

TEST(an_adapter_that_is_there_has_its_shape)
{
    static const char text[] = "--init-adapter sets rank, alpha, their "
           "patterns, rslora, dora, targets, modules to save and "
           "trainable tokens";

    taken(LINE("--init-adapter=a", "--dropout=0.1"));
    refused(LINE("--init-adapter=a", "--rank=32"), text);
    refused(LINE("--init-adapter=a", "--alpha=64"), text);
    refused(LINE("--init-adapter=a", "--targets=q_proj"), text);
    refused(LINE("--init-adapter=a", "--modules-to-save=norm"), text);
    refused(LINE("--init-adapter=a", "--trainable-token-indices=3"), text);
    refused(LINE("--init-adapter=a", "--ensure-weight-tying"), text);
}

TEST(all_linear_is_what_no_list_is)
{
    struct train_options o;
    struct args args;
    struct err e;

    parse(&o, &args, LINE("--targets=All-Linear"));
    CHECK(train_options_check(&o, &args, &e) == 0);
    CHECK_EQ_U64(o.targets.n, 0);
    refused(LINE("--targets=all-linear,q_proj"), "--targets: all-linear "
            "stands alone (found 'q_proj' beside it)");
}

TEST(an_adapter_brings_rank_alpha_and_dropout)
{
    const struct adapter a = { .rank = 16, .alpha = 8, .dropout = 0.25,
                               .rslora = true };
    struct run_inputs in = { .model = { .with = &a } };
    struct train_options o;
    struct args args;
    struct err e;

    in.model.desc.max_pos = 512;
    in.data.loss = LOSS_ALL;
    parse(&o, &args, LINE("--init-adapter=a"));
    CHECK(o.loss == LOSS_AUTO);
    CHECK(train_options_settle(&o, &args, &in, &e) == 0);
    CHECK(o.loss == LOSS_ALL); /* what the run learns, not "auto" */
    CHECK_EQ_U64(o.rank, 16);
    CHECK(o.alpha == 8 && o.rslora && o.dropout == 0.25);
    parse(&o, &args, LINE("--init-adapter=a", "--dropout=0"));
    CHECK(train_options_settle(&o, &args, &in, &e) == 0);
    CHECK(o.dropout == 0);
}

TEST(options_become_the_trainers)
{
    struct run_inputs in = { .model = { .with = NULL } };
    struct train_options o;
    struct run_adapter a;
    struct train_opts t;
    struct args args;
    struct err e;

    parse(&o, &args, LINE("--steps=7", "--method=full", "--optimizer=sgd",
                          "--recompute=block", "--schedule=linear",
                          "--offload=activations", "--batch=3",
                          "--accum=5"));
    CHECK(train_options_resolve(&t, &a, &o, &in, &e) == 0);
    CHECK(t.prog.method == METHOD_FULL && t.prog.optimizer == OPT_SGD
          && t.prog.recompute == RECOMPUTE_BLOCK
          && t.prog.offload == OFFLOAD_ACTIVATIONS
          && t.course.kind == SCHEDULE_LINEAR);
    CHECK(t.steps == 7 && t.prog.batch == 3 && t.accum == 5);
    CHECK(t.prog.head_chunk == TRAIN_HEAD_CHUNK && a.parts == NULL);
    run_adapter_release(&a);
    CHECK(desc_read(&in.model.desc, llama, strlen(llama), "llama", &e)
          == 0);
    parse(&o, &args, LINE("--steps=7"));
    CHECK(train_options_resolve(&t, &a, &o, &in, &e) == 0);
    CHECK(t.prog.method == METHOD_LORA && t.prog.lora == a.parts
          && t.prog.optimizer == OPT_ADAMW
          && t.prog.recompute == RECOMPUTE_NONE
          && t.prog.offload == OFFLOAD_NONE
          && t.course.kind == SCHEDULE_COSINE);
    run_adapter_release(&a);
    desc_release(&in.model.desc);
}

/* The adapter of that command line; ERR_USAGE where text is what is said. */
static void
adapter_of(struct run_adapter *a, const struct model_desc *d,
           const char *const *line, const char *text)
{
    struct run_inputs in = { .model = { .with = NULL } };
    struct train_options o;
    struct train_opts t;
    struct args args;
    struct err e = { 0 };

    in.model.desc = *d;
    parse(&o, &args, line);
    CHECK(train_options_resolve(&t, a, &o, &in, &e)
          == (text ? ERR_USAGE : 0));
    if (text != NULL)
        CHECK_STR(e.text, text);
}

/* Rank and scale of a module. */
static bool
has(const struct run_adapter *a, const struct model_desc *d,
    const char *module, uint32_t rank, double scale)
{
    for (size_t i = 0; i < d->n_modules; i++)
        if (strcmp(d->module[i].name, module) == 0)
            return a->parts[i].rank == rank
                   && fabs((double)a->parts[i].scale - scale) < 1e-6;
    return false;
}

TEST(modules_have_their_own_strength)
{
    struct run_adapter a;
    struct model_desc d;
    struct err e;

    CHECK(desc_read(&d, llama, strlen(llama), "llama", &e) == 0);
    adapter_of(&a, &d, LINE("--rank=4", "--alpha=8", "--targets=q_proj,up_proj",
                            "--rank-pattern=layers.1.self_attn.q_proj=16",
                            "--alpha-pattern=up_proj=2,q_.*=3"), NULL);
    CHECK(has(&a, &d, "model.layers.0.self_attn.q_proj", 4, 0.75));
    CHECK(has(&a, &d, "model.layers.1.self_attn.q_proj", 16, 3.0 / 16));
    CHECK(has(&a, &d, "model.layers.1.mlp.up_proj", 4, 0.5));
    CHECK(has(&a, &d, "model.layers.1.mlp.down_proj", 0, 0));
    run_adapter_release(&a);
    adapter_of(&a, &d, LINE("--rank=4", "--alpha=8", "--rslora",
                            "--targets=.*\\.1\\..*(q|k)_proj"), NULL);
    CHECK(has(&a, &d, "model.layers.1.self_attn.k_proj", 4, 4));
    CHECK(has(&a, &d, "model.layers.0.self_attn.k_proj", 0, 0));
    CHECK(a.config.target_pattern && a.config.rslora);
    run_adapter_release(&a);
    desc_release(&d);
}

TEST(what_selects_nothing_is_refused)
{
    static const struct { const char *option, *text; } bad[] = {
        { "--targets=c_attn", "target 'c_attn' is no linear module of a llama "
          "layer" },
        { "--targets=x.*", "target 'x.*' is no linear module of a llama "
          "layer" },
        { "--targets=q_proj,k.*", "--targets: a pattern stands alone (found "
          "'q_proj' beside 'k.*')" },
        { "--targets=(", "\"(\" is no pattern that can be matched" },
        { "--rank-pattern=c_fc=3", "rank pattern 'c_fc' is no linear module "
          "of a llama layer that gets an adapter" },
        { "--alpha-pattern=proj=3", "alpha pattern 'proj' is no linear module "
          "of a llama layer that gets an adapter" },
        { "--rank-pattern=q_proj", "--rank-pattern (found 'q_proj', expected "
          "MODULE=N, N a whole number from 1 to 4096)" },
        { "--rank-pattern=q_proj=0", "--rank-pattern (found 'q_proj=0', "
          "expected MODULE=N, N a whole number from 1 to 4096)" },
        { "--alpha-pattern==2", "--alpha-pattern (found '=2', expected "
          "MODULE=N, N a number from 0 to 1e+06)" },
    };
    struct run_adapter a;
    struct model_desc d;
    struct err e;

    CHECK(desc_read(&d, llama, strlen(llama), "llama", &e) == 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        adapter_of(&a, &d, LINE(bad[i].option), bad[i].text);
        run_adapter_release(&a);
    }
    desc_release(&d);
}

#define OTHER " (name other --targets)"
#define ALL ": PEFT wants them of all experts in all layers, and of gate and " \
            "up together and with down"

TEST(an_adapter_of_experts_is_one_that_peft_reads)
{
    static const char config[] = "{\"model_type\":\"mixtral\","
        "\"hidden_size\":8,\"num_hidden_layers\":2,\"vocab_size\":16,"
        "\"num_attention_heads\":2,\"num_key_value_heads\":1,"
        "\"intermediate_size\":8,\"num_local_experts\":3}";
    static const char first[] = "module model.layers.0.block_sparse_moe."
        "experts.0.w1: PEFT has no ";
    static const struct { const char *option, *text; } bad[] = {
        { "--dora", "adapters of experts with DoRA" OTHER },
        { "--rslora", "adapters of experts with rsLoRA's strength"
          OTHER },
        { "--dropout=0.1", "adapters of experts with dropout" OTHER },
        { "--rank-pattern=w1=3", "patterns of ranks and alphas for "
          "experts" },
        { "--alpha-pattern=w1=3", "patterns of ranks and alphas for "
          "experts" },
    };
    struct run_adapter a;
    struct model_desc d;
    char text[160];
    struct err e;

    CHECK(desc_read(&d, config, strlen(config), "mixtral", &e) == 0);
    adapter_of(&a, &d, LINE("--rank=4", "--alpha=8"), NULL);
    CHECK(has(&a, &d, "model.layers.1.block_sparse_moe.experts.2.w3", 4, 2));
    CHECK(has(&a, &d, "model.layers.1.block_sparse_moe.gate", 0, 0));
    run_adapter_release(&a);
    adapter_of(&a, &d, LINE("--targets=q_proj", "--dora"), NULL);
    run_adapter_release(&a);
    adapter_of(&a, &d, LINE("--targets=w2,q_proj",
                            "--rank-pattern=q_proj=3"), NULL);
    run_adapter_release(&a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(text, sizeof(text), "%s%s", first, bad[i].text);
        adapter_of(&a, &d, LINE(bad[i].option), text);
        run_adapter_release(&a);
    }
    adapter_of(&a, &d, LINE("--targets=w1,w2"), "module model.layers.0."
               "block_sparse_moe.experts.0.w1 gets an adapter and model."
               "layers.0.block_sparse_moe.experts.0.w3 none" ALL);
    run_adapter_release(&a);
    adapter_of(&a, &d, LINE("--targets=w1,w3"), "module model.layers.0."
               "block_sparse_moe.experts.0.w1 gets an adapter and model."
               "layers.0.block_sparse_moe.experts.0.w2 none" ALL);
    run_adapter_release(&a);
    adapter_of(&a, &d, LINE("--targets=.*experts\\.[01]\\.w2"), "module "
               "model.layers.0.block_sparse_moe.experts.0.w2 gets an adapter "
               "and model.layers.0.block_sparse_moe.experts.2.w2 none" ALL);
    run_adapter_release(&a);
    desc_release(&d);
}

/* PEFT reaches the experts by the names of two parameters alone. */
TEST(an_adapter_reaches_experts_of_qwen2_moe_by_their_parameters)
{
    static const char config[] = "{\"model_type\":\"qwen2_moe\","
        "\"hidden_size\":8,\"num_hidden_layers\":2,\"vocab_size\":16,"
        "\"num_attention_heads\":2,\"num_key_value_heads\":1,"
        "\"num_experts\":3,\"num_experts_per_tok\":2,"
        "\"mlp_only_layers\":[0]}";
    static const char at[] = "model.layers.1.mlp.";
    static const struct { const char *leaf; bool all, named; } rows[] = {
        { "shared_expert.gate_proj", true, false },
        { "shared_expert.down_proj", true, false },
        { "shared_expert_gate", true, false }, { "gate", false, false },
        { "experts.2.gate_proj", false, true },
        { "experts.0.down_proj", false, true },
    };
    struct run_adapter a;
    struct model_desc d;
    char name[96];
    struct err e;

    CHECK(desc_read(&d, config, strlen(config), "qwen2_moe", &e) == 0);
    for (int named = 0; named < 2; named++) {
        if (named)
            adapter_of(&a, &d, LINE("--targets=q_proj,experts.gate_up_proj,"
                                    "mlp.experts.down_proj"), NULL);
        else
            adapter_of(&a, &d, LINE("--rank=4"), NULL);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
            bool is = named ? rows[i].named : rows[i].all;

            snprintf(name, sizeof(name), "%s%s", at, rows[i].leaf);
            CHECK(has(&a, &d, name, is ? a.config.rank : 0,
                      is ? (float)(a.config.alpha / a.config.rank) : 0));
        }
        CHECK(has(&a, &d, "model.layers.0.mlp.gate_proj", named ? 0 : 4,
                  named ? 0 : (float)(a.config.alpha / 4)));
        run_adapter_release(&a);
    }
    adapter_of(&a, &d, LINE("--targets=experts.gate_up_proj"), "module "
               "model.layers.1.mlp.experts.0.gate_proj gets an adapter and "
               "model.layers.1.mlp.experts.0.down_proj none" ALL);
    run_adapter_release(&a);
    adapter_of(&a, &d, LINE("--targets=experts.0.gate_proj"), "target "
               "'experts.0.gate_proj' is no linear module of a qwen2_moe "
               "layer that PEFT makes adapters of");
    run_adapter_release(&a);
    desc_release(&d);
}

/* Of Mamba's linears, those that PEFT makes adapters of, and those that
 * transformers calls. */
TEST(an_adapter_reaches_two_linears_of_mamba)
{
    static const char config[] = "{\"model_type\":\"mamba\","
        "\"hidden_size\":8,\"num_hidden_layers\":2,\"vocab_size\":16}";
    static const char at[] = "backbone.layers.1.mixer.";
    struct run_adapter a;
    struct model_desc d;
    char name[64];
    struct err e;

    CHECK(desc_read(&d, config, strlen(config), "mamba", &e) == 0);
    adapter_of(&a, &d, LINE("--rank=4", "--alpha=8"), NULL);
    for (size_t i = 0; i < 4; i++) {
        static const char *const leaf[] = { "in_proj", "x_proj", "dt_proj",
                                            "out_proj" };

        snprintf(name, sizeof(name), "%s%s", at, leaf[i]);
        CHECK(has(&a, &d, name, i < 2 ? 4 : 0, i < 2 ? 2 : 0));
    }
    run_adapter_release(&a);
    adapter_of(&a, &d, LINE("--targets=in_proj,out_proj"),
               "target 'out_proj' is no linear module of a mamba layer that "
               "PEFT makes adapters of");
    run_adapter_release(&a);
    desc_release(&d);
}

/* PEFT doesn't refuse out_proj there, and reaches its experts by another
 * name. */
TEST(an_adapter_reaches_all_linears_of_jamba_but_the_steps)
{
    static const char config[] = "{\"model_type\":\"jamba\","
        "\"hidden_size\":8,\"num_hidden_layers\":2,\"vocab_size\":16,"
        "\"num_attention_heads\":2,\"num_key_value_heads\":1,"
        "\"num_experts\":2}";
    static const char at[] = "model.layers.1.mamba.";
    struct run_adapter a;
    struct model_desc d;
    char name[64];
    struct err e;

    CHECK(desc_read(&d, config, strlen(config), "jamba", &e) == 0);
    adapter_of(&a, &d, LINE("--rank=4", "--alpha=8"), NULL);
    for (size_t i = 0; i < 4; i++) {
        static const char *const leaf[] = { "in_proj", "x_proj", "out_proj",
                                            "dt_proj" };

        snprintf(name, sizeof(name), "%s%s", at, leaf[i]);
        CHECK(has(&a, &d, name, i < 3 ? 4 : 0, i < 3 ? 2 : 0));
    }
    CHECK(has(&a, &d, "model.layers.0.feed_forward.up_proj", 4, 2));
    CHECK(has(&a, &d, "model.layers.1.feed_forward.experts.1.up_proj", 0, 0));
    run_adapter_release(&a);
    desc_release(&d);
}

TEST(the_machine_is_the_one_that_was_named)
{
    struct train_options o;
    struct device_opts d;
    struct args args;

    parse(&o, &args, LINE("--device=cpu", "--compute=bf16", "--threads=3"));
    d = machine_use(&o.machine);
    CHECK_STR(d.name, "cpu");
    CHECK_STR(d.compute, "bf16");
    CHECK(par_threads() == 3);
}

static const struct test tests[] = {
    RUN(a_run_has_one_length),
    RUN(full_training_has_no_adapter),
    RUN(an_adapter_that_is_there_has_its_shape),
    RUN(all_linear_is_what_no_list_is),
    RUN(an_adapter_brings_rank_alpha_and_dropout),
    RUN(options_become_the_trainers),
    RUN(modules_have_their_own_strength),
    RUN(what_selects_nothing_is_refused),
    RUN(an_adapter_of_experts_is_one_that_peft_reads),
    RUN(an_adapter_reaches_experts_of_qwen2_moe_by_their_parameters),
    RUN(an_adapter_reaches_two_linears_of_mamba),
    RUN(an_adapter_reaches_all_linears_of_jamba_but_the_steps),
    RUN(the_machine_is_the_one_that_was_named),
};

TEST_MAIN("train_options", tests)
