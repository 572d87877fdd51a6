/* fromjsonl.c - JSON lines to a stream: the way in for data sets that others
 * made, and the way back from `tojsonl --exact`. See record/jsonl.h for what
 * lines are understood.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/options.h"
#include "record/jsonl.h"
#include "record/tensor.h"
#include "stream/stream.h"
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

struct state {
    const struct options *o;
    char *prov;
    char tokenizer[ID_HEX + 1]; /* "" without one */
    struct in in;
    struct stream_out out;
    struct jsonl line;
    bool open, begun;     /* a segment is; one was */
    char type[STREAM_NAME_MAX + 1]; /* of it */
    uint64_t records;     /* in it */
    uint64_t data_left;   /* of the tensor before */
    uint64_t bad, ignored; /* in it */
    uint64_t all_bad;
    uint64_t number;      /* of the line */
};

static int
end_segment(struct state *s, struct err *e)
{
    if (!s->open)
        return 0;
    s->open = false;
    if (s->data_left > 0)
        return err_set(e, ERR_DATA, "%s:%llu: tensor data end early "
                       "(%llu bytes missing)", s->in.name,
                       (unsigned long long)s->number,
                       (unsigned long long)s->data_left);
    stream_out_skip(&s->out, tool.name, "bad-line", s->bad);
    stream_out_skip(&s->out, tool.name, "ignored-key",
                    s->line.n_ignored - s->ignored);
    s->bad = 0;
    s->ignored = s->line.n_ignored;
    return stream_out_end(&s->out, e);
}

/* Begins a segment with that header; prov lines that came with it stay. */
static int
begin(struct state *s, struct stream_head *h, struct err *e)
{
    stream_head_prov(h, s->prov);
    s->open = s->begun = true;
    s->records = 0;
    snprintf(s->type, sizeof(s->type), "%s", h->type);
    return stream_out_begin(&s->out, h, e);
}

/* Begins a segment for records that have no header line before them. */
static int
begin_plain(struct state *s, const char *type, struct err *e)
{
    struct stream_head h;
    int rc;

    stream_head_init(&h, type);
    if (strcmp(type, "tokens") == 0 && s->o->vocab > 0)
        stream_head_set_u64(&h, "vocab", s->o->vocab);
    if (strcmp(type, "tokens") == 0 && s->tokenizer[0])
        stream_head_set(&h, "tokenizer", s->tokenizer);
    rc = begin(s, &h, e);
    stream_head_release(&h);
    return rc;
}

static int
header(struct state *s, struct err *e)
{
    int rc;

    rc = end_segment(s, e);
    s->line.vocab = 0;
    if (rc == 0 && stream_head_get(&s->line.head, "vocab"))
        rc = stream_head_get_u64(&s->line.head, "vocab", s->in.name,
                                 &s->line.vocab, e);
    return rc < 0 ? rc : begin(s, &s->line.head, e);
}

/* The last line of a segment that tojsonl has written. */
static int
end(struct state *s, struct err *e)
{
    if (!s->open)
        return err_set(e, ERR_DATA, "%s:%llu: the end of a segment without "
                       "its beginning", s->in.name,
                       (unsigned long long)s->number);
    for (size_t i = 0; i < s->line.n_inputs; i++)
        stream_out_input_id(&s->out, &s->line.input[i]);
    ledger_add_all(&s->out.trailer.ledger, &s->line.ledger);
    return end_segment(s, e);
}

static int
data(struct state *s, struct err *e)
{
    const struct buf *b = &s->line.record;

    if (b->len > s->data_left)
        return err_set(e, ERR_DATA, "%s:%llu: data without a tensor to take "
                       "them (found %zu bytes, expected %llu)", s->in.name,
                       (unsigned long long)s->number, b->len,
                       (unsigned long long)s->data_left);
    s->data_left -= b->len;
    return stream_out_data(&s->out, b->data, b->len, e);
}

