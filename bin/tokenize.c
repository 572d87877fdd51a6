/* tokenize.c - text records in, token records out, and back.
 *
 * Records are taken in batches. Each is laid out by a template and encoded
 * by one of the threads into its own buffer, and the buffers are written in
 * order, so the output does not depend on the number of threads. Groups are
 * given while reading, as they depend on the records before.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/options.h"
#include "record/group.h"
#include "record/render.h"
#include "record/text.h"
#include "record/tokens.h"
#include "stream/stream.h"
#include "tool/tool.h"

#define BATCH_RECORDS 1024
#define BATCH_BYTES (4u << 20)

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

/* A record of the batch, and what became of it. */
struct item {
    size_t at, len; /* in job.text */
    uint64_t index, group;
    struct render_result out;
    struct err e; /* code < 0: the record is bad */
};

struct worker {
    bool ready;
    struct render_worker w;
};

struct job {
    const struct options *o;
    struct tokenizer t;
    uint32_t end;
    struct render render;
    struct worker *worker;
    struct item *item;
    size_t n_items;
    struct buf text; /* of the batch */
    struct groups groups;
    struct text_rec rec;
    uint64_t left[RENDER_REASONS], lost, records; /* totals */
};

/* One record, by a worker. */
static void
do_item(void *ctx, size_t i, int worker)
{
    struct job *j = ctx;
    struct worker *w = &j->worker[worker];
    struct item *it = &j->item[i];

    if (!w->ready)
        render_worker_init(&w->w, &j->t);
    w->ready = true;
    render_record(&j->render, &w->w, j->text.data + it->at, it->len,
                  it->index, it->group, &it->out, &it->e);
}

/* ---- the stream ---- */

/* Takes records until the batch is full; 0 when the segment has ended. */
static int
fill_batch(struct job *j, struct stream_in *in, struct err *e)
{
    struct stream_rec rec;
    struct item *it;
    int rc = 1;

    j->n_items = 0;
    buf_reset(&j->text);
    while (j->n_items < BATCH_RECORDS && j->text.len < BATCH_BYTES) {
        rc = stream_in_record(in, &rec, e);
        if (rc <= 0)
            break;
        it = &j->item[j->n_items++];
        it->at = j->text.len;
        it->len = rec.n;
        it->index = rec.index;
        buf_add(&j->text, rec.p, rec.n);
        rc = text_decode(&j->rec, rec.p, rec.n, e);
        if (rc < 0)
            return err_prefix(e, "%s: record %llu", in->in.name,
                              (unsigned long long)rec.index);
        it->group = groups_of(&j->groups, &j->rec, rec.p, rec.n);
        rc = 1;
    }
    return rc;
}

static int
write_item(struct job *j, struct item *it, const struct stream_in *in,
           struct stream_out *out, struct err *e)
{
    const struct render_result *r = &it->out;
    size_t i, at = 0;
    int rc = 0;

    if (it->e.code < 0) {
        *e = it->e;
        return err_prefix(e, "%s: record %llu", in->in.name,
                          (unsigned long long)it->index);
    }
    for (i = 0; i < r->n && rc == 0; at = r->end[i++])
        rc = stream_out_record(out, r->tokens.data + at, r->end[i] - at, e);
    j->records += r->n;
    for (i = 0; i < RENDER_REASONS; i++) {
        j->left[i] += r->left[i];
        stream_out_skip(out, tool.name, render_left_name(i), r->left[i]);
    }
    j->lost += r->lost;
    stream_out_skip(out, tool.name, "bytes-without-token", r->lost);
    render_result_reset(&it->out);
    return rc;
}

static int
encode_segment(struct job *j, struct stream_in *in, struct stream_out *out,
               const char *prov, struct err *e)
{
    struct stream_head head;
    char hex[ID_HEX + 1];
    int rc, more;
    size_t i;

    stream_head_copy(&head, &in->head);
    stream_head_set_type(&head, "tokens");
    stream_head_set_u64(&head, "vocab", j->t.n);
    stream_head_set(&head, "tokenizer", id_hex(&j->t.id, hex));
    if (j->end != TOKEN_NONE)
        stream_head_set_u64(&head, "eos", j->end);
    stream_head_prov(&head, prov);
    rc = stream_out_begin(out, &head, e);
    stream_head_release(&head);
    while (rc == 0) {
        more = fill_batch(j, in, e);
        if (more < 0)
            return more;
        par_for(j->n_items, do_item, j);
        progress_part(NULL, in->in.at, in->in.size);
        for (i = 0; i < j->n_items && rc == 0; i++) {
            rc = write_item(j, &j->item[i], in, out, e);
            progress_add(1);
        }
        if (more == 0)
            break;
    }
    return rc < 0 ? rc : stream_pass_end(out, in, e);
}

