/* jinja_filters.c - what stands behind |, but for jinja_lists.c. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja_run.h"

/* ---- of strings: those that are methods take what str() makes ---- */

static struct jv
by_method(struct jrun *r, const struct jv *v, struct jargs *a,
          const char *method)
{
    struct jv s = jv_to_string(r, v);

    return r->rc < 0 ? s : jstr_call(r, jstr_method(method), &s, a);
}

#define METHOD_FILTER(name, method) \
    static struct jv \
    filter_##name(struct jrun *r, const struct jv *v, struct jargs *a) \
    { \
        return by_method(r, v, a, method); \
    }

METHOD_FILTER(trim, "strip")
METHOD_FILTER(upper, "upper")
METHOD_FILTER(lower, "lower")
METHOD_FILTER(capitalize, "capitalize")
METHOD_FILTER(title, "title filter") /* not that of str */
METHOD_FILTER(replace, "replace")

static struct jv
filter_string(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "string");
    return jv_to_string(r, v);
}

/* safe: there is no escaping to be kept from. */
static struct jv
filter_safe(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "safe");
    return jv_to_string(r, v);
}

static struct jv
filter_escape(struct jrun *r, const struct jv *v, struct jargs *a)
{
    static const char plain[] = "&<>\"'";
    static const char *const name[] = { "&amp;", "&lt;", "&gt;", "&#34;",
                                        "&#39;" };
    struct jv s = jv_to_string(r, v);
    struct jinja_text t;
    const char *known, *code;

    jargs_end(r, a, "escape");
    jinja_text_init(&t);
    for (size_t i = 0; i < s.u.s->n && jrun_step(r, 1); i++) {
        known = s.u.s->p[i] ? memchr(plain, s.u.s->p[i], 5) : NULL;
        if (!known) {
            jinja_text_str(&t, s.u.s, i, i + 1, &r->like);
            continue;
        }
        code = name[known - plain];
        jinja_text_for(&t, s.u.s, i, code, strlen(code), &r->like);
    }
    s = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return s;
}

/* The lines of s behind pad, the first and empty ones if they are asked for.
 * Whatever ends a line, it is a newline then. */
static void
put_indented(struct jrun *r, struct jinja_text *t, const struct jstr *s,
             const struct jstr *pad, bool first, bool blank)
{
    size_t i = 0, k, end = 0;

    for (; jrun_step(r, 1 + pad->n / 64) && jrun_room(r, t); i = k + end) {
        for (k = i; k < s->n; k++) {
            end = jchar_line_end(s->p + k, s->n - k);
            if (end > 0 || !jrun_step(r, 1))
                break;
        }
        if (i == 0 ? first : blank || k > i)
            jinja_text_str(t, pad, 0, pad->n, &r->like);
        jinja_text_str(t, s, i, k, &r->like);
        /* jinja2 appends a newline to s before it asks for lines */
        if (k == s->n || (k + 1 == s->n && s->p[k] == '\r') || r->rc < 0)
            break;
        jinja_text_for(t, s, k, "\n", 1, &r->like);
    }
}

static struct jv
filter_indent(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv s = jv_to_string(r, v), width = jarg(a, 0, "width");
    struct jv first = jarg(a, 1, "first"), blank = jarg(a, 2, "blank");
    struct jv one = jv_string(&r->arena, " ", 1, JINJA_TEMPLATE);
    struct jinja_text t;
    const struct jstr *pad;

    jargs_end(r, a, "indent");
    if (width.type == JV_UNDEFINED)
        width = jv_int(4);
    if (width.type != JV_STRING)
        width = jbinary(r, JOP_MUL, &one, &width);
    pad = jwant_string(r, &width, "indent");
    jinja_text_init(&t);
    put_indented(r, &t, s.u.s, pad, jv_truth(&first), jv_truth(&blank));
    s = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return s;
}

/* ---- of numbers ---- */

