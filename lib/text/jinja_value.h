/* jinja_value.h - the values of a template, and the memory that they are in;
 * private to jinja_*.c.
 *
 * Values are never changed, but for namespaces. All memory is of an arena and
 * goes when the run is over.
 */
#ifndef TEXT_JINJA_VALUE_H
#define TEXT_JINJA_VALUE_H

#include "text/jinja.h"

/* ---- memory ---- */

struct jarena {
    struct jchunk *chunk;
    size_t left, used;
};

void jarena_init(struct jarena *a);
void jarena_release(struct jarena *a);
void *jarena_get(struct jarena *a, size_t n); /* zeroed */
char *jarena_dup(struct jarena *a, const char *p, size_t n); /* with a NUL */

/* ---- values ---- */

enum jv_type {
    JV_UNDEFINED, JV_NONE, JV_BOOL, JV_INT, JV_BIG, JV_FLOAT, JV_STRING,
    JV_LIST, JV_DICT, JV_NAMESPACE, JV_LOOP, JV_MACRO, JV_FUNCTION,
    JV_METHOD
};

struct jv {
    enum jv_type type;
    union {
        bool b;
        int64_t i;
        double f;
        const char *name;       /* undefined: what of; big: its digits */
        const struct jstr *s;
        struct jlist *l;
        struct jdict *d;        /* of a namespace, too */
        const struct jloop *loop;
        const struct jmacro *macro;
        const struct jfunction *function;
        const struct jmethod_of *method;
    } u;
};

/* A string; span NULL: all of it is the template's. */
struct jstr {
    const char *p;
    size_t n;
    const struct jinja_span *span;
    size_t n_spans;
};

enum jlist_kind { JLIST_LIST, JLIST_TUPLE, JLIST_VIEW, JLIST_ITERATOR };

struct jlist {
    enum jlist_kind kind; /* a view: keys, values, items of a dict */
    struct jv *item;
    size_t n, cap;
    int depth; /* how deep lists and mappings lie in it, itself with them */
};

struct jdict {
    struct jv *key, *value;
    size_t n, cap;
    int depth;
    uint32_t message; /* it is this message: its number + 1 */
};

struct jinja_vars {
    struct jarena arena;
    struct jdict *vars;
    struct jlist *messages;
    int64_t time;
};

struct jv jv_undefined(const char *name);
struct jv jv_none(void);
struct jv jv_bool(bool b);
struct jv jv_int(int64_t i);
struct jv jv_float(double f);
struct jv jv_list(struct jlist *l);
struct jv jv_dict(struct jdict *d);

/* A string of p[n], not copied, all of one origin. */
struct jv jv_string(struct jarena *a, const char *p, size_t n,
                    uint32_t origin);

struct jlist *jlist_new(struct jarena *a, enum jlist_kind kind);
void jlist_add(struct jarena *a, struct jlist *l, struct jv v);
struct jdict *jdict_new(struct jarena *a);

/* Adds a key that is not there yet; the others may set one that is. */
void jdict_add(struct jarena *a, struct jdict *d, struct jv key,
               struct jv value);
void jdict_put(struct jarena *a, struct jdict *d, struct jv key,
               struct jv value);
void jdict_put_name(struct jarena *a, struct jdict *d, const char *name,
                    struct jv value);

/* NULL: there is none. */
struct jv *jdict_get(const struct jdict *d, const struct jv *key);
struct jv *jdict_get_name(const struct jdict *d, const char *name, size_t n);

int jv_depth(const struct jv *v); /* 0 but for lists and mappings */
bool jv_truth(const struct jv *v);
bool jv_is(const struct jv *v, const char *text); /* that string */
bool jv_number(const struct jv *v, double *out);  /* int, bool or float */
bool jv_integer(const struct jv *v, int64_t *out); /* int or bool */

/* Of lists and mappings, whether they are the same one. */
bool jv_equal(const struct jv *a, const struct jv *b);

/* "string", "list" and so on. */
const char *jv_type_name(const struct jv *v);

/* The value that comes next in JSON that json_check has passed. */
struct json;
struct jv jv_of_json(struct jarena *a, struct json *j, uint32_t origin);

/* ---- text being made ---- */

void jinja_text_add(struct jinja_text *t, const char *p, size_t n,
                    const struct jinja_span *like);

/* Appends s[from..to) with its origins; the rest of each span as in *like. */
void jinja_text_str(struct jinja_text *t, const struct jstr *s, size_t from,
                    size_t to, const struct jinja_span *like);

/* Appends p[n], which stands for the character s[at], with its origin. */
void jinja_text_for(struct jinja_text *t, const struct jstr *s, size_t at,
                    const char *p, size_t n, const struct jinja_span *like);

/* s[from..to) as a string, not copied. */
struct jv jstr_part(struct jarena *a, const struct jstr *s, size_t from,
                    size_t to);

/* What was made, as a string of the arena; *t is empty again. */
struct jv jinja_text_take(struct jinja_text *t, struct jarena *a);

/* Bytes of the character at p, 1 where it is no UTF-8. */
size_t jchar_len(const char *p, size_t n);
size_t jchar_count(const char *p, size_t n);

/* Whether Python's str.isspace has the character at p; its length. */
bool jchar_space(const char *p, size_t n, size_t *len);

/* Bytes of what ends a line at p[n], n > 0, as str.splitlines has it; 0:
 * nothing does. */
size_t jchar_line_end(const char *p, size_t n);

#endif
