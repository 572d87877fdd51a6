/* jinja_tests.c - what stands behind `is`. */
#include <string.h>

#include "text/jinja_run.h"

/* Tests of what a value is. */
static bool
is_type(const struct jv *v, const char *name)
{
    static const struct {
        const char *name;
        unsigned types;
    } row[] = {
        { "none", 1u << JV_NONE }, { "string", 1u << JV_STRING },
        { "mapping", 1u << JV_DICT }, { "boolean", 1u << JV_BOOL },
        { "integer", 1u << JV_INT | 1u << JV_BIG },
        { "float", 1u << JV_FLOAT }, { "undefined", 1u << JV_UNDEFINED },
        { "number", 1u << JV_INT | 1u << JV_BIG | 1u << JV_FLOAT
                    | 1u << JV_BOOL },
        { "callable", 1u << JV_MACRO | 1u << JV_FUNCTION | 1u << JV_METHOD },
        { "iterable", 1u << JV_STRING | 1u << JV_LIST | 1u << JV_DICT
                      | 1u << JV_UNDEFINED },
        { "sequence", 1u << JV_STRING | 1u << JV_LIST | 1u << JV_DICT
                      | 1u << JV_UNDEFINED }
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (strcmp(row[i].name, name) == 0)
            return row[i].types >> v->type & 1;
    return false;
}

#define TYPE_TEST(name) \
    static bool \
    test_##name(struct jrun *r, const struct jv *v, struct jargs *a) \
    { \
        jargs_end(r, a, #name); \
        return is_type(v, #name); \
    }

TYPE_TEST(none)
TYPE_TEST(string)
TYPE_TEST(mapping)
TYPE_TEST(boolean)
TYPE_TEST(integer)
TYPE_TEST(float)
TYPE_TEST(undefined)
TYPE_TEST(number)
TYPE_TEST(callable)
TYPE_TEST(iterable)

static bool
test_sequence(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "sequence");
    return is_type(v, "sequence")
           && (v->type != JV_LIST || v->u.l->kind <= JLIST_TUPLE);
}

static bool
test_defined(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "defined");
    return v->type != JV_UNDEFINED;
}

static bool
test_true(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "true");
    return v->type == JV_BOOL && v->u.b;
}

static bool
test_false(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "false");
    return v->type == JV_BOOL && !v->u.b;
}

static bool
divides(struct jrun *r, const struct jv *v, int64_t by, int64_t rest)
{
    int64_t i = 0;

    jwant_int(r, v, "a test of numbers", &i);
    if (by == 0 || by == -1)
        return by == -1;
    return (i % by + by) % by == rest;
}

static bool
test_odd(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "odd");
    return divides(r, v, 2, 1);
}

static bool
test_even(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "even");
    return divides(r, v, 2, 0);
}

static bool
test_divisible(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv by = jarg(a, 0, "num");
    int64_t n = 1;

    jargs_end(r, a, "divisibleby");
    if (jwant_int(r, &by, "divisibleby", &n) && n == 0)
        jrun_fail(r, "a division by zero");
    return n > INT32_MIN && n < INT32_MAX && divides(r, v, n < 0 ? -n : n, 0);
}

static bool
compare(struct jrun *r, enum jop op, const struct jv *v, struct jargs *a)
{
    struct jv other = jarg(a, 0, NULL);

    jargs_end(r, a, "a comparison");
    return jcompare(r, op, v, &other);
}

#define COMPARE_TEST(name, op) \
    static bool \
    test_##name(struct jrun *r, const struct jv *v, struct jargs *a) \
    { \
        return compare(r, op, v, a); \
    }

COMPARE_TEST(eq, JOP_EQ)
COMPARE_TEST(ne, JOP_NE)
COMPARE_TEST(lt, JOP_LT)
COMPARE_TEST(le, JOP_LE)
COMPARE_TEST(gt, JOP_GT)
COMPARE_TEST(ge, JOP_GE)
COMPARE_TEST(in, JOP_IN)

static bool
cased(struct jrun *r, const struct jv *v, const char *method)
{
    struct jv s = jv_to_string(r, v);
    struct jargs none = { 0 };

    s = jstr_call(r, jstr_method(method), &s, &none);
    return jv_truth(&s);
}

static bool
test_upper(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "upper");
    return cased(r, v, "isupper");
}

static bool
test_lower(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "lower");
    return cased(r, v, "islower");
}

jtest *
jtest_find(const char *name)
{
    static const struct {
        const char *name;
        jtest *test;
    } row[] = {
        { "defined", test_defined }, { "undefined", test_undefined },
        { "none", test_none }, { "string", test_string },
        { "mapping", test_mapping }, { "boolean", test_boolean },
        { "integer", test_integer }, { "float", test_float },
        { "number", test_number }, { "callable", test_callable },
        { "iterable", test_iterable }, { "sequence", test_sequence },
        { "true", test_true }, { "false", test_false }, { "odd", test_odd },
        { "even", test_even }, { "divisibleby", test_divisible },
        { "eq", test_eq }, { "equalto", test_eq }, { "==", test_eq },
        { "ne", test_ne }, { "!=", test_ne }, { "lt", test_lt },
        { "lessthan", test_lt }, { "<", test_lt }, { "le", test_le },
        { "<=", test_le }, { "gt", test_gt }, { "greaterthan", test_gt },
        { ">", test_gt }, { "ge", test_ge }, { ">=", test_ge },
        { "in", test_in }, { "upper", test_upper }, { "lower", test_lower }
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (strcmp(row[i].name, name) == 0)
            return row[i].test;
    return NULL;
}

bool
jparse_known_test(const char *name)
{
    return jtest_find(name) != NULL;
}
