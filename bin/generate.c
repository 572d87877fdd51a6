/* generate.c - what a base model, or an adapter on it, says: to one prompt,
 * as it comes, to a file of prompts, or to somebody at a terminal. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/stop.h"
#include "base/term.h"
#include "cli/complete_prompts.h"
#include "cli/converse.h"
#include "tool/tool.h"

#define MAX_PROMPT ((uint64_t)64 << 20)

struct options {
    struct speaker_options speaker;
    const char *prompt, *file;
    uint64_t batch;
};

#define IN_SPEAKER(field) AT(speaker.field)

static const struct opt table[] = {
    { BASE_OPTION, IN_SPEAKER(base) },
    { .name = "adapter", .type = OPT_WORDS, IN_SPEAKER(adapters),
      .arg = "[NAME=]DIR",
      .help = "PEFT or mlx-lm adapter, or run with one; of several, prompts "
              "choose one by its name" },
    { .name = "prompt", .letter = 'p', .type = OPT_STRING, AT(prompt),
      .output = true, .arg = "TEXT", .help = "what to answer or go on from" },
    { .name = "file", .letter = 'f', .type = OPT_STRING, AT(file),
      .arg = "FILE", .help = "file with the prompt's text" },
    { .name = "system", .type = OPT_STRING, IN_SPEAKER(system),
      .output = true, .arg = "TEXT",
      .help = "system message, before what is asked" },
    { .name = "raw", .type = OPT_FLAG, IN_SPEAKER(raw), .output = true,
      .help = "go on from the text as it is, without the chat template" },
    { CONTEXT_FROM_OPTION, IN_SPEAKER(from.set) },
    { CONTEXT_VECTORS_OPTION, IN_SPEAKER(from.vectors) },
    { CONTEXT_RECORDS_OPTION, IN_SPEAKER(from.records) },
    { CONTEXT_TOKENS_OPTION, IN_SPEAKER(from.tokens) },
    { .name = "batch", .type = OPT_U64, AT(batch), .arg = "N", .def = "4",
      .min = 1, .max = 4096,
      .help = "prompts of a prompt file that are completed side by side" },
    { .name = "max-tokens", .type = OPT_U64, IN_SPEAKER(max_tokens),
      .output = true, .arg = "N", .def = "0", .max = 1048576,
      .help = "most tokens of a completion; 0 for what the context takes" },
    { .name = "context", .type = OPT_U64, IN_SPEAKER(context), .output = true,
      .arg = "N", .def = "0", .max = 1048576,
      .help = "tokens of prompt and completion; 0 for what the model takes, "
              "at most 4096" },
    { .name = "temperature", .type = OPT_DOUBLE, IN_SPEAKER(temperature),
      .output = true, .arg = "T", .max = 100,
      .help = "of sampling; 0 takes the likeliest token; this and the next "
              "four are as the base's generation_config.json says by "
              "default" },
    { .name = "top-k", .type = OPT_U64, IN_SPEAKER(top_k), .output = true,
      .arg = "K", .max = INT32_MAX,
      .help = "sample among the K likeliest tokens; 0 for all" },
    { .name = "top-p", .type = OPT_DOUBLE, IN_SPEAKER(top_p), .output = true,
      .arg = "P", .min = 0.001, .max = 1,
      .help = "sample among the likeliest tokens of this probability" },
    { .name = "min-p", .type = OPT_DOUBLE, IN_SPEAKER(min_p), .output = true,
      .arg = "P", .max = 1,
      .help = "sample among tokens at least P times as likely as the "
              "likeliest" },
    { .name = "repetition-penalty", .type = OPT_DOUBLE,
      IN_SPEAKER(repetition_penalty), .output = true, .arg = "R",
      .min = 0.001, .max = 1000,
      .help = "make tokens that were there less likely; 1 for not" },
    { .name = "seed", .type = OPT_U64, IN_SPEAKER(seed), .output = true,
      .arg = "N", .def = "0", .max = OPT_MAX_EXACT,
      .help = "seed of sampling" },
    { .name = "stop", .type = OPT_WORDS, IN_SPEAKER(stops), .output = true,
      .arg = "TEXT", .help = "end before this text; may be repeated" },
    { .name = "special", .type = OPT_FLAG, IN_SPEAKER(special),
      .output = true, .help = "show special tokens, too" },
    { TOKENIZER_OPTION, IN_SPEAKER(tokenizer),
      .help = "tokenizer.json; the base's own by default" },
    { .name = "chat-template", .type = OPT_STRING,
      IN_SPEAKER(chat_template), .output = true, .arg = "FILE",
      .help = "the chat template, not the one beside the tokenizer" },
    { .name = "date", .type = OPT_STRING, IN_SPEAKER(date), .output = true,
      .arg = "YYYY-MM-DD", .def = "2024-07-26",
      .help = "the day that a chat template is told" },
    { COMPUTE_OPTION, IN_SPEAKER(machine.compute) },
    { DEVICE_OPTION, IN_SPEAKER(machine.device) },
    { .name = "force", .type = OPT_FLAG, IN_SPEAKER(force),
      .help = "go on where the memory there is does not suffice" },
    { MACHINE_THREADS_OPTION, IN_SPEAKER(machine.threads) },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "generate",
    .summary = "complete prompts with a base model and its adapters",
    .operands = "[PROMPTS.jsonl]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5",
};

/* ---- one completion ---- */

