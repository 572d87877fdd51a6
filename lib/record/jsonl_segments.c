/* jsonl_segments.c - lines of JSON to the segments of a stream. */
#include "record/jsonl_segments.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "record/tokens.h"
#include "record/vector.h"

/* The type of the stream that a record of each kind is of. */
static const char *const type_of[] = {
    [JSONL_TEXT] = "text", [JSONL_TOKENS] = "tokens",
    [JSONL_VECTOR] = "vectors",
    [JSONL_ASSET] = "weights", [JSONL_TENSOR] = "weights"
};

void
jsonl_segments_init(struct jsonl_segments *s)
{
    memset(s, 0, sizeof(*s));
    jsonl_init(&s->line);
}

void
jsonl_segments_release(struct jsonl_segments *s)
{
    jsonl_release(&s->line);
}

/* ERR_DATA at this line, which says how many bytes a tensor lacks. */
static int
data_missing(const struct jsonl_segments *s, const char *what, struct err *e)
{
    return err_set(e, ERR_DATA, "%s:%" PRIu64 ": %s (%" PRIu64
                   " bytes missing)", s->name, s->number, what,
                   s->data_left);
}

static int
end_segment(struct jsonl_segments *s, struct err *e)
{
    if (!s->open)
        return 0;
    s->open = false;
    if (s->data_left > 0)
        return data_missing(s, "tensor data end early", e);
    stream_out_skip(s->out, s->program, "bad-line", s->bad - s->bad_before);
    stream_out_skip(s->out, s->program, "ignored-key",
                    s->line.n_ignored - s->ignored_before);
    stream_out_skip(s->out, s->program, "padding-token",
                    s->line.n_padding - s->padding_before);
    s->bad_before = s->bad;
    s->ignored_before = s->line.n_ignored;
    s->padding_before = s->line.n_padding;
    return stream_out_end(s->out, e);
}

/* Begins a segment with that header; prov lines that came with it stay. */
static int
begin(struct jsonl_segments *s, struct stream_head *h, struct err *e)
{
    stream_head_prov(h, s->prov);
    s->open = s->begun = true;
    s->records = 0;
    snprintf(s->type, sizeof(s->type), "%s", h->type);
    return stream_out_begin(s->out, h, e);
}

/* Vectors without a header have as many elements as the first. */
static int
set_dim(struct jsonl_segments *s, struct stream_head *h, struct err *e)
{
    const struct buf *b = &s->line.record;
    struct vector v;
    int rc = vector_decode(&v, b->data, b->len, 0, e);

    if (rc < 0)
        return rc;
    s->line.dim = v.dim;
    stream_head_set_u64(h, "dim", v.dim);
    return 0;
}

/* Begins a segment for records that have no header line before them. */
static int
begin_plain(struct jsonl_segments *s, const char *type, struct err *e)
{
    struct stream_head h;
    int rc;

    s->line.vocab = s->vocab;
    s->line.wide = false;
    if (strcmp(type, "tokens") == 0)
        tokens_head(&h, s->vocab, s->tokenizer);
    else
        stream_head_init(&h, type);
    rc = strcmp(type, "vectors") == 0 ? set_dim(s, &h, e) : 0;
    if (rc == 0)
        rc = begin(s, &h, e);
    stream_head_release(&h);
    return rc;
}

static int
put_head(struct jsonl_segments *s, struct err *e)
{
    int rc;

    rc = end_segment(s, e);
    s->line.vocab = s->line.dim = 0;
    if (rc == 0)
        rc = tokens_head_read(&s->line.head, s->name, &s->line.vocab,
                              &s->line.wide, e);
    if (rc == 0 && strcmp(s->line.head.type, "vectors") == 0)
        rc = vector_dim(&s->line.head, s->name, &s->line.dim, e);
    return rc < 0 ? rc : begin(s, &s->line.head, e);
}

/* The last line of a segment that tojsonl has written. */
static int
put_end(struct jsonl_segments *s, struct err *e)
{
    if (!s->open)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": the end of a segment "
                       "without its beginning", s->name, s->number);
    for (size_t i = 0; i < s->line.n_inputs; i++)
        stream_out_input_id(s->out, &s->line.input[i]);
    ledger_add_all(&s->out->trailer.ledger, &s->line.ledger);
    return end_segment(s, e);
}

static int
put_data(struct jsonl_segments *s, struct err *e)
{
    const struct buf *b = &s->line.record;

    if (b->len > s->data_left)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": data without a tensor "
                       "to take them (found %zu bytes, expected %" PRIu64
                       ")", s->name, s->number, b->len, s->data_left);
    s->data_left -= b->len;
    return stream_out_data(s->out, b->data, b->len, e);
}

/* A record, or a tensor's descriptor. */
static int
put_record(struct jsonl_segments *s, const char *type, struct err *e)
{
    const struct buf *b = &s->line.record;
    int rc = 0;

    if (s->data_left > 0)
        return data_missing(s, "a record amid a tensor's data", e);
    if (!s->open)
        rc = begin_plain(s, type, e);
    if (rc < 0)
        return rc;
    if (strcmp(s->type, type) != 0)
        return err_set(e, ERR_DATA, "%s:%" PRIu64 ": kinds are mixed (found "
                       "%s, expected %s)", s->name, s->number, type, s->type);
    s->records++;
    if (s->line.kind != JSONL_TENSOR)
        return stream_out_record(s->out, b->data, b->len, e);
    s->data_left = s->line.n_data;
    return stream_out_tensor(s->out, b->data, b->len, s->data_left, e);
}

/* What the line reader has read goes into the stream. */
static int
put(struct jsonl_segments *s, struct err *e)
{
    switch (s->line.kind) {
    case JSONL_HEAD:
        return put_head(s, e);
    case JSONL_END:
        return put_end(s, e);
    case JSONL_DATA:
        return put_data(s, e);
    default:
        return put_record(s, type_of[s->line.kind], e);
    }
}

int
jsonl_segments_line(struct jsonl_segments *s, const char *p, size_t n,
                    struct err *e)
{
    char where[4200];
    int rc;

    s->number++;
    if (strspn(p, " \t\r") == n)
        return 0;
    snprintf(where, sizeof(where), "%s:%" PRIu64, s->name, s->number);
    s->line.ordinal = s->records;
    rc = jsonl_read(&s->line, p, n, where, e);
    if (rc == 0)
        return put(s, e);
    if (rc != ERR_DATA || !s->keep_going || s->data_left > 0)
        return rc;
    log_warn("%s", e->text);
    s->bad++;
    return 0;
}

int
jsonl_segments_end(struct jsonl_segments *s, struct err *e)
{
    int rc = s->begun ? 0 : begin_plain(s, "text", e);

    return rc < 0 ? rc : end_segment(s, e);
}
