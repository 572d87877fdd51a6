/* jinja_tree.h - a template as tokens and as a tree; private to jinja_*.c. */
#ifndef TEXT_JINJA_TREE_H
#define TEXT_JINJA_TREE_H

#include <stdarg.h>

#include "text/jinja.h"
#include "text/jinja_value.h"
#include "text/uset.h"

enum jtoken_kind {
    JT_DATA, JT_PRINT_BEGIN, JT_PRINT_END, JT_BLOCK_BEGIN, JT_BLOCK_END,
    JT_NAME, JT_STRING, JT_INT, JT_FLOAT, JT_OP, JT_EOF
};

struct jtoken {
    enum jtoken_kind kind;
    int line;
    const char *p; /* the text of data, names, decoded strings, operators */
    size_t n;
    int64_t i;
    double f;
};

enum jnode_kind {
    /* expressions */
    J_CONST, J_NAME, J_LIST, J_TUPLE, J_DICT, J_ATTR, J_ITEM, J_SLICE,
    J_CALL, J_FILTER, J_TEST, J_NOT, J_NEG, J_POS, J_AND, J_OR, J_IFELSE,
    J_CONCAT, J_BINARY, J_COMPARE,
    /* statements */
    J_BODY, J_DATA, J_PRINT, J_FOR, J_IF, J_SET, J_SET_BODY, J_MACRO,
    J_CALL_BODY, J_FILTER_BODY, J_GENERATION, J_BREAK, J_CONTINUE, J_WITH
};

enum jop {
    JOP_ADD, JOP_SUB, JOP_MUL, JOP_DIV, JOP_FLOORDIV, JOP_MOD, JOP_POW,
    JOP_EQ, JOP_NE, JOP_LT, JOP_LE, JOP_GT, JOP_GE, JOP_IN, JOP_NOT_IN
};

/* What the parts of a node mean:
 *
 *   const value; name name; list, tuple, concat item; dict item: keys and
 *   values in turn; attr a.name; item a[b]; slice item: start, stop, step,
 *   each may be NULL; call a(item, key=); filter a|name(item, key=), a NULL
 *   for what a block puts in; test a is name(item, key=); not, neg, pos a;
 *   and, or a b; ifelse a if b else c (c may be NULL); binary a op b;
 *   compare a, then item: nodes with op and b
 *
 *   body item; data value; print a; for target a in b if c: item[0] the body,
 *   item[1] the else; if item: test, body in turn, at last an else; set
 *   target a to b; set_body target a, filter b, body c; macro name(key=item):
 *   item NULL without a default, a the body; call_body call a, macro b;
 *   filter_body filter a, body b; generation a; with: item: target and value
 *   in turn, a the body
 */
struct jnode {
    uint8_t kind, op;
    int line;
    const char *name;
    struct jv value;
    struct jnode *a, *b, *c;
    struct jnode **item;
    size_t n;         /* items */
    const char **key; /* names of keyword arguments */
    struct jnode **key_value;
    size_t n_keys;
};

struct jinja {
    struct jarena arena;
    char *where;
    struct buf source;
    struct jtoken *token;
    size_t n_tokens;
    struct jnode *body;
    bool generation;
    struct uset hidden; /* characters that Python's repr escapes */
};

/* Fills source's tokens. */
int jinja_lex(struct jinja *j, struct err *e);

/* ERR_DATA "WHERE:LINE: TEXT". */
int jinja_fail(const struct jinja *j, int line, struct err *e,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int jinja_vfail(const struct jinja *j, int line, struct err *e,
                const char *fmt, va_list ap);

/* ---- parsing ---- */

struct jparser {
    struct jinja *j;
    const struct jtoken *t; /* the next */
    int depth, rc;          /* rc < 0: it has failed, *e is set */
    bool in_loop;
    struct err *e;
};

struct jnode *jparse_node(struct jparser *p, enum jnode_kind kind, int line);
void jparse_push(struct jparser *p, struct jnode *of, struct jnode *item);
void jparse_key(struct jparser *p, struct jnode *of, const char *name,
                struct jnode *value);
bool jparse_known_filter(const char *name);
bool jparse_known_test(const char *name);
void jparse_fail(struct jparser *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool jparse_is(const struct jparser *p, enum jtoken_kind kind,
               const char *text);
bool jparse_skip(struct jparser *p, enum jtoken_kind kind, const char *text);
void jparse_want(struct jparser *p, enum jtoken_kind kind, const char *text);
bool jparse_deeper(struct jparser *p);
const char *jparse_text(const struct jparser *p, const struct jtoken *t);

/* An expression; a tuple where commas follow. if_else false: as what stands
 * before the if of a loop. */
struct jnode *jparse_expr(struct jparser *p, bool if_else);
struct jnode *jparse_tuple(struct jparser *p, bool if_else);
struct jnode *jparse_target(struct jparser *p, bool attribute);
struct jnode *jparse_filter(struct jparser *p, struct jnode *of);

#endif
