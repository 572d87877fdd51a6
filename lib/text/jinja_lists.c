/* jinja_lists.c - the filters of what can be looped over. */
#include <string.h>

#include "text/jinja_run.h"

static struct jv
filter_length(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "length");
    return jv_int((int64_t)jlength(r, v));
}

static struct jv
filter_list(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_LIST);
    struct jlist *of = jitems(r, v);

    jargs_end(r, a, "list");
    for (size_t i = 0; i < of->n && jrun_step(r, 1); i++)
        jlist_add(&r->arena, l, of->item[i]);
    return jv_list(l);
}

static struct jv
filter_first(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jlist *l = jitems(r, v);

    jargs_end(r, a, "first");
    return l->n > 0 ? l->item[0] : jv_undefined("the first item of nothing");
}

static struct jv
filter_last(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jlist *l = jitems(r, v);

    jargs_end(r, a, "last");
    return l->n > 0 ? l->item[l->n - 1] :
           jv_undefined("the last item of nothing");
}

static struct jv
filter_reverse(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jlist *l = jlist_new(&r->arena, v->type == JV_STRING ?
                                JLIST_LIST : JLIST_ITERATOR);
    struct jlist *of = jitems(r, v);

    jargs_end(r, a, "reverse");
    for (size_t i = of->n; i > 0 && jrun_step(r, 1); i--)
        jlist_add(&r->arena, l, of->item[i - 1]);
    return v->type == JV_STRING ? jjoin(r, l) : jv_list(l);
}

static struct jv
filter_items(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "items");
    if (v->type == JV_UNDEFINED)
        return jv_list(jlist_new(&r->arena, JLIST_ITERATOR));
    if (v->type != JV_DICT) {
        jrun_fail(r, "items of %s", jv_type_name(v));
        return jv_none();
    }
    return jdict_items(r, v->u.d);
}

/* An attribute by its name, or by several with dots between; or an index. */
static struct jv
attribute(struct jrun *r, const struct jv *of, const struct jv *name)
{
    const struct jstr *s;
    struct jv v = *of, part;
    size_t from = 0, to;

    if (name->type == JV_INT)
        return jitem(r, of, name);
    s = jwant_string(r, name, "attribute");
    for (; from <= s->n && r->rc == 0; from = to + 1) {
        for (to = from; to < s->n && s->p[to] != '.';)
            to++;
        part = jstr_part(&r->arena, s, from, to);
        v = jitem(r, &v, &part);
    }
    return v;
}

static struct jv
filter_join(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv by = jarg(a, 0, "d"), name = jarg(a, 1, "attribute"), one;
    struct jlist *l = jitems(r, v);
    struct jinja_text t;

    jargs_end(r, a, "join");
    jinja_text_init(&t);
    for (size_t i = 0; i < l->n && jrun_step(r, 1); i++) {
        one = name.type == JV_UNDEFINED ? l->item[i] :
              attribute(r, &l->item[i], &name);
        if (i > 0)
            jprint(r, &t, &by);
        jprint(r, &t, &one);
    }
    one = jinja_text_take(&t, &r->arena);
    jinja_text_release(&t);
    return one;
}

/* The arguments behind the first n. */
static struct jargs
rest_of(const struct jargs *a, size_t n)
{
    struct jargs rest = *a;

    rest.v = a->v + n;
    rest.n = a->n - n;
    rest.taken = 0;
    rest.keys_taken = 0;
    return rest;
}

/* The items of what is true: map, select and their like ask no more of what
 * is not, be it none. */
static struct jlist *
items_of_true(struct jrun *r, const struct jv *v)
{
    return jv_truth(v) ? jitems(r, v) : jlist_new(&r->arena, JLIST_LIST);
}

static struct jv
filter_map(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_ITERATOR);
    struct jlist *of = items_of_true(r, v);
    struct jv name, other = jv_undefined(NULL), one;
    const struct jstr *s;
    struct jargs rest;
    jfilter *f = NULL;

    if (a->n > 0) {
        s = jwant_string(r, &a->v[0], "map");
        f = jfilter_find(jarena_dup(&r->arena, s->p, s->n));
        if (!f)
            jrun_fail(r, "the filter '%.*s' is not supported", (int)s->n,
                      s->p);
    } else {
        name = jarg(a, SIZE_MAX, "attribute");
        other = jarg(a, SIZE_MAX, "default");
        jargs_end(r, a, "map");
    }
    for (size_t i = 0; i < of->n && jrun_step(r, 1); i++) {
        if (f) {
            rest = rest_of(a, 1);
            one = f(r, &of->item[i], &rest);
        } else {
            one = attribute(r, &of->item[i], &name);
            if (one.type == JV_UNDEFINED && other.type != JV_UNDEFINED)
                one = other;
        }
        jlist_add(&r->arena, l, one);
    }
    return jv_list(l);
}

