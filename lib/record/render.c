/* render.c - the fields a template wants, and fitting into a limit. */
#include "record/render.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/tokens.h"
#include "stream/stream.h"

#define KEEP_BYTES (32u << 10) /* of a result's memory, between records */
#define HUNK_CONTEXT 8 /* of hunks that become records */

void
render_init(struct render *r, const struct tokenizer *t, uint32_t end)
{
    int i;

    memset(r, 0, sizeof(*r));
    r->t = t;
    r->kind = RENDER_AUTO;
    for (i = 0; i < TEMPLATE_KINDS; i++)
        template_init(&r->template[i], (enum template_kind)i, t, end);
}

void
render_worker_init(struct render_worker *w, const struct tokenizer *t)
{
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
    template_out_init(&w->out, t);
    w->lost = 0;
}

void
render_worker_release(struct render_worker *w)
{
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

const char *
render_left_name(enum render_left reason)
{
    static const char *const name[RENDER_REASONS] = {
        "kind-without-layout", "no-edit", "over-max-tokens", "too-large"
    };

    return name[reason];
}

void
render_result_init(struct render_result *out)
{
    memset(out, 0, sizeof(*out));
    buf_init(&out->tokens);
}

void
render_result_release(struct render_result *out)
{
    buf_release(&out->tokens);
    free(out->end);
    render_result_init(out);
}

void
render_result_reset(struct render_result *out)
{
    if (out->tokens.cap > KEEP_BYTES)
        buf_release(&out->tokens);
    buf_reset(&out->tokens);
    out->n = 0;
    out->lost = 0;
    out->lang = NULL;
    out->n_lang = 0;
    out->there = out->kept = (struct render_count){ 0 };
    memset(out->left, 0, sizeof(out->left));
}

void
render_count_add(struct render_count *sum, const struct render_count *by)
{
    sum->records += by->records;
    sum->edited += by->edited;
    sum->tokens += by->tokens;
}

void
render_result_group(struct render_result *out, uint64_t group)
{
    size_t at = 0;

    for (size_t i = 0; i < out->n; at = out->end[i++])
        tokens_set_group(out->tokens.data + at, group);
}

/* ---- fields ---- */

static void
set_field(struct template_input *in, enum template_field field,
          const struct text_rec *r, const char *name)
{
    const struct text_field *f = text_get(r, name);

    if (f)
        template_set(in, field, f->data, f->len);
}

static void
set_buf(struct template_input *in, enum template_field field,
        const struct buf *b)
{
    template_set(in, field, b->data, b->len);
}

/* Subject, an empty line, body; without newlines at the end. */
static void
make_message(struct render_worker *w)
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
make_diff(struct render_worker *w, const struct change *c)
{
    const struct text_field *path = text_get(&w->rec, "path");
    const struct text_field *old = text_get(&w->rec, "old_path");

    buf_reset(&w->diff);
    change_unified(&w->diff, c, path ? path->data : "", path ? path->len : 0,
                   old ? old->data : NULL, old ? old->len : 0);
}

static void
fill_sides(struct render_worker *w, const struct change *c,
           struct template_input *in)
{
    buf_reset(&w->before);
    buf_reset(&w->after);
    change_side(&w->before, c, CHANGE_BEFORE);
    change_side(&w->after, c, CHANGE_AFTER);
    if (c->present[CHANGE_BEFORE])
        set_buf(in, FIELD_BEFORE, &w->before);
    if (c->present[CHANGE_AFTER])
        set_buf(in, FIELD_AFTER, &w->after);
}

static void
fill_commit(struct render_worker *w, enum template_kind kind,
            const struct change *c, struct template_input *in)
{
    make_message(w);
    set_buf(in, FIELD_MESSAGE, &w->message);
    if (kind == TEMPLATE_COMMIT) {
        fill_sides(w, c, in);
        return;
    }
    make_diff(w, c);
    set_buf(in, FIELD_DIFF, &w->diff);
    if (kind == TEMPLATE_PLAIN) {
        buf_reset(&w->text);
        buf_add(&w->text, w->message.data, w->message.len);
        buf_addstr(&w->text, "\n\n");
        buf_add(&w->text, w->diff.data, w->diff.len);
        set_buf(in, FIELD_TEXT, &w->text);
    }
}

static void
fill_chat(struct render_worker *w, struct template_input *in)
{
    struct text_message m;
    const char *gap = "";
    size_t at = 0;

    buf_reset(&w->text);
    for (; text_next_message(&w->rec, &at, &m); gap = "\n\n") {
        buf_addstr(&w->text, gap);
        buf_add(&w->text, m.content->data, m.content->len);
    }
    set_buf(in, FIELD_TEXT, &w->text);
}

/* Encodes the record into w->out; of a commit with this change. True when
 * it fits. */
static bool
encode(const struct render *r, struct render_worker *w,
       enum template_kind kind, const struct change *c)
{
    uint64_t lost = w->en.n_lost;
    struct template_input in;

    memset(&in, 0, sizeof(in));
    in.marks = r->marks;
    set_field(&in, FIELD_REPO, &w->rec, "repo");
    set_field(&in, FIELD_PATH, &w->rec, "path");
    set_field(&in, FIELD_TEXT, &w->rec, "text");
    if (w->rec.kind == TEXT_COMMIT)
        fill_commit(w, kind, c, &in);
    else if (w->rec.kind == TEXT_CHAT)
        fill_chat(w, &in);
    template_encode(&r->template[kind], &w->en, &in, &w->out);
    w->lost = w->en.n_lost - lost;
    return r->max_tokens == 0 || w->out.ids.n <= r->max_tokens;
}

/* ---- records ---- */

static uint64_t
edited_lines(const struct change *c)
{
    uint64_t n = 0;

    for (size_t i = 0; i < c->n_lines; i++)
        n += c->line[i].kind != ' ';
    return n;
}

/* Counts w->out, with so many edited lines, as left out. */
static void
leave(const struct render_worker *w, enum render_left why, uint64_t edited,
      struct render_result *out)
{
    struct render_count one = { 1, edited, w->out.ids.n };

    render_count_add(&out->left[why], &one);
}

/* Appends w->out, which has so many edited lines, to the result. */
static int
keep(const struct render *r, const struct render_worker *w,
     const struct tokens_origin *origin, uint64_t edited,
     struct render_result *out, struct err *e)
{
    struct render_count one = { 1, edited, w->out.ids.n };
    size_t start = out->tokens.len;
    int rc;

    rc = tokens_encode(&out->tokens, origin, w->out.ids.id, w->out.loss,
                       w->out.ids.n, r->t->n, e);
    if (rc < 0)
        return rc;
    if (out->tokens.len - start > STREAM_RECORD_MAX) {
        out->tokens.len = start;
        leave(w, RENDER_LARGE, edited, out);
        return 0;
    }
    render_count_add(&out->kept, &one);
    if (out->n == out->cap) {
        out->cap = out->cap * 2 + 4;
        out->end = mem_grow(out->end, out->cap * sizeof(out->end[0]));
    }
    out->end[out->n++] = out->tokens.len;
    out->lost += w->lost;
    return 0;
}

/* Encodes the commit with all of c, or with less and less context. */
static bool
shrink(const struct render *r, struct render_worker *w,
       enum template_kind kind, const struct change *c)
{
    static const size_t context[] = { 8, 4, 2, 1, 0 };
    size_t i;

    if (encode(r, w, kind, c))
        return true;
    for (i = 0; i < sizeof(context) / sizeof(context[0]); i++) {
        change_narrow(&w->narrow, c, context[i]);
        if (encode(r, w, kind, &w->narrow))
            return true;
    }
    return false;
}

/* Each hunk a record. */
static int
split(const struct render *r, struct render_worker *w,
      enum template_kind kind, const struct tokens_origin *origin,
      struct render_result *out, struct err *e)
{
    struct change_hunk hunk;
    struct change one;
    size_t i;
    int rc = 0;

    change_narrow(&w->part, &w->change, HUNK_CONTEXT);
    for (i = 0; i < w->part.n_hunks && rc == 0; i++) {
        hunk = w->part.hunk[i];
        one = w->part;
        one.line = w->part.line + hunk.line;
        one.hunk = &hunk;
        one.n_hunks = 1;
        hunk.line = 0;
        one.n_lines = hunk.n_lines;
        if (shrink(r, w, kind, &one))
            rc = keep(r, w, origin, edited_lines(&one), out, e);
        else
            leave(w, RENDER_LONG, edited_lines(&one), out);
    }
    return rc;
}

static int
commit(const struct render *r, struct render_worker *w,
       enum template_kind kind, const struct tokens_origin *origin,
       struct render_result *out, struct err *e)
{
    const struct text_field *f = text_get(&w->rec, "change");
    int rc;

    if (!f) {
        out->left[RENDER_EDIT].records++;
        return 0;
    }
    rc = change_decode(&w->change, f->data, f->len, e);
    if (rc < 0)
        return rc;
    if (w->change.n_hunks == 0) {
        out->left[RENDER_EDIT].records++;
        return 0;
    }
    out->there.edited = edited_lines(&w->change);
    if (shrink(r, w, kind, &w->change))
        return keep(r, w, origin, out->there.edited, out, e);
    return split(r, w, kind, origin, out, e);
}

/* Which layout the record gets; TEMPLATE_KINDS: there is none. */
static enum template_kind
choose(const struct render *r, enum text_kind kind)
{
    if (r->kind == RENDER_AUTO)
        return kind == TEXT_COMMIT ? TEMPLATE_COMMIT :
               kind == TEXT_FILE ? TEMPLATE_FILE : TEMPLATE_PLAIN;
    if (r->kind == TEMPLATE_PLAIN
        || (r->kind == TEMPLATE_FILE && kind == TEXT_FILE)
        || (r->kind != TEMPLATE_FILE && kind == TEXT_COMMIT))
        return r->kind;
    return TEMPLATE_KINDS;
}

static int
make_origin(struct tokens_origin *origin, const struct text_rec *rec,
            uint64_t index, struct err *e)
{
    int64_t ordinal, when;
    int rc;

    rc = text_i64(rec, "ordinal", (int64_t)index, &ordinal, e);
    if (rc == 0)
        rc = text_i64(rec, "time", 0, &when, e);
    if (rc < 0)
        return rc;
    memset(origin, 0, sizeof(*origin));
    origin->ordinal = (uint64_t)ordinal;
    origin->time = when;
    return 0;
}

int
render_record(const struct render *r, struct render_worker *w, const void *p,
              size_t n, uint64_t index, struct render_result *out,
              struct err *e)
{
    const struct text_field *lang;
    struct tokens_origin origin;
    enum template_kind kind;
    int rc;

    rc = text_decode(&w->rec, p, n, e);
    if (rc == 0)
        rc = make_origin(&origin, &w->rec, index, e);
    if (rc < 0)
        return rc;
    origin.text = text_id(p, n);
    out->key = group_key_of(&w->rec, p, n);
    lang = text_get(&w->rec, "lang");
    out->lang = lang ? lang->data : NULL;
    out->n_lang = lang ? lang->len : 0;
    kind = choose(r, w->rec.kind);
    if (kind == TEMPLATE_KINDS) {
        out->left[RENDER_KIND].records++;
        return 0;
    }
    out->there.records = 1;
    if (w->rec.kind == TEXT_COMMIT)
        rc = commit(r, w, kind, &origin, out, e);
    else if (encode(r, w, kind, NULL))
        rc = keep(r, w, &origin, 0, out, e);
    else
        leave(w, RENDER_LONG, 0, out);
    return rc < 0 ? rc : encoder_check(&w->en, e);
}
