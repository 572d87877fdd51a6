/* jinja_print.c - values as text: str() and repr() as Python has them, and
 * tojson, which is json.dumps.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/jinja_run.h"
#include "text/uclass.h"

/* ---- pieces ---- */

static void
put(struct jrun *r, struct jinja_text *t, const char *p, size_t n)
{
    struct jinja_span like = r->like;

    like.origin = JINJA_TEMPLATE;
    if (r->rc == 0)
        jinja_text_add(t, p, n, &like);
}

static void
put_c(struct jrun *r, struct jinja_text *t, const char *s)
{
    put(r, t, s, strlen(s));
}

/* As Python's repr of a float: the shortest digits that read back. */
static void
print_float(char text[48], double f)
{
    char digits[32];
    int n, exponent;
    char *e;

    if (!isfinite(f)) {
        snprintf(text, 48, "%s", isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    for (n = 0; n < 17; n++) {
        snprintf(digits, sizeof(digits), "%.*e", n, f);
        if (strtod(digits, NULL) == f)
            break;
    }
    e = strchr(digits, 'e');
    exponent = (int)strtol(e + 1, NULL, 10);
    if (exponent >= -4 && exponent < 16) {
        n = n > exponent ? n - exponent : 0;
        snprintf(text, 48, "%.*f", n > 0 ? n : 1, f);
    } else {
        *e = '\0';
        snprintf(text, 48, "%.24se%c%02d", digits, exponent < 0 ? '-' : '+',
                 abs(exponent));
    }
}

/* None, booleans and numbers; false for the rest. */
static bool
print_plain(struct jrun *r, struct jinja_text *t, const struct jv *v,
            const char *const words[3])
{
    char text[48];

    switch (v->type) {
    case JV_NONE:
        put_c(r, t, words[0]);
        return true;
    case JV_BOOL:
        put_c(r, t, words[v->u.b ? 1 : 2]);
        return true;
    case JV_INT:
        snprintf(text, sizeof(text), "%lld", (long long)v->u.i);
        put_c(r, t, text);
        return true;
    case JV_BIG:
        put_c(r, t, v->u.name);
        return true;
    case JV_FLOAT:
        print_float(text, v->u.f);
        put_c(r, t, text);
        return true;
    default:
        return false;
    }
}

/* ---- str and repr ---- */

static void print_repr(struct jrun *r, struct jinja_text *t,
                       const struct jv *v);

static void
print_list(struct jrun *r, struct jinja_text *t, const struct jlist *l)
{
    bool tuple = l->kind == JLIST_TUPLE;

    if (l->kind != JLIST_LIST && !tuple) {
        jrun_fail(r, "printing a view or an iterator is not supported (use "
                  "|list)");
        return;
    }
    put_c(r, t, tuple ? "(" : "[");
    for (size_t i = 0; i < l->n && r->rc == 0; i++) {
        put_c(r, t, i > 0 ? ", " : "");
        print_repr(r, t, &l->item[i]);
    }
    put_c(r, t, tuple ? l->n == 1 ? ",)" : ")" : "]");
}

static void
print_dict(struct jrun *r, struct jinja_text *t, const struct jdict *d)
{
    put_c(r, t, "{");
    for (size_t i = 0; i < d->n && r->rc == 0; i++) {
        put_c(r, t, i > 0 ? ", " : "");
        print_repr(r, t, &d->key[i]);
        put_c(r, t, ": ");
        print_repr(r, t, &d->value[i]);
    }
    put_c(r, t, "}");
}

/* What repr has for the character at p[n]: "" for itself. Returns how many
 * bytes it has. A byte that is no UTF-8 stands for itself. */
static size_t
escape(const struct uset *hidden, char quote, const char *p, size_t n,
       char text[12])
{
    static const char plain[] = "\n\r\t\\", letter[] = "nrt\\";
    const char *known = *p ? memchr(plain, *p, 4) : NULL;
    uint32_t code;
    size_t len = uclass_char((const uint8_t *)p, n, &code);
    bool valid = len > 1 || !(*p & 0x80);

    *text = '\0';
    if (known)
        snprintf(text, 12, "\\%c", letter[known - plain]);
    else if (*p == quote)
        snprintf(text, 12, "\\%c", quote);
    else if (valid && code != ' ' && uset_has(hidden, code))
        snprintf(text, 12, code < 0x100 ? "\\x%02x" : code < 0x10000 ?
                 "\\u%04x" : "\\U%08x", code);
    return len;
}

/* In quotes, with escapes as repr has them. */
static void
print_quoted(struct jrun *r, struct jinja_text *t, const struct jstr *s)
{
    bool twice = memchr(s->p, '\'', s->n) && !memchr(s->p, '"', s->n);
    const char *quote = twice ? "\"" : "'";
    char text[12];
    size_t len;

    put_c(r, t, quote);
    for (size_t i = 0; i < s->n; i += len) {
        len = escape(&r->j->hidden, *quote, s->p + i, s->n - i, text);
        if (*text)
            jinja_text_for(t, s, i, text, strlen(text), &r->like);
        else
            jinja_text_str(t, s, i, i + len, &r->like);
    }
    put_c(r, t, quote);
}

/* repr(v), as lists and mappings show what is in them. */
static void
print_repr(struct jrun *r, struct jinja_text *t, const struct jv *v)
{
    if (!jrun_step(r, 1))
        return;
    if (v->type == JV_STRING)
        print_quoted(r, t, v->u.s);
    else if (v->type == JV_UNDEFINED)
        put_c(r, t, "Undefined");
    else
        jprint(r, t, v);
}

void
jprint(struct jrun *r, struct jinja_text *t, const struct jv *v)
{
    static const char *const words[] = { "None", "True", "False" };

    if (!jrun_step(r, 1) || !jrun_room(r, t) || v->type == JV_UNDEFINED
        || print_plain(r, t, v, words))
        return;
    if (v->type == JV_STRING)
        jinja_text_str(t, v->u.s, 0, v->u.s->n, &r->like);
    else if (v->type == JV_LIST)
        print_list(r, t, v->u.l);
    else if (v->type == JV_DICT)
        print_dict(r, t, v->u.d);
    else
        jrun_fail(r, "printing %s is not supported", jv_type_name(v));
}

struct jv
jv_to_string(struct jrun *r, const struct jv *v)
{
    struct jinja_text t;
    struct jv s;

    if (v->type == JV_STRING)
        return *v;
    jinja_text_init(&t);
    jprint(r, &t, v);
    s = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return s;
}

/* ---- JSON ---- */

struct dump {
    struct jrun *r;
    struct jinja_text *t;
    bool ascii, sort;
    bool pretty;              /* a line for each item */
    struct jstr indent;       /* of a level */
    struct jstr comma, colon; /* between items, behind a key */
};

static void
put_str(const struct dump *d, const struct jstr *s)
{
    if (d->r->rc == 0)
        jinja_text_str(d->t, s, 0, s->n, &d->r->like);
}

/* The character s[at], of n bytes. */
static void
put_escape(const struct dump *d, const struct jstr *s, size_t at, size_t n)
{
    static const char plain[] = "\"\\\n\r\t\b\f", letter[] = "\"\\nrtbf";
    const char *p = s->p + at, *known = *p ? memchr(plain, *p, 7) : NULL;
    uint32_t c = (unsigned char)*p;
    char text[16];

    if (n > 1)
        utf8_decode(p, &c);
    if (known)
        snprintf(text, sizeof(text), "\\%c", letter[known - plain]);
    else if (c >= 0x10000)
        snprintf(text, sizeof(text), "\\u%04x\\u%04x",
                 0xD800 + ((c - 0x10000) >> 10),
                 0xDC00 + ((c - 0x10000) & 0x3FF));
    else
        snprintf(text, sizeof(text), "\\u%04x", c);
    jinja_text_for(d->t, s, at, text, strlen(text), &d->r->like);
}

static void
dump_string(const struct dump *d, const struct jstr *s)
{
    size_t run = 0, i = 0, n;
    unsigned char c;

    put_c(d->r, d->t, "\"");
    for (; i < s->n; i += n) {
        c = (unsigned char)s->p[i];
        n = c < 0x80 ? 1 : jchar_len(s->p + i, s->n - i);
        if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x7F || !d->ascii))
            continue;
        jinja_text_str(d->t, s, run, i, &d->r->like);
        put_escape(d, s, i, n);
        run = i + n;
    }
    jinja_text_str(d->t, s, run, s->n, &d->r->like);
    put_c(d->r, d->t, "\"");
}

