/* jinja_parse.c - a template's statements to a tree. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/jinja_tree.h"

/* ---- nodes and tokens ---- */

struct jnode *
jparse_node(struct jparser *p, enum jnode_kind kind, int line)
{
    struct jnode *n = jarena_get(&p->j->arena, sizeof(*n));

    n->kind = (uint8_t)kind;
    n->line = line;
    return n;
}

/* A place for one more of n pointers, room for them doubled at powers of 2. */
static void *
room(struct jparser *p, void *old, size_t n)
{
    void *to = old;

    if (n != 0 && (n & (n - 1)) != 0)
        return old;
    to = jarena_get(&p->j->arena, (n ? 2 * n : 1) * sizeof(void *));
    if (n > 0)
        memcpy(to, old, n * sizeof(void *));
    return to;
}

void
jparse_push(struct jparser *p, struct jnode *of, struct jnode *item)
{
    of->item = room(p, of->item, of->n);
    of->item[of->n++] = item;
}

void
jparse_key(struct jparser *p, struct jnode *of, const char *name,
           struct jnode *value)
{
    of->key = room(p, of->key, of->n_keys);
    of->key_value = room(p, of->key_value, of->n_keys);
    of->key[of->n_keys] = name;
    of->key_value[of->n_keys++] = value;
}

void
jparse_fail(struct jparser *p, const char *fmt, ...)
{
    va_list ap;

    if (p->rc < 0)
        return;
    va_start(ap, fmt);
    p->rc = jinja_vfail(p->j, p->t->line, p->e, fmt, ap);
    va_end(ap);
}

bool
jparse_is(const struct jparser *p, enum jtoken_kind kind, const char *text)
{
    return p->rc == 0 && p->t->kind == kind
           && (!text || (p->t->n == strlen(text)
                         && memcmp(p->t->p, text, p->t->n) == 0));
}

bool
jparse_skip(struct jparser *p, enum jtoken_kind kind, const char *text)
{
    bool is = jparse_is(p, kind, text);

    p->t += is;
    return is;
}

const char *
jparse_text(const struct jparser *p, const struct jtoken *t)
{
    static const char *const name[] = {
        [JT_PRINT_BEGIN] = "{{", [JT_PRINT_END] = "}}",
        [JT_BLOCK_BEGIN] = "{%", [JT_BLOCK_END] = "%}",
        [JT_EOF] = "end of the template"
    };

    if (t->kind < sizeof(name) / sizeof(name[0]) && name[t->kind])
        return name[t->kind];
    return jarena_dup(&p->j->arena, t->p, t->n);
}

void
jparse_want(struct jparser *p, enum jtoken_kind kind, const char *text)
{
    if (!jparse_skip(p, kind, text))
        jparse_fail(p, "unexpected '%.60s'%s%s%s", jparse_text(p, p->t),
                    text ? " (expected '" : "", text ? text : "",
                    text ? "')" : "");
}

bool
jparse_deeper(struct jparser *p)
{
    if (p->rc < 0)
        return false;
    if (++p->depth > JINJA_MAX_DEPTH)
        p->rc = err_set(p->e, ERR_LIMIT, "%s:%d: nested more than %d deep",
                        p->j->where, p->t->line, JINJA_MAX_DEPTH);
    return p->rc == 0;
}

/* ---- statements ---- */

static struct jnode *parse_body(struct jparser *p, const char *const *ends);

/* The end of a tag, then all up to one of the tags that end it, which the
 * parser stands in afterwards. */
static struct jnode *
parse_block(struct jparser *p, const char *const *ends)
{
    jparse_want(p, JT_BLOCK_END, NULL);
    return parse_body(p, ends);
}

/* As parse_block, up to one tag, which is taken but for its end. */
static struct jnode *
parse_until(struct jparser *p, const char *end)
{
    const char *const ends[] = { end, NULL };
    struct jnode *n = parse_block(p, ends);

    jparse_want(p, JT_NAME, end);
    return n;
}

