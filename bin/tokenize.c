/* tokenize.c - text records in, token records out, and back: which template,
 * which end, and what is told of the work that record/tokenizing.h and
 * record/detokenizing.h do.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/options.h"
#include "record/detokenizing.h"
#include "record/tokenizing.h"
#include "tool/tool.h"

enum { CHOICE_AUTO, CHOICE_PLAIN }; /* then as enum template_kind */

struct options {
    const char *tokenizer, *end;
    int template;
    uint64_t max_tokens, threads;
    bool marks, decode, raw;
};

static const struct opt table[] = {
    { TOKENIZER_OPTION, AT(tokenizer), .required = true,
      .help = "Hugging Face tokenizer.json" },
    { .name = "template", .type = OPT_CHOICE, .output = true, AT(template),
      .arg = "NAME", .def = "auto",
      .choices = "auto|plain|file|commit|message",
      .help = "layout of a record" },
    { .name = "max-tokens", .type = OPT_U64, .output = true, AT(max_tokens),
      .arg = "N", .def = "0", .max = 1u << 30,
      .help = "most tokens of a record, its end included; 0: no limit" },
    { .name = "end", .type = OPT_STRING, .output = true, AT(end),
      .arg = "TOKEN", .def = "auto",
      .help = "token that ends each record; auto: the tokenizer's "
              "<|endoftext|> or the like if it has one; none: no token" },
    { .name = "marks", .type = OPT_FLAG, .output = true, AT(marks),
      .help = "take special tokens spelled in the text for the tokens" },
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
    .exits = "4 5",
};

static void
tell(const struct tokenizing *z)
{
    const struct render_count *left;
    int i;

    log_info("%" PRIu64 " records", z->records);
    for (i = 0; i < RENDER_REASONS; i++) {
        left = &z->left[i];
        if (left->tokens > 0)
            log_info("%" PRIu64 " left out: %s (%" PRIu64 " of %" PRIu64
                     " edited lines, %" PRIu64 " tokens)", left->records,
                     render_left_name(i), left->edited, z->there.edited,
                     left->tokens);
        else if (left->records > 0)
            log_info("%" PRIu64 " left out: %s", left->records,
                     render_left_name(i));
    }
    if (z->lost > 0)
        log_warn("%llu bytes left out: the tokenizer has no token for them",
                 (unsigned long long)z->lost);
}

/* Text in, tokens out. */
static int
encode_all(struct tokenizing *z, struct stream_in *in, const char *prov,
           struct err *e)
{
    struct stream_out out;
    int rc = stream_out_open(&out, "-", e);

    if (rc < 0)
        return rc;
    while ((rc = stream_in_segment(in, e)) > 0) {
        rc = tokenizing_segment(z, in, &out, prov, e);
        if (rc < 0)
            break;
    }
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    progress_end();
    if (rc == 0)
        tell(z);
    return rc;
}

static int
encode(const struct options *o, const struct tokenizer *t, uint32_t end,
       const char *path, const char *prov, struct err *e)
{
    struct tokenizing z;
    struct stream_in in;
    int rc = stream_in_open(&in, path, "text", e);

    if (rc < 0)
        return rc;
    tokenizing_init(&z, t, end);
    z.program = tool.name;
    z.render.max_tokens = o->max_tokens;
    z.render.marks = o->marks;
    if (o->template != CHOICE_AUTO)
        z.render.kind = (enum template_kind)(o->template - CHOICE_PLAIN);
    rc = encode_all(&z, &in, prov, e);
    tokenizing_release(&z);
    stream_in_release(&in);
    return rc;
}

/* The segments of tokens to the output, which is open: a stream or bytes. */
static int
decode_all(struct detokenizing *d, struct stream_in *in, const char *prov,
           struct err *e)
{
    int rc;

    while ((rc = stream_in_segment(in, e)) > 0) {
        rc = detokenizing_segment(d, in, prov, e);
        if (rc < 0)
            break;
    }
    if (rc == 0)
        return d->stream ? stream_out_close(d->stream, e) :
                           out_commit(d->bytes, e);
    if (d->stream)
        stream_out_release(d->stream);
    else
        out_release(d->bytes);
    return rc;
}

/* Tokens in, text out. */
static int
decode(const struct options *o, const struct tokenizer *t, uint32_t end,
       const char *path, const char *prov, struct err *e)
{
    struct detokenizing d;
    struct stream_out stream;
    struct stream_in in;
    struct out bytes;
    int rc = stream_in_open(&in, path, "tokens", e);

    if (rc < 0)
        return rc;
    detokenizing_init(&d);
    d.t = t;
    d.end = end;
    if (o->raw)
        d.bytes = &bytes;
    else
        d.stream = &stream;
    rc = o->raw ? out_open(&bytes, "-", e) : stream_out_open(&stream, "-", e);
    if (rc == 0)
        rc = decode_all(&d, &in, prov, e);
    detokenizing_release(&d);
    stream_in_release(&in);
    return rc;
}

/* The token that --end names, or TOKEN_NONE. */
static int
choose_end(const struct options *o, const struct tokenizer *t, uint32_t *end,
           struct err *e)
{
    *end = TOKEN_NONE;
    if (strcmp(o->end, "auto") == 0) {
        *end = tokenizer_end(t);
        return 0;
    }
    if (strcmp(o->end, "none") == 0)
        return 0;
    *end = tokenizer_find(t, o->end, strlen(o->end));
    if (*end == TOKEN_NONE)
        return err_set(e, ERR_DATA, "%s: no token \"%s\" (--end)",
                       o->tokenizer, o->end);
    return 0;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    const char *path = args->n > 0 ? args->operand[0] : "-";
    const char *ids[] = { "tokenizer", NULL, NULL };
    char hex[ID_HEX + 1], *prov;
    struct tokenizer t;
    uint32_t end;
    int rc;

    if (o->raw && !o->decode)
        return err_set(e, ERR_USAGE, "--raw goes with --decode");
    rc = tokenizer_open(&t, o->tokenizer, e);
    if (rc < 0)
        return rc;
    rc = choose_end(o, &t, &end, e);
    if (rc < 0)
        goto out;
    ids[1] = id_hex(&t.id, hex);
    prov = tool_prov(args, o, ids);
    par_set_threads((int)o->threads);
    progress_begin("records", 0, 0);
    rc = o->decode ? decode(o, &t, end, path, prov, e) :
                     encode(o, &t, end, path, prov, e);
    free(prov);
out:
    tokenizer_release(&t);
    return rc;
}
