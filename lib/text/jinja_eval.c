/* jinja_eval.c - expressions to values. */
#include "text/jinja_run.h"

#include <stdarg.h>
#include <string.h>

/* ---- the run ---- */

void
jrun_fail(struct jrun *r, const char *fmt, ...)
{
    va_list ap;

    if (r->rc < 0)
        return;
    va_start(ap, fmt);
    r->rc = jinja_vfail(r->j, r->line, r->e, fmt, ap);
    va_end(ap);
}

bool
jrun_step(struct jrun *r, size_t n)
{
    if (r->rc < 0)
        return false;
    r->steps += n;
    if (r->steps > JINJA_MAX_STEPS)
        r->rc = err_set(r->e, ERR_LIMIT, "%s:%d: over %u steps",
                        r->j->where, r->line, JINJA_MAX_STEPS);
    else if (r->arena.used > JINJA_MAX_MEMORY)
        r->rc = err_set(r->e, ERR_LIMIT, "%s:%d: over %zu bytes of memory",
                        r->j->where, r->line, JINJA_MAX_MEMORY);
    return r->rc == 0;
}

bool
jrun_room(struct jrun *r, const struct jinja_text *t)
{
    if (r->rc == 0 && t->text.len > JINJA_MAX_OUTPUT)
        r->rc = err_set(r->e, ERR_LIMIT, "%s:%d: over %zu bytes of text",
                        r->j->where, r->line, JINJA_MAX_OUTPUT);
    return r->rc == 0;
}

void
jrun_put(struct jrun *r, struct jdict *d, struct jv key, struct jv value)
{
    if (jrun_step(r, d->n / 16))
        jdict_put(&r->arena, d, key, value);
}

static struct jv *
find_in(struct jrun *r, struct jframe *f, const char *name)
{
    if (!jrun_step(r, f->n / 16))
        return NULL;
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->var[i].name, name) == 0)
            return &f->var[i].value;
    return NULL;
}

static struct jv *
find_var(struct jrun *r, const char *name)
{
    struct jv *v = NULL;

    for (struct jframe *f = r->frame; f && !v; f = f->up)
        v = find_in(r, f, name);
    return v;
}

void
jrun_set(struct jrun *r, const char *name, struct jv v)
{
    struct jframe *f = r->frame;
    struct jv *old = find_in(r, f, name);
    struct jvar *var;

    if (old) {
        *old = v;
        return;
    }
    if (f->n == f->cap) {
        f->cap = f->cap * 2 + 4;
        var = jarena_get(&r->arena, f->cap * sizeof(*var));
        if (f->n > 0)
            memcpy(var, f->var, f->n * sizeof(*var));
        f->var = var;
    }
    f->var[f->n++] = (struct jvar){ name, v };
}

struct jframe *
jrun_enter(struct jrun *r, struct jframe *up)
{
    struct jframe *was = r->frame;

    r->frame = jarena_get(&r->arena, sizeof(*r->frame));
    r->frame->up = up;
    return was;
}

/* ---- calls ---- */

struct jv
jarg(struct jargs *a, size_t i, const char *name)
{
    if (i < a->n) {
        a->taken++;
        return a->v[i];
    }
    for (size_t k = 0; k < a->n_keys; k++)
        if (name && strcmp(a->key[k], name) == 0) {
            a->keys_taken++;
            return a->key_value[k];
        }
    return jv_undefined(name);
}

void
jargs_end(struct jrun *r, const struct jargs *a, const char *what)
{
    if (a->taken < a->n)
        jrun_fail(r, "%s: too many arguments", what);
    else if (a->keys_taken < a->n_keys)
        jrun_fail(r, "%s: an argument that is not supported (found %s)",
                  what, a->key[a->n_keys - 1]);
}

