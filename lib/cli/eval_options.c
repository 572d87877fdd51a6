/* eval_options.c - what each option is, and what makes no sense with what. */
#include "cli/eval_options.h"

#include <string.h>

#include "cli/aside.h"
#include "cli/bars.h"
#include "cli/options.h"
#include "eval/sandbox.h"
#include "eval/score.h"
#include "eval/suite.h"

#define IN(field) AT_IN(struct eval_options, field)

const struct opt eval_option_table[] = {
    { BASE_OPTION, IN(base) },
    { .name = "adapter", .type = OPT_STRING, IN(adapter), .arg = "DIR",
      .help = "PEFT or mlx-lm adapter, or run with one, to hold against the "
              "base alone" },
    { .name = "compare", .type = OPT_STRING, IN(compare), .arg = "BASE",
      .help = "another base of the same vocabulary, to hold against the base "
              "on the data" },
    { .name = "data", .type = OPT_STRING, IN(data), .arg = "DIR",
      .help = "set of token shards to measure the loss on" },
    { .name = "split", .type = OPT_STRING, .output = true, IN(split),
      .arg = "NAME", .def = "test", .help = "its split" },
    { .name = "by", .type = OPT_LIST, .output = true, IN(by), .arg = "WHAT",
      .help = "tell the loss by language, repository, path or age of the "
              "commit, too" },
    { .name = "exactness", .type = OPT_U64, .output = true, IN(exactness),
      .arg = "N", .def = "0", .max = OPT_MAX_EXACT,
      .help = "complete N records, spread evenly over the split, and tell how "
              "many become what they are" },
    { .name = "forget-data", .type = OPT_STRING, IN(forget_data),
      .arg = "DIR",
      .help = "set of text that is not the repository's, to measure what is "
              "forgotten" },
    { .name = "forget-split", .type = OPT_STRING, .output = true,
      IN(forget_split), .arg = "NAME", .def = "test", .help = "its split" },
    { CONTEXT_FROM_OPTION, IN(from.set) },
    { CONTEXT_VECTORS_OPTION, IN(from.vectors) },
    { CONTEXT_RECORDS_OPTION, IN(from.records) },
    { CONTEXT_TOKENS_OPTION, IN(from.tokens) },
    { .name = "records", .type = OPT_U64, .output = true, IN(records),
      .arg = "N", .def = "0", .max = OPT_MAX_EXACT,
      .help = "N records, spread evenly over the split; 0 for all" },
    { .name = "per-record", .type = OPT_STRING, IN(per_record), .arg = "FILE",
      .help = "write the loss of each record there, as JSON lines" },
    { .name = "junit", .type = OPT_STRING, IN(junit),
      .arg = "FILE",
      .help = "write the completions there as test cases, in JUnit's XML" },
    { .name = "fail-below", .type = OPT_LIST,
      IN(fail_below), .arg = "METRIC=X",
      .help = "exit with 5 where that number of the summary is below X" },
    { .name = "fail-above", .type = OPT_LIST,
      IN(fail_above), .arg = "METRIC=X",
      .help = "exit with 5 where it is above X" },
    { .name = "batch", .type = OPT_U64, IN(batch), .arg = "N", .def = "4",
      .min = 1, .max = 65536,
      .help = "sequences that go through at one time" },
    { .name = "seq-len", .type = OPT_U64, .output = true, IN(seq_len),
      .arg = "N", .def = "0", .max = 1048576,
      .help = "tokens a packed sequence; 0 for 512 and those of context, or "
              "for the positions of a base that has fewer" },
    { TOKENIZER_OPTION, IN(tokenizer),
      .help = "tokenizer.json, or GGUF file, for prompts; the base's own by "
              "default" },
    { .name = "suite", .type = OPT_CHOICE, .output = true, IN(suite),
      .arg = "NAME", .def = "prompts", .choices = SUITE_KINDS,
      .help = "what the file is of: prompts, or a suite as it is published" },
    { .name = "max-tokens", .type = OPT_U64, .output = true, IN(max_tokens),
      .arg = "N", .def = "0", .max = 1048576,
      .help = "tokens to complete a prompt with, where it names no number; 0 "
              "for 64, or 512 of a suite" },
    { .name = "context", .type = OPT_U64, .output = true, IN(context),
      .arg = "N", .def = "0", .max = 1048576,
      .help = "tokens of prompt, or record, and completion; 0 for what the "
              "model takes, at most 4096" },
    { .name = "temperature", .type = OPT_DOUBLE, .output = true,
      IN(temperature), .arg = "T", .def = "0", .max = 100,
      .help = "of sampling; 0 takes the likeliest token" },
    { .name = "top-p", .type = OPT_DOUBLE, .output = true, IN(top_p),
      .arg = "P", .def = "1", .min = 0.001, .max = 1,
      .help = "sample among the likeliest tokens of this probability" },
    { .name = "samples", .type = OPT_U64, .output = true, IN(samples),
      .arg = "N", .def = "1", .min = 1, .max = 100000,
      .help = "completions of each prompt" },
    { .name = "seed", .type = OPT_U64, .output = true, IN(seed), .arg = "N",
      .def = "0", .max = OPT_MAX_EXACT, .help = "seed of sampling" },
    { .name = "sandbox", .type = OPT_CHOICE, IN(sandbox), .arg = "KIND",
      .def = "namespaces", .choices = SANDBOX_KINDS,
      .help = "what keeps programs in that a check runs; landlock is for "
              "where there may be no namespaces, and keeps less" },
    { .name = "check-seconds", .type = OPT_U64, .output = true,
      IN(check_seconds), .arg = "N", .def = "5", .min = 1, .max = 3600,
      .help = "processor time of a program that a check runs; three times as "
              "much by the clock" },
    { .name = "check-memory", .type = OPT_SIZE, .output = true,
      IN(check_memory), .arg = "SIZE", .def = "1G", .min = 16777216,
      .max = OPT_MAX_EXACT,
      .help = "address space of each of its processes" },
    { COMPUTE_OPTION, IN(machine.compute) },
    { DEVICE_OPTION, IN(machine.device) },
    { .name = "force", .type = OPT_FLAG, IN(force),
      .help = "go on where the memory there is does not suffice" },
    { MACHINE_THREADS_OPTION, IN(machine.threads) },
    { .name = NULL },
};

