/* tokenize.c - text records in, token records out, and back: which template,
 * which end, and what is told of the work that record/tokenizing.h and
 * record/detokenizing.h do.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/aside.h"
#include "cli/layout_options.h"
#include "record/detokenizing.h"
#include "record/tokenizing.h"
#include "text/template_builtin.h"
#include "tool/tool.h"
#include "weights/tokenizer_file.h"

struct options {
    const char *tokenizer, *print, *begin, *end, *stats;
    struct layout_options layout;
    int loss;
    uint64_t max_tokens, threads, seed;
    double fim_rate, fim_spm_rate;
    bool marks, offsets, decode, raw;
};

static const struct opt table[] = {
    { TOKENIZER_OPTION, AT(tokenizer), .required = true,
      .unless = "print-template",
      .help = "Hugging Face tokenizer.json, or a GGUF file" },
    { TEMPLATE_OPTION, AT(layout.template) },
    { .name = "print-template", .type = OPT_NAME, AT(print), .arg = "NAME",
      .choices = LAYOUT_NAMES, .help = "print that layout, and do no more" },
    { LOSS_OPTION, AT(loss),
      .help = "what is learned of a record: its target, all of it, or what "
              "its layout says; the stream tells, and its masks are of the "
              "target" },
    { CHAT_TEMPLATE_OPTION, AT(layout.chat) },
    { DATE_OPTION, AT(layout.date) },
    { .name = "fim-rate", .type = OPT_DOUBLE, .output = true, AT(fim_rate),
      .arg = "P", .def = "0.5", .max = 1,
      .help = "part of files and documents that layout fim takes apart" },
    { .name = "fim-spm-rate", .type = OPT_DOUBLE, .output = true,
      AT(fim_spm_rate), .arg = "P", .def = "0.5", .max = 1,
      .help = "part of what fim takes apart that has its suffix first" },
    { .name = "seed", .type = OPT_U64, .output = true, AT(seed), .arg = "N",
      .def = "0", .max = OPT_MAX_EXACT, .help = "seed of fim's choices" },
    { .name = "max-tokens", .type = OPT_U64, .output = true, AT(max_tokens),
      .arg = "N", .def = "0", .max = 1u << 30,
      .help = "most tokens of a record, its end included; 0: no limit" },
    { .name = "begin", .type = OPT_STRING, .output = true, AT(begin),
      .arg = "TOKEN", .def = "auto",
      .help = "token that begins each record; auto: what the tokenizer's "
              "post-processor puts there, if anything; none: no token" },
    { .name = "end", .type = OPT_STRING, .output = true, AT(end),
      .arg = "TOKEN", .def = "auto",
      .help = "token that ends each record; auto: the tokenizer's "
              "<|endoftext|> or the like if it has one; none: no token" },
    { .name = "marks", .type = OPT_FLAG, .output = true, AT(marks),
      .help = "take special tokens spelled in the text for the tokens" },
    { .name = "stats", .type = OPT_STRING, AT(stats), .arg = "FILE",
      .help = "write what became of the texts to FILE, as JSON, and a line "
              "of it to stderr" },
    { .name = "offsets", .type = OPT_FLAG, AT(offsets),
      .help = "write lines of JSON, not a stream: the ids of each record, its "
              "text and which bytes of that each stands for" },
    { .name = "decode", .letter = 'd', .type = OPT_FLAG, .output = true,
      AT(decode), .help = "tokens in, text out" },
    { .name = "raw", .type = OPT_FLAG, AT(raw),
      .help = "with --decode: write the bytes, not a stream" },
    { THREADS_OPTION, AT(threads), .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "tokenize",
    .summary = "turn text into tokens, or tokens into text",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5 6",
};

static void
tell_stats(const struct tokenizing *z)
{
    struct buf line;

    buf_init(&line);
    token_stats_line(z->stats, z->records, &line);
    log_info("%s", line.data);
    buf_release(&line);
}

static void
tell(const struct tokenizing *z)
{
    const struct render_count *left;
    bool any = false;
    int i;

    log_info("%" PRIu64 " records", z->records);
    for (i = 0; i < RENDER_REASONS; i++) {
        left = &z->left[i];
        any |= left->records > 0;
        if (left->tokens > 0 || left->edited > 0)
            log_info("%" PRIu64 " left out: %s (%" PRIu64 " of %" PRIu64
                     " edited lines, %" PRIu64 " tokens)", left->records,
                     render_left_name(i), left->edited, z->there.edited,
                     left->tokens);
        else if (left->records > 0)
            log_info("%" PRIu64 " left out: %s", left->records,
                     render_left_name(i));
    }
    if (any && z->records == 0)
        log_warn("all of the input was left out");
    if (z->lost > 0)
        log_warn("%llu bytes left out: the tokenizer has no token for them",
                 (unsigned long long)z->lost);
    if (z->stats)
        tell_stats(z);
}

/* As JSON to the file. */
static int
put_stats(const struct tokenizing *z, const char *path, struct err *e)
{
    struct buf text;
    int rc;

    buf_init(&text);
    token_stats_json(z->stats, z->records, &text);
    rc = file_write(path, text.data, text.len, e);
    buf_release(&text);
    return rc;
}