static struct jv
filter_int(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv other = jarg(a, 0, "default");
    char *text, *end;
    double f = NAN;
    int64_t i;

    jargs_end(r, a, "int");
    if (jv_integer(v, &i))
        return jv_int(i);
    if (v->type == JV_STRING && v->u.s->n > 0) {
        text = jarena_dup(&r->arena, v->u.s->p, v->u.s->n);
        errno = 0;
        i = strtoll(text, &end, 10);
        if (*end == '\0' && errno == 0)
            return jv_int(i);
        f = strtod(text, &end);
        if (*end != '\0')
            f = NAN;
    } else if (v->type == JV_FLOAT) {
        f = v->u.f;
    }
    if (v->type == JV_BIG || (isfinite(f) && fabs(f) >= 0x1p63))
        jrun_fail(r, "an integer over 64 bits");
    return fabs(f) < 0x1p63 ? jv_int((int64_t)f) :
           other.type == JV_UNDEFINED ? jv_int(0) : other;
}

static struct jv
filter_float(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv other = jarg(a, 0, "default");
    char *text, *end = NULL;
    double f = 0;

    jargs_end(r, a, "float");
    if (jv_number(v, &f))
        return jv_float(f);
    if (v->type == JV_STRING && v->u.s->n > 0) {
        text = jarena_dup(&r->arena, v->u.s->p, v->u.s->n);
        f = strtod(text, &end);
    }
    return end && *end == '\0' ? jv_float(f) :
           other.type == JV_UNDEFINED ? jv_float(0) : other;
}

static struct jv
filter_abs(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv zero = jv_int(0);

    jargs_end(r, a, "abs");
    return jcompare(r, JOP_LT, v, &zero) ? jbinary(r, JOP_SUB, &zero, v) :
                                           *v;
}

static struct jv
filter_round(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv digits = jarg(a, 0, "precision");
    int64_t n = 0;
    double f = 0, scale;

    jargs_end(r, a, "round");
    if (digits.type != JV_UNDEFINED)
        jwant_int(r, &digits, "round", &n);
    if (!jv_number(v, &f))
        jrun_fail(r, "round of %s", jv_type_name(v));
    if (n < 0 || n > 15)
        jrun_fail(r, "round to %lld digits is not supported", (long long)n);
    scale = pow(10, (double)n);
    return r->rc < 0 ? *v : jv_float(rint(f * scale) / scale);
}

/* ---- of anything ---- */

static struct jv
filter_default(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv other = jarg(a, 0, "default_value");
    struct jv falsy = jarg(a, 1, "boolean");

    jargs_end(r, a, "default");
    if (v->type != JV_UNDEFINED && !(jv_truth(&falsy) && !jv_truth(v)))
        return *v;
    return other.type == JV_UNDEFINED ?
           jv_string(&r->arena, "", 0, JINJA_TEMPLATE) : other;
}

static struct jv
filter_attr(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv name = jarg(a, 0, "name");
    const struct jstr *s = jwant_string(r, &name, "attr");

    jargs_end(r, a, "attr");
    return r->rc < 0 || v->type == JV_DICT ? jv_undefined("attr") :
           jattr(r, v, jarena_dup(&r->arena, s->p, s->n));
}

jfilter *
jfilter_find(const char *name)
{
    static const struct {
        const char *name;
        jfilter *filter;
    } row[] = {
        { "trim", filter_trim }, { "upper", filter_upper },
        { "lower", filter_lower }, { "capitalize", filter_capitalize },
        { "title", filter_title }, { "replace", filter_replace },
        { "string", filter_string }, { "safe", filter_safe },
        { "escape", filter_escape }, { "e", filter_escape },
        { "indent", filter_indent }, { "tojson", jfilter_tojson },
        { "int", filter_int }, { "float", filter_float },
        { "abs", filter_abs }, { "round", filter_round },
        { "default", filter_default }, { "d", filter_default },
        { "attr", filter_attr }
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (strcmp(row[i].name, name) == 0)
            return row[i].filter;
    return jlist_filter_find(name);
}

bool
jparse_known_filter(const char *name)
{
    return jfilter_find(name) != NULL;
}
