/* jinja_vars.c - what a template is told: messages, tools, variables. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "text/jinja_value.h"

struct jinja_vars *
jinja_vars_new(void)
{
    struct jinja_vars *v = mem_alloc(sizeof(*v));

    jinja_vars_clear(v);
    return v;
}

void
jinja_vars_free(struct jinja_vars *v)
{
    if (v)
        jarena_release(&v->arena);
    free(v);
}

void
jinja_vars_clear(struct jinja_vars *v)
{
    jarena_release(&v->arena);
    v->vars = jdict_new(&v->arena);
    v->messages = jlist_new(&v->arena, JLIST_LIST);
}

void
jinja_set_time(struct jinja_vars *v, int64_t seconds)
{
    v->time = seconds;
}

static void
set(struct jinja_vars *v, const char *name, struct jv value)
{
    jdict_put_name(&v->arena, v->vars,
                   jarena_dup(&v->arena, name, strlen(name)), value);
}

void
jinja_set_bool(struct jinja_vars *v, const char *name, bool b)
{
    set(v, name, jv_bool(b));
}

void
jinja_set_none(struct jinja_vars *v, const char *name)
{
    set(v, name, jv_none());
}

static struct jv
copy_string(struct jinja_vars *v, const char *p, size_t n, uint32_t origin)
{
    return jv_string(&v->arena, jarena_dup(&v->arena, p, n), n, origin);
}

void
jinja_set_string(struct jinja_vars *v, const char *name, const char *p,
                 size_t n)
{
    set(v, name, copy_string(v, p, n, JINJA_TEMPLATE));
}

int
jinja_set_json(struct jinja_vars *v, const char *name, const char *text,
               size_t n, uint32_t origin, struct err *e)
{
    struct json j = json_on(text, n, name);
    int rc = json_check(text, n, name, e);

    if (rc == 0)
        set(v, name, jv_of_json(&v->arena, &j, origin));
    return rc;
}

/* Sets a key that stands among the first n, or adds it. */
static void
put_key(struct jinja_vars *v, struct jdict *d, size_t n, const struct buf *key,
        struct jv value)
{
    const struct jdict first = { .key = d->key, .value = d->value, .n = n };
    struct jv *old = jdict_get_name(&first, key->data, key->len);

    if (old)
        *old = value;
    else
        jdict_add(&v->arena, d, copy_string(v, key->data, key->len,
                                            JINJA_TEMPLATE), value);
}

/* The object that text[n] is, as keys of d; null ones are left out where
 * that is asked for. No key stands in it twice: json_check. */
static int
read_keys(struct jinja_vars *v, struct jdict *d, const char *where,
          const char *text, size_t n, uint32_t origin, bool no_nulls,
          struct err *e)
{
    struct json j = json_on(text, n, where);
    struct jv value;
    struct buf key;
    size_t before = d->n;
    int rc = json_check(text, n, where, e);

    buf_init(&key);
    if (rc == 0)
        rc = json_enter_object(&j, e);
    while (rc == 0 && json_next_key(&j, &key)) {
        if (no_nulls && buf_is(&key, "role"))
            rc = json_error(&j, e, "a second role");
        value = jv_of_json(&v->arena, &j, origin);
        if (!no_nulls || value.type != JV_NONE)
            put_key(v, d, before, &key, value);
    }
    buf_release(&key);
    return rc;
}

int
jinja_set_all(struct jinja_vars *v, const char *name, const char *text,
              size_t n, struct err *e)
{
    return read_keys(v, v->vars, name, text, n, JINJA_TOOLS, false, e);
}

/* Older names of a message's reasoning, as transformers has them: each that
 * a template may ask for holds it. */
static void
add_reasoning(struct jinja_vars *v, struct jdict *d)
{
    static const char *const name[] = { "reasoning_content", "thinking",
                                        "reasoning" };
    struct jv *found = NULL, reasoning;

    for (int i = 0; i < 3 && !found; i++)
        found = jdict_get_name(d, name[i], strlen(name[i]));
    if (!found)
        return;
    reasoning = *found;
    jdict_put_name(&v->arena, d, name[0], reasoning);
    if (!jdict_get_name(d, name[1], strlen(name[1])))
        jdict_put_name(&v->arena, d, name[1], reasoning);
}

static bool
is_word(const char *p, size_t n)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_-"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (size_t i = 0; i < n; i++)
        if (!memchr(word, p[i], sizeof(word) - 1))
            return false;
    return n > 0 && n <= 32;
}

bool
jinja_message_says(const struct jinja_vars *v, const char *content,
                   size_t n_content, bool *calls)
{
    const struct jv *last = &v->messages->item[v->messages->n - 1];
    const struct jv *call = jdict_get_name(last->u.d, "tool_calls", 10);
    size_t i = 0, len;

    while (i < n_content && jchar_space(content + i, n_content - i, &len))
        i += len;
    *calls = call && jv_truth(call);
    return *calls || i < n_content;
}

int
jinja_add_message(struct jinja_vars *v, const char *role, size_t n_role,
                  const char *content, size_t n_content, const char *json,
                  size_t n_json, struct err *e)
{
    uint32_t number = (uint32_t)v->messages->n + 1;
    struct jdict *d = jdict_new(&v->arena);
    static const char key[] = "{\"content\":";
    struct jv text = copy_string(v, content, n_content, number);
    int rc = 0;

    jdict_put_name(&v->arena, d, "role",
                   copy_string(v, role, n_role, is_word(role, n_role) ?
                               JINJA_TEMPLATE : number));
    if (!json || n_json < strlen(key) || memcmp(json, key, strlen(key)) != 0)
        jdict_put_name(&v->arena, d, "content", text);
    if (json)
        rc = read_keys(v, d, "message_json", json, n_json, number, true, e);
    add_reasoning(v, d);
    d->message = number;
    jlist_add(&v->arena, v->messages, jv_dict(d));
    return rc;
}