static struct jnode *
parse_for(struct jparser *p)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    struct jnode *n = jparse_node(p, J_FOR, p->t->line);
    bool was = p->in_loop;

    n->a = jparse_target(p, false);
    jparse_want(p, JT_NAME, "in");
    n->b = jparse_tuple(p, false);
    if (jparse_skip(p, JT_NAME, "if"))
        n->c = jparse_expr(p, true);
    if (jparse_is(p, JT_NAME, "recursive"))
        jparse_fail(p, "recursive loops are not supported");
    p->in_loop = true;
    jparse_push(p, n, parse_block(p, ends));
    p->in_loop = was;
    if (jparse_skip(p, JT_NAME, "else")) {
        jparse_push(p, n, parse_until(p, "endfor"));
    } else {
        jparse_push(p, n, NULL);
        jparse_want(p, JT_NAME, "endfor");
    }
    return n;
}

static struct jnode *
parse_if(struct jparser *p)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    struct jnode *n = jparse_node(p, J_IF, p->t->line);

    do {
        jparse_push(p, n, jparse_tuple(p, false));
        jparse_push(p, n, parse_block(p, ends));
    } while (jparse_skip(p, JT_NAME, "elif"));
    if (jparse_skip(p, JT_NAME, "else"))
        jparse_push(p, n, parse_until(p, "endif"));
    else
        jparse_want(p, JT_NAME, "endif");
    return n;
}

static struct jnode *
parse_set(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_SET, p->t->line);

    n->a = jparse_target(p, true);
    if (jparse_skip(p, JT_OP, "=")) {
        n->b = jparse_tuple(p, true);
        return n;
    }
    n->kind = J_SET_BODY;
    while (jparse_skip(p, JT_OP, "|"))
        n->b = jparse_filter(p, n->b);
    n->c = parse_until(p, "endset");
    return n;
}

/* (name, name=default): the keys and values of n. */
static void
parse_signature(struct jparser *p, struct jnode *n)
{
    const char *name;
    struct jnode *value;

    jparse_want(p, JT_OP, "(");
    while (p->rc == 0 && !jparse_is(p, JT_OP, ")")) {
        name = jparse_text(p, p->t);
        jparse_want(p, JT_NAME, NULL);
        value = jparse_skip(p, JT_OP, "=") ? jparse_expr(p, true) : NULL;
        jparse_key(p, n, name, value);
        if (!jparse_skip(p, JT_OP, ","))
            break;
    }
    jparse_want(p, JT_OP, ")");
}

/* A loop's break and continue don't reach through what has a scope. */
static struct jnode *
parse_apart(struct jparser *p, const char *end)
{
    bool was = p->in_loop;
    struct jnode *n;

    p->in_loop = false;
    n = parse_until(p, end);
    p->in_loop = was;
    return n;
}

static struct jnode *
parse_macro(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_MACRO, p->t->line);

    n->name = jparse_text(p, p->t);
    jparse_want(p, JT_NAME, NULL);
    parse_signature(p, n);
    n->a = parse_apart(p, "endmacro");
    return n;
}

static struct jnode *
parse_call(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_CALL_BODY, p->t->line);

    n->b = jparse_node(p, J_MACRO, p->t->line);
    n->b->name = "caller";
    if (jparse_is(p, JT_OP, "("))
        parse_signature(p, n->b);
    n->a = jparse_expr(p, true);
    if (p->rc == 0 && n->a->kind != J_CALL)
        jparse_fail(p, "expected a call");
    n->b->a = parse_apart(p, "endcall");
    return n;
}

static struct jnode *
parse_with(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_WITH, p->t->line);

    while (p->rc == 0 && p->t->kind != JT_BLOCK_END) {
        jparse_push(p, n, jparse_target(p, false));
        jparse_want(p, JT_OP, "=");
        jparse_push(p, n, jparse_expr(p, true));
        if (!jparse_skip(p, JT_OP, ","))
            break;
    }
    n->a = parse_until(p, "endwith");
    return n;
}

static struct jnode *
parse_filter_body(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_FILTER_BODY, p->t->line);

    n->a = jparse_filter(p, NULL);
    while (jparse_skip(p, JT_OP, "|"))
        n->a = jparse_filter(p, n->a);
    n->b = parse_apart(p, "endfilter");
    return n;
}

static struct jnode *
parse_generation(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_GENERATION, p->t->line);

    p->j->generation = true;
    n->a = parse_apart(p, "endgeneration");
    return n;
}