static void
tell(const struct job *j)
{
    size_t i;

    log_info("%llu records", (unsigned long long)j->records);
    for (i = 0; i < RENDER_REASONS; i++)
        if (j->left[i] > 0)
            log_info("%llu left out: %s", (unsigned long long)j->left[i],
                     render_left_name(i));
    if (j->lost > 0)
        log_warn("%llu bytes left out: the tokenizer has no token for them",
                 (unsigned long long)j->lost);
}

static int
encode_stream(struct job *j, const char *path, const char *prov,
              struct err *e)
{
    struct stream_in in;
    struct stream_out out;
    int rc;

    rc = stream_in_open(&in, path, "text", e);
    if (rc < 0)
        return rc;
    rc = stream_out_open(&out, "-", e);
    if (rc < 0)
        goto out;
    while ((rc = stream_in_segment(&in, e)) > 0) {
        rc = encode_segment(j, &in, &out, prov, e);
        if (rc < 0)
            break;
    }
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    progress_end();
    if (rc == 0)
        tell(j);
out:
    stream_in_release(&in);
    return rc;
}

/* ---- back ---- */

/* Where decoded text goes: a stream or plain bytes. */
struct sink {
    bool raw;
    struct stream_out stream;
    struct out bytes;
    struct buf text, rec;
    struct text_rec doc;
    uint32_t *ids;
    size_t cap;
};

static int
decode_record(const struct job *j, struct sink *s,
              const struct stream_rec *rec, struct err *e)
{
    struct tokens t;
    size_t n;
    int rc;

    rc = tokens_decode(&t, rec->p, rec->n, j->t.n, e);
    if (rc < 0)
        return rc;
    if (t.n > s->cap) {
        s->cap = t.n;
        s->ids = mem_grow(s->ids, s->cap * sizeof(s->ids[0]));
    }
    tokens_ids(&t, s->ids);
    n = t.n;
    if (n > 0 && s->ids[n - 1] == j->end)
        n--;
    buf_reset(&s->text);
    tokenizer_decode(&j->t, s->ids, n, &s->text);
    if (s->raw)
        return out_write(&s->bytes, s->text.data, s->text.len, e);
    text_begin(&s->doc, TEXT_DOC);
    text_add(&s->doc, "text", s->text.data, s->text.len);
    buf_reset(&s->rec);
    rc = text_encode(&s->rec, &s->doc, e);
    return rc < 0 ? rc : stream_out_record(&s->stream, s->rec.data,
                                           s->rec.len, e);
}

static int
begin_text(struct sink *s, const struct stream_head *from, const char *prov,
           struct err *e)
{
    struct stream_head head;
    int rc;

    stream_head_copy(&head, from);
    stream_head_set_type(&head, "text");
    stream_head_drop(&head, "vocab");
    stream_head_drop(&head, "tokenizer");
    stream_head_drop(&head, "eos");
    stream_head_prov(&head, prov);
    rc = stream_out_begin(&s->stream, &head, e);
    stream_head_release(&head);
    return rc;
}

static int
decode_segment(struct job *j, struct stream_in *in, struct sink *s,
               const char *prov, struct err *e)
{
    const char *made_by = stream_head_get(&in->head, "tokenizer");
    struct stream_rec rec;
    char hex[ID_HEX + 1];
    int rc = 0;

    id_hex(&j->t.id, hex);
    if (made_by && strcmp(made_by, hex) != 0)
        return err_set(e, ERR_DATA, "%s: made with another tokenizer (found "
                       "%.16s..., expected %.16s...)", in->in.name, made_by,
                       hex);
    if (!s->raw)
        rc = begin_text(s, &in->head, prov, e);
    while (rc == 0) {
        rc = stream_in_record(in, &rec, e);
        if (rc <= 0)
            break;
        rc = decode_record(j, s, &rec, e);
        progress_part(NULL, in->in.at, in->in.size);
        progress_add(1);
        if (rc < 0)
            err_prefix(e, "%s: record %llu", in->in.name,
                       (unsigned long long)rec.index);
    }
    if (rc < 0 || s->raw)
        return rc;
    return stream_pass_end(&s->stream, in, e);
}

