/* jinja_ops.c - what values can do: attributes, items, slices, arithmetic,
 * comparison, and being looped over.
 */
#include <math.h>
#include <string.h>

#include "text/jinja_run.h"

/* ---- what is wanted ---- */

const struct jstr *
jwant_string(struct jrun *r, const struct jv *v, const char *what)
{
    static const struct jstr empty = { .p = "" };

    if (v->type == JV_STRING)
        return v->u.s;
    if (v->type == JV_UNDEFINED && v->u.name)
        jrun_fail(r, "%s: '%s' is undefined", what, v->u.name);
    else
        jrun_fail(r, "%s needs a string (found %s)", what, jv_type_name(v));
    return &empty;
}

bool
jwant_int(struct jrun *r, const struct jv *v, const char *what, int64_t *out)
{
    if (jv_integer(v, out))
        return true;
    jrun_fail(r, "%s needs an integer (found %s)", what, jv_type_name(v));
    return false;
}

/* ---- parts ---- */

static struct jv
loop_attr(const struct jloop *l, const char *name)
{
    int64_t at = (int64_t)l->at, n = (int64_t)l->items->n;
    const struct {
        const char *name;
        struct jv v;
    } row[] = {
        { "index0", jv_int(at) }, { "index", jv_int(at + 1) },
        { "first", jv_bool(at == 0) }, { "last", jv_bool(at + 1 == n) },
        { "length", jv_int(n) }, { "revindex", jv_int(n - at) },
        { "revindex0", jv_int(n - at - 1) },
        { "previtem", at > 0 ? l->items->item[at - 1] :
                               jv_undefined("there is no previous item") },
        { "nextitem", at + 1 < n ? l->items->item[at + 1] :
                                   jv_undefined("there is no next item") }
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (strcmp(row[i].name, name) == 0)
            return row[i].v;
    return jv_undefined(name);
}

/* The attribute of a value; a method or, of a loop or namespace, a value. */
static bool
find_attr(struct jrun *r, const struct jv *of, const char *name,
          struct jv *out)
{
    struct jmethod_of m, *bound;
    const struct jv *v;

    if (jmethod_find(of, name, &m)) {
        bound = jarena_get(&r->arena, sizeof(*bound));
        *bound = m;
        *out = (struct jv){ .type = JV_METHOD, .u.method = bound };
        return true;
    }
    if (of->type == JV_LOOP) {
        *out = loop_attr(of->u.loop, name);
        return true;
    }
    if (of->type != JV_NAMESPACE)
        return false;
    v = jdict_get_name(of->u.d, name, strlen(name));
    *out = v ? *v : jv_undefined(name);
    return true;
}

struct jv
jattr(struct jrun *r, const struct jv *of, const char *name)
{
    const struct jv *v = NULL;
    struct jv out;

    if (of->type == JV_UNDEFINED) {
        jrun_fail(r, "'%s' is undefined", of->u.name);
        return jv_none();
    }
    if (strncmp(name, "__", 2) == 0) {
        jrun_fail(r, "the attribute %s is not supported", name);
        return jv_none();
    }
    if (find_attr(r, of, name, &out))
        return out;
    if (of->type == JV_DICT && jrun_step(r, of->u.d->n / 16))
        v = jdict_get_name(of->u.d, name, strlen(name));
    return v ? *v : jv_undefined(name);
}

/* The i-th character. */
static struct jv
char_at(struct jrun *r, const struct jstr *s, int64_t i)
{
    size_t at = 0;
    int64_t n = (int64_t)jchar_count(s->p, s->n);

    if (i < 0)
        i += n;
    if (i < 0 || i >= n)
        return jv_undefined("an item out of range");
    for (; i > 0; i--)
        at += jchar_len(s->p + at, s->n - at);
    return jstr_part(&r->arena, s, at,
                     at + jchar_len(s->p + at, s->n - at));
}

struct jv
jitem(struct jrun *r, const struct jv *of, const struct jv *key)
{
    const struct jstr *name = key->type == JV_STRING ? key->u.s : NULL;
    const struct jv *v;
    struct jv out;
    int64_t i;

    if (of->type == JV_UNDEFINED) {
        jrun_fail(r, "'%s' is undefined", of->u.name);
        return jv_none();
    }
    if (of->type == JV_DICT && jrun_step(r, of->u.d->n / 16)) {
        v = jdict_get(of->u.d, key);
        if (v)
            return *v;
    }
    if (jv_integer(key, &i) && of->type == JV_STRING)
        return char_at(r, of->u.s, i);
    if (jv_integer(key, &i) && of->type == JV_LIST
        && of->u.l->kind <= JLIST_TUPLE) {
        if (i < 0)
            i += (int64_t)of->u.l->n;
        return i >= 0 && (uint64_t)i < of->u.l->n ? of->u.l->item[i] :
               jv_undefined("an item out of range");
    }
    if (name && find_attr(r, of, jarena_dup(&r->arena, name->p, name->n),
                          &out))
        return out;
    return jv_undefined(name ? jarena_dup(&r->arena, name->p, name->n) :
                        "an item");
}

/* Python's slice.indices for n items. */
static bool
slice_bounds(struct jrun *r, const struct jv *from, const struct jv *to,
             int64_t step, int64_t n, int64_t out[2])
{
    const struct jv *part[] = { from, to };
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;

    for (int i = 0; i < 2; i++) {
        if (part[i]->type == JV_NONE) {
            out[i] = (i == 0) == (step < 0) ? high : low;
            continue;
        }
        if (!jwant_int(r, part[i], "a slice", &out[i]))
            return false;
        if (out[i] < 0)
            out[i] = out[i] < -n ? low : out[i] + n;
        out[i] = out[i] < low ? low : out[i] > high ? high : out[i];
    }
    return true;
}

/* The items from bound[0] on, up to bound[1]. */
static struct jlist *
every(struct jrun *r, const struct jlist *all, const int64_t bound[2],
      int64_t step, enum jlist_kind kind)
{
    struct jlist *l = jlist_new(&r->arena, kind);

    for (int64_t i = bound[0]; step > 0 ? i < bound[1] : i > bound[1];) {
        jlist_add(&r->arena, l, all->item[i]);
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    return l;
}

struct jv
jslice(struct jrun *r, const struct jv *of, const struct jv *from,
       const struct jv *to, const struct jv *step_of)
{
    const struct jstr *s = of->type == JV_STRING ? of->u.s : NULL;
    const struct jlist *all = of->type == JV_LIST ? of->u.l : NULL;
    int64_t step = 1, bound[2], n;
    size_t at[2] = { 0, 0 };

    if (!s && (!all || all->kind > JLIST_TUPLE)) {
        jrun_fail(r, "%s has no slices", jv_type_name(of));
        return jv_none();
    }
    if (step_of->type != JV_NONE && !jwant_int(r, step_of, "a slice", &step))
        return jv_none();
    if (step == 0) {
        jrun_fail(r, "a slice whose step is 0");
        return jv_none();
    }
    if (s && step != 1)
        all = jitems(r, of);
    n = (int64_t)(all ? all->n : jchar_count(s->p, s->n));
    if (!jrun_step(r, (size_t)n)
        || !slice_bounds(r, from, to, step, n, bound))
        return jv_none();
    if (!all) {
        for (int i = 0; i < 2; i++)
            for (int64_t k = 0; k < bound[i]; k++)
                at[i] += jchar_len(s->p + at[i], s->n - at[i]);
        return jstr_part(&r->arena, s, at[0], at[1] > at[0] ? at[1] : at[0]);
    }
    if (s)
        return jjoin(r, every(r, all, bound, step, JLIST_LIST));
    return jv_list(every(r, all, bound, step, all->kind));
}

size_t
jlength(struct jrun *r, const struct jv *v)
{
    switch (v->type) {
    case JV_UNDEFINED:
        return 0;
    case JV_STRING:
        jrun_step(r, v->u.s->n / 64);
        return jchar_count(v->u.s->p, v->u.s->n);
    case JV_DICT:
        return v->u.d->n;
    case JV_LIST:
        if (v->u.l->kind != JLIST_ITERATOR)
            return v->u.l->n;
        break;
    default:
        break;
    }
    jrun_fail(r, "%s has no length", v->type == JV_LIST ? "an iterator" :
              jv_type_name(v));
    return 0;
}

struct jlist *
jitems(struct jrun *r, const struct jv *v)
{
    struct jlist *l;
    size_t len;

    if (v->type == JV_LIST)
        return v->u.l;
    l = jlist_new(&r->arena, JLIST_LIST);
    if (v->type == JV_STRING) {
        for (size_t i = 0; i < v->u.s->n && jrun_step(r, 1); i += len) {
            len = jchar_len(v->u.s->p + i, v->u.s->n - i);
            jlist_add(&r->arena, l, jstr_part(&r->arena, v->u.s, i,
                                              i + len));
        }
    } else if (v->type == JV_DICT) {
        for (size_t i = 0; i < v->u.d->n; i++)
            jlist_add(&r->arena, l, v->u.d->key[i]);
    } else if (v->type != JV_UNDEFINED) {
        jrun_fail(r, "%s can't be looped over", jv_type_name(v));
    }
    return l;
}

/* ---- arithmetic ---- */

static int64_t
floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;

    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t
floor_mod(int64_t a, int64_t b)
{
    int64_t rest = a % b;

    return rest != 0 && (a < 0) != (b < 0) ? rest + b : rest;
}

static bool
power(int64_t a, int64_t b, int64_t *out)
{
    *out = 1;
    if (b > 64 && (a > 1 || a < -1))
        return false;
    for (b = b > 64 ? 64 + b % 2 : b; b > 0; b--)
        if (__builtin_mul_overflow(*out, a, out))
            return false;
    return true;
}

/* False where the result is no 64-bit integer. */
static bool
integers(enum jop op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case JOP_ADD:
        return !__builtin_add_overflow(a, b, out);
    case JOP_SUB:
        return !__builtin_sub_overflow(a, b, out);
    case JOP_MUL:
        return !__builtin_mul_overflow(a, b, out);
    case JOP_POW:
        return b >= 0 && power(a, b, out);
    default:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *out = op == JOP_MOD ? floor_mod(a, b) : floor_div(a, b);
        return true;
    }
}

static double
floats(enum jop op, double a, double b)
{
    switch (op) {
    case JOP_ADD:
        return a + b;
    case JOP_SUB:
        return a - b;
    case JOP_MUL:
        return a * b;
    case JOP_POW:
        return pow(a, b);
    case JOP_DIV:
        return a / b;
    case JOP_FLOORDIV:
        return floor(a / b);
    default:
        return a - floor(a / b) * b;
    }
}

static struct jv
numbers(struct jrun *r, enum jop op, const struct jv *a, const struct jv *b)
{
    int64_t i, k, out = 0;
    double x = 0, y = 0;

    jv_number(a, &x);
    jv_number(b, &y);
    if (y == 0 && (op == JOP_DIV || op == JOP_FLOORDIV || op == JOP_MOD)) {
        jrun_fail(r, "a division by zero");
    } else if (op != JOP_DIV && jv_integer(a, &i) && jv_integer(b, &k)
               && !(op == JOP_POW && k < 0)) {
        if (!integers(op, i, k, &out))
            jrun_fail(r, "an integer over 64 bits");
        return jv_int(out);
    }
    return r->rc < 0 ? jv_none() : jv_float(floats(op, x, y));
}

static struct jv
repeat(struct jrun *r, const struct jv *v, const struct jv *times)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_LIST);
    int64_t n = 0;

    jv_integer(times, &n);
    for (; n > 0 && jrun_step(r, 1); n--)
        if (v->type == JV_STRING)
            jlist_add(&r->arena, l, *v);
        else
            for (size_t i = 0; i < v->u.l->n && jrun_step(r, 1); i++)
                jlist_add(&r->arena, l, v->u.l->item[i]);
    return v->type == JV_STRING ? jjoin(r, l) : jv_list(l);
}