/* The items, or those with an attribute, for which a test gives `keep`. */
static struct jv
choose(struct jrun *r, const struct jv *v, struct jargs *a, bool by_name,
       bool keep)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_ITERATOR);
    struct jlist *of = items_of_true(r, v);
    const struct jstr *s = NULL;
    jtest *test = NULL;
    struct jargs rest;
    struct jv one;

    if (by_name && a->n == 0)
        jrun_fail(r, "selectattr without an attribute");
    if (a->n > (size_t)by_name && r->rc == 0) {
        s = jwant_string(r, &a->v[by_name], "select");
        test = jtest_find(jarena_dup(&r->arena, s->p, s->n));
        if (!test)
            jrun_fail(r, "the test '%.*s' is not supported", (int)s->n,
                      s->p);
    }
    for (size_t i = 0; i < of->n && jrun_step(r, 1); i++) {
        one = by_name ? attribute(r, &of->item[i], &a->v[0]) : of->item[i];
        if (test)
            rest = rest_of(a, 1 + by_name);
        if (r->rc == 0 && (test ? test(r, &one, &rest) : jv_truth(&one))
                          == keep)
            jlist_add(&r->arena, l, of->item[i]);
    }
    return jv_list(l);
}

#define CHOOSE_FILTER(name, by_name, keep) \
    static struct jv \
    filter_##name(struct jrun *r, const struct jv *v, struct jargs *a) \
    { \
        return choose(r, v, a, by_name, keep); \
    }

CHOOSE_FILTER(select, false, true)
CHOOSE_FILTER(reject, false, false)
CHOOSE_FILTER(selectattr, true, true)
CHOOSE_FILTER(rejectattr, true, false)

static struct jv
filter_sum(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv name = jarg(a, 0, "attribute"), sum = jv_int(0), one;
    struct jlist *l = jitems(r, v);

    jargs_end(r, a, "sum");
    for (size_t i = 0; i < l->n && jrun_step(r, 1); i++) {
        one = name.type > JV_NONE ? attribute(r, &l->item[i], &name) :
                                    l->item[i];
        sum = jbinary(r, JOP_ADD, &sum, &one);
    }
    return sum;
}

static struct jv
extreme(struct jrun *r, const struct jv *v, enum jop op)
{
    struct jlist *l = jitems(r, v);
    struct jv best = l->n > 0 ? l->item[0] :
                     jv_undefined("the least or most of nothing");

    for (size_t i = 1; i < l->n && jrun_step(r, 1); i++)
        if (jcompare(r, op, &l->item[i], &best))
            best = l->item[i];
    return best;
}

static struct jv
filter_min(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "min");
    return extreme(r, v, JOP_LT);
}

static struct jv
filter_max(struct jrun *r, const struct jv *v, struct jargs *a)
{
    jargs_end(r, a, "max");
    return extreme(r, v, JOP_GT);
}

static struct jv
lower(struct jrun *r, const struct jv *v)
{
    struct jargs none = { 0 };

    return jfilter_find("lower")(r, v, &none);
}

static void
turn_round(struct jv *v, size_t n)
{
    struct jv was;

    for (size_t i = 0; i < n / 2; i++) {
        was = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = was;
    }
}

/* Sorts v[n] by key[n]; equal ones stay in order. room: of 2 n values. */
static void
merge_sort(struct jrun *r, struct jv *v, struct jv *key, size_t n,
           struct jv *room)
{
    size_t half = n / 2, i = 0, k = half, out = 0;

