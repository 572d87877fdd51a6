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
#include "record/change.h"
#include "record/group.h"
#include "record/text.h"
#include "record/tokens.h"
#include "stream/stream.h"
#include "text/template.h"
#include "tool/tool.h"

#define BATCH_RECORDS 1024
#define BATCH_BYTES (4u << 20)
#define KEEP_BYTES (1u << 20) /* of an item's memory, between batches */

enum { CHOICE_AUTO, CHOICE_PLAIN }; /* then as enum template_kind */

struct options {
    const char *tokenizer, *end;
    int template;
    uint64_t max_tokens, threads;
    bool marks, decode, raw;
};

#define AT(field) offsetof(struct options, field)

static const struct opt table[] = {
    { .name = "tokenizer", .letter = 't', .type = OPT_STRING,
      .offset = AT(tokenizer), .arg = "FILE",
      .help = "Hugging Face tokenizer.json (required)" },
    { .name = "template", .type = OPT_CHOICE, .output = true,
      .offset = AT(template), .arg = "NAME", .def = "auto",
      .choices = "auto|plain|file|commit|message",
      .help = "layout of a record" },
    { .name = "max-tokens", .type = OPT_U64, .output = true,
      .offset = AT(max_tokens), .arg = "N", .def = "0", .max = 1u << 30,
      .help = "most tokens of a record, its end included; 0: no limit" },
    { .name = "end", .type = OPT_STRING, .output = true, .offset = AT(end),
      .arg = "TOKEN", .def = "auto",
      .help = "token that ends each record; auto: the tokenizer's "
              "<|endoftext|> or the like if it has one; none: no token" },
    { .name = "marks", .type = OPT_FLAG, .output = true,
      .offset = AT(marks),
      .help = "take special tokens spelled in the text for the tokens" },
    { .name = "decode", .letter = 'd', .type = OPT_FLAG, .output = true,
      .offset = AT(decode), .help = "tokens in, text out" },
    { .name = "raw", .type = OPT_FLAG, .offset = AT(raw),
      .help = "with --decode: write the bytes, not a stream" },
    { .name = "threads", .type = OPT_U64, .offset = AT(threads), .arg = "N",
      .def = "0", .max = 1024, .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static const struct tool tool = {
    .name = "tokenize",
    .summary = "turn text into tokens, or tokens into text",
    .operands = "[FILE]",
    .max_operands = 1,
    .opts = table,
    .exits = "4 5",
};

/* Why a record or a part of one was left out. */
enum reason { LEFT_KIND, LEFT_EDIT, LEFT_LONG, LEFT_LARGE, REASONS };

static const char *const reason_name[REASONS] = {
    "kind-without-layout", "no-edit", "over-max-tokens", "too-large"
};

/* A record of the batch, and what became of it. */
struct item {
    size_t at, len; /* in batch.text */
    uint64_t index, group;
    struct buf tokens; /* records one after another, each ends at end[] */
    size_t *end, n, cap;
    uint64_t left[REASONS], lost;
    struct err e; /* code < 0: the record is bad */
};

/* What one thread needs. */
struct worker {
    bool ready;
    struct encoder en;
    struct text_rec rec;
    struct change change, narrow, part;
    struct buf before, after, diff, message, text;
    struct template_out out;
};

struct job {
    const struct options *o;
    struct tokenizer t;
    uint32_t end;
    struct template template[TEMPLATE_KINDS];
    struct worker *worker;
    struct item *item;
    size_t n_items;
    struct buf text; /* of the batch */
    struct groups groups;
    struct text_rec rec;
    uint64_t left[REASONS], lost, records; /* totals */
};

/* ---- one record, by a worker ---- */

static void
worker_start(struct worker *w, const struct tokenizer *t)
{
    w->ready = true;
    encoder_init(&w->en, t);
    text_init(&w->rec);
    change_init(&w->change);
    change_init(&w->narrow);
    change_init(&w->part);
    buf_init(&w->before);
    buf_init(&w->after);
    buf_init(&w->diff);
    buf_init(&w->message);
    buf_init(&w->text);
    template_out_init(&w->out);
}

static void
worker_release(struct worker *w)
{
    if (!w->ready)
        return;
    encoder_release(&w->en);
    text_release(&w->rec);
    change_release(&w->change);
    change_release(&w->narrow);
    change_release(&w->part);
    buf_release(&w->before);
    buf_release(&w->after);
    buf_release(&w->diff);
    buf_release(&w->message);
    buf_release(&w->text);
    template_out_release(&w->out);
}

static void
set_field(struct template_input *in, enum template_field field,
          const struct text_rec *r, const char *name)
{
    const struct text_field *f = text_get(r, name);

    if (f) {
        in->field[field].p = f->data;
        in->field[field].n = f->len;
    }
}

static void
set_buf(struct template_input *in, enum template_field field,
        const struct buf *b)
{
    in->field[field].p = b->data;
    in->field[field].n = b->len;
}

/* Subject, an empty line, body; without newlines at the end. */
static void
make_message(struct worker *w)
{
    const struct text_field *subject = text_get(&w->rec, "subject");
    const struct text_field *body = text_get(&w->rec, "body");
    struct buf *b = &w->message;

    buf_reset(b);
    if (subject)
        buf_add(b, subject->data, subject->len);
    if (body && body->len > 0) {
        buf_addstr(b, "\n\n");
        buf_add(b, body->data, body->len);
    }
    while (b->len > 0 && b->data[b->len - 1] == '\n')
        b->len--;
}

static void
make_diff(struct worker *w, const struct change *c)
{
    const struct text_field *path = text_get(&w->rec, "path");
    const struct text_field *old = text_get(&w->rec, "old_path");

    buf_reset(&w->diff);
    change_unified(&w->diff, c, path ? path->data : "", path ? path->len : 0,
                   old ? old->data : NULL, old ? old->len : 0);
}

static void
fill_commit(struct worker *w, enum template_kind kind,
            const struct change *c, struct template_input *in)
{
    make_message(w);
    set_buf(in, FIELD_MESSAGE, &w->message);
    if (kind != TEMPLATE_COMMIT) {
        make_diff(w, c);
        set_buf(in, FIELD_DIFF, &w->diff);
    }
    if (kind == TEMPLATE_PLAIN) {
        buf_reset(&w->text);
        buf_add(&w->text, w->message.data, w->message.len);
        buf_addstr(&w->text, "\n\n");
        buf_add(&w->text, w->diff.data, w->diff.len);
        set_buf(in, FIELD_TEXT, &w->text);
    }
    buf_reset(&w->before);
    buf_reset(&w->after);
    change_side(&w->before, c, CHANGE_BEFORE);
    change_side(&w->after, c, CHANGE_AFTER);
    if (c->present[CHANGE_BEFORE])
        set_buf(in, FIELD_BEFORE, &w->before);
    if (c->present[CHANGE_AFTER])
        set_buf(in, FIELD_AFTER, &w->after);
}

/* The messages, an empty line between. */
static void
fill_chat(struct worker *w, struct template_input *in)
{
    const struct text_field *role, *content;
    size_t i;

    buf_reset(&w->text);
    for (i = 0; i < text_n_messages(&w->rec); i++) {
        text_message(&w->rec, i, &role, &content);
        buf_addstr(&w->text, i > 0 ? "\n\n" : "");
        buf_add(&w->text, content->data, content->len);
    }
    set_buf(in, FIELD_TEXT, &w->text);
}

/* Encodes the record into w->out; of a commit with this change. */
static void
encode_record(const struct job *j, struct worker *w, enum template_kind kind,
              const struct change *c)
{
    struct template_input in;

    memset(&in, 0, sizeof(in));
    set_field(&in, FIELD_REPO, &w->rec, "repo");
    set_field(&in, FIELD_PATH, &w->rec, "path");
    set_field(&in, FIELD_TEXT, &w->rec, "text");
    if (w->rec.kind == TEXT_COMMIT)
        fill_commit(w, kind, c, &in);
    else if (w->rec.kind == TEXT_CHAT)
        fill_chat(w, &in);
    template_encode(&j->template[kind], &w->en, &in, j->o->marks, &w->out);
}

static bool
fits(const struct job *j, const struct worker *w)
{
    return j->o->max_tokens == 0 || w->out.ids.n <= j->o->max_tokens;
}

/* Appends w->out to the item. */
static void
keep_tokens(const struct job *j, struct worker *w, struct item *it,
            const struct tokens_origin *origin)
{
    size_t start = it->tokens.len;
    int rc;

    rc = tokens_encode(&it->tokens, origin, w->out.ids.id, w->out.loss,
                       w->out.ids.n, j->t.n, &it->e);
    if (rc < 0)
        return;
    if (it->tokens.len - start > STREAM_RECORD_MAX) {
        it->tokens.len = start;
        it->left[LEFT_LARGE]++;
        return;
    }
    if (it->n == it->cap) {
        it->cap = it->cap * 2 + 4;
        it->end = mem_grow(it->end, it->cap * sizeof(it->end[0]));
    }
    it->end[it->n++] = it->tokens.len;
}

/* The change, or with less and less context, until it fits. */
static bool
shrink(const struct job *j, struct worker *w, enum template_kind kind,
       const struct change *c)
{
    static const size_t context[] = { 8, 4, 2, 1, 0 };
    size_t i;

    encode_record(j, w, kind, c);
    for (i = 0; i < sizeof(context) / sizeof(context[0]); i++) {
        if (fits(j, w))
            return true;
        change_narrow(&w->narrow, c, context[i]);
        encode_record(j, w, kind, &w->narrow);
    }
    return fits(j, w);
}

static void
do_commit(const struct job *j, struct worker *w, struct item *it,
          enum template_kind kind, const struct tokens_origin *origin)
{
    const struct text_field *f = text_get(&w->rec, "change");
    struct change one;
    struct change_hunk hunk;
    size_t i;

    if (change_decode(&w->change, f ? f->data : "- -\n", f ? f->len : 4,
                      &it->e) < 0)
        return;
    if (w->change.n_hunks == 0) {
        it->left[LEFT_EDIT]++;
        return;
    }
    if (shrink(j, w, kind, &w->change)) {
        keep_tokens(j, w, it, origin);
        return;
    }
    change_narrow(&w->part, &w->change, 8);
    for (i = 0; i < w->part.n_hunks && it->e.code == 0; i++) {
        hunk = w->part.hunk[i];
        one = w->part;
        one.line = w->part.line + hunk.line;
        one.n_lines = hunk.n_lines;
        one.hunk = &hunk;
        one.n_hunks = 1;
        hunk.line = 0;
        if (shrink(j, w, kind, &one))
            keep_tokens(j, w, it, origin);
        else
            it->left[LEFT_LONG]++;
    }
}

/* Which layout the record gets; TEMPLATE_KINDS: there is none. */
static enum template_kind
choose(const struct job *j, enum text_kind kind)
{
    enum template_kind chosen;

    if (j->o->template == CHOICE_AUTO)
        return kind == TEXT_COMMIT ? TEMPLATE_COMMIT :
               kind == TEXT_FILE ? TEMPLATE_FILE : TEMPLATE_PLAIN;
    chosen = (enum template_kind)(j->o->template - CHOICE_PLAIN);
    if (chosen == TEMPLATE_PLAIN ||
        (chosen == TEMPLATE_FILE && kind == TEXT_FILE) ||
        (chosen != TEMPLATE_FILE && kind == TEXT_COMMIT))
        return chosen;
    return TEMPLATE_KINDS;
}

static int
make_origin(struct tokens_origin *origin, const struct worker *w,
            const struct item *it, const void *p, struct err *e)
{
    int64_t ordinal, when;
    int rc;

    rc = text_i64(&w->rec, "ordinal", (int64_t)it->index, &ordinal, e);
    if (rc == 0)
        rc = text_i64(&w->rec, "time", 0, &when, e);
    if (rc < 0)
        return rc;
    *origin = (struct tokens_origin){
        .text = text_id(p, it->len), .ordinal = (uint64_t)ordinal,
        .time = when, .group = it->group
    };
    return 0;
}

static void
do_item(void *ctx, size_t i, int worker)
{
    struct job *j = ctx;
    struct worker *w = &j->worker[worker];
    struct item *it = &j->item[i];
    const char *p = j->text.data + it->at;
    struct tokens_origin origin;
    enum template_kind kind;
    uint64_t lost;

    if (!w->ready)
        worker_start(w, &j->t);
    lost = w->en.n_lost;
    if (text_decode(&w->rec, p, it->len, &it->e) < 0 ||
        make_origin(&origin, w, it, p, &it->e) < 0)
        return;
    kind = choose(j, w->rec.kind);
    if (kind == TEMPLATE_KINDS) {
        it->left[LEFT_KIND]++;
    } else if (w->rec.kind == TEXT_COMMIT) {
        do_commit(j, w, it, kind, &origin);
    } else {
        encode_record(j, w, kind, NULL);
        if (fits(j, w))
            keep_tokens(j, w, it, &origin);
        else
            it->left[LEFT_LONG]++;
    }
    it->lost = w->en.n_lost - lost;
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

/* Empties an item for the next batch. */
static void
item_reset(struct item *it)
{
    if (it->tokens.cap > KEEP_BYTES) {
        buf_release(&it->tokens);
        buf_init(&it->tokens);
    }
    buf_reset(&it->tokens);
    it->n = 0;
    it->lost = 0;
    it->e.code = 0;
    memset(it->left, 0, sizeof(it->left));
}

static int
write_item(struct job *j, struct item *it, const struct stream_in *in,
           struct stream_out *out, struct err *e)
{
    size_t i, at = 0;
    int rc = 0;

    if (it->e.code < 0) {
        *e = it->e;
        return err_prefix(e, "%s: record %llu", in->in.name,
                          (unsigned long long)it->index);
    }
    for (i = 0; i < it->n && rc == 0; at = it->end[i++])
        rc = stream_out_record(out, it->tokens.data + at, it->end[i] - at,
                               e);
    j->records += it->n;
    for (i = 0; i < REASONS; i++) {
        j->left[i] += it->left[i];
        stream_out_skip(out, tool.name, reason_name[i], it->left[i]);
    }
    j->lost += it->lost;
    stream_out_skip(out, tool.name, "bytes-without-token", it->lost);
    item_reset(it);
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
        for (i = 0; i < j->n_items && rc == 0; i++)
            rc = write_item(j, &j->item[i], in, out, e);
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
    for (i = 0; i < REASONS; i++)
        if (j->left[i] > 0)
            log_info("%llu left out: %s", (unsigned long long)j->left[i],
                     reason_name[i]);
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
        buf_init(&j->item[i].tokens);
    for (i = 0; i < TEMPLATE_KINDS; i++)
        template_init(&j->template[i], (enum template_kind)i, &j->t, j->end);
    buf_init(&j->text);
    groups_init(&j->groups);
    text_init(&j->rec);
}

static void
job_release(struct job *j)
{
    int i;

    for (i = 0; i < par_threads(); i++)
        worker_release(&j->worker[i]);
    for (i = 0; i < BATCH_RECORDS; i++) {
        buf_release(&j->item[i].tokens);
        free(j->item[i].end);
    }
    free(j->worker);
    free(j->item);
    buf_release(&j->text);
    groups_release(&j->groups);
    text_release(&j->rec);
}

static int
run(const struct options *o, const struct args *args, struct err *e)
{
    const char *path = args->n > 0 ? args->operand[0] : "-";
    struct job j = { .o = o };
    const char *ids[] = { "tokenizer", NULL, NULL };
    char hex[ID_HEX + 1], *prov;
    int rc;

    if (!o->tokenizer)
        return err_set(e, ERR_USAGE, "-t FILE is required");
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
    rc = o->decode ? decode_stream(&j, path, prov, e) :
                     encode_stream(&j, path, prov, e);
    job_release(&j);
    free(prov);
out:
    tokenizer_release(&j.t);
    return rc;
}

int
main(int argc, char **argv)
{
    struct options o;
    struct args args;
    struct err e = { 0 };
    int rc;

    tool_start(&tool, &o, &args, argc, argv);
    rc = run(&o, &args, &e);
    return tool_end(rc, &e);
}