static struct jv
add_lists(struct jrun *r, const struct jlist *a, const struct jlist *b)
{
    struct jlist *l = jlist_new(&r->arena, a->kind);

    for (size_t i = 0; i < a->n + b->n && jrun_step(r, 1); i++)
        jlist_add(&r->arena, l, i < a->n ? a->item[i] : b->item[i - a->n]);
    return jv_list(l);
}

/* All strings of the list as one. */
struct jv
jjoin(struct jrun *r, const struct jlist *l)
{
    struct jinja_text t;
    struct jv v;

    jinja_text_init(&t);
    for (size_t i = 0; i < l->n && r->rc == 0; i++)
        jprint(r, &t, &l->item[i]);
    v = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return v;
}

struct jv
jbinary(struct jrun *r, enum jop op, const struct jv *a, const struct jv *b)
{
    static const char *const sign[] = { "+", "-", "*", "/", "//", "%",
                                        "**" };
    const struct jv *undefined = a->type == JV_UNDEFINED ? a :
                                 b->type == JV_UNDEFINED ? b : NULL;
    double x;
    int64_t i;

    if (jv_number(a, &x) && jv_number(b, &x))
        return numbers(r, op, a, b);
    if (op == JOP_ADD && a->type == JV_STRING && b->type == JV_STRING) {
        struct jv both[] = { *a, *b };
        struct jlist l = { .item = both, .n = 2 };

        return jjoin(r, &l);
    }
    if (op == JOP_ADD && a->type == JV_LIST && b->type == JV_LIST
        && a->u.l->kind == b->u.l->kind && a->u.l->kind <= JLIST_TUPLE)
        return add_lists(r, a->u.l, b->u.l);
    if (op == JOP_MUL && jv_integer(b, &i)
        && (a->type == JV_STRING || a->type == JV_LIST))
        return repeat(r, a, b);
    if (op == JOP_MUL && jv_integer(a, &i)
        && (b->type == JV_STRING || b->type == JV_LIST))
        return repeat(r, b, a);
    if (undefined)
        jrun_fail(r, "'%s' is undefined", undefined->u.name);
    else
        jrun_fail(r, "%s of %s and %s", sign[op], jv_type_name(a),
                  jv_type_name(b));
    return jv_none();
}