/* Writes what can be told by now. */
static int
show(struct completing *c, struct out *out, struct err *e)
{
    struct buf safe;
    int rc;

    buf_init(&safe);
    if (tool_on_terminal())
        telling_put_safe(&safe, c->text.data, c->text.len);
    else
        buf_add(&safe, c->text.data, c->text.len);
    buf_reset(&c->text);
    rc = out_write(out, safe.data, safe.len, e);
    buf_release(&safe);
    return rc < 0 ? rc : out_flush(out, e);
}

static void
sum_up(const struct completing *c, uint32_t context, double start,
       double prompt, double end)
{
    uint32_t fed = c->n_prompt - c->n_kept;

    log_info("%u tokens of prompt at %.1f/s, %u of completion at %.1f/s, "
             "ended by %s", fed, fed / (prompt - start), c->n_tokens,
             c->n_tokens / (end - prompt),
             c->finish == FINISH_END ? "the model"
             : c->finish == FINISH_STOP ? "a stop string"
             : c->full ? "the context" : "--max-tokens");
    if (c->full)
        log_warn("the context of %u tokens is full (--context)", context);
}

/* Completes the prompt on stdout. */
static int
complete(struct speaker *s, const struct ids *ids, struct out *out,
         struct err *e)
{
    struct generator *g = &s->generator;
    double start = clock_seconds(), prompt = 0;
    struct completing c;
    int rc = completing_begin(&c, g, 0, ids, &s->c, e);

    while (rc == 0 && !c.done) {
        rc = generator_pass(g, e);
        if (rc < 0 || g->text[0].logits == NULL)
            continue;
        if (c.n_tokens == 0)
            prompt = clock_seconds();
        completing_step(&c, g, 0, &s->codec);
        rc = show(&c, out, e);
    }
    if (rc == 0)
        sum_up(&c, g->context, start, prompt, clock_seconds());
    completing_release(&c);
    return rc;
}

/* ---- the prompt ---- */

/* The text of a file or stdin, without the newline that ends it. */
static int
read_prompt(const char *path, struct buf *text, struct err *e)
{
    int rc = file_read(text, path, MAX_PROMPT, e);

    if (rc == 0 && text->len > 0 && text->data[text->len - 1] == '\n')
        text->data[--text->len] = '\0';
    return rc;
}

static int
encode(struct speaker *s, const struct buf *text, struct ids *ids,
       struct err *e)
{
    const char *system = s->o->system;
    struct context_prompt p = { .ids = ids };
    uint32_t max_tokens = (uint32_t)s->o->max_tokens;
    struct buf messages;
    int rc = 0;

    if (!s->chats) {
        rc = text_codec_text(&s->codec, text->data, text->len, ids, e);
        return rc < 0 ? rc : speaker_context_before(s, &p, &max_tokens, 1, e);
    }
    if (s->o->from.set != NULL)
        return context_no_chat(e);
    buf_init(&messages);
    if (system != NULL)
        rc = speaker_say(&messages, "system", system, strlen(system), e);
    if (rc == 0)
        rc = speaker_say(&messages, "user", text->data, text->len, e);
    if (rc == 0)
        rc = speaker_encode(s, &messages, ids, e);
    buf_release(&messages);
    return rc;
}