static int
decode_all(struct job *j, struct sink *s, const char *path, const char *prov,
           struct err *e)
{
    struct stream_in in;
    int rc;

    rc = stream_in_open(&in, path, "tokens", e);
    if (rc < 0)
        return rc;
    rc = s->raw ? out_open(&s->bytes, "-", e) :
                  stream_out_open(&s->stream, "-", e);
    if (rc < 0)
        goto out;
    while ((rc = stream_in_segment(&in, e)) > 0) {
        rc = decode_segment(j, &in, s, prov, e);
        if (rc < 0)
            break;
    }
    if (rc == 0)
        rc = s->raw ? out_commit(&s->bytes, e) :
                      stream_out_close(&s->stream, e);
    else if (s->raw)
        out_release(&s->bytes);
    else
        stream_out_release(&s->stream);
out:
    stream_in_release(&in);
    return rc;
}

static int
decode_stream(struct job *j, const char *path, const char *prov,
              struct err *e)
{
    struct sink s;
    int rc;

    memset(&s, 0, sizeof(s));
    s.raw = j->o->raw;
    buf_init(&s.text);
    buf_init(&s.rec);
    text_init(&s.doc);
    rc = decode_all(j, &s, path, prov, e);
    buf_release(&s.text);
    buf_release(&s.rec);
    text_release(&s.doc);
    free(s.ids);
    return rc;
}

/* ---- the program ---- */

static int
choose_end(struct job *j, struct err *e)
{
    const char *end = j->o->end;

    j->end = TOKEN_NONE;
    if (strcmp(end, "auto") == 0) {
        j->end = tokenizer_end(&j->t);
        return 0;
    }
    if (strcmp(end, "none") == 0)
        return 0;
    j->end = tokenizer_find(&j->t, end, strlen(end));
    if (j->end == TOKEN_NONE)
        return err_set(e, ERR_DATA, "%s: no token \"%s\" (--end)",
                       j->o->tokenizer, end);
    return 0;
}

static void
job_start(struct job *j)
{
    int i;

    par_set_threads((int)j->o->threads);
    j->worker = mem_array((size_t)par_threads(), sizeof(j->worker[0]));
    j->item = mem_array(BATCH_RECORDS, sizeof(j->item[0]));
    for (i = 0; i < BATCH_RECORDS; i++)
        render_result_init(&j->item[i].out);
    render_init(&j->render, &j->t, j->end);
    j->render.max_tokens = j->o->max_tokens;
    j->render.marks = j->o->marks;
    if (j->o->template != CHOICE_AUTO)
        j->render.kind = (enum template_kind)(j->o->template - CHOICE_PLAIN);
    buf_init(&j->text);
    groups_init(&j->groups);
    text_init(&j->rec);
}

static void
job_release(struct job *j)
{
    int i;

    for (i = 0; i < par_threads(); i++)
        if (j->worker[i].ready)
            render_worker_release(&j->worker[i].w);
    for (i = 0; i < BATCH_RECORDS; i++)
        render_result_release(&j->item[i].out);
    free(j->worker);
    free(j->item);
    buf_release(&j->text);
    groups_release(&j->groups);
    text_release(&j->rec);
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    const char *path = args->n > 0 ? args->operand[0] : "-";
    struct job j = { .o = o };
    const char *ids[] = { "tokenizer", NULL, NULL };
    char hex[ID_HEX + 1], *prov;
    int rc;

    if (o->raw && !o->decode)
        return err_set(e, ERR_USAGE, "--raw goes with --decode");
    rc = tokenizer_open(&j.t, o->tokenizer, e);
    if (rc < 0)
        return rc;
    rc = choose_end(&j, e);
    if (rc < 0)
        goto out;
    ids[1] = id_hex(&j.t.id, hex);
    prov = tool_prov(args, o, ids);
    job_start(&j);
    progress_begin("records", 0, 0);
    rc = o->decode ? decode_stream(&j, path, prov, e) :
                     encode_stream(&j, path, prov, e);
    job_release(&j);
    free(prov);
out:
    tokenizer_release(&j.t);
    return rc;
}
