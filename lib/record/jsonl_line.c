/* jsonl_line.c - the keys of a line, and the bytes of their values. */
#include <stdio.h>
#include <string.h>

#include "base/b64.h"
#include "base/mem.h"
#include "record/jsonl_line.h"

struct json
line_value(const struct jsonl_state *s, const struct entry *t)
{
    struct json j = s->line;

    j.p = t->at;
    return j;
}

const char *
line_key(const struct jsonl_state *s, const struct entry *t)
{
    return s->keys.data + t->key;
}

void
line_ignore(struct jsonl *j, const struct entry *t)
{
    if (j->n_ignored++ == 0)
        snprintf(j->ignored, sizeof(j->ignored), "%s", line_key(j->state, t));
}

int
line_list(struct jsonl_state *s, struct err *e)
{
    struct json j = s->line;
    struct entry *t;
    int rc;

    s->n = 0;
    buf_reset(&s->keys);
    rc = json_enter_object(&j, e);
    if (rc < 0)
        return rc;
    while (json_next_key(&j, &s->scratch)) {
        if (s->n == s->cap) {
            s->cap = s->cap ? s->cap * 2 : 16;
            s->entry = mem_grow(s->entry, s->cap * sizeof(*s->entry));
        }
        t = &s->entry[s->n++];
        t->key = s->keys.len;
        t->used = false;
        buf_add(&s->keys, s->scratch.data, s->scratch.len + 1);
        json_kind(&j); /* steps over white space */
        t->at = j.p;
        json_skip(&j);
    }
    return 0;
}

struct entry *
line_take(struct jsonl_state *s, const char *key)
{
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (strcmp(line_key(s, &s->entry[i]), key) == 0) {
            s->entry[i].used = true;
            return &s->entry[i];
        }
    }
    return NULL;
}

struct entry *
line_need(struct jsonl_state *s, const char *key, struct err *e)
{
    struct entry *t = line_take(s, key);

    if (!t)
        err_set(e, ERR_DATA, "%s: no \"%s\"", s->line.where, key);
    return t;
}

const char *
line_unused(const struct jsonl_state *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        if (!s->entry[i].used)
            return line_key(s, &s->entry[i]);
    return NULL;
}

/* Decodes {"b64":S} at j into bytes. */
static int
read_b64(struct jsonl_state *s, struct json *j, struct err *e)
{
    struct json start = *j;
    int rc;

    rc = json_enter_object(j, e);
    if (rc < 0)
        return rc;
    if (!json_next_key(j, &s->scratch)
        || strcmp(s->scratch.data, "b64") != 0)
        return json_error(&start, e, "found an object, expected a string "
                          "or {\"b64\":...}");
    rc = json_string(j, &s->scratch, e);
    if (rc < 0)
        return rc;
    if (!b64_get(&s->bytes, s->scratch.data, s->scratch.len))
        return json_error(&start, e, "bad base64");
    if (json_next_key(j, &s->scratch))
        return json_error(&start, e, "more than \"b64\" in an object");
    return 0;
}

int
line_bytes(struct jsonl_state *s, struct json *j, bool number_ok,
           struct err *e)
{
    const char *start;
    int rc;

    switch (json_kind(j)) {
    case JSON_OBJECT:
        return read_b64(s, j, e);
    case JSON_NUMBER:
        if (!number_ok)
            break;
        start = j->p;
        json_skip(j);
        buf_add(&s->bytes, start, (size_t)(j->p - start));
        return 0;
    default:
        break;
    }
    rc = json_string(j, &s->scratch, e);
    if (rc < 0)
        return rc;
    buf_add(&s->bytes, s->scratch.data, s->scratch.len);
    return 0;
}

int
line_only_bytes(struct jsonl_state *s, const char *key, struct err *e)
{
    struct entry *t;
    struct json v;

    t = line_need(s, key, e);
    if (!t)
        return ERR_DATA;
    v = line_value(s, t);
    buf_reset(&s->bytes);
    return line_bytes(s, &v, false, e);
}

size_t
line_add_name(struct jsonl_state *s, const char *name)
{
    size_t at = s->keys.len;

    buf_add(&s->keys, name, strlen(name) + 1);
    return at;
}

int
line_cstring(struct jsonl_state *s, struct json *j, struct err *e)
{
    struct json start = *j;
    int rc;

    rc = json_string(j, &s->scratch, e);
    if (rc == 0 && memchr(s->scratch.data, 0, s->scratch.len))
        rc = json_error(&start, e, "NUL character in a string");
    return rc;
}