static int
complete_prompt(struct speaker *s, const struct buf *text, struct err *e)
{
    struct out out;
    struct ids ids;
    int rc = speaker_chats(s, e);

    if (rc < 0)
        return rc;
    s->c.as = TELL_TEXT;
    s->c.answer = s->chats;
    s->c.sampling.site = rng_site("1");
    ids_init(&ids);
    rc = encode(s, text, &ids, e);
    if (rc == 0)
        rc = speaker_use(s, speaker_adapter(s), 1, speaker_context(s), e);
    if (rc < 0 || (rc = out_open(&out, "-", e)) < 0) {
        ids_release(&ids);
        return rc;
    }
    term_data(STDOUT_FILENO);
    rc = complete(s, &ids, &out, e);
    if (rc == 0 && tool_on_terminal())
        rc = out_write(&out, "\n", 1, e);
    if (rc == 0)
        rc = out_commit(&out, e);
    out_release(&out);
    ids_release(&ids);
    return rc;
}

/* ---- what is asked for ---- */

/* An option that would not be obeyed. */
static int
check_idle(const struct args *args, struct err *e)
{
    static const char *const of_one[] = { "prompt", "file", "system", "raw" };

    if (args->n == 0 && tool_given(args, "batch"))
        return err_set(e, ERR_USAGE, "--batch without a prompt file");
    for (size_t i = 0; i < sizeof(of_one) / sizeof(of_one[0]); i++) {
        if (args->n > 0 && tool_given(args, of_one[i]))
            return err_set(e, ERR_USAGE, "--%s with a prompt file",
                           of_one[i]);
    }
    if (tool_given(args, "prompt") && tool_given(args, "file"))
        return err_set(e, ERR_USAGE, "--prompt and --file are two prompts");
    return 0;
}

static int
run_one(const struct options *o, const struct args *args, struct err *e)
{
    struct speaker s;
    struct buf text;
    int rc = 0;

    buf_init(&text);
    if (o->prompt != NULL)
        buf_addstr(&text, o->prompt);
    else
        rc = read_prompt(o->file != NULL ? o->file : "-", &text, e);
    if (rc == 0)
        rc = speaker_open(&s, &o->speaker, args, e);
    if (rc == 0) {
        rc = complete_prompt(&s, &text, e);
        speaker_release(&s);
    }
    buf_release(&text);
    return rc;
}

static int
run_file(const struct options *o, const struct args *args, struct err *e)
{
    struct speaker s;
    struct out out;
    int rc = speaker_open(&s, &o->speaker, args, e);

    if (rc < 0)
        return rc;
    rc = out_open(&out, "-", e);
    if (rc == 0) {
        rc = complete_prompts(&s, args->operand[0], (uint32_t)o->batch, &out,
                              e);
        if (rc == 0)
            rc = out_commit(&out, e);
        out_release(&out);
    }
    speaker_release(&s);
    return rc;
}

static int
run_conversation(const struct options *o, const struct args *args,
                 struct err *e)
{
    struct ask_streams terminal = { stdin, stdout, stderr };
    struct speaker s;
    struct out out;
    int rc;

    if (o->speaker.from.set != NULL)
        return context_no_chat(e);
    if (!tool_on_terminal())
        return err_set(e, ERR_USAGE, "no prompt: give -p, a file or standard "
                       "input");
    rc = speaker_open(&s, &o->speaker, args, e);
    if (rc < 0)
        return rc;
    rc = speaker_chats(&s, e);
    if (rc == 0)
        rc = out_open(&out, "-", e);
    if (rc == 0) {
        stop_catch();
        term_data(STDOUT_FILENO);
        rc = converse(&s, args->called, &terminal, &out, e);
        if (rc == 0)
            rc = out_commit(&out, e);
        out_release(&out);
    }
    speaker_release(&s);
    stop_end();
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    int rc = check_idle(args, e);

    if (rc == 0)
        rc = context_options_check(&o->speaker.from, args, e);
    if (rc < 0)
        return rc;
    if (args->n > 0)
        return run_file(o, args, e);
    if (o->prompt == NULL && o->file == NULL && isatty(STDIN_FILENO))
        return run_conversation(o, args, e);
    return run_one(o, args, e);
}
