/* jinja_run.h - a template being run; private to jinja_*.c.
 *
 * A failure is kept in the run (rc, *e): whoever fails returns something
 * harmless, and every loop and statement looks at rc before it goes on.
 */
#ifndef TEXT_JINJA_RUN_H
#define TEXT_JINJA_RUN_H

#include "text/jinja_tree.h"

struct jvar {
    const char *name;
    struct jv value;
};

/* Variables of a scope, and the scope around it. */
struct jframe {
    struct jframe *up;
    struct jvar *var;
    size_t n, cap;
};

struct jloop {
    const struct jlist *items;
    size_t at;
};

struct jmacro {
    const struct jnode *node;
    struct jframe *frame; /* where it was made */
};

enum jflow { JFLOW_ON, JFLOW_BREAK, JFLOW_CONTINUE };

struct jrun {
    const struct jinja *j;
    struct jarena arena;
    struct jframe *frame;
    struct jinja_text *out;  /* what is printed goes there */
    struct jinja_span like;  /* turn and generation of it */
    enum jflow flow;
    uint64_t steps;
    int depth, line, rc;
    int64_t time;
    struct err *e;
};

void jrun_fail(struct jrun *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Counts n steps and looks at the limits; false when the run has failed. */
bool jrun_step(struct jrun *r, size_t n);

/* Whether a text may grow; false when the run has failed. */
bool jrun_room(struct jrun *r, const struct jinja_text *t);

/* As jdict_put, but for nothing where the run has failed. */
void jrun_put(struct jrun *r, struct jdict *d, struct jv key,
              struct jv value);

void jrun_set(struct jrun *r, const char *name, struct jv v);
struct jframe *jrun_enter(struct jrun *r, struct jframe *up);

struct jv jeval(struct jrun *r, const struct jnode *n);

/* ---- calls ---- */

struct jargs {
    struct jv *v;
    size_t n;
    const char *const *key;
    struct jv *key_value;
    size_t n_keys;
    size_t taken, keys_taken;
};

/* The argument that is the i-th or has that name; undefined without. */
struct jv jarg(struct jargs *a, size_t i, const char *name);

/* Fails where an argument was not taken, what: "filter join". */
void jargs_end(struct jrun *r, const struct jargs *a, const char *what);

struct jv jcall_macro(struct jrun *r, const struct jmacro *m,
                      struct jargs *a, const struct jv *caller);

typedef struct jv jfilter(struct jrun *r, const struct jv *v,
                          struct jargs *a);
jfilter *jfilter_find(const char *name);
jfilter *jlist_filter_find(const char *name);
typedef bool jtest(struct jrun *r, const struct jv *v, struct jargs *a);
jtest *jtest_find(const char *name);

/* A method of a value: of strings, or another. */
struct jmethod_of {
    struct jv self;
    const struct jstr_method *of_string;
    struct jv (*run)(struct jrun *r, const struct jv *self, struct jargs *a);
};
bool jmethod_find(const struct jv *of, const char *name,
                  struct jmethod_of *out);
struct jv jmethod_call(struct jrun *r, const struct jmethod_of *m,
                       struct jargs *a);
const struct jstr_method *jstr_method(const char *name);
struct jv jstr_call(struct jrun *r, const struct jstr_method *m,
                    const struct jv *self, struct jargs *a);

/* A function that every template has, or NULL. */
const struct jfunction *jfunction_find(const char *name);
struct jv jfunction_call(struct jrun *r, const struct jfunction *f,
                         struct jargs *a);

/* ---- operations ---- */

struct jv jattr(struct jrun *r, const struct jv *of, const char *name);
struct jv jitem(struct jrun *r, const struct jv *of, const struct jv *key);
struct jv jslice(struct jrun *r, const struct jv *of, const struct jv *from,
                 const struct jv *to, const struct jv *step);
struct jv jbinary(struct jrun *r, enum jop op, const struct jv *a,
                  const struct jv *b);

/* As jv_equal, and of lists and mappings by what is in them. */
bool jequal(struct jrun *r, const struct jv *a, const struct jv *b);
bool jcompare(struct jrun *r, enum jop op, const struct jv *a,
              const struct jv *b);
size_t jlength(struct jrun *r, const struct jv *v);

/* The items that a loop over v has, as a list. */
struct jlist *jitems(struct jrun *r, const struct jv *v);

/* Appends str(v), as {{ v }} prints it. */
void jprint(struct jrun *r, struct jinja_text *t, const struct jv *v);
struct jv jv_to_string(struct jrun *r, const struct jv *v);
struct jv jjoin(struct jrun *r, const struct jlist *l); /* as strings */
struct jv jdict_items(struct jrun *r, const struct jdict *d);

/* Whether v is a string; fails otherwise, what needs one. */
const struct jstr *jwant_string(struct jrun *r, const struct jv *v,
                                const char *what);
bool jwant_int(struct jrun *r, const struct jv *v, const char *what,
               int64_t *out);

jfilter jfilter_tojson;

#endif
