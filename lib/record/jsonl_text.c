/* jsonl_text.c - lines to text records: documents, chats, commits, files. */
#include <string.h>

#include "base/mem.h"
#include "record/jsonl_line.h"

/* The bytes from s->bytes.data + at on are the value of a key. */
static void
end_value(struct jsonl_state *s, size_t key, size_t at)
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

/* The value at j as the field whose name is at `key`. */
static int
add_value(struct jsonl_state *s, size_t key, struct json *j, bool number_ok,
          struct err *e)
{
    size_t at = s->bytes.len;
    int rc;

    rc = line_bytes(s, j, number_ok, e);
    if (rc == 0)
        end_value(s, key, at);
    return rc;
}

static int
add_literal(struct jsonl_state *s, const char *name, const char *text)
{
    size_t at = s->bytes.len;

    buf_addstr(&s->bytes, text);
    end_value(s, line_add_name(s, name), at);
    return 0;
}

/* One message: an object of role and content, whatever their order. Other
 * keys are counted in *ignored, or refused where that is NULL. */
static int
add_message(struct jsonl_state *s, struct json *j, uint64_t *ignored,
            struct err *e)
{
    struct json start = *j, role = *j, content = *j;
    int rc, seen = 0;

    rc = json_enter_object(j, e);
    if (rc < 0)
        return rc;
    while (json_next_key(j, &s->scratch)) {
        if (strcmp(s->scratch.data, "role") == 0) {
            role = *j;
            seen |= 1;
        } else if (strcmp(s->scratch.data, "content") == 0) {
            content = *j;
            seen |= 2;
        } else if (ignored) {
            ++*ignored;
        } else {
            return json_error(j, e, "unknown key \"%s\" in a message",
                              s->scratch.data);
        }
        json_skip(j);
    }
    if (seen != 3)
        return json_error(&start, e, "a message needs \"role\" and "
                          "\"content\"");
    rc = add_value(s, line_add_name(s, "role"), &role, false, e);
    if (rc < 0)
        return rc;
    return add_value(s, line_add_name(s, "content"), &content, false, e);
}

static int
add_messages(struct jsonl_state *s, struct entry *t, uint64_t *ignored,
             struct err *e)
{
    struct json j = line_value(s, t), start = j;
    size_t n = 0;
    int rc;

    rc = json_enter_array(&j, e);
    for (; rc == 0 && json_next_item(&j); n++) {
        if (n == TEXT_MAX_MESSAGES)
            return err_set(e, ERR_LIMIT, "%s: over %d messages",
                           s->line.where, TEXT_MAX_MESSAGES);
        rc = add_message(s, &j, ignored, e);
    }
    if (rc == 0 && n == 0)
        rc = json_error(&start, e, "no messages");
    return rc;
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

/* The other keys of a line without "kind": fields where they can be. */
static int
add_rest(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *t;
    struct json v;
    bool can;
    size_t i;
    int rc;

    for (i = 0; i < s->n; i++) {
        t = &s->entry[i];
        if (t->used)
            continue;
        v = line_value(s, t);
        can = is_field_name(line_key(s, t)) && s->n_values < TEXT_MAX_FIELDS
              && strcmp(line_key(s, t), "role") != 0
              && strcmp(line_key(s, t), "content") != 0
              && (json_kind(&v) == JSON_STRING || json_kind(&v) == JSON_NUMBER);
        if (!can) {
            j->n_ignored++;
            continue;
        }
        rc = add_value(s, t->key, &v, true, e);
        if (rc < 0)
            return rc;
    }
    return 0;
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
            rc = add_messages(s, t, NULL, e);
        else
            rc = add_value(s, t->key, &v, text_is_number(line_key(s, t)), e);
    }
    return rc < 0 ? rc : finish_text(j, kind, e);
}

/* A line of somebody else's with the field `text`. */
int
jsonl_read_doc(struct jsonl *j, struct entry *text, struct err *e)
{
    struct json v = line_value(j->state, text);
    int rc;

    rc = add_value(j->state, text->key, &v, false, e);
    if (rc == 0)
        rc = add_rest(j, e);
    return rc < 0 ? rc : finish_text(j, TEXT_DOC, e);
}

int
jsonl_read_chat(struct jsonl *j, struct entry *messages, struct err *e)
{
    int rc;

    rc = add_messages(j->state, messages, &j->n_ignored, e);
    if (rc == 0 && j->state->n_values < TEXT_MAX_FIELDS)
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

    add_literal(s, "role", "user");
    rc = add_value(s, line_add_name(s, "content"), &question, false, e);
    if (rc < 0)
        return rc;
    add_literal(s, "role", "assistant");
    rc = add_value(s, line_add_name(s, "content"), &answer, false, e);
    if (rc == 0)
        rc = add_rest(j, e);
    return rc < 0 ? rc : finish_text(j, TEXT_CHAT, e);
}
