/* train_options.c - what options of a run exclude each other, and what the
 * others come to: for the back end, for the trainer. */
#include "cli/train_options.h"

#include "base/par.h"
#include "test.h"
#include "tool/internal.h"

static const struct tool trial = {
    .name = "try", .summary = "try", .operands = "",
    .opts = train_option_table,
    .options_size = sizeof(struct train_options),
};

#define MAX_WORDS 12

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
    refused(LINE("--method=full", "--dropout=0.1"), text);
}

TEST(an_adapter_that_is_there_has_its_shape)
{
    static const char text[] = "--init-adapter sets rank, alpha and targets";

    taken(LINE("--init-adapter=a", "--dropout=0.1"));
    refused(LINE("--init-adapter=a", "--rank=32"), text);
    refused(LINE("--init-adapter=a", "--alpha=64"), text);
    refused(LINE("--init-adapter=a", "--targets=q_proj"), text);
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
    CHECK(o.alpha == 32 && o.dropout == 0.25); /* alpha: without rslora */
    parse(&o, &args, LINE("--init-adapter=a", "--dropout=0"));
    CHECK(train_options_settle(&o, &args, &in, &e) == 0);
    CHECK(o.dropout == 0);
}

TEST(options_become_the_trainers)
{
    struct run_inputs in = { .model = { .with = NULL } };
    const char **targets = NULL;
    struct train_options o;
    struct train_opts t;
    struct args args;

    parse(&o, &args, LINE("--steps=7", "--method=full", "--optimizer=sgd",
                          "--recompute=block", "--schedule=linear",
                          "--offload=activations", "--batch=3",
                          "--accum=5"));
    t = train_options_resolve(&o, &in, &targets);
    CHECK(t.prog.method == METHOD_FULL && t.prog.optimizer == OPT_SGD
          && t.prog.recompute == RECOMPUTE_BLOCK
          && t.prog.offload == OFFLOAD_ACTIVATIONS
          && t.schedule == SCHEDULE_LINEAR);
    CHECK(t.steps == 7 && t.prog.batch == 3 && t.accum == 5);
    CHECK(t.prog.head_chunk == TRAIN_HEAD_CHUNK && targets == NULL);
    parse(&o, &args, LINE("--steps=7"));
    t = train_options_resolve(&o, &in, &targets);
    CHECK(t.prog.method == METHOD_LORA && t.prog.optimizer == OPT_ADAMW
          && t.prog.recompute == RECOMPUTE_NONE
          && t.prog.offload == OFFLOAD_NONE
          && t.schedule == SCHEDULE_COSINE);
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
    RUN(the_machine_is_the_one_that_was_named),
};

TEST_MAIN("train_options", tests)
