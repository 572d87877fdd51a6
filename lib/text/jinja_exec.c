/* jinja_exec.c - statements: what is printed, assigned and looped over. */
#include <string.h>

#include "text/jinja_run.h"

static void exec(struct jrun *r, const struct jnode *n);

static void
assign(struct jrun *r, const struct jnode *target, struct jv v)
{
    struct jlist *l;
    struct jv of;

    if (target->kind == J_NAME) {
        jrun_set(r, target->name, v);
    } else if (target->kind == J_ATTR) {
        of = jeval(r, target->a);
        if (of.type == JV_NAMESPACE)
            jrun_put(r, of.u.d,
                     jv_string(&r->arena, target->name, strlen(target->name),
                               JINJA_TEMPLATE), v);
        else
            jrun_fail(r, "'%s' is no namespace", target->a->name);
    } else {
        l = jitems(r, &v);
        if (l->n != target->n)
            jrun_fail(r, "%zu values for %zu names", l->n, target->n);
        for (size_t i = 0; i < target->n && r->rc == 0; i++)
            assign(r, target->item[i], l->item[i]);
    }
}

/* What the body prints, as a string. */
static struct jv
exec_string(struct jrun *r, const struct jnode *body)
{
    struct jinja_text *out = r->out, t;
    struct jframe *was = jrun_enter(r, r->frame);
    struct jv v;

    jinja_text_init(&t);
    r->out = &t;
    exec(r, body);
    r->out = out;
    r->frame = was;
    v = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return v;
}

/* ---- macros ---- */

struct jv
jcall_macro(struct jrun *r, const struct jmacro *m, struct jargs *a,
            const struct jv *caller)
{
    const struct jnode *n = m->node;
    struct jframe *was = r->frame;
    enum jflow flow = r->flow;
    struct jv v;

    jrun_enter(r, m->frame);
    for (size_t i = 0; i < n->n_keys && r->rc == 0; i++) {
        v = jarg(a, i, n->key[i]);
        if (v.type == JV_UNDEFINED && n->key_value[i])
            v = jeval(r, n->key_value[i]);
        jrun_set(r, n->key[i], v);
    }
    if (caller)
        jrun_set(r, "caller", *caller);
    jargs_end(r, a, n->name);
    r->depth += 8; /* a call takes more of the stack than an operator */
    v = r->rc < 0 ? jv_none() : exec_string(r, n->a);
    r->depth -= 8;
    r->flow = flow;
    r->frame = was;
    return v;
}

static struct jv
make_macro(struct jrun *r, const struct jnode *n)
{
    struct jmacro *m = jarena_get(&r->arena, sizeof(*m));

    m->node = n;
    m->frame = r->frame;
    return (struct jv){ .type = JV_MACRO, .u.macro = m };
}

/* {% call macro() %}: the body is what caller() gives. */
static void
exec_call(struct jrun *r, const struct jnode *n)
{
    struct jv caller = make_macro(r, n->b), of = jeval(r, n->a->a), v;
    struct jargs a = { 0 };
    const struct jnode *call = n->a;

    if (of.type != JV_MACRO) {
        jrun_fail(r, "call of %s", jv_type_name(&of));
        return;
    }
    a.v = jarena_get(&r->arena, (call->n + 1) * sizeof(*a.v));
    for (; a.n < call->n && r->rc == 0; a.n++)
        a.v[a.n] = jeval(r, call->item[a.n]);
    if (call->n_keys > 0)
        jrun_fail(r, "a call block with named arguments is not supported");
    v = jcall_macro(r, of.u.macro, &a, &caller);
    jprint(r, r->out, &v);
}

/* ---- loops ---- */

/* The items for which the loop's condition holds. */
static struct jlist *
choose(struct jrun *r, const struct jnode *n, struct jlist *all)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_LIST);
    struct jframe *was = r->frame;
    struct jv test;

    for (size_t i = 0; i < all->n && r->rc == 0; i++) {
        jrun_enter(r, was);
        assign(r, n->a, all->item[i]);
        test = jeval(r, n->c);
        if (jv_truth(&test))
            jlist_add(&r->arena, l, all->item[i]);
        r->frame = was;
    }
    return l;
}

static void
exec_for(struct jrun *r, const struct jnode *n)
{
    struct jv of = jeval(r, n->b);
    struct jlist *all = r->rc < 0 ? NULL : jitems(r, &of);
    struct jloop *loop = jarena_get(&r->arena, sizeof(*loop));
    struct jframe *was = r->frame;
    uint32_t turn = r->like.turn;

    if (!all)
        return;
    loop->items = n->c ? choose(r, n, all) : all;
    for (; loop->at < loop->items->n && r->rc == 0; loop->at++) {
        of = loop->items->item[loop->at];
        jrun_enter(r, was);
        assign(r, n->a, of);
        jrun_set(r, "loop", (struct jv){ .type = JV_LOOP, .u.loop = loop });
        if (of.type == JV_DICT && of.u.d->message > 0)
            r->like.turn = of.u.d->message;
        exec(r, n->item[0]);
        r->like.turn = turn;
        r->frame = was;
        if (r->flow == JFLOW_BREAK)
            break;
        r->flow = JFLOW_ON;
    }
    r->flow = JFLOW_ON;
    if (loop->items->n == 0 && n->item[1])
        exec(r, n->item[1]);
}

