/* jinja_value.c - values: made, compared, and read from JSON. */
#include "text/jinja_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* ---- memory ---- */

#define CHUNK (64u << 10)

struct jchunk {
    struct jchunk *next;
    char *p;
};

void
jarena_init(struct jarena *a)
{
    memset(a, 0, sizeof(*a));
}

void
jarena_release(struct jarena *a)
{
    struct jchunk *c, *next;

    for (c = a->chunk; c; c = next) {
        next = c->next;
        free(c);
    }
    jarena_init(a);
}

void *
jarena_get(struct jarena *a, size_t n)
{
    struct jchunk *c;
    size_t size;
    void *p;

    n = (n + 15) & ~(size_t)15;
    a->used += n;
    if (n > a->left) {
        size = n > CHUNK ? n : CHUNK;
        c = mem_alloc(sizeof(*c) + size);
        c->p = (char *)(c + 1);
        c->next = a->chunk;
        a->chunk = c;
        a->left = size;
    }
    p = a->chunk->p;
    a->chunk->p += n;
    a->left -= n;
    return p;
}

/* A chunk of its own beside the one that is being filled, not zeroed. */
static char *
get_large(struct jarena *a, size_t n)
{
    struct jchunk *c = mem_grow(NULL, sizeof(*c) + n);
    struct jchunk **at = a->chunk ? &a->chunk->next : &a->chunk;

    a->used += n;
    c->p = (char *)(c + 1);
    c->next = *at;
    *at = c;
    return c->p;
}

char *
jarena_dup(struct jarena *a, const char *p, size_t n)
{
    char *to = n < CHUNK ? jarena_get(a, n + 1) : get_large(a, n + 1);

    memcpy(to, p, n);
    to[n] = 0;
    return to;
}

/* ---- values ---- */

struct jv
jv_undefined(const char *name)
{
    return (struct jv){ .type = JV_UNDEFINED, .u.name = name };
}

struct jv
jv_none(void)
{
    return (struct jv){ .type = JV_NONE };
}

struct jv
jv_bool(bool b)
{
    return (struct jv){ .type = JV_BOOL, .u.b = b };
}

struct jv
jv_int(int64_t i)
{
    return (struct jv){ .type = JV_INT, .u.i = i };
}

struct jv
jv_float(double f)
{
    return (struct jv){ .type = JV_FLOAT, .u.f = f };
}

struct jv
jv_list(struct jlist *l)
{
    return (struct jv){ .type = JV_LIST, .u.l = l };
}

struct jv
jv_dict(struct jdict *d)
{
    return (struct jv){ .type = JV_DICT, .u.d = d };
}

struct jv
jv_string(struct jarena *a, const char *p, size_t n, uint32_t origin)
{
    struct jstr *s = jarena_get(a, sizeof(*s));
    struct jinja_span *span;

    s->p = p;
    s->n = n;
    if (origin != JINJA_TEMPLATE && n > 0) {
        span = jarena_get(a, sizeof(*span));
        span->end = n;
        span->origin = origin;
        s->span = span;
        s->n_spans = 1;
    }
    return (struct jv){ .type = JV_STRING, .u.s = s };
}

struct jlist *
jlist_new(struct jarena *a, enum jlist_kind kind)
{
    struct jlist *l = jarena_get(a, sizeof(*l));

    l->kind = kind;
    l->depth = 1;
    return l;
}

/* Room for one more of n values, which may move. */
static struct jv *
grow(struct jarena *a, struct jv *v, size_t n, size_t cap)
{
    struct jv *to = jarena_get(a, cap * sizeof(*to));

    if (n > 0)
        memcpy(to, v, n * sizeof(*to));
    return to;
}

int
jv_depth(const struct jv *v)
{
    return v->type == JV_LIST ? v->u.l->depth :
           v->type == JV_DICT ? v->u.d->depth : 0;
}

void
jlist_add(struct jarena *a, struct jlist *l, struct jv v)
{
    if (l->depth < jv_depth(&v) + 1)
        l->depth = jv_depth(&v) + 1;
    if (l->n == l->cap) {
        l->cap = l->cap * 2 + 4;
        l->item = grow(a, l->item, l->n, l->cap);
    }
    l->item[l->n++] = v;
}

struct jdict *
jdict_new(struct jarena *a)
{
    struct jdict *d = jarena_get(a, sizeof(*d));

    d->depth = 1;
    return d;
}

void
jdict_add(struct jarena *a, struct jdict *d, struct jv key, struct jv value)
{
    if (d->depth < jv_depth(&value) + 1)
        d->depth = jv_depth(&value) + 1;
    if (d->n == d->cap) {
        d->cap = d->cap * 2 + 4;
        d->key = grow(a, d->key, d->n, d->cap);
        d->value = grow(a, d->value, d->n, d->cap);
    }
    d->key[d->n] = key;
    d->value[d->n++] = value;
}

void
jdict_put(struct jarena *a, struct jdict *d, struct jv key, struct jv value)
{
    struct jv *old = jdict_get(d, &key);

    if (old)
        *old = value;
    else
        jdict_add(a, d, key, value);
}

void
jdict_put_name(struct jarena *a, struct jdict *d, const char *name,
               struct jv value)
{
    jdict_put(a, d, jv_string(a, name, strlen(name), JINJA_TEMPLATE), value);
}

