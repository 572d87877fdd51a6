/* fromjsonl.c - JSON lines to a stream: the way in for data sets that others
 * made, and the way back from `tojsonl --exact`. See record/jsonl.h for what
 * lines are understood.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/options.h"
#include "record/jsonl_segments.h"
#include "text/tokenizer.h"
#include "tool/tool.h"

/* A record of 63 MiB whose every byte is escaped as \u00XX. */
#define LINE_MAX_BYTES ((size_t)400 << 20)

struct options {
    const char *tokenizer;
    uint64_t vocab;
    bool keep_going;
};

static const struct opt table[] = {
    { TOKENIZER_OPTION, .output = true, AT(tokenizer),
      .help = "tokenizer.json that ids are from: its content id is recorded" },
    { .name = "vocab", .type = OPT_U64, .output = true, AT(vocab), .arg = "N",
      .def = "0", .max = 2147483648.0,
      .help = "rows of the vocabulary: ids must be below it (0: not known)" },
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
        skip = number == 1 && line.len >= 3
               && memcmp(line.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
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

/* The content id of a tokenizer's file, in hex. */
static int
read_tokenizer(char hex[ID_HEX + 1], const char *path, struct err *e)
{
    struct buf text;
    struct id id;
    int rc;

    buf_init(&text);
    rc = file_read(&text, path, TOKENIZER_MAX_FILE, e);
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
    char tokenizer[ID_HEX + 1], *prov;
    const char *ids[] = {"tokenizer", tokenizer, NULL};
    struct jsonl_segments s;
    int rc = 0;

    if (o->tokenizer)
        rc = read_tokenizer(tokenizer, o->tokenizer, e);
    if (rc < 0)
        return rc;
    prov = tool_prov(args, o, o->tokenizer ? ids : NULL);
    jsonl_segments_init(&s);
    s.program = tool.name;
    s.prov = prov;
    s.tokenizer = o->tokenizer ? tokenizer : NULL;
    s.vocab = s.line.vocab = o->vocab;
    s.keep_going = o->keep_going;
    rc = convert(&s, args->n > 0 ? args->operand[0] : "-", e);
    if (rc == 0 && s.line.n_ignored > 0)
        log_info("%llu keys ignored", (unsigned long long)s.line.n_ignored);
    if (rc == 0 && s.bad > 0)
        rc = err_set(e, ERR_SKIPPED, "%llu bad lines left out",
                     (unsigned long long)s.bad);
    jsonl_segments_release(&s);
    free(prov);
    return rc;
}