/* The arguments of a call, filter or test, and one more in front. */
static void
eval_args(struct jrun *r, const struct jnode *n, struct jargs *a)
{
    memset(a, 0, sizeof(*a));
    a->v = jarena_get(&r->arena, (n->n + 1) * sizeof(*a->v));
    a->key_value = jarena_get(&r->arena,
                              (n->n_keys + 1) * sizeof(*a->key_value));
    a->key = n->key;
    for (; a->n < n->n && r->rc == 0; a->n++)
        a->v[a->n] = jeval(r, n->item[a->n]);
    for (; a->n_keys < n->n_keys && r->rc == 0; a->n_keys++)
        a->key_value[a->n_keys] = jeval(r, n->key_value[a->n_keys]);
}

static struct jv
call(struct jrun *r, const struct jv *of, struct jargs *a)
{
    if (r->rc < 0)
        return jv_none();
    switch (of->type) {
    case JV_MACRO:
        return jcall_macro(r, of->u.macro, a, NULL);
    case JV_FUNCTION:
        return jfunction_call(r, of->u.function, a);
    case JV_METHOD:
        return jmethod_call(r, of->u.method, a);
    case JV_UNDEFINED:
        jrun_fail(r, "'%s' is undefined", of->u.name);
        return jv_none();
    default:
        jrun_fail(r, "%s can't be called", jv_type_name(of));
        return jv_none();
    }
}

static struct jv
eval_call(struct jrun *r, const struct jnode *n)
{
    struct jv of = jeval(r, n->a);
    struct jargs a;

    eval_args(r, n, &a);
    r->line = n->line;
    return call(r, &of, &a);
}

static struct jv
eval_filter(struct jrun *r, const struct jnode *n)
{
    struct jv v = jeval(r, n->a);
    struct jargs a;

    eval_args(r, n, &a);
    r->line = n->line;
    return r->rc < 0 ? v : jfilter_find(n->name)(r, &v, &a);
}

static struct jv
eval_test(struct jrun *r, const struct jnode *n)
{
    struct jv v = jeval(r, n->a);
    struct jargs a;

    eval_args(r, n, &a);
    r->line = n->line;
    return jv_bool(r->rc == 0 && jtest_find(n->name)(r, &v, &a));
}

/* ---- the rest ---- */

static struct jv
eval_name(struct jrun *r, const struct jnode *n)
{
    const struct jv *v = find_var(r, n->name);
    const struct jfunction *f = v ? NULL : jfunction_find(n->name);

    if (v)
        return *v;
    if (f)
        return (struct jv){ .type = JV_FUNCTION, .u.function = f };
    return jv_undefined(n->name);
}

static struct jv
eval_items(struct jrun *r, const struct jnode *n)
{
    struct jlist *l = jlist_new(&r->arena, n->kind == J_TUPLE ?
                                JLIST_TUPLE : JLIST_LIST);

    for (size_t i = 0; i < n->n && r->rc == 0; i++)
        jlist_add(&r->arena, l, jeval(r, n->item[i]));
    return jv_list(l);
}

static struct jv
eval_dict(struct jrun *r, const struct jnode *n)
{
    struct jdict *d = jdict_new(&r->arena);
    struct jv key;

    for (size_t i = 0; i + 1 < n->n && r->rc == 0; i += 2) {
        key = jeval(r, n->item[i]);
        if (jv_depth(&key) > 0)
            jrun_fail(r, "%s for a key", jv_type_name(&key));
        jrun_put(r, d, key, jeval(r, n->item[i + 1]));
    }
    return jv_dict(d);
}

static struct jv
eval_concat(struct jrun *r, const struct jnode *n)
{
    struct jinja_text t;
    struct jv v;

    jinja_text_init(&t);
    for (size_t i = 0; i < n->n && r->rc == 0; i++) {
        v = jeval(r, n->item[i]);
        r->line = n->line;
        jprint(r, &t, &v);
    }
    v = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return v;
}