/* Standard output: a stream, or lines or bytes. */
struct output {
    bool plain;
    struct stream_out stream;
    struct out bytes;
};

static int
output_open(struct output *to, bool plain, struct err *e)
{
    to->plain = plain;
    return plain ? out_open(&to->bytes, "-", e) :
                   stream_out_open(&to->stream, "-", e);
}

/* Behind all that went there, or behind a failure, rc, which is returned. */
static int
output_close(struct output *to, int rc, struct err *e)
{
    if (rc == 0)
        return to->plain ? out_commit(&to->bytes, e) :
                           stream_out_close(&to->stream, e);
    if (to->plain)
        out_release(&to->bytes);
    else
        stream_out_release(&to->stream);
    return rc;
}

/* The statistics go to their file first: where that fails, whoever reads the
 * stream must not see its end. */
static int
encode_all(const struct options *o, struct tokenizing *z,
           struct stream_in *in, struct output *to, const char *prov,
           struct err *e)
{
    struct stream_out *stream = to->plain ? NULL : &to->stream;
    int rc;

    while ((rc = stream_in_segment(in, e)) > 0) {
        rc = tokenizing_segment(z, in, stream, prov, e);
        if (rc < 0)
            break;
    }
    if (rc == 0 && z->stats)
        rc = put_stats(z, o->stats, e);
    return output_close(to, rc, e);
}

/* Text in, tokens out. */
static int
encode_to(const struct options *o, struct tokenizing *z,
          struct stream_in *in, const char *prov, struct err *e)
{
    struct output to;
    int rc = output_open(&to, o->offsets, e);

    z->render.offsets = o->offsets;
    z->lines = o->offsets ? &to.bytes : NULL;
    if (rc == 0)
        rc = encode_all(o, z, in, &to, prov, e);
    progress_end();
    if (rc == 0)
        tell(z);
    return rc;
}

static int
encode(const struct options *o, struct tokenizing *z, const char *path,
       const char *prov, struct err *e)
{
    struct token_stats stats;
    struct stream_in in;
    int rc = stream_in_open(&in, path, "text", e);

    if (rc < 0)
        return rc;
    if (o->stats) {
        token_stats_init(&stats, z->render.t);
        z->stats = &stats;
    }
    z->program = tool.name;
    z->render.max_tokens = o->max_tokens;
    z->render.marks = o->marks;
    z->loss = (enum tokens_loss)o->loss;
    z->render.fim = (struct fim){ o->fim_rate, o->fim_spm_rate, o->seed };
    rc = encode_to(o, z, &in, prov, e);
    if (o->stats)
        token_stats_release(&stats);
    stream_in_release(&in);
    return rc;
}

static int
decode_all(struct detokenizing *d, struct stream_in *in, struct output *to,
           const char *prov, struct err *e)
{
    int rc;

    while ((rc = stream_in_segment(in, e)) > 0) {
        rc = detokenizing_segment(d, in, prov, e);
        if (rc < 0)
            break;
    }
    return output_close(to, rc, e);
}

/* Tokens in, text out. */
static int
decode(const struct options *o, const struct tokenizing *z, const char *path,
       const char *prov, struct err *e)
{
    struct detokenizing d;
    struct output to;
    struct stream_in in;
    int rc = stream_in_open(&in, path, "tokens", e);

    if (rc < 0)
        return rc;
    detokenizing_init(&d);
    d.t = z->render.t;
    d.begin = z->render.begin;
    d.end = z->render.end;
    if (o->raw)
        d.bytes = &to.bytes;
    else
        d.stream = &to.stream;
    rc = output_open(&to, o->raw, e);
    if (rc == 0)
        rc = decode_all(&d, &in, &to, prov, e);
    detokenizing_release(&d);
    stream_in_release(&in);
    return rc;
}

