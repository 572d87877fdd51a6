/* fromjsonl.c - JSON lines to a stream: the way in for data sets that others
 * made, and the way back from `tojsonl --exact`. See record/jsonl.h for what
 * lines are understood, record/import.h for what other files are.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/options.h"
#include "record/import.h"
#include "record/jsonl_segments.h"
#include "tool/tool.h"
#include "weights/tokenizer_file.h"

/* A record of 63 MiB whose every byte is escaped as \u00XX. */
#define LINE_MAX_BYTES ((size_t)400 << 20)

static const struct {
    const char *name;
    import_format *read;
} formats[] = {
    { "megatron", import_megatron },
    { "llm.c", import_llmc },
};

struct options {
    const char *format, *tokenizer, *end;
    uint64_t vocab;
    bool keep_going;
};

static const struct opt table[] = {
    { .name = "format", .letter = 'f', .type = OPT_NAME, .output = true,
      AT(format), .arg = "FORMAT", .def = "jsonl",
      .choices = "jsonl|megatron|llm.c",
      .help = "what FILE is; for megatron its name without .bin and .idx" },
    { TOKENIZER_OPTION, .output = true, AT(tokenizer),
      .help = "tokenizer.json, or GGUF file, that ids are from: its content id "
              "is recorded" },
    { .name = "vocab", .type = OPT_U64, .output = true, AT(vocab), .arg = "N",
      .def = "0", .max = 2147483648.0,
      .help = "rows of the vocabulary: ids must be below it (0: not known)" },
    { .name = "end", .type = OPT_STRING, .output = true, AT(end),
      .arg = "TOKEN", .def = "auto",
      .help = "token, or its id, that parts the documents of an llm.c file; "
              "auto: the tokenizer's, if --tokenizer is given; none: one "
              "document" },
    { KEEP_GOING_OPTION, AT(keep_going),
      .help = "leave out bad lines, count them, and exit 3 at the end" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "fromjsonl",
    .summary = "turn JSON lines into a stream",
    .operands = "[FILE]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "3 4 5",
};

/* The lines of `in`. A byte order mark before the first is none of it. */
static int
all_lines(struct jsonl_segments *s, struct in *in, struct err *e)
{
    struct buf line;
    bool got, ended;
    uint64_t number = 0;
    size_t skip;
    int rc;

    buf_init(&line);
    progress_begin("lines", 0, 0);
    for (;;) {
        rc = in_line(in, &line, LINE_MAX_BYTES, &got, &ended, e);
        if (rc < 0 || !got)
            break;
        number++;
        skip = number == 1 ? in_mark(&line) : 0;
        if (!ended && line.len > skip) {
            rc = err_set(e, ERR_DATA, "%s:%llu: the last line has no "
                         "newline: cut short?", in->name,
                         (unsigned long long)number);
            break;
        }
        rc = jsonl_segments_line(s, line.data + skip, line.len - skip, e);
        if (rc < 0)
            break;
        progress_part(NULL, in->at, in->size);
        progress_add(1);
    }
    progress_end();
    buf_release(&line);
    return rc;
}

static int
convert(struct jsonl_segments *s, const char *path, struct err *e)
{
    struct stream_out out;
    struct in in;
    int rc;

    rc = in_open(&in, path, e);
    if (rc < 0)
        return rc;
    rc = stream_out_open(&out, "-", e);
    if (rc < 0)
        goto out;
    s->name = in.name;
    s->out = &out;
    rc = all_lines(s, &in, e);
    if (rc == 0)
        rc = jsonl_segments_end(s, e);
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
out:
    in_release(&in);
    return rc;
}

/* Whether text is an id in decimal: *id. */
static bool
is_id(const char *text, uint32_t *id)
{
    char *rest;
    unsigned long long v = strtoull(text, &rest, 10);

    *id = (uint32_t)v;
    return strspn(text, "0123456789") == strlen(text) && *text && !*rest
           && v < TOKEN_NONE;
}

/* What --end says: m->parted and m->end. */
static int
choose_end(const struct options *o, struct import *m, struct err *e)
{
    struct tokenizer t;
    bool automatic = strcmp(o->end, "auto") == 0;
    int rc;

    m->parted = is_id(o->end, &m->end);
    if (m->parted || strcmp(o->end, "none") == 0
        || (automatic && !o->tokenizer))
        return 0;
    if (!o->tokenizer)
        return err_set(e, ERR_USAGE, "--end %s needs --tokenizer", o->end);
    rc = tokenizer_file_open(&t, o->tokenizer, e);
    if (rc < 0)
        return rc;
    m->end = automatic ? tokenizer_end(&t) :
                         tokenizer_find(&t, o->end, strlen(o->end));
    m->parted = m->end != TOKEN_NONE;
    tokenizer_release(&t);
    if (!m->parted && !automatic)
        return err_set(e, ERR_DATA, "%s: no token \"%s\" (--end)",
                       o->tokenizer, o->end);
    return 0;
}

/* A file of ids that another program made. */
static int
import(const struct options *o, struct import *m, const char *path,
       struct err *e)
{
    struct stream_out out;
    size_t i = 0;
    int rc;

    rc = stream_out_open(&out, "-", e);
    if (rc < 0)
        return rc;
    m->out = &out;
    m->program = tool.name;
    while (strcmp(formats[i].name, o->format) != 0)
        i++;
    rc = formats[i].read(m, path, e);
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    if (rc == 0)
        log_info("%" PRIu64 " records, %" PRIu64 " tokens, all with loss: %s "
                 "has no loss mask", m->records, m->tokens, o->format);
    if (rc == 0 && m->empty > 0)
        log_info("%" PRIu64 " left out: empty", m->empty);
    return rc;
}

/* JSON lines. */
static int
lines(const struct options *o, const char *tokenizer, const char *prov,
      const char *path, struct err *e)
{
    struct jsonl_segments s;
    int rc;

    jsonl_segments_init(&s);
    s.program = tool.name;
    s.prov = prov;
    s.tokenizer = tokenizer;
    s.vocab = s.line.vocab = o->vocab;
    s.keep_going = o->keep_going;
    rc = convert(&s, path, e);
    if (rc == 0 && s.line.n_ignored > 0)
        log_info("%llu keys ignored (the first is '%s')",
                 (unsigned long long)s.line.n_ignored, s.line.ignored);
    if (rc == 0 && s.line.n_padding > 0)
        log_info("%llu tokens of padding left off",
                 (unsigned long long)s.line.n_padding);
    if (rc == 0 && s.bad > 0)
        rc = err_set(e, ERR_SKIPPED, "%llu bad lines left out",
                     (unsigned long long)s.bad);
    jsonl_segments_release(&s);
    return rc;
}

/* The content id of a tokenizer.json, in hex. */
static int
read_tokenizer(char hex[ID_HEX + 1], const char *path, struct err *e)
{
    struct buf text;
    struct id id;
    int rc;

    buf_init(&text);
    rc = tokenizer_file_json(&text, path, e);
    id = id_of(text.data, text.len);
    buf_release(&text);
    if (rc == 0)
        id_hex(&id, hex);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    const char *path = args->n > 0 ? args->operand[0] : "-";
    char hex[ID_HEX + 1], *prov, *tokenizer = o->tokenizer ? hex : NULL;
    const char *ids[] = {"tokenizer", tokenizer, NULL};
    struct import m = {.tokenizer = tokenizer, .vocab = o->vocab};
    bool is_jsonl = strcmp(o->format, "jsonl") == 0;
    int rc = 0;

    if (!is_jsonl && o->keep_going)
        return err_set(e, ERR_USAGE, "--keep-going is of JSON lines");
    if (tokenizer)
        rc = read_tokenizer(tokenizer, o->tokenizer, e);
    if (rc == 0 && !is_jsonl)
        rc = choose_end(o, &m, e);
    if (rc < 0)
        return rc;
    m.prov = prov = tool_prov(args, o, tokenizer ? ids : NULL);
    rc = is_jsonl ? lines(o, tokenizer, prov, path, e) :
                    import(o, &m, path, e);
    free(prov);
    return rc;
}