/* ---- comparison ---- */

static bool
lists_equal(struct jrun *r, const struct jlist *a, const struct jlist *b)
{
    bool same = a == b || (a->n == b->n && a->kind == b->kind
                           && a->kind != JLIST_ITERATOR);

    for (size_t i = 0; a != b && same && i < a->n; i++)
        same = jequal(r, &a->item[i], &b->item[i]);
    return same;
}

static bool
dicts_equal(struct jrun *r, const struct jdict *a, const struct jdict *b)
{
    const struct jv *other;
    bool same = a == b || a->n == b->n;

    for (size_t i = 0; a != b && same && i < a->n; i++) {
        other = jrun_step(r, b->n / 16) ? jdict_get(b, &a->key[i]) : NULL;
        same = other && jequal(r, &a->value[i], other);
    }
    return same;
}

bool
jequal(struct jrun *r, const struct jv *a, const struct jv *b)
{
    if (!jrun_step(r, 1 + (a->type == JV_STRING ? a->u.s->n / 64 : 0)))
        return false;
    if (a->type == JV_LIST && b->type == JV_LIST)
        return lists_equal(r, a->u.l, b->u.l);
    if (a->type == JV_DICT && b->type == JV_DICT)
        return dicts_equal(r, a->u.d, b->u.d);
    return jv_equal(a, b);
}

