/* export_lines.c - records to the JSON lines that mlx-lm and TRL read.
 *
 * Both decide by one line what all are, so the lines of an output have one
 * form; it is the first record's, and a record that would take another is an
 * error.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/change.h"
#include "record/export.h"
#include "record/jsonl.h"
#include "record/source.h"
#include "record/tokens.h"
#include "stream/set.h"

enum form { FORM_NONE, FORM_TEXT, FORM_MESSAGES, FORM_PROMPT, FORM_IDS };

/* By what a message calls it. */
static const char *const form_name[] = {
    [FORM_TEXT] = "text", [FORM_MESSAGES] = "conversations",
    [FORM_PROMPT] = "commits", [FORM_IDS] = "tokens"
};

struct lines {
    struct export *x;
    bool ids;         /* token records have a form */
    struct stream_head head; /* of the segments of ids so far */
    enum tokens_loss loss;   /* of them */
    enum form form;   /* of the lines so far */
    const char *path; /* of the file that is being written */
    struct out out;
    bool open;
    struct buf line, diff, message;
    struct text_rec rec;
    struct change change;
};

static void
lines_init(struct lines *l, struct export *x)
{
    memset(l, 0, sizeof(*l));
    l->x = x;
    stream_head_init(&l->head, "");
    buf_init(&l->line);
    buf_init(&l->diff);
    buf_init(&l->message);
    text_init(&l->rec);
    change_init(&l->change);
}

static void
lines_release(struct lines *l)
{
    if (l->open)
        out_release(&l->out);
    stream_head_release(&l->head);
    buf_release(&l->line);
    buf_release(&l->diff);
    buf_release(&l->message);
    text_release(&l->rec);
    change_release(&l->change);
}

/* Writes the line. The file begins with its first one: mlx-lm takes an empty
 * file for a mistake. */
static int
put_line(struct lines *l, struct err *e)
{
    int rc = 0;

    if (!l->open)
        rc = out_open(&l->out, l->path, e);
    if (rc < 0)
        return rc;
    l->open = true;
    l->x->records++;
    buf_addstr(&l->line, "}\n");
    return out_write(&l->out, l->line.data, l->line.len, e);
}

/* Ends the file, if there is one. */
static int
end_file(struct lines *l, struct err *e)
{
    if (!l->open)
        return 0;
    l->open = false;
    return out_commit(&l->out, e);
}

static int
check_form(struct lines *l, enum form form, struct err *e)
{
    if (l->form == FORM_NONE)
        l->form = form;
    if (l->form == form)
        return 0;
    return err_set(e, ERR_DATA, "records of different kinds (found %s, "
                   "expected %s, as before)", form_name[form],
                   form_name[l->form]);
}

/* ---- the forms ---- */

static int
put_text(struct lines *l, struct err *e)
{
    const struct text_field *text = text_get(&l->rec, "text");

    if (!text || text->len == 0) {
        l->x->empty++;
        return 0;
    }
    if (utf8_valid(text->data, text->len) != text->len) {
        l->x->not_utf8++;
        return 0;
    }
    buf_addstr(&l->line, "{\"text\":");
    json_put_string(&l->line, text->data, text->len);
    return put_line(l, e);
}

static bool
messages_are_utf8(const struct text_rec *r)
{
    struct text_message m;
    size_t at = 0;

    while (text_next_message(r, &at, &m))
        if (utf8_valid(m.role->data, m.role->len) != m.role->len
            || utf8_valid(m.content->data, m.content->len) != m.content->len)
            return false;
    return true;
}

/* With what else the chat template is given: tools, for one. */
static int
put_messages(struct lines *l, struct err *e)
{
    const struct text_rec *r = &l->rec;
    size_t at = 0;
    int rc;

    if (!messages_are_utf8(r)) {
        l->x->not_utf8++;
        return 0;
    }
    buf_addc(&l->line, '{');
    rc = jsonl_put_messages(&l->line, r, &at, e);
    for (at = 0; rc == 0 && at < r->n; at++)
        if (text_is_json(r->field[at].name))
            jsonl_put_json_field(&l->line, &r->field[at]);
    return rc < 0 ? rc : put_line(l, e);
}

/* A commit: its diff is the prompt, its message the completion. */
static int
put_commit(struct lines *l, struct err *e)
{
    const struct text_field *change = text_get(&l->rec, "change");
    const struct text_field *path = text_get(&l->rec, "path");
    const struct text_field *old = text_get(&l->rec, "old_path");
    int rc = change ? change_decode(&l->change, change->data, change->len,
                                    e) : 0;

    if (rc < 0)
        return rc;
    if (!change || l->change.n_hunks == 0) {
        l->x->no_edit++;
        return 0;
    }
    buf_reset(&l->diff);
    change_unified(&l->diff, &l->change, path ? path->data : "",
                   path ? path->len : 0, old ? old->data : NULL,
                   old ? old->len : 0);
    buf_reset(&l->message);
    text_commit_message(&l->message, &l->rec);
    l->x->empty += l->message.len == 0;
    if (l->message.len == 0)
        return 0;
    if (utf8_valid(l->diff.data, l->diff.len) != l->diff.len
        || utf8_valid(l->message.data, l->message.len) != l->message.len) {
        l->x->not_utf8++;
        return 0;
    }
    buf_addstr(&l->line, "{\"prompt\":");
    json_put_string(&l->line, l->diff.data, l->diff.len);
    buf_addstr(&l->line, ",\"completion\":");
    json_put_string(&l->line, l->message.data, l->message.len);
    return put_line(l, e);
}