    if (n < 2 || !jrun_step(r, n))
        return;
    merge_sort(r, v, key, half, room);
    merge_sort(r, v + half, key + half, n - half, room);
    while (i < half || k < n) {
        size_t from = k == n || (i < half && !jcompare(r, JOP_LT, &key[k],
                                                       &key[i])) ? i++ : k++;

        room[2 * out] = v[from];
        room[2 * out++ + 1] = key[from];
    }
    for (i = 0; i < n; i++) {
        v[i] = room[2 * i];
        key[i] = room[2 * i + 1];
    }
}

/* Sorts *l by an attribute of its items, by their part `at`, or by them;
 * strings in lower case unless case counts. */
static void
sort(struct jrun *r, struct jlist *l, const struct jv *name, int at,
     bool cased, bool reverse)
{
    struct jv *key = jarena_get(&r->arena, (l->n + 1) * sizeof(*key));
    struct jv *room = jarena_get(&r->arena, 2 * (l->n + 1) * sizeof(*key));

    for (size_t i = 0; i < l->n && jrun_step(r, 1); i++) {
        key[i] = name && name->type > JV_NONE ?
                 attribute(r, &l->item[i], name) :
                 at >= 0 ? l->item[i].u.l->item[at] : l->item[i];
        if (!cased && key[i].type == JV_STRING)
            key[i] = lower(r, &key[i]);
    }
    if (reverse) {
        turn_round(l->item, l->n);
        turn_round(key, l->n);
    }
    merge_sort(r, l->item, key, l->n, room);
    if (reverse)
        turn_round(l->item, l->n);
}

static struct jv
filter_sort(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv reverse = jarg(a, 0, "reverse");
    struct jv cased = jarg(a, 1, "case_sensitive");
    struct jv name = jarg(a, 2, "attribute"), l;
    struct jargs none = { 0 };

    jargs_end(r, a, "sort");
    l = filter_list(r, v, &none);
    sort(r, l.u.l, &name, -1, jv_truth(&cased), jv_truth(&reverse));
    return l;
}

static struct jv
filter_dictsort(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jv cased = jarg(a, 0, "case_sensitive"), by = jarg(a, 1, "by");
    struct jv reverse = jarg(a, 2, "reverse"), l;

    jargs_end(r, a, "dictsort");
    if (v->type != JV_DICT) {
        jrun_fail(r, "dictsort of %s", jv_type_name(v));
        return *v;
    }
    l = jdict_items(r, v->u.d);
    l.u.l->kind = JLIST_LIST;
    sort(r, l.u.l, NULL, jv_is(&by, "value"), jv_truth(&cased),
         jv_truth(&reverse));
    return l;
}

static struct jv
filter_unique(struct jrun *r, const struct jv *v, struct jargs *a)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_ITERATOR);
    struct jlist *keys = jlist_new(&r->arena, JLIST_LIST);
    struct jlist *of = jitems(r, v);
    struct jv cased = jarg(a, 0, "case_sensitive");
    struct jv name = jarg(a, 1, "attribute"), key;
    bool seen;

    jargs_end(r, a, "unique");
    for (size_t i = 0; i < of->n && jrun_step(r, 1); i++) {
        key = name.type > JV_NONE ? attribute(r, &of->item[i], &name) :
                                    of->item[i];
        if (key.type == JV_STRING && !jv_truth(&cased))
            key = lower(r, &key);
        seen = false;
        for (size_t k = 0; k < keys->n && !seen && r->rc == 0; k++)
            seen = jequal(r, &keys->item[k], &key);
        if (seen)
            continue;
        jlist_add(&r->arena, keys, key);
        jlist_add(&r->arena, l, of->item[i]);
    }
    return jv_list(l);
}

jfilter *
jlist_filter_find(const char *name)
{
    static const struct {
        const char *name;
        jfilter *filter;
    } row[] = {
        { "length", filter_length }, { "count", filter_length },
        { "list", filter_list }, { "first", filter_first },
        { "last", filter_last }, { "reverse", filter_reverse },
        { "items", filter_items }, { "join", filter_join },
        { "map", filter_map }, { "select", filter_select },
        { "reject", filter_reject }, { "selectattr", filter_selectattr },
        { "rejectattr", filter_rejectattr }, { "sum", filter_sum },
        { "min", filter_min }, { "max", filter_max },
        { "sort", filter_sort }, { "dictsort", filter_dictsort },
        { "unique", filter_unique }
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (strcmp(row[i].name, name) == 0)
            return row[i].filter;
    return NULL;
}