/* The token that --begin or --end names, or TOKEN_NONE; its own: that of
 * "auto". */
static int
choose_token(const struct options *o, const struct tokenizer *t,
             const char *option, const char *name, uint32_t own,
             uint32_t *id, struct err *e)
{
    *id = TOKEN_NONE;
    if (strcmp(name, "auto") == 0) {
        *id = own;
        return 0;
    }
    if (strcmp(name, "none") == 0)
        return 0;
    *id = tokenizer_find(t, name, strlen(name));
    if (*id == TOKEN_NONE)
        return err_set(e, ERR_DATA, "%s: no token \"%s\" (%s)",
                       o->tokenizer, name, option);
    return 0;
}

/* The program's line of provenance; the caller frees it. */
static char *
make_prov(const struct options *o, const struct args *args,
          const struct tokenizer *t, const struct layout_choice *layout)
{
    const char *row[7] = { NULL }; /* names and content ids in turn */
    char hex[ID_HEX + 1];
    size_t n = 0;

    row[n++] = "tokenizer";
    row[n++] = id_hex(&t->id, hex);
    if (layout->own[0]) {
        row[n++] = "template";
        row[n++] = layout->own;
    }
    if (layout->chat_id[0]) {
        row[n++] = "chat-template";
        row[n++] = layout->chat_id;
    }
    return tool_prov(args, o, row);
}

/* What the tokenizer is wanted for. */
static int
with_tokenizer(const struct options *o, struct layout_choice *layout,
               const struct args *args, const struct tokenizer *t,
               struct err *e)
{
    const char *path = args->n > 0 ? args->operand[0] : "-";
    struct tokenizing z;
    uint32_t begin, end;
    char *prov;
    int rc = choose_token(o, t, "--end", o->end, tokenizer_end(t), &end, e);

    if (rc == 0)
        rc = choose_token(o, t, "--begin", o->begin, tokenizer_begin(t),
                          &begin, e);
    if (rc < 0)
        return rc;
    par_set_threads((int)o->threads);
    tokenizing_init(&z, t, end);
    z.render.begin = begin;
    if (!o->decode)
        rc = layout_use(layout, &o->layout, o->tokenizer, &z.render, e);
    prov = make_prov(o, args, t, layout);
    progress_begin("records", 0, 0);
    if (rc == 0)
        rc = o->decode ? decode(o, &z, path, prov, e) :
                         encode(o, &z, path, prov, e);
    free(prov);
    tokenizing_release(&z);
    return rc;
}

/* Whether --stats can be written at the end, and is none of what is read. */
static int
check_stats(const struct options *o, const struct args *args, struct err *e)
{
    const char *const input[] = {
        o->tokenizer, o->layout.template, o->layout.chat,
        args->n > 0 ? args->operand[0] : NULL
    };

    if (o->stats == NULL)
        return 0;
    return aside_check("stats", o->stats, input,
                       sizeof(input) / sizeof(input[0]), e);
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct layout_choice layout;
    const char *text;
    struct tokenizer t;
    int rc;

    if (o->print) {
        text = template_builtin(o->print);
        return file_write("-", text, strlen(text), e);
    }
    if (o->raw && !o->decode)
        return err_set(e, ERR_USAGE, "--raw goes with --decode");
    if (o->offsets && (o->decode || o->stats))
        return err_set(e, ERR_USAGE, "--offsets goes with neither --decode "
                       "nor --stats");
    if (o->stats && o->decode)
        return err_set(e, ERR_USAGE, "--stats needs text to encode");
    rc = check_stats(o, args, e);
    if (rc < 0)
        return rc;
    rc = layout_choose(&layout, &o->layout, e);
    if (rc == 0)
        rc = tokenizer_file_open(&t, o->tokenizer, e);
    if (rc == 0) {
        rc = with_tokenizer(o, &layout, args, &t, e);
        tokenizer_release(&t);
    }
    layout_choice_release(&layout);
    return rc;
}
