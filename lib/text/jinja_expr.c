/* jinja_expr.c - expressions to trees, with jinja2's precedences: if-else,
 * or, and, not, comparisons, + and -, ~, * / // %, **, signs; then what
 * follows a value: attributes, items, calls, filters, tests.
 */
#include <string.h>

#include "text/jinja_tree.h"

/* What safe and escape give is markup in Jinja, which escapes what it is
 * joined with; here it is text. */
static struct jnode *
operand(struct jparser *p, struct jnode *n)
{
    if (p->rc == 0 && n->kind == J_FILTER
        && (strcmp(n->name, "safe") == 0 || strcmp(n->name, "escape") == 0
            || strcmp(n->name, "e") == 0))
        jparse_fail(p, "the filter '%s' beside an operator is not supported: "
                    "it would escape the other side", n->name);
    return n;
}

static struct jnode *
binary(struct jparser *p, enum jnode_kind kind, int op, struct jnode *a,
       struct jnode *b)
{
    struct jnode *n = jparse_node(p, kind, a->line);

    n->op = (uint8_t)op;
    n->a = kind == J_BINARY ? operand(p, a) : a;
    n->b = kind == J_BINARY ? operand(p, b) : b;
    return n;
}

static struct jnode *
constant(struct jparser *p, struct jv v)
{
    struct jnode *n = jparse_node(p, J_CONST, p->t->line);

    n->value = v;
    return n;
}

static struct jnode *parse_unary(struct jparser *p, bool filters);

/* ---- values ---- */

static struct jnode *
parse_list(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_LIST, p->t->line);

    p->t++;
    while (p->rc == 0 && !jparse_is(p, JT_OP, "]")) {
        jparse_push(p, n, jparse_expr(p, true));
        if (!jparse_skip(p, JT_OP, ","))
            break;
    }
    jparse_want(p, JT_OP, "]");
    return n;
}

static struct jnode *
parse_dict(struct jparser *p)
{
    struct jnode *n = jparse_node(p, J_DICT, p->t->line);

    p->t++;
    while (p->rc == 0 && !jparse_is(p, JT_OP, "}")) {
        jparse_push(p, n, jparse_expr(p, true));
        jparse_want(p, JT_OP, ":");
        jparse_push(p, n, jparse_expr(p, true));
        if (!jparse_skip(p, JT_OP, ","))
            break;
    }
    jparse_want(p, JT_OP, "}");
    return n;
}

static struct jnode *
parse_name(struct jparser *p)
{
    static const char *const word[] = { "true", "True", "false", "False",
                                        "none", "None" };
    struct jnode *n;

    for (int i = 0; i < 6; i++)
        if (jparse_skip(p, JT_NAME, word[i]))
            return constant(p, i < 4 ? jv_bool(i < 2) : jv_none());
    n = jparse_node(p, J_NAME, p->t->line);
    n->name = jparse_text(p, p->t++);
    return n;
}

/* Strings that follow each other are one. */
static struct jnode *
parse_string(struct jparser *p)
{
    struct jarena *a = &p->j->arena;
    const struct jtoken *t = p->t;
    size_t len = 0;
    char *text;

    for (; p->t->kind == JT_STRING; p->t++)
        len += p->t->n;
    text = jarena_get(a, len + 1);
    for (len = 0; t < p->t; len += t++->n)
        memcpy(text + len, t->p, t->n);
    return constant(p, jv_string(a, text, len, JINJA_TEMPLATE));
}

static struct jnode *
parse_primary(struct jparser *p)
{
    struct jnode *n;

    switch (p->t->kind) {
    case JT_NAME:
        return parse_name(p);
    case JT_STRING:
        return parse_string(p);
    case JT_INT:
        return constant(p, jv_int(p->t++->i));
    case JT_FLOAT:
        return constant(p, jv_float(p->t++->f));
    default:
        break;
    }
    if (jparse_is(p, JT_OP, "["))
        return parse_list(p);
    if (jparse_is(p, JT_OP, "{"))
        return parse_dict(p);
    if (!jparse_skip(p, JT_OP, "(")) {
        jparse_fail(p, "unexpected '%s', where a value should be",
                    jparse_text(p, p->t));
        return constant(p, jv_none());
    }
    n = jparse_is(p, JT_OP, ")") ? jparse_node(p, J_TUPLE, p->t->line) :
                                   jparse_tuple(p, true);
    jparse_want(p, JT_OP, ")");
    return n;
}