/* What the line reader has read goes into the stream. */
static int
put(struct state *s, struct err *e)
{
    static const char *const type[] = {
        [JSONL_TEXT] = "text", [JSONL_TOKENS] = "tokens",
        [JSONL_ASSET] = "weights", [JSONL_TENSOR] = "weights",
        [JSONL_DATA] = "weights"
    };
    const struct buf *b = &s->line.record;
    int rc;

    if (s->line.kind == JSONL_HEAD)
        return header(s, e);
    if (s->line.kind == JSONL_END)
        return end(s, e);
    if (s->line.kind == JSONL_DATA)
        return data(s, e);
    if (s->data_left > 0)
        return err_set(e, ERR_DATA, "%s:%llu: a record amid a tensor's data "
                       "(%llu bytes missing)", s->in.name,
                       (unsigned long long)s->number,
                       (unsigned long long)s->data_left);
    if (!s->open) {
        rc = begin_plain(s, type[s->line.kind], e);
        if (rc < 0)
            return rc;
    }
    if (strcmp(s->type, type[s->line.kind]) != 0)
        return err_set(e, ERR_DATA, "%s:%llu: kinds are mixed (found %s, "
                       "expected %s)", s->in.name,
                       (unsigned long long)s->number, type[s->line.kind],
                       s->type);
    s->records++;
    if (s->line.kind != JSONL_TENSOR)
        return stream_out_record(&s->out, b->data, b->len, e);
    s->data_left = s->line.n_data;
    return stream_out_tensor(&s->out, b->data, b->len, s->data_left, e);
}

static int
one_line(struct state *s, const char *p, size_t n, struct err *e)
{
    char where[4200];
    int rc;

    if (strspn(p, " \t\r") == n)
        return 0;
    snprintf(where, sizeof(where), "%s:%llu", s->in.name,
             (unsigned long long)s->number);
    s->line.ordinal = s->records;
    rc = jsonl_read(&s->line, p, n, where, e);
    if (rc == 0)
        return put(s, e);
    if (rc != ERR_DATA || !s->o->keep_going || s->data_left > 0)
        return rc;
    log_warn("%s", e->text);
    s->bad++;
    s->all_bad++;
    return 0;
}

static int
all_lines(struct state *s, struct err *e)
{
    struct buf line;
    bool got, ended;
    size_t skip;
    int rc;

    buf_init(&line);
    progress_begin("lines", 0, 0);
    for (;;) {
        rc = in_line(&s->in, &line, LINE_MAX_BYTES, &got, &ended, e);
        if (rc < 0 || !got)
            break;
        s->number++;
        skip = s->number == 1 && line.len >= 3
               && memcmp(line.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        if (!ended && line.len > skip) {
            rc = err_set(e, ERR_DATA, "%s:%llu: the last line has no "
                         "newline: cut short?", s->in.name,
                         (unsigned long long)s->number);
            break;
        }
        rc = one_line(s, line.data + skip, line.len - skip, e);
        if (rc < 0)
            break;
        progress_part(NULL, s->in.at, s->in.size);
        progress_add(1);
    }
    progress_end();
    buf_release(&line);
    return rc;
}

static int
convert(struct state *s, const char *path, struct err *e)
{
    int rc;

    rc = in_open(&s->in, path, e);
    if (rc < 0)
        return rc;
    rc = stream_out_open(&s->out, "-", e);
    if (rc < 0)
        goto out;
    rc = all_lines(s, e);
    if (rc == 0 && !s->begun)
        rc = begin_plain(s, "text", e);
    if (rc == 0)
        rc = end_segment(s, e);
    if (rc == 0)
        rc = stream_out_close(&s->out, e);
    else
        stream_out_release(&s->out);
out:
    in_release(&s->in);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct state s = {.o = o, .in = {.fd = -1}};
    const char *ids[] = {"tokenizer", s.tokenizer, NULL};
    struct buf text;
    struct id id;
    int rc;

    if (o->tokenizer) {
        buf_init(&text);
        rc = file_read(&text, o->tokenizer, TOKENIZER_MAX_FILE, e);
        id = id_of(text.data, text.len);
        buf_release(&text);
        if (rc < 0)
            return rc;
        id_hex(&id, s.tokenizer);
    }
    s.prov = tool_prov(args, o, o->tokenizer ? ids : NULL);
    jsonl_init(&s.line);
    s.line.vocab = o->vocab;
    rc = convert(&s, args->n > 0 ? args->operand[0] : "-", e);
    if (rc == 0 && s.line.n_ignored > 0)
        log_info("%llu keys ignored", (unsigned long long)s.line.n_ignored);
    if (rc == 0 && s.all_bad > 0)
        rc = err_set(e, ERR_SKIPPED, "%llu bad lines left out",
                     (unsigned long long)s.all_bad);
    jsonl_release(&s.line);
    free(s.prov);
    return rc;
}
