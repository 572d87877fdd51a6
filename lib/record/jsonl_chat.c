/* jsonl_chat.c - the messages of a line to fields of a chat.
 *
 * What a message has besides its role and a content that is a string becomes
 * one field, a JSON object without white space: so a message is read back as
 * it was, whatever keys the trainers and servers of others invent. A content
 * may be null, or an array of parts of text. Keys that are null are as good
 * as absent, as they are to transformers.
 */
#include <string.h>

#include "record/jsonl_line.h"

/* The keys of a message, and where their values are. */
struct parts {
    struct json role, content;
    bool has_role, has_content, has_more;
};

/* Appends a key and the value at j, which is consumed, to s->more. */
static void
add_more(struct jsonl_state *s, const char *key, struct json *j)
{
    struct json start = *j;

    buf_addc(&s->more, s->more.len > 0 ? ',' : '{');
    json_put_string(&s->more, key, strlen(key));
    buf_addc(&s->more, ':');
    json_skip(j);
    json_put_compact(&s->more, start.p, (size_t)(j->p - start.p));
}

/* Finds role and content, and puts all else in s->more. */
static int
read_keys(struct jsonl_state *s, struct json *j, struct parts *m,
          struct err *e)
{
    struct json scan = *j;
    int rc;

    memset(m, 0, sizeof(*m));
    buf_reset(&s->more);
    rc = json_enter_object(&scan, e);
    while (rc == 0 && json_next_key(&scan, &s->scratch)) {
        if (buf_is(&s->scratch, "role")) {
            m->role = scan;
            m->has_role = true;
        } else if (buf_is(&s->scratch, "content")) {
            m->content = scan;
            m->has_content = true;
        } else {
            m->has_more |= json_kind(&scan) != JSON_NULL;
        }
        json_skip(&scan);
    }
    if (rc < 0)
        return rc;
    if (!m->has_content && m->has_more) { /* as of tool_calls alone */
        m->content = json_on("null", 4, j->where);
        m->has_content = true;
    }
    scan = m->content;
    if (m->has_content && json_kind(&scan) != JSON_STRING
        && json_kind(&scan) != JSON_OBJECT)
        add_more(s, "content", &scan);
    json_enter_object(j, e);
    while (json_next_key(j, &s->scratch)) {
        if (buf_is(&s->scratch, "role") || buf_is(&s->scratch, "content")
            || json_kind(j) == JSON_NULL)
            json_skip(j);
        else
            add_more(s, s->scratch.data, j);
    }
    if (s->more.len > 0)
        buf_addc(&s->more, '}');
    return 0;
}

/* The text of {"type":"text","text":...} at j, onto s->bytes. */
static int
add_part(struct jsonl_state *s, struct json *j, struct err *e)
{
    struct json start = *j, text = *j;
    bool is_text = false, found = false;
    int rc = json_enter_object(j, e);

    while (rc == 0 && json_next_key(j, &s->scratch)) {
        if (buf_is(&s->scratch, "text")) {
            text = *j;
            found = true;
        } else if (buf_is(&s->scratch, "type")) {
            rc = json_string(j, &s->scratch, e);
            is_text = rc == 0 && buf_is(&s->scratch, "text");
            continue;
        }
        json_skip(j);
    }
    if (rc == 0 && !(is_text && found))
        rc = json_error(&start, e, "a part of a content that is no text "
                        "(expected {\"type\":\"text\",\"text\":...})");
    return rc < 0 ? rc : line_bytes(s, &text, false, e);
}

/* The content: a string, null or parts. */
static int
add_content(struct jsonl_state *s, struct json *j, struct err *e)
{
    size_t key = line_add_name(s, "content"), at = s->bytes.len;
    int rc = 0;

    if (json_kind(j) == JSON_NULL) {
        json_skip(j);
    } else if (json_kind(j) == JSON_ARRAY) {
        rc = json_enter_array(j, e);
        while (rc == 0 && json_next_item(j))
            rc = add_part(s, j, e);
    } else {
        rc = line_bytes(s, j, false, e);
    }
    if (rc == 0)
        jsonl_end_value(s, key, at);
    return rc;
}

static int
add_message(struct jsonl_state *s, struct json *j, struct err *e)
{
    struct json start = *j;
    struct parts m;
    size_t at;
    int rc = read_keys(s, j, &m, e);

    if (rc < 0)
        return rc;
    if (!m.has_role || !m.has_content)
        return json_error(&start, e, "a message needs \"role\" and "
                          "\"content\"");
    rc = jsonl_add_value(s, line_add_name(s, "role"), &m.role, false, e);
    if (rc == 0)
        rc = add_content(s, &m.content, e);
    if (rc < 0 || s->more.len == 0)
        return rc;
    at = s->bytes.len;
    buf_add(&s->bytes, s->more.data, s->more.len);
    jsonl_end_value(s, line_add_name(s, "message_json"), at);
    return 0;
}

int
jsonl_add_messages(struct jsonl_state *s, struct entry *t, struct err *e)
{
    struct json j = line_value(s, t), start = j;
    size_t n = 0;
    int rc;

    rc = json_enter_array(&j, e);
    for (; rc == 0 && json_next_item(&j); n++) {
        if (n == TEXT_MAX_MESSAGES)
            return err_set(e, ERR_LIMIT, "%s: over %d messages",
                           s->line.where, TEXT_MAX_MESSAGES);
        rc = add_message(s, &j, e);
    }
    if (rc == 0 && n == 0)
        rc = json_error(&start, e, "no messages");
    return rc;
}