/* An option that would not be obeyed, because what it is about isn't
 * measured. */
static int
check_idle(const struct eval_options *o, const struct args *args,
           struct err *e)
{
    static const char *const of_data[] = {
        "split", "by", "exactness", "records", "per-record", "batch", "seq-len"
    };
    static const char *const of_prompts[] = {
        "tokenizer", "max-tokens", "temperature", "top-p", "seed",
        "suite", "samples", "sandbox", "check-seconds", "check-memory", "junit"
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
    if (args->n == 0 && o->exactness == 0 && tool_given(args, "context"))
        return err_set(e, ERR_USAGE, "--context without a prompt file or "
                       "--exactness");
    if (o->temperature == 0 && tool_given(args, "top-p"))
        return err_set(e, ERR_USAGE, "--top-p without --temperature");
    if (o->temperature == 0 && o->samples > 1)
        return err_set(e, ERR_USAGE, "--samples without --temperature: all of "
                       "them would be the same");
    return 0;
}

/* Two bases are compared as they are, and on data. */
static int
check_compare(const struct eval_options *o, const struct args *args,
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
    if (o->exactness > 0)
        return err_set(e, ERR_USAGE, "--compare with --exactness: it is told "
                       "of a base and an adapter");
    if (o->from.set != NULL)
        return err_set(e, ERR_USAGE, "--compare with --context-from: it is "
                       "told of a base and an adapter");
    return 0;
}

static const char *const bys[SCORE_BYS] = {
    "language", "repository", "path", "age"
};

/* Which of bys that is; SCORE_BYS: none. */
static int
by_of(const char *name)
{
    int by = 0;

    while (by < SCORE_BYS && strcmp(bys[by], name) != 0)
        by++;
    return by;
}

static int
check_by(const struct eval_options *o, struct err *e)
{
    for (size_t i = 0; i < o->by.n; i++) {
        if (by_of(o->by.item[i]) == SCORE_BYS)
            return err_set(e, ERR_USAGE, "--by %s: none of language, "
                           "repository, path and age", o->by.item[i]);
    }
    return 0;
}

unsigned
eval_options_by(const struct eval_options *o)
{
    unsigned bits = 0;

    for (size_t i = 0; i < o->by.n; i++)
        bits |= 1u << by_of(o->by.item[i]);
    return bits;
}

static int
check_forget(const struct eval_options *o, const struct args *args,
             struct err *e)
{
    if (o->forget_data == NULL && tool_given(args, "forget-split"))
        return err_set(e, ERR_USAGE, "--forget-split without --forget-data");
    if (o->forget_data != NULL && o->data == NULL)
        return err_set(e, ERR_USAGE, "--forget-data without --data");
    return 0;
}

int
eval_options_check(const struct eval_options *o, const struct args *args,
                   struct err *e)
{
    int rc = check_compare(o, args, e);

    if (rc < 0)
        return rc;
    if (o->data == NULL && args->n == 0)
        return err_set(e, ERR_USAGE,
                       "nothing to measure: give --data or a prompt file");
    rc = check_idle(o, args, e);
    if (rc == 0)
        rc = check_by(o, e);
    if (rc == 0)
        rc = check_forget(o, args, e);
    if (rc == 0)
        rc = context_options_check(&o->from, args, e);
    if (rc == 0)
        rc = bars_check(&o->fail_below, "fail-below", e);
    return rc < 0 ? rc : bars_check(&o->fail_above, "fail-above", e);
}

int
eval_options_asides(const struct eval_options *o, const struct args *args,
                    const struct model *m, struct err *e)
{
    const char *const input[] = {
        o->base, m->adapter_dir, o->compare, o->data, o->forget_data,
        o->tokenizer, o->from.set, o->from.vectors,
        args->n > 0 ? args->operand[0] : NULL
    };
    size_t n = sizeof(input) / sizeof(input[0]);
    int rc = 0;

    if (o->per_record != NULL)
        rc = aside_check("per-record", o->per_record, input, n, e);
    if (rc == 0 && o->junit != NULL)
        rc = aside_check("junit", o->junit, input, n, e);
    if (rc == 0 && o->junit != NULL && o->per_record != NULL
        && strcmp(o->junit, o->per_record) == 0)
        rc = err_set(e, ERR_USAGE, "--junit and --per-record: both are %s",
                     o->junit);
    return rc;
}