static void
new_line(const struct dump *d, int level)
{
    if (!d->pretty)
        return;
    put_c(d->r, d->t, "\n");
    while (level-- > 0)
        put_str(d, &d->indent);
}

static void dump(const struct dump *d, const struct jv *v, int level);

static void
dump_list(const struct dump *d, const struct jlist *l, int level)
{
    if (l->kind != JLIST_LIST && l->kind != JLIST_TUPLE) {
        jrun_fail(d->r, "tojson of a view or an iterator");
        return;
    }
    put_c(d->r, d->t, "[");
    for (size_t i = 0; i < l->n && d->r->rc == 0; i++) {
        if (i > 0)
            put_str(d, &d->comma);
        new_line(d, level + 1);
        dump(d, &l->item[i], level + 1);
    }
    if (l->n > 0)
        new_line(d, level);
    put_c(d->r, d->t, "]");
}

static int
by_key(const void *a, const void *b)
{
    const struct jv *x = *(struct jv *const *)a, *y = *(struct jv *const *)b;
    size_t n = x->u.s->n < y->u.s->n ? x->u.s->n : y->u.s->n;
    int order = memcmp(x->u.s->p, y->u.s->p, n);

    return order ? order : (x->u.s->n > y->u.s->n) - (x->u.s->n < y->u.s->n);
}