/* The ids, then the same again but for those not learned, as labels. */
static int
put_ids(struct lines *l, const struct tokens *t, struct err *e)
{
    uint32_t *ids = mem_array(t->n, sizeof(*ids));
    uint8_t *loss = mem_alloc(t->n);
    struct buf *b = &l->line;
    size_t i;

    tokens_ids(t, ids);
    tokens_learned(t, l->loss, loss);
    buf_addstr(b, "{\"input_ids\":");
    jsonl_put_ids(b, ids, t->n);
    buf_addstr(b, ",\"labels\":[");
    for (i = 0; i < t->n; i++) {
        if (i > 0)
            buf_addc(b, ',');
        if (loss[i])
            json_put_u64(b, ids[i]);
        else
            buf_addstr(b, "-100");
    }
    buf_addc(b, ']');
    free(ids);
    free(loss);
    l->x->tokens += t->n;
    return put_line(l, e);
}

/* A line does not tell which tokenizer its ids are of: it has to be one. */
static int
check_head(struct lines *l, const struct stream_head *head, struct err *e)
{
    if (l->head.type[0] != '\0')
        return stream_head_same(&l->head, head, "segments", e);
    stream_head_release(&l->head);
    stream_head_copy(&l->head, head);
    return tokens_loss_of(head, "stream", &l->loss, e);
}

static int
take_tokens(struct lines *l, const struct stream_head *head, const void *p,
            size_t n, struct err *e)
{
    struct tokens t;
    int rc = check_form(l, FORM_IDS, e);

    if (rc == 0)
        rc = check_head(l, head, e);
    if (rc == 0)
        rc = tokens_decode(&t, p, n, 0, e);
    if (rc < 0)
        return rc;
    l->x->empty += t.n == 0;
    return t.n == 0 ? 0 : put_ids(l, &t, e);
}

static int
take_text(struct lines *l, const void *p, size_t n, struct err *e)
{
    static const enum form form[] = {
        [TEXT_COMMIT] = FORM_PROMPT, [TEXT_FILE] = FORM_TEXT,
        [TEXT_DOC] = FORM_TEXT, [TEXT_CHAT] = FORM_MESSAGES
    };
    int rc = text_decode(&l->rec, p, n, e);

    if (rc == 0)
        rc = check_form(l, form[l->rec.kind], e);
    if (rc < 0)
        return rc;
    if (l->form == FORM_PROMPT)
        return put_commit(l, e);
    return l->form == FORM_MESSAGES ? put_messages(l, e) : put_text(l, e);
}

static int
take(void *ctx, const struct stream_head *head, const void *p, size_t n,
     struct err *e)
{
    struct lines *l = ctx;

    buf_reset(&l->line);
    if (strcmp(head->type, "text") == 0)
        return take_text(l, p, n, e);
    if (l->ids && strcmp(head->type, "tokens") == 0)
        return take_tokens(l, head, p, n, e);
    return err_set(e, ERR_DATA, "type of the stream (found %s, expected %s)",
                   head->type, l->ids ? "text or tokens" : "text");
}

/* ---- outputs ---- */

static int
any_lines(const struct export *x, const char *in, struct err *e)
{
    return x->records > 0 ? 0 :
           err_set(e, ERR_DATA, "%s: no records to write", in);
}

int
export_trl(struct export *x, const char *path, const char *in,
           const char *split, struct err *e)
{
    struct lines l;
    int rc;

    if (strcmp(path, "-") != 0 && path_exists(path))
        return err_set(e, ERR_EXISTS, "%s: exists", path);
    lines_init(&l, x);
    l.ids = true;
    l.path = path;
    rc = source_each(in, split, take, &l, e);
    if (rc == 0)
        rc = any_lines(x, in, e);
    if (rc == 0)
        rc = end_file(&l, e);
    lines_release(&l);
    return rc;
}

/* Our splits, and what mlx-lm calls their files. */
static const char *const mlx_lm_file[][2] = {
    { "train", "train.jsonl" }, { "val", "valid.jsonl" },
    { "test", "test.jsonl" },
};

/* The records of `in`, or of a split of it, as a file of the directory. */
static int
put_file(struct lines *l, const struct out_dir *dir, const char *name,
         const char *in, const char *split, struct err *e)
{
    char *path = path_join(dir->temp, name);
    int rc;

    l->path = path;
    rc = source_each(in, split, take, l, e);
    if (rc == 0)
        rc = end_file(l, e);
    free(path);
    return rc;
}

/* Each split of a set, or one of them, as the file of its name. */
static int
put_splits(struct lines *l, const struct out_dir *dir, const char *in,
           const char *split, struct err *e)
{
    struct manifest m;
    size_t i;
    int rc = set_manifest(&m, in, NULL, e);

    if (rc < 0)
        return rc;
    if (split && !manifest_split(&m, split))
        rc = err_set(e, ERR_USAGE, "%s: no split \"%s\"", in, split);
    for (i = 0; i < 3 && rc == 0; i++) {
        const char *ours = mlx_lm_file[i][0];

        if (manifest_split(&m, ours) && (!split || strcmp(split, ours) == 0))
            rc = put_file(l, dir, mlx_lm_file[i][1], in, ours, e);
    }
    manifest_release(&m);
    return rc;
}

int
export_mlx_lm(struct export *x, const char *path, const char *in,
              const char *split, struct err *e)
{
    struct out_dir dir;
    struct lines l;
    int rc;

    rc = out_dir_open(&dir, path, e);
    if (rc < 0)
        return rc;
    lines_init(&l, x);
    if (strcmp(in, "-") != 0 && set_is(in))
        rc = put_splits(&l, &dir, in, split, e);
    else
        rc = put_file(&l, &dir, mlx_lm_file[0][1], in, split, e);
    if (rc == 0)
        rc = any_lines(x, in, e);
    if (rc == 0)
        rc = out_dir_commit(&dir, e);
    lines_release(&l);
    out_dir_release(&dir);
    return rc;
}
