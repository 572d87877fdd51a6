/* jinja_calls.c - functions that every template has, and the methods of what
 * is no string.
 */
#include <string.h>
#include <time.h>

#include "text/jinja_run.h"

/* ---- functions ---- */

struct jfunction {
    const char *name;
    struct jv (*run)(struct jrun *r, struct jargs *a);
};

static struct jv
call_range(struct jrun *r, struct jargs *a)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_LIST);
    int64_t part[3] = { 0, 0, 1 };
    struct jv v;

    for (size_t i = 0; i < 3 && i < a->n; i++) {
        v = jarg(a, i, NULL);
        jwant_int(r, &v, "range", &part[i]);
    }
    jargs_end(r, a, "range");
    if (a->n == 1) {
        part[1] = part[0];
        part[0] = 0;
    }
    if (a->n == 0 || part[2] == 0)
        jrun_fail(r, "range: no end, or steps of 0");
    for (int64_t i = part[0]; r->rc == 0
         && (part[2] > 0 ? i < part[1] : i > part[1]);) {
        if (!jrun_step(r, 1))
            break;
        jlist_add(&r->arena, l, jv_int(i));
        if (__builtin_add_overflow(i, part[2], &i))
            break;
    }
    return jv_list(l);
}

/* The named arguments, and those of a mapping in front of them. */
static struct jdict *
read_names(struct jrun *r, struct jargs *a, const char *what)
{
    struct jdict *d = jdict_new(&r->arena);
    struct jv of = jarg(a, 0, NULL);

    jargs_end(r, &(struct jargs){ .n = a->n, .taken = a->taken }, what);
    if (of.type == JV_DICT)
        for (size_t i = 0; i < of.u.d->n && jrun_step(r, 1); i++)
            jdict_add(&r->arena, d, of.u.d->key[i], of.u.d->value[i]);
    else if (a->n > 0)
        jrun_fail(r, "%s of %s", what, jv_type_name(&of));
    for (size_t i = 0; i < a->n_keys; i++)
        jrun_put(r, d, jv_string(&r->arena, a->key[i], strlen(a->key[i]),
                                 JINJA_TEMPLATE), a->key_value[i]);
    return d;
}

static struct jv
call_namespace(struct jrun *r, struct jargs *a)
{
    struct jdict *d = read_names(r, a, "namespace");

    return (struct jv){ .type = JV_NAMESPACE, .u.d = d };
}

static struct jv
call_dict(struct jrun *r, struct jargs *a)
{
    return jv_dict(read_names(r, a, "dict"));
}

static struct jv
call_raise(struct jrun *r, struct jargs *a)
{
    struct jv v = jarg(a, 0, "message");
    const struct jstr *s;

    v = jv_to_string(r, &v);
    s = v.u.s;
    jrun_fail(r, "the chat template refuses: %.*s",
              (int)(s->n < 400 ? s->n : 400), s->p);
    return v;
}

static struct jv
call_strftime(struct jrun *r, struct jargs *a)
{
    struct jv v = jarg(a, 0, "format"), s;
    const struct jstr *format = jwant_string(r, &v, "strftime_now");
    char text[256];
    time_t when = (time_t)r->time;
    struct tm tm;
    size_t n;

    jargs_end(r, a, "strftime_now");
    gmtime_r(&when, &tm);
    n = r->rc == 0 && format->n > 0 ?
        strftime(text, sizeof(text), jarena_dup(&r->arena, format->p,
                                                format->n), &tm) : 0;
    s = jv_string(&r->arena, jarena_dup(&r->arena, text, n), n,
                  JINJA_TEMPLATE);
    if (n == 0 && format->n > 0)
        jrun_fail(r, "strftime_now: nothing, or over 255 bytes");
    return s;
}

static const struct jfunction functions[] = {
    { "range", call_range }, { "namespace", call_namespace },
    { "dict", call_dict }, { "raise_exception", call_raise },
    { "strftime_now", call_strftime }
};

const struct jfunction *
jfunction_find(const char *name)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

struct jv
jfunction_call(struct jrun *r, const struct jfunction *f, struct jargs *a)
{
    return f->run(r, a);
}

/* ---- methods of mappings ---- */

/* Keys, values or pairs. */
static struct jv
view(struct jrun *r, const struct jdict *d, bool keys, bool values)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_VIEW), *pair;

    for (size_t i = 0; i < d->n && jrun_step(r, 1); i++) {
        if (!keys || !values) {
            jlist_add(&r->arena, l, keys ? d->key[i] : d->value[i]);
            continue;
        }
        pair = jlist_new(&r->arena, JLIST_TUPLE);
        jlist_add(&r->arena, pair, d->key[i]);
        jlist_add(&r->arena, pair, d->value[i]);
        jlist_add(&r->arena, l, jv_list(pair));
    }
    return jv_list(l);
}