/* ---- the rest ---- */

static void
exec_if(struct jrun *r, const struct jnode *n)
{
    struct jv test;
    size_t i;

    for (i = 0; i + 1 < n->n && r->rc == 0; i += 2) {
        test = jeval(r, n->item[i]);
        if (jv_truth(&test)) {
            exec(r, n->item[i + 1]);
            return;
        }
    }
    if (i < n->n)
        exec(r, n->item[i]);
}

static void
exec_with(struct jrun *r, const struct jnode *n)
{
    struct jframe *was = jrun_enter(r, r->frame);
    struct jframe *inner = r->frame;
    struct jv v;

    for (size_t i = 0; i + 1 < n->n && r->rc == 0; i += 2) {
        r->frame = was;
        v = jeval(r, n->item[i + 1]);
        r->frame = inner;
        assign(r, n->item[i], v);
    }
    exec(r, n->a);
    r->frame = was;
}

/* The text that a block puts through filters: they are nested, the innermost
 * with nothing to filter. */
static struct jv
filtered(struct jrun *r, const struct jnode *filter, struct jv v)
{
    struct jnode text = { .kind = J_CONST, .line = r->line, .value = v };
    struct jnode one;

    if (!filter)
        return v;
    if (filter->a)
        text.value = filtered(r, filter->a, v);
    one = *filter;
    one.a = &text;
    return jeval(r, &one);
}

static void
exec_generation(struct jrun *r, const struct jnode *n)
{
    struct jframe *was = jrun_enter(r, r->frame);
    bool outer = r->like.generation;

    r->like.generation = true;
    exec(r, n->a);
    r->like.generation = outer;
    r->frame = was;
}

static void
exec_one(struct jrun *r, const struct jnode *n)
{
    struct jv v;

    switch (n->kind) {
    case J_DATA:
    case J_PRINT:
        v = n->kind == J_DATA ? n->value : jeval(r, n->a);
        jprint(r, r->out, &v);
        break;
    case J_FOR:
        exec_for(r, n);
        break;
    case J_IF:
        exec_if(r, n);
        break;
    case J_SET:
        assign(r, n->a, jeval(r, n->b));
        break;
    case J_SET_BODY:
        v = exec_string(r, n->c);
        assign(r, n->a, filtered(r, n->b, v));
        break;
    case J_MACRO:
        jrun_set(r, n->name, make_macro(r, n));
        break;
    case J_CALL_BODY:
        exec_call(r, n);
        break;
    case J_FILTER_BODY:
        v = exec_string(r, n->b);
        v = filtered(r, n->a, v);
        jprint(r, r->out, &v);
        break;
    case J_GENERATION:
        exec_generation(r, n);
        break;
    case J_WITH:
        exec_with(r, n);
        break;
    default:
        r->flow = n->kind == J_BREAK ? JFLOW_BREAK : JFLOW_CONTINUE;
    }
}

static void
exec(struct jrun *r, const struct jnode *n)
{
    if (++r->depth > JINJA_MAX_RUN_DEPTH)
        r->rc = err_set(r->e, ERR_LIMIT, "%s:%d: nested more than %d deep",
                        r->j->where, n->line, JINJA_MAX_RUN_DEPTH);
    for (size_t i = 0; i < n->n && r->flow == JFLOW_ON; i++) {
        if (!jrun_step(r, 1))
            break;
        r->line = n->item[i]->line;
        exec_one(r, n->item[i]);
    }
    r->depth--;
}

/* ---- a run ---- */

/* The variables as a scope of their own, messages cut to the first n. */
static void
enter_vars(struct jrun *r, const struct jinja_vars *v, size_t n_messages)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_LIST);

    *l = *v->messages;
    if (l->n > n_messages)
        l->n = n_messages;
    jrun_enter(r, NULL);
    for (size_t i = 0; i < v->vars->n; i++)
        jrun_set(r, v->vars->key[i].u.s->p, v->vars->value[i]);
    jrun_set(r, "messages", jv_list(l));
    jrun_enter(r, r->frame);
}

int
jinja_run(const struct jinja *j, struct jinja_vars *v, size_t n_messages,
          struct jinja_text *out, struct err *e)
{
    struct jrun r = { .j = j, .out = out, .time = v->time, .e = e };

    buf_reset(&out->text);
    out->n_spans = 0;
    jarena_init(&r.arena);
    enter_vars(&r, v, n_messages);
    exec(&r, j->body);
    jarena_release(&r.arena);
    return r.rc;
}
