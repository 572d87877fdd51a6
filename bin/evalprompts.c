/* evalprompts.c - what a base model, and an adapter on it, can do: the loss
 * over held-out records, also against another base, and checks on the
 * completions of prompts. */
#include <string.h>

#include "base/io.h"
#include "cli/aside.h"
#include "cli/machine.h"
#include "eval/prompt_score.h"
#include "eval/score.h"
#include "tool/tool.h"

struct options {
    const char *base, *adapter, *compare;
    const char *data, *split, *per_record, *tokenizer;
    uint64_t batch, seq_len, records, max_tokens, context, seed;
    double temperature, top_p;
    struct machine_options machine;
    bool force;
};

static const struct opt table[] = {
    { BASE_OPTION, AT(base) },
    { .name = "adapter", .type = OPT_STRING, AT(adapter), .arg = "DIR",
      .help = "PEFT or mlx-lm adapter, or run with one, to hold against the "
              "base alone" },
    { .name = "compare", .type = OPT_STRING, AT(compare), .arg = "BASE",
      .help = "another base of the same vocabulary, to hold against the base "
              "on the data" },
    { .name = "data", .type = OPT_STRING, AT(data), .arg = "DIR",
      .help = "set of token shards to measure the loss on" },
    { .name = "split", .type = OPT_STRING, .output = true, AT(split),
      .arg = "NAME", .def = "test", .help = "its split" },
    { .name = "records", .type = OPT_U64, .output = true, AT(records),
      .arg = "N", .def = "0", .max = OPT_MAX_EXACT,
      .help = "N records, spread evenly over the split; 0 for all" },
    { .name = "per-record", .type = OPT_STRING, AT(per_record), .arg = "FILE",
      .help = "write the loss of each record there, as JSON lines" },
    { .name = "batch", .type = OPT_U64, AT(batch), .arg = "N", .def = "4",
      .min = 1, .max = 65536,
      .help = "sequences that go through at one time" },
    { .name = "seq-len", .type = OPT_U64, .output = true, AT(seq_len),
      .arg = "N", .def = "0", .max = 1048576,
      .help = "tokens a packed sequence; 0 for 512, or for the positions of a "
              "base that has fewer" },
    { TOKENIZER_OPTION, AT(tokenizer),
      .help = "tokenizer.json, or GGUF file, for prompts; the base's own by "
              "default" },
    { .name = "max-tokens", .type = OPT_U64, .output = true, AT(max_tokens),
      .arg = "N", .def = "64", .min = 1, .max = 1048576,
      .help = "tokens to complete a prompt with, where it names no number" },
    { .name = "context", .type = OPT_U64, .output = true, AT(context),
      .arg = "N", .def = "0", .max = 1048576,
      .help = "tokens of prompt and completion; 0 for what the model takes, "
              "at most 4096" },
    { .name = "temperature", .type = OPT_DOUBLE, .output = true,
      AT(temperature), .arg = "T", .def = "0", .max = 100,
      .help = "of sampling; 0 takes the likeliest token" },
    { .name = "top-p", .type = OPT_DOUBLE, .output = true, AT(top_p),
      .arg = "P", .def = "1", .min = 0.001, .max = 1,
      .help = "sample among the likeliest tokens of this probability" },
    { .name = "seed", .type = OPT_U64, .output = true, AT(seed), .arg = "N",
      .def = "0", .max = OPT_MAX_EXACT, .help = "seed of sampling" },
    { COMPUTE_OPTION, AT(machine.compute) },
    { DEVICE_OPTION, AT(machine.device) },
    { .name = "force", .type = OPT_FLAG, AT(force),
      .help = "go on where the memory there is does not suffice" },
    { MACHINE_THREADS_OPTION, AT(machine.threads) },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "evalprompts",
    .summary = "measure a base model and an adapter on data and prompts",
    .operands = "[PROMPTS.jsonl]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5 6",
};

/* Whether --per-record can be written at the end, and is none of what is
 * read. */
static int
check_per_record(const struct options *o, const struct args *args,
                 const struct model *m, struct err *e)
{
    const char *const input[] = {
        o->base, m->adapter_dir, o->compare, o->data, o->tokenizer,
        args->n > 0 ? args->operand[0] : NULL
    };

    if (o->per_record == NULL)
        return 0;
    return aside_check("per-record", o->per_record, input,
                       sizeof(input) / sizeof(input[0]), e);
}

/* An option that would not be obeyed, because what it is about isn't
 * measured. */