/* ---- what follows a value ---- */

static void
parse_args(struct jparser *p, struct jnode *call)
{
    const struct jtoken *name;
    struct jnode *value;

    jparse_want(p, JT_OP, "(");
    while (p->rc == 0 && !jparse_is(p, JT_OP, ")")) {
        if (jparse_is(p, JT_OP, "*") || jparse_is(p, JT_OP, "**"))
            jparse_fail(p, "calls with * and ** are not supported");
        name = p->t->kind == JT_NAME && p->t[1].kind == JT_OP
               && p->t[1].n == 1 && *p->t[1].p == '=' ? p->t : NULL;
        if (name)
            p->t += 2;
        value = jparse_expr(p, true);
        if (name) {
            jparse_key(p, call, jparse_text(p, name), value);
        } else {
            if (call->n_keys > 0)
                jparse_fail(p, "an argument behind one with a name");
            jparse_push(p, call, value);
        }
        if (!jparse_skip(p, JT_OP, ","))
            break;
    }
    jparse_want(p, JT_OP, ")");
}

/* a[b], a[from:to:step] */
static struct jnode *
parse_item(struct jparser *p, struct jnode *of)
{
    struct jnode *n, *part = NULL;
    int parts = 0;

    if (!jparse_is(p, JT_OP, ":"))
        part = jparse_expr(p, true);
    if (!jparse_is(p, JT_OP, ":")) {
        jparse_want(p, JT_OP, "]");
        return binary(p, J_ITEM, 0, of, part);
    }
    n = jparse_node(p, J_SLICE, of->line);
    n->a = of;
    jparse_push(p, n, part);
    while (parts++ < 2 && p->rc == 0) {
        part = NULL;
        if (jparse_skip(p, JT_OP, ":") && !jparse_is(p, JT_OP, ":")
            && !jparse_is(p, JT_OP, "]"))
            part = jparse_expr(p, true);
        jparse_push(p, n, part);
    }
    jparse_want(p, JT_OP, "]");
    return n;
}

static struct jnode *
parse_postfix(struct jparser *p, struct jnode *of)
{
    struct jnode *n;

    while (p->rc == 0) {
        if (jparse_skip(p, JT_OP, ".")) {
            if (p->t->kind == JT_INT) {
                of = binary(p, J_ITEM, 0, of, parse_primary(p));
                continue;
            }
            n = jparse_node(p, J_ATTR, p->t->line);
            n->a = of;
            n->name = jparse_text(p, p->t);
            jparse_want(p, JT_NAME, NULL);
        } else if (jparse_skip(p, JT_OP, "[")) {
            n = parse_item(p, of);
        } else if (jparse_is(p, JT_OP, "(")) {
            n = jparse_node(p, J_CALL, p->t->line);
            n->a = of;
            parse_args(p, n);
        } else {
            break;
        }
        of = n;
    }
    return of;
}

/* The test behind `is`: an argument may stand without brackets. */
static struct jnode *
parse_test(struct jparser *p, struct jnode *of)
{
    static const char *const not_args[] = { "else", "or", "and", "is" };
    bool negated = jparse_skip(p, JT_NAME, "not"), arg;
    struct jnode *n = jparse_node(p, J_TEST, p->t->line), *not;

    n->a = of;
    n->name = jparse_text(p, p->t);
    jparse_want(p, JT_NAME, NULL);
    arg = p->t->kind == JT_NAME || p->t->kind == JT_STRING
          || p->t->kind == JT_INT || p->t->kind == JT_FLOAT
          || jparse_is(p, JT_OP, "[") || jparse_is(p, JT_OP, "{");
    for (size_t i = 0; i < sizeof(not_args) / sizeof(not_args[0]); i++)
        arg = arg && !jparse_is(p, JT_NAME, not_args[i]);
    if (jparse_is(p, JT_OP, "("))
        parse_args(p, n);
    else if (arg)
        jparse_push(p, n, parse_postfix(p, parse_primary(p)));
    if (!jparse_known_test(n->name))
        jparse_fail(p, "the test '%s' is not supported", n->name);
    if (!negated)
        return n;
    not = jparse_node(p, J_NOT, n->line);
    not->a = n;
    return not;
}

