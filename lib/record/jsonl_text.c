/* jsonl_text.c - lines to text records: documents, chats, commits, files.
 * The messages of a chat are read by jsonl_chat.c.
 */
#include <string.h>

#include "base/mem.h"
#include "record/jsonl_line.h"

void
jsonl_end_value(struct jsonl_state *s, size_t key, size_t at)
{
    struct value *t;

    if (s->n_values == s->cap_values) {
        s->cap_values = s->cap_values ? s->cap_values * 2 : 16;
        s->value = mem_grow(s->value, s->cap_values * sizeof(*s->value));
    }
    t = &s->value[s->n_values++];
    t->key = key;
    t->at = at;
    t->len = s->bytes.len - at;
}

int
jsonl_add_value(struct jsonl_state *s, size_t key, struct json *j,
                bool number_ok, struct err *e)
{
    size_t at = s->bytes.len;
    int rc;

    rc = line_bytes(s, j, number_ok, e);
    if (rc == 0)
        jsonl_end_value(s, key, at);
    return rc;
}

static int
add_literal(struct jsonl_state *s, const char *name, const char *text)
{
    size_t at = s->bytes.len;

    buf_addstr(&s->bytes, text);
    jsonl_end_value(s, line_add_name(s, name), at);
    return 0;
}

/* Encodes the values as a record of that kind. */
static int
finish_text(struct jsonl *j, enum text_kind kind, struct err *e)
{
    struct jsonl_state *s = j->state;
    const struct value *t;
    size_t i;

    text_begin(&s->text, kind);
    for (i = 0; i < s->n_values; i++) {
        t = &s->value[i];
        text_add(&s->text, s->keys.data + t->key, s->bytes.data + t->at,
                 t->len);
    }
    j->kind = JSONL_TEXT;
    if (text_encode(&j->record, &s->text, e) < 0)
        return err_prefix(e, "%s", s->line.where);
    return 0;
}

static bool
is_field_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return n > 0 && n <= TEXT_MAX_NAME && name[n] == '\0' && name[0] >= 'a';
}

static bool
is_container(struct json *v)
{
    return json_kind(v) == JSON_ARRAY || json_kind(v) == JSON_OBJECT;
}

static bool
can_be_field(const char *name, struct json *v)
{
    return json_kind(v) == JSON_STRING || json_kind(v) == JSON_NUMBER
           || (text_is_json(name) && is_container(v));
}

/* A key that becomes a field; one that holds JSON may be an array or an
 * object. */
static int
add_field(struct jsonl_state *s, struct entry *t, struct json *v,
          bool number_ok, struct err *e)
{
    size_t at = s->bytes.len;
    const char *start;

    if (!text_is_json(line_key(s, t)) || !is_container(v))
        return jsonl_add_value(s, t->key, v, number_ok, e);
    start = v->p;
    json_skip(v);
    json_put_compact(&s->bytes, start, (size_t)(v->p - start));
    jsonl_end_value(s, t->key, at);
    return 0;
}

/* The other keys of a line without "kind": fields where they can be. */
static int
add_rest(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    size_t i, n = 1; /* with the field that made it a document */
    struct entry *t;
    const char *name;
    struct json v;
    int rc = 0;

    for (i = 0; i < s->n && rc == 0; i++) {
        t = &s->entry[i];
        name = line_key(s, t);
        if (t->used)
            continue;
        v = line_value(s, t);
        if (!is_field_name(name) || n == TEXT_MAX_FIELDS
            || strcmp(name, "role") == 0 || strcmp(name, "content") == 0
            || strcmp(name, "message_json") == 0 || !can_be_field(name, &v)) {
            line_ignore(j, t);
            continue;
        }
        rc = add_field(s, t, &v, true, e);
        n++;
    }
    return rc;
}

/* A text record that graft wrote: the fields in the order of the keys. */
int
jsonl_read_text(struct jsonl *j, enum text_kind kind, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *t;
    struct json v;
    size_t i;
    int rc = 0;

    for (i = 0; i < s->n && rc == 0; i++) {
        t = &s->entry[i];
        if (t->used)
            continue;
        v = line_value(s, t);
        if (kind == TEXT_CHAT && strcmp(line_key(s, t), "messages") == 0)
            rc = jsonl_add_messages(s, t, e);
        else
            rc = add_field(s, t, &v, text_is_number(line_key(s, t)), e);
    }
    return rc < 0 ? rc : finish_text(j, kind, e);
}

/* A line of somebody else's with the field `text`. */
int
jsonl_read_doc(struct jsonl *j, struct entry *text, struct err *e)
{
    struct json v = line_value(j->state, text);
    int rc;

    rc = jsonl_add_value(j->state, text->key, &v, false, e);
    if (rc == 0)
        rc = add_rest(j, e);
    return rc < 0 ? rc : finish_text(j, TEXT_DOC, e);
}

int
jsonl_read_chat(struct jsonl *j, struct entry *messages, struct err *e)
{
    int rc;

    rc = jsonl_add_messages(j->state, messages, e);
    if (rc == 0)
        rc = add_rest(j, e);
    return rc < 0 ? rc : finish_text(j, TEXT_CHAT, e);
}

int
jsonl_read_instruction(struct jsonl *j, struct entry *prompt,
                 struct entry *completion, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct json question = line_value(s, prompt);
    struct json answer = line_value(s, completion);
    int rc;

    if (json_kind(&question) == JSON_ARRAY) {
        rc = jsonl_add_messages(s, prompt, e);
        if (rc == 0)
            rc = jsonl_add_messages(s, completion, e);
        if (rc == 0)
            rc = add_rest(j, e);
        return rc < 0 ? rc : finish_text(j, TEXT_CHAT, e);
    }
    add_literal(s, "role", "user");
    rc = jsonl_add_value(s, line_add_name(s, "content"), &question, false, e);
    if (rc < 0)
        return rc;
    add_literal(s, "role", "assistant");
    rc = jsonl_add_value(s, line_add_name(s, "content"), &answer, false, e);
    if (rc == 0)
        rc = add_rest(j, e);
    return rc < 0 ? rc : finish_text(j, TEXT_CHAT, e);
}