static void
dump_key(const struct dump *d, const struct jv *key, int level)
{
    bool quote = key->type != JV_STRING;

    if (jv_depth(key) > 0) {
        jrun_fail(d->r, "tojson of a mapping with %s for a key",
                  jv_type_name(key));
        return;
    }
    put_c(d->r, d->t, quote ? "\"" : "");
    dump(d, key, level);
    put_c(d->r, d->t, quote ? "\"" : "");
    put_str(d, &d->colon);
}

static void
dump_dict(const struct dump *d, const struct jdict *x, int level)
{
    struct jv **key = jarena_get(&d->r->arena, (x->n + 1) * sizeof(*key));

    for (size_t i = 0; i < x->n; i++) {
        key[i] = &x->key[i];
        if (d->sort && key[i]->type != JV_STRING)
            jrun_fail(d->r, "tojson sorts keys that are strings alone");
    }
    if (d->sort && d->r->rc == 0)
        qsort(key, x->n, sizeof(*key), by_key);
    put_c(d->r, d->t, "{");
    for (size_t i = 0; i < x->n && d->r->rc == 0; i++) {
        if (i > 0)
            put_str(d, &d->comma);
        new_line(d, level + 1);
        dump_key(d, key[i], level + 1);
        dump(d, &x->value[key[i] - x->key], level + 1);
    }
    if (x->n > 0)
        new_line(d, level);
    put_c(d->r, d->t, "}");
}

static void
dump(const struct dump *d, const struct jv *v, int level)
{
    static const char *const words[] = { "null", "true", "false" };

    if (!jrun_step(d->r, 1) || !jrun_room(d->r, d->t))
        return;
    if (v->type == JV_FLOAT && !isfinite(v->u.f))
        put_c(d->r, d->t, isnan(v->u.f) ? "NaN" : v->u.f > 0 ? "Infinity" :
              "-Infinity");
    else if (print_plain(d->r, d->t, v, words))
        return;
    else if (v->type == JV_STRING)
        dump_string(d, v->u.s);
    else if (v->type == JV_LIST)
        dump_list(d, v->u.l, level);
    else if (v->type == JV_DICT)
        dump_dict(d, v->u.d, level);
    else
        jrun_fail(d->r, "tojson of %s", jv_type_name(v));
}

static struct jstr
str_of(const char *text)
{
    return (struct jstr){ .p = text, .n = strlen(text) };
}

/* indent=N or a string, separators=(A, B). */
static void
dump_layout(struct dump *d, const struct jv *indent,
            const struct jv *separators)
{
    static const char blanks[] = "                                ";
    const struct jlist *l = separators->type == JV_LIST ? separators->u.l :
                            NULL;
    int64_t n;

    d->pretty = indent->type != JV_NONE && indent->type != JV_UNDEFINED;
    d->comma = str_of(d->pretty ? "," : ", ");
    d->colon = str_of(": ");
    if (indent->type == JV_STRING) {
        d->indent = *indent->u.s;
    } else if (d->pretty && jwant_int(d->r, indent, "indent", &n)) {
        d->indent = str_of(blanks);
        d->indent.n = n < 0 ? 0 : n < 32 ? (size_t)n : 32;
    }
    if (l && l->n == 2 && l->item[0].type == JV_STRING
        && l->item[1].type == JV_STRING) {
        d->comma = *l->item[0].u.s;
        d->colon = *l->item[1].u.s;
    } else if (separators->type > JV_NONE) {
        jrun_fail(d->r, "tojson: separators are no pair of strings");
    }
}

struct jv
jfilter_tojson(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv ascii = jarg(a, 0, "ensure_ascii");
    struct jv indent = jarg(a, 1, "indent");
    struct jv separators = jarg(a, 2, "separators");
    struct jv sort = jarg(a, 3, "sort_keys"), s;
    struct dump d = { .r = r, .ascii = jv_truth(&ascii),
                      .sort = jv_truth(&sort) };
    struct jinja_text t;

    jargs_end(r, a, "tojson");
    jinja_text_init(&t);
    d.t = &t;
    dump_layout(&d, &indent, &separators);
    dump(&d, v, 0);
    s = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return s;
}