struct jnode *
jparse_filter(struct jparser *p, struct jnode *of)
{
    struct jnode *n = jparse_node(p, J_FILTER, p->t->line);

    n->a = of;
    n->name = jparse_text(p, p->t);
    jparse_want(p, JT_NAME, NULL);
    if (p->rc == 0 && !jparse_known_filter(n->name))
        jparse_fail(p, "the filter '%s' is not supported", n->name);
    if (jparse_is(p, JT_OP, "("))
        parse_args(p, n);
    return n;
}

static struct jnode *
parse_filters(struct jparser *p, struct jnode *n)
{
    while (p->rc == 0) {
        if (jparse_skip(p, JT_OP, "|"))
            n = jparse_filter(p, n);
        else if (jparse_skip(p, JT_NAME, "is"))
            n = parse_test(p, n);
        else if (jparse_is(p, JT_OP, "("))
            n = parse_postfix(p, n);
        else
            break;
    }
    return n;
}

/* ---- operators ---- */

static struct jnode *
parse_unary(struct jparser *p, bool filters)
{
    struct jnode *n, *sign;
    bool minus = jparse_is(p, JT_OP, "-");

    if (!jparse_deeper(p))
        return constant(p, jv_none());
    if (minus || jparse_is(p, JT_OP, "+")) {
        sign = jparse_node(p, minus ? J_NEG : J_POS, p->t++->line);
        sign->a = parse_unary(p, false);
        n = sign;
    } else {
        n = parse_primary(p);
    }
    n = parse_postfix(p, n);
    if (filters)
        n = parse_filters(p, n);
    p->depth--;
    return n;
}

struct operator {
    const char *text;
    enum jop op;
};

/* The operator of the table that comes next, moved behind; or NULL. */
static const struct operator *
take_operator(struct jparser *p, const struct operator *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (jparse_skip(p, JT_OP, table[i].text))
            return &table[i];
    return NULL;
}

static struct jnode *
parse_product(struct jparser *p)
{
    static const struct operator table[] = {
        { "*", JOP_MUL }, { "/", JOP_DIV }, { "//", JOP_FLOORDIV },
        { "%", JOP_MOD }
    };
    const struct operator *op;
    struct jnode *n = NULL, *right;

    do {
        op = n ? take_operator(p, table, 4) : NULL;
        if (n && !op)
            break;
        right = parse_unary(p, true);
        while (p->rc == 0 && jparse_skip(p, JT_OP, "**"))
            right = binary(p, J_BINARY, JOP_POW, right,
                           parse_unary(p, true));
        n = n ? binary(p, J_BINARY, op->op, n, right) : right;
    } while (p->rc == 0);
    return n;
}

static struct jnode *
parse_concat(struct jparser *p)
{
    struct jnode *n = parse_product(p), *all;

    if (!jparse_is(p, JT_OP, "~"))
        return n;
    all = jparse_node(p, J_CONCAT, n->line);
    jparse_push(p, all, operand(p, n));
    while (p->rc == 0 && jparse_skip(p, JT_OP, "~"))
        jparse_push(p, all, operand(p, parse_product(p)));
    return all;
}

static struct jnode *
parse_sum(struct jparser *p)
{
    static const struct operator table[] = {
        { "+", JOP_ADD }, { "-", JOP_SUB }
    };
    struct jnode *n = parse_concat(p);
    const struct operator *op;

    while (p->rc == 0 && (op = take_operator(p, table, 2)) != NULL)
        n = binary(p, J_BINARY, op->op, n, parse_concat(p));
    return n;
}

