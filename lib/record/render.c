/* render.c - a text record is decoded, gets its layout, its lines are found,
 * and what is made of them is counted.
 */
#include <stdlib.h>
#include <string.h>

#include "record/render_fim.h"
#include "record/render_parts.h"

#define KEEP_BYTES (32u << 10) /* of a result's memory, between records */

void
render_worker_init(struct render_worker *w, const struct tokenizer *t)
{
    memset(w, 0, sizeof(*w));
    encoder_init(&w->en, t);
    ids_init(&w->ids);
    text_init(&w->rec);
    change_init(&w->change);
    buf_init(&w->message);
    buf_init(&w->text);
    buf_init(&w->made);
    chat_init(&w->chat);
    template_out_init(&w->out, t);
}

void
render_worker_release(struct render_worker *w)
{
    encoder_release(&w->en);
    ids_release(&w->ids);
    text_release(&w->rec);
    change_release(&w->change);
    chat_release(&w->chat);
    free(w->exchanges.at);
    free(w->lines.line);
    free(w->lines.scope);
    free(w->cut.line);
    free(w->pieces[0].piece);
    free(w->pieces[1].piece);
    buf_release(&w->message);
    buf_release(&w->text);
    buf_release(&w->made);
    template_out_release(&w->out);
}

const char *
render_left_name(enum render_left reason)
{
    static const char *const name[RENDER_REASONS] = {
        "kind-without-layout", "no-edit", "over-max-tokens",
        "only-removes", "end-of-message", "system-message", "too-large"
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

/* ---- records ---- */

/* The lines of the record's change; *there: if it has an edit. */
static int
read_change(struct render_worker *w, bool *there, struct err *e)
{
    const struct text_field *f = text_get(&w->rec, "change");
    int rc = 0;

    *there = false;
    w->lines.n = 0;
    if (f)
        rc = change_decode(&w->change, f->data, f->len, e);
    if (!f || rc < 0)
        return rc;
    *there = w->change.n_hunks > 0;
    render_lines_of_change(&w->lines, &w->change);
    return 0;
}

static struct tokens_name
name_of(const struct text_rec *rec, const char *field)
{
    const struct text_field *f = text_get(rec, field);

    return tokens_name_of(f ? f->data : NULL, f ? f->len : 0);
}

static int
make_origin(struct tokens_origin *origin, const struct text_rec *rec,
            uint64_t index, struct err *e)
{
    int64_t ordinal, when, quality;
    struct err none;
    int rc;

    memset(origin, 0, sizeof(*origin));
    rc = text_i64(rec, "ordinal", (int64_t)index, &ordinal, e);
    if (rc == 0)
        rc = text_i64(rec, "time", 0, &when, e);
    if (rc < 0)
        return rc;
    if (text_i64(rec, "quality", 0, &quality, &none) == 0
        && quality >= INT32_MIN && quality <= INT32_MAX)
        origin->quality = (int32_t)quality;
    origin->ordinal = (uint64_t)ordinal;
    origin->time = when;
    origin->repo = name_of(rec, "repo");
    origin->lang = name_of(rec, "lang");
    origin->path = name_of(rec, "path");
    return 0;
}

/* Its lines, and what is made of them. */
static int
lay_out(const struct render *r, struct render_worker *w,
        enum template_kind kind, struct tokens_origin *origin,
        struct render_result *out, struct err *e)
{
    bool commit = w->rec.kind == TEXT_COMMIT, there = true;
    int rc = commit ? read_change(w, &there, e) : 0;

    if (rc < 0)
        return rc;
    origin->same = same_of(&w->rec, commit && there ? &w->change : NULL,
                           w->body);
    render_fields_begin(w);
    w->lines.view = RENDER_TEXT;
    if (kind == TEMPLATE_CHAT)
        return render_chat(r, w, origin, out, e);
    if (!commit) {
        render_lines_of_text(&w->lines, w->whole.p, w->whole.n, false);
    } else {
        w->lines.view = kind == TEMPLATE_COMMIT ? RENDER_SIDES : RENDER_DIFF;
        out->there.edited = render_lines_edited(&w->lines, 0, w->lines.n);
    }
    if (there && kind == TEMPLATE_FIM && w->rec.kind == TEXT_COMMIT)
        return render_fim(r, w, origin, out, e);
    if (there)
        return render_fit(r, w, kind, origin, out, e);
    out->left[RENDER_EDIT].records++;
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

    w->out.shown.wanted = r->offsets;
    rc = text_decode(&w->rec, p, n, e);
    if (rc == 0)
        rc = make_origin(&origin, &w->rec, index, e);
    if (rc < 0)
        return rc;
    w->body = text_body(&w->rec, &w->whole_id);
    origin.text = text_id(&w->rec, p, n, w->body);
    out->key = group_key_of(&w->rec, p, n, w->body);
    lang = text_get(&w->rec, "lang");
    out->lang = lang ? lang->data : NULL;
    out->n_lang = lang ? lang->len : 0;
    kind = render_choose(r, w->rec.kind);
    if (kind == TEMPLATE_KINDS) {
        out->left[RENDER_KIND].records++;
        return 0;
    }
    out->there.records = 1;
    rc = lay_out(r, w, kind, &origin, out, e);
    return rc < 0 ? rc : encoder_check(&w->en, e);
}