static struct jv
eval_compare(struct jrun *r, const struct jnode *n)
{
    struct jv left = jeval(r, n->a), right;
    bool is = true;

    for (size_t i = 0; i < n->n && is && r->rc == 0; i++) {
        right = jeval(r, n->item[i]->b);
        r->line = n->line;
        is = jcompare(r, (enum jop)n->item[i]->op, &left, &right);
        left = right;
    }
    return jv_bool(is);
}

static struct jv
eval_slice(struct jrun *r, const struct jnode *n)
{
    struct jv of = jeval(r, n->a), part[3];

    for (int i = 0; i < 3; i++)
        part[i] = n->item[i] ? jeval(r, n->item[i]) : jv_none();
    r->line = n->line;
    return r->rc < 0 ? of : jslice(r, &of, &part[0], &part[1], &part[2]);
}

static struct jv
eval_sign(struct jrun *r, const struct jnode *n)
{
    struct jv v = jeval(r, n->a), zero = jv_int(0);

    r->line = n->line;
    if (n->kind == J_NEG && v.type == JV_FLOAT)
        return jv_float(-v.u.f);
    return jbinary(r, n->kind == J_NEG ? JOP_SUB : JOP_ADD, &zero, &v);
}

static struct jv
eval_two(struct jrun *r, const struct jnode *n)
{
    struct jv a = jeval(r, n->a), b;

    if (n->kind == J_AND || n->kind == J_OR)
        return jv_truth(&a) == (n->kind == J_AND) && r->rc == 0 ?
               jeval(r, n->b) : a;
    b = jeval(r, n->b);
    r->line = n->line;
    if (r->rc < 0)
        return a;
    return n->kind == J_ITEM ? jitem(r, &a, &b) :
           jbinary(r, (enum jop)n->op, &a, &b);
}

static struct jv
eval_if(struct jrun *r, const struct jnode *n)
{
    struct jv test = jeval(r, n->b);

    if (jv_truth(&test))
        return jeval(r, n->a);
    return n->c ? jeval(r, n->c) : jv_undefined("the inline if without else");
}

static struct jv
eval(struct jrun *r, const struct jnode *n)
{
    struct jv v;

    switch (n->kind) {
    case J_CONST:
        return n->value;
    case J_NAME:
        return eval_name(r, n);
    case J_LIST:
    case J_TUPLE:
        return eval_items(r, n);
    case J_DICT:
        return eval_dict(r, n);
    case J_ATTR:
        v = jeval(r, n->a);
        r->line = n->line;
        return r->rc < 0 ? v : jattr(r, &v, n->name);
    case J_SLICE:
        return eval_slice(r, n);
    case J_CALL:
        return eval_call(r, n);
    case J_FILTER:
        return eval_filter(r, n);
    case J_TEST:
        return eval_test(r, n);
    case J_NOT:
        v = jeval(r, n->a);
        return jv_bool(!jv_truth(&v));
    case J_NEG:
    case J_POS:
        return eval_sign(r, n);
    case J_IFELSE:
        return eval_if(r, n);
    case J_CONCAT:
        return eval_concat(r, n);
    case J_COMPARE:
        return eval_compare(r, n);
    default: /* and, or, item, binary */
        return eval_two(r, n);
    }
}

struct jv
jeval(struct jrun *r, const struct jnode *n)
{
    struct jv v;

    if (!jrun_step(r, 1))
        return jv_none();
    if (++r->depth > JINJA_MAX_RUN_DEPTH)
        r->rc = err_set(r->e, ERR_LIMIT, "%s:%d: nested more than %d deep",
                        r->j->where, n->line, JINJA_MAX_RUN_DEPTH);
    else
        r->line = n->line;
    v = r->rc < 0 ? jv_none() : eval(r, n);
    r->depth--;
    if (jv_depth(&v) > JINJA_MAX_DEPTH && r->rc == 0)
        r->rc = err_set(r->e, ERR_LIMIT, "%s:%d: a value nested more than %d "
                        "deep", r->j->where, n->line, JINJA_MAX_DEPTH);
    return v;
}