struct jv
jdict_items(struct jrun *r, const struct jdict *d)
{
    return view(r, d, true, true);
}

static struct jv
dict_items(struct jrun *r, const struct jv *self, struct jargs *a)
{
    jargs_end(r, a, "items");
    return view(r, self->u.d, true, true);
}

static struct jv
dict_keys(struct jrun *r, const struct jv *self, struct jargs *a)
{
    jargs_end(r, a, "keys");
    return view(r, self->u.d, true, false);
}

static struct jv
dict_values(struct jrun *r, const struct jv *self, struct jargs *a)
{
    jargs_end(r, a, "values");
    return view(r, self->u.d, false, true);
}

static struct jv
dict_get(struct jrun *r, const struct jv *self, struct jargs *a)
{
    struct jv key = jarg(a, 0, NULL), other = jarg(a, 1, NULL);
    const struct jv *v = jrun_step(r, self->u.d->n / 16) ?
                         jdict_get(self->u.d, &key) : NULL;

    jargs_end(r, a, "get");
    return v ? *v : a->n > 1 ? other : jv_none();
}

/* ---- methods of lists and loops ---- */

static struct jv
list_count(struct jrun *r, const struct jv *self, struct jargs *a)
{
    struct jv v = jarg(a, 0, NULL);
    int64_t n = 0;

    jargs_end(r, a, "count");
    for (size_t i = 0; i < self->u.l->n && r->rc == 0; i++)
        n += jequal(r, &self->u.l->item[i], &v);
    return jv_int(n);
}

static struct jv
list_index(struct jrun *r, const struct jv *self, struct jargs *a)
{
    struct jv v = jarg(a, 0, NULL);

    jargs_end(r, a, "index");
    for (size_t i = 0; i < self->u.l->n && r->rc == 0; i++)
        if (jequal(r, &self->u.l->item[i], &v))
            return jv_int((int64_t)i);
    jrun_fail(r, "index: the item is not there");
    return jv_none();
}

static struct jv
loop_cycle(struct jrun *r, const struct jv *self, struct jargs *a)
{
    (void)r;
    return a->n > 0 ? a->v[self->u.loop->at % a->n] : jv_none();
}

/* What would change a value that others see: jinja2's sandbox refuses it. */
static struct jv
refuse_change(struct jrun *r, const struct jv *self, struct jargs *a)
{
    (void)a;
    jrun_fail(r, "a method that would change %s", jv_type_name(self));
    return jv_none();
}

bool
jmethod_find(const struct jv *of, const char *name, struct jmethod_of *out)
{
    static const struct {
        enum jv_type type;
        const char *name;
        struct jv (*run)(struct jrun *r, const struct jv *self,
                         struct jargs *a);
    } row[] = {
        { JV_DICT, "items", dict_items }, { JV_DICT, "keys", dict_keys },
        { JV_DICT, "values", dict_values }, { JV_DICT, "get", dict_get },
        { JV_DICT, "update", refuse_change },
        { JV_DICT, "pop", refuse_change }, { JV_DICT, "clear",
                                             refuse_change },
        { JV_DICT, "popitem", refuse_change },
        { JV_DICT, "setdefault", refuse_change },
        { JV_DICT, "copy", refuse_change },
        { JV_LIST, "count", list_count }, { JV_LIST, "index", list_index },
        { JV_LIST, "append", refuse_change },
        { JV_LIST, "extend", refuse_change },
        { JV_LIST, "insert", refuse_change },
        { JV_LIST, "pop", refuse_change },
        { JV_LIST, "remove", refuse_change },
        { JV_LIST, "reverse", refuse_change },
        { JV_LIST, "sort", refuse_change },
        { JV_LIST, "clear", refuse_change },
        { JV_LOOP, "cycle", loop_cycle }
    };

    memset(out, 0, sizeof(*out));
    out->self = *of;
    if (of->type == JV_STRING)
        out->of_string = jstr_method(name);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (row[i].type == of->type && strcmp(row[i].name, name) == 0)
            out->run = row[i].run;
    return out->of_string || out->run;
}

struct jv
jmethod_call(struct jrun *r, const struct jmethod_of *m, struct jargs *a)
{
    return m->of_string ? jstr_call(r, m->of_string, &m->self, a) :
                          m->run(r, &m->self, a);
}