struct jv *
jdict_get(const struct jdict *d, const struct jv *key)
{
    for (size_t i = 0; i < d->n; i++)
        if (jv_equal(&d->key[i], key))
            return &d->value[i];
    return NULL;
}

struct jv *
jdict_get_name(const struct jdict *d, const char *name, size_t n)
{
    const struct jstr *s;

    for (size_t i = 0; i < d->n; i++) {
        s = d->key[i].type == JV_STRING ? d->key[i].u.s : NULL;
        if (s && s->n == n && memcmp(s->p, name, n) == 0)
            return &d->value[i];
    }
    return NULL;
}

bool
jv_truth(const struct jv *v)
{
    switch (v->type) {
    case JV_UNDEFINED:
    case JV_NONE:
        return false;
    case JV_BOOL:
        return v->u.b;
    case JV_INT:
        return v->u.i != 0;
    case JV_FLOAT:
        return v->u.f != 0;
    case JV_STRING:
        return v->u.s->n > 0;
    case JV_LIST:
        return v->u.l->kind == JLIST_ITERATOR || v->u.l->n > 0;
    case JV_DICT:
        return v->u.d->n > 0;
    default:
        return true;
    }
}

bool
jv_integer(const struct jv *v, int64_t *out)
{
    if (v->type != JV_INT && v->type != JV_BOOL)
        return false;
    *out = v->type == JV_INT ? v->u.i : v->u.b;
    return true;
}

bool
jv_number(const struct jv *v, double *out)
{
    int64_t i;

    if (v->type == JV_FLOAT)
        *out = v->u.f;
    else if (jv_integer(v, &i))
        *out = (double)i;
    else
        return false;
    return true;
}

bool
jv_equal(const struct jv *a, const struct jv *b)
{
    int64_t i, k;
    double x, y;

    if (jv_integer(a, &i) && jv_integer(b, &k))
        return i == k;
    if (jv_number(a, &x) && jv_number(b, &y))
        return x == y;
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JV_UNDEFINED:
    case JV_NONE:
        return true;
    case JV_BIG:
        return strcmp(a->u.name, b->u.name) == 0;
    case JV_STRING:
        return a->u.s->n == b->u.s->n
               && memcmp(a->u.s->p, b->u.s->p, a->u.s->n) == 0;
    default: /* the same one */
        return a->u.d == b->u.d;
    }
}

bool
jv_is(const struct jv *v, const char *text)
{
    return v->type == JV_STRING && v->u.s->n == strlen(text)
           && memcmp(v->u.s->p, text, v->u.s->n) == 0;
}

const char *
jv_type_name(const struct jv *v)
{
    static const char *const name[] = {
        [JV_UNDEFINED] = "an undefined value", [JV_NONE] = "none",
        [JV_BOOL] = "a boolean", [JV_INT] = "a number",
        [JV_BIG] = "a number over 64 bits", [JV_FLOAT] = "a number",
        [JV_STRING] = "a string", [JV_LIST] = "a list",
        [JV_DICT] = "a mapping", [JV_NAMESPACE] = "a namespace",
        [JV_LOOP] = "a loop", [JV_MACRO] = "a macro",
        [JV_FUNCTION] = "a function", [JV_METHOD] = "a method"
    };

    return name[v->type];
}

/* ---- JSON ---- */

static struct jv
number_of_json(struct jarena *a, struct json *j)
{
    const char *start = j->p;
    char *text;
    int64_t i;

    json_skip(j);
    text = jarena_dup(a, start, (size_t)(j->p - start));
    if (strpbrk(text, ".eE"))
        return jv_float(strtod(text, NULL));
    errno = 0;
    i = strtoll(text, NULL, 10);
    if (errno != 0)
        return (struct jv){ .type = JV_BIG, .u.name = text };
    return jv_int(i);
}

static struct jv
string_of(struct jarena *a, const struct buf *b, uint32_t origin)
{
    return jv_string(a, jarena_dup(a, b->data, b->len), b->len, origin);
}

struct jv
jv_of_json(struct jarena *a, struct json *j, uint32_t origin)
{
    enum json_kind kind = json_kind(j);
    struct jlist *l;
    struct jdict *d;
    struct jv v = jv_none();
    struct buf b;
    struct err e;

    buf_init(&b);
    if (kind == JSON_NUMBER) {
        v = number_of_json(a, j);
    } else if (kind == JSON_STRING) {
        json_string(j, &b, &e);
        v = string_of(a, &b, origin);
    } else if (kind == JSON_ARRAY) {
        l = jlist_new(a, JLIST_LIST);
        json_enter_array(j, &e);
        while (json_next_item(j))
            jlist_add(a, l, jv_of_json(a, j, origin));
        v = jv_list(l);
    } else if (kind == JSON_OBJECT) {
        d = jdict_new(a);
        json_enter_object(j, &e);
        while (json_next_key(j, &b)) {
            v = string_of(a, &b, origin);
            jdict_add(a, d, v, jv_of_json(a, j, origin));
        }
        v = jv_dict(d);
    } else {
        json_skip(j);
        if (kind != JSON_NULL)
            v = jv_bool(kind == JSON_TRUE);
    }
    buf_release(&b);
    return v;
}