static struct jnode *
parse_compare(struct jparser *p)
{
    static const struct operator table[] = {
        { "==", JOP_EQ }, { "!=", JOP_NE }, { "<=", JOP_LE },
        { ">=", JOP_GE }, { "<", JOP_LT }, { ">", JOP_GT }
    };
    struct jnode *first = parse_sum(p), *n = NULL, *one;
    const struct operator *op;
    enum jop code;

    while (p->rc == 0) {
        op = take_operator(p, table, 6);
        if (op) {
            code = op->op;
        } else if (jparse_skip(p, JT_NAME, "in")) {
            code = JOP_IN;
        } else if (jparse_is(p, JT_NAME, "not") && p->t[1].kind == JT_NAME
                   && p->t[1].n == 2 && memcmp(p->t[1].p, "in", 2) == 0) {
            p->t += 2;
            code = JOP_NOT_IN;
        } else {
            break;
        }
        if (!n) {
            n = jparse_node(p, J_COMPARE, first->line);
            n->a = first;
        }
        one = jparse_node(p, J_BINARY, p->t->line);
        one->op = (uint8_t)code;
        one->b = parse_sum(p);
        jparse_push(p, n, one);
    }
    return n ? n : first;
}

static struct jnode *
parse_not(struct jparser *p)
{
    struct jnode *n;

    if (!jparse_is(p, JT_NAME, "not"))
        return parse_compare(p);
    if (!jparse_deeper(p))
        return constant(p, jv_none());
    n = jparse_node(p, J_NOT, p->t++->line);
    n->a = parse_not(p);
    p->depth--;
    return n;
}

static struct jnode *
parse_and(struct jparser *p)
{
    struct jnode *n = parse_not(p);

    while (p->rc == 0 && jparse_skip(p, JT_NAME, "and"))
        n = binary(p, J_AND, 0, n, parse_not(p));
    return n;
}

static struct jnode *
parse_or(struct jparser *p)
{
    struct jnode *n = parse_and(p);

    while (p->rc == 0 && jparse_skip(p, JT_NAME, "or"))
        n = binary(p, J_OR, 0, n, parse_and(p));
    return n;
}

struct jnode *
jparse_expr(struct jparser *p, bool if_else)
{
    struct jnode *n, *choice;

    if (!jparse_deeper(p))
        return constant(p, jv_none());
    n = parse_or(p);
    while (if_else && p->rc == 0 && jparse_skip(p, JT_NAME, "if")) {
        choice = jparse_node(p, J_IFELSE, n->line);
        choice->a = n;
        choice->b = parse_or(p);
        if (jparse_skip(p, JT_NAME, "else"))
            choice->c = jparse_expr(p, true);
        n = choice;
    }
    p->depth--;
    return n;
}

static bool
tuple_ends(const struct jparser *p)
{
    return p->t->kind == JT_PRINT_END || p->t->kind == JT_BLOCK_END
           || jparse_is(p, JT_OP, ")") || jparse_is(p, JT_NAME, "in")
           || jparse_is(p, JT_NAME, "recursive");
}

struct jnode *
jparse_tuple(struct jparser *p, bool if_else)
{
    struct jnode *n = jparse_expr(p, if_else), *tuple;

    if (!jparse_is(p, JT_OP, ","))
        return n;
    tuple = jparse_node(p, J_TUPLE, n->line);
    jparse_push(p, tuple, n);
    while (p->rc == 0 && jparse_skip(p, JT_OP, ",") && !tuple_ends(p))
        jparse_push(p, tuple, jparse_expr(p, if_else));
    return tuple;
}

/* What is assigned to: names, or one attribute of a namespace. */
struct jnode *
jparse_target(struct jparser *p, bool attribute)
{
    bool brackets = jparse_skip(p, JT_OP, "(");
    struct jnode *n = NULL, *one, *tuple;

    do {
        if (n && tuple_ends(p))
            break;
        one = jparse_node(p, J_NAME, p->t->line);
        one->name = jparse_text(p, p->t);
        jparse_want(p, JT_NAME, NULL);
        if (attribute && jparse_skip(p, JT_OP, ".")) {
            one->kind = J_ATTR;
            one->a = jparse_node(p, J_NAME, one->line);
            one->a->name = one->name;
            one->name = jparse_text(p, p->t);
            jparse_want(p, JT_NAME, NULL);
        }
        if (n && n->kind != J_TUPLE) {
            tuple = jparse_node(p, J_TUPLE, n->line);
            jparse_push(p, tuple, n);
            n = tuple;
        }
        if (n)
            jparse_push(p, n, one);
        else
            n = one;
    } while (p->rc == 0 && jparse_skip(p, JT_OP, ","));
    if (brackets)
        jparse_want(p, JT_OP, ")");
    return n;
}