static bool
contains(struct jrun *r, const struct jv *in, const struct jv *v)
{
    bool found = false;

    if (in->type == JV_STRING && v->type == JV_STRING) {
        if (!jrun_step(r, in->u.s->n / 64))
            return false;
        return v->u.s->n == 0 || memmem(in->u.s->p, in->u.s->n, v->u.s->p,
                                        v->u.s->n);
    }
    if (in->type == JV_DICT)
        return jrun_step(r, in->u.d->n / 16) && jdict_get(in->u.d, v);
    if (in->type == JV_LIST || in->type == JV_UNDEFINED) {
        const struct jlist *l = jitems(r, in);

        for (size_t i = 0; i < l->n && !found && r->rc == 0; i++)
            found = jequal(r, &l->item[i], v);
        return found;
    }
    jrun_fail(r, "in of %s and %s", jv_type_name(v), jv_type_name(in));
    return false;
}

/* < 0, 0 or > 0; fails where there is no order. */
static int
order(struct jrun *r, const struct jv *a, const struct jv *b)
{
    double x, y;
    size_t n;
    int c;

    if (jv_number(a, &x) && jv_number(b, &y))
        return (x > y) - (x < y);
    if (a->type == JV_STRING && b->type == JV_STRING) {
        n = a->u.s->n < b->u.s->n ? a->u.s->n : b->u.s->n;
        jrun_step(r, n / 64);
        c = memcmp(a->u.s->p, b->u.s->p, n);
        return c ? c : (a->u.s->n > b->u.s->n) - (a->u.s->n < b->u.s->n);
    }
    jrun_fail(r, "no order between %s and %s", jv_type_name(a),
              jv_type_name(b));
    return 0;
}

bool
jcompare(struct jrun *r, enum jop op, const struct jv *a, const struct jv *b)
{
    int c;

    if (op == JOP_EQ || op == JOP_NE)
        return jequal(r, a, b) == (op == JOP_EQ);
    if (op == JOP_IN || op == JOP_NOT_IN)
        return contains(r, b, a) == (op == JOP_IN) && r->rc == 0;
    c = order(r, a, b);
    return op == JOP_LT ? c < 0 : op == JOP_LE ? c <= 0 :
           op == JOP_GT ? c > 0 : c >= 0;
}