static struct jnode *
parse_jump(struct jparser *p)
{
    bool stop = p->t[-1].n == strlen("break");

    if (!p->in_loop)
        jparse_fail(p, "%s outside of a loop", stop ? "break" : "continue");
    return jparse_node(p, stop ? J_BREAK : J_CONTINUE, p->t->line);
}

static struct jnode *
parse_statement(struct jparser *p)
{
    static const struct {
        const char *name;
        struct jnode *(*parse)(struct jparser *p);
    } tag[] = {
        { "for", parse_for }, { "if", parse_if }, { "set", parse_set },
        { "macro", parse_macro }, { "call", parse_call },
        { "with", parse_with }, { "filter", parse_filter_body },
        { "generation", parse_generation }, { "break", parse_jump },
        { "continue", parse_jump }
    };

    for (size_t i = 0; i < sizeof(tag) / sizeof(tag[0]); i++)
        if (jparse_skip(p, JT_NAME, tag[i].name))
            return tag[i].parse(p);
    jparse_fail(p, "the tag '%.60s' is not supported here",
                jparse_text(p, p->t));
    return NULL;
}

static bool
is_end(const struct jparser *p, const char *const *ends)
{
    for (; *ends; ends++)
        if (jparse_is(p, JT_NAME, *ends))
            return true;
    return false;
}

static struct jnode *
parse_data(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_DATA, p->t->line);

    n->value = jv_string(&p->j->arena, p->t->p, p->t->n, JINJA_TEMPLATE);
    p->t++;
    return n;
}

/* Everything up to a tag of ends, its name next. */
static struct jnode *
parse_body(struct jparser *p, const char *const *ends)
{
    struct jnode *body = jparse_node(p, J_BODY, p->t->line), *n;

    if (!jparse_deeper(p))
        return body;
    while (p->rc == 0 && p->t->kind != JT_EOF) {
        if (p->t->kind == JT_DATA) {
            jparse_push(p, body, parse_data(p));
        } else if (jparse_skip(p, JT_PRINT_BEGIN, NULL)) {
            n = jparse_node(p, J_PRINT, p->t->line);
            n->a = jparse_tuple(p, true);
            jparse_want(p, JT_PRINT_END, NULL);
            jparse_push(p, body, n);
        } else {
            jparse_want(p, JT_BLOCK_BEGIN, NULL);
            if (is_end(p, ends))
                break;
            jparse_push(p, body, parse_statement(p));
            jparse_want(p, JT_BLOCK_END, NULL);
        }
    }
    if (*ends && p->t->kind == JT_EOF)
        jparse_fail(p, "the template ends before '%s'", *ends);
    p->depth--;
    return body;
}

/* ---- all of it ---- */

/* What str.isprintable is false of, but for the blank. */
static void
find_hidden(struct uset *s)
{
    uset_init(s);
    uset_property(s, "C", 1);
    uset_property(s, "Z", 1);
}

int
jinja_read(struct jinja **out, const char *text, size_t n, const char *where,
           struct err *e)
{
    static const char *const no_ends[] = { NULL };
    struct jparser p = { .e = e };
    struct jinja *j;

    if (n > JINJA_MAX_TEMPLATE)
        return err_set(e, ERR_LIMIT, "%s: %zu bytes (limit %u)", where, n,
                       JINJA_MAX_TEMPLATE);
    j = mem_alloc(sizeof(*j));
    jarena_init(&j->arena);
    buf_init(&j->source);
    buf_add(&j->source, text, n);
    j->where = mem_strdup(where);
    find_hidden(&j->hidden);
    p.j = j;
    p.rc = jinja_lex(j, e);
    p.t = j->token;
    if (p.rc == 0)
        j->body = parse_body(&p, no_ends);
    if (p.rc < 0)
        jinja_free(j);
    else
        *out = j;
    return p.rc;
}

void
jinja_free(struct jinja *j)
{
    if (!j)
        return;
    jarena_release(&j->arena);
    buf_release(&j->source);
    uset_release(&j->hidden);
    free(j->where);
    free(j->token);
    free(j);
}

bool
jinja_has_generation(const struct jinja *j)
{
    return j->generation;
}

const char *
jinja_source(const struct jinja *j)
{
    return j->source.data;
}