static int
check_idle(const struct options *o, const struct args *args, struct err *e)
{
    static const char *const of_data[] = {
        "split", "records", "per-record", "batch", "seq-len"
    };
    static const char *const of_prompts[] = {
        "tokenizer", "max-tokens", "context", "temperature", "top-p", "seed"
    };

    for (size_t i = 0; i < sizeof(of_data) / sizeof(of_data[0]); i++) {
        if (o->data == NULL && tool_given(args, of_data[i]))
            return err_set(e, ERR_USAGE, "--%s without --data", of_data[i]);
    }
    for (size_t i = 0; i < sizeof(of_prompts) / sizeof(of_prompts[0]); i++) {
        if (args->n == 0 && tool_given(args, of_prompts[i]))
            return err_set(e, ERR_USAGE, "--%s without a prompt file",
                           of_prompts[i]);
    }
    if (o->temperature == 0 && tool_given(args, "top-p"))
        return err_set(e, ERR_USAGE, "--top-p without --temperature");
    return 0;
}

/* Two bases are compared as they are, and on data. */
static int
check_compare(const struct options *o, const struct args *args,
              struct err *e)
{
    if (o->compare == NULL)
        return 0;
    if (o->data == NULL)
        return err_set(e, ERR_USAGE, "--compare without --data");
    if (o->adapter != NULL)
        return err_set(e, ERR_USAGE, "--compare with --adapter: two bases "
                       "are compared, without adapters");
    if (args->n > 0)
        return err_set(e, ERR_USAGE, "--compare with a prompt file: bases "
                       "are compared on --data alone");
    return 0;
}

static int
check_options(const struct options *o, const struct args *args,
              struct err *e)
{
    int rc = check_compare(o, args, e);

    if (rc < 0)
        return rc;
    if (o->data == NULL && args->n == 0)
        return err_set(e, ERR_USAGE,
                       "nothing to measure: give --data or a prompt file");
    return check_idle(o, args, e);
}

/* The base, and what is held against it; *other is open where score compares.
 */
static int
open_models(struct model *m, struct model *other, const struct options *o,
            struct score_opts *score, struct err *e)
{
    struct device_opts device = machine_use(&o->machine);
    int rc = model_open(m, o->base, o->adapter, &device, e);

    if (rc < 0 || o->compare == NULL)
        return rc;
    rc = model_open_beside(other, o->compare, m, e);
    if (rc < 0)
        model_release(m);
    else
        score->compare = other;
    return rc;
}

/* Everything that is asked for: what can't be done is said first. */
static int
measure(const struct options *o, const struct args *args,
        const struct model *m, const struct score_opts *score,
        struct out *out, struct err *e)
{
    struct prompt_opts prompts = {
        .path = args->n > 0 ? args->operand[0] : NULL,
        .tokenizer = o->tokenizer, .max_tokens = (uint32_t)o->max_tokens,
        .context = (uint32_t)o->context, .temperature = o->temperature,
        .top_p = o->top_p, .seed = o->seed, .force = o->force
    };
    struct buf summary;
    int rc = check_per_record(o, args, m, e);

    if (rc == 0 && prompts.path != NULL)
        rc = prompts_fit(m, &prompts, e);
    if (rc == 0 && o->data != NULL)
        rc = score_check(m, score, e);
    buf_init(&summary);
    buf_addstr(&summary, "{\"kind\": \"summary\"");
    if (rc == 0 && prompts.path != NULL)
        rc = prompts_score(m, &prompts, out, &summary, e);
    if (rc == 0 && o->data != NULL)
        rc = score_split(m, score, &summary, e);
    buf_addstr(&summary, "}\n");
    if (rc == 0)
        rc = out_write(out, summary.data, summary.len, e);
    if (rc == 0)
        rc = out_commit(out, e);
    buf_release(&summary);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct score_opts score = {
        .data = o->data, .split = o->split,
        .per_record = o->per_record, .records = o->records,
        .batch = (uint32_t)o->batch, .seq_len = (uint32_t)o->seq_len,
        .force = o->force
    };
    struct model m, other;
    struct out out;
    int rc = check_options(o, args, e);

    if (rc == 0)
        rc = open_models(&m, &other, o, &score, e);
    if (rc < 0)
        return rc;
    rc = out_open(&out, "-", e);
    if (rc == 0)
        rc = measure(o, args, &m, &score, &out, e);
    out_release(&out);
    if (score.compare != NULL)
        model_release(&other);
    model_release(&m);
    return rc;
}
