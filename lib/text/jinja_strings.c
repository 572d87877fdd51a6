/* jinja_strings.c - what strings can do: methods of Python's str, and the
 * filters that are the same.
 */
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/jinja_run.h"

typedef struct jv str_run(struct jrun *r, const struct jstr *s,
                          struct jargs *a, int how);

static struct jv
take(struct jrun *r, struct jinja_text *t)
{
    struct jv v = jinja_text_take(t, &r->arena);

    jinja_text_release(t);
    return v;
}

/* ---- ends ---- */

enum { LEFT = 1, RIGHT = 2, BOTH = 3 };

/* Whether the character at p is to be stripped. */
static bool
strips(const struct jstr *set, const char *p, size_t n, size_t *len)
{
    size_t k;

    if (!set)
        return jchar_space(p, n, len);
    *len = jchar_len(p, n);
    for (size_t i = 0; i < set->n; i += k) {
        k = jchar_len(set->p + i, set->n - i);
        if (k == *len && memcmp(set->p + i, p, k) == 0)
            return true;
    }
    return false;
}

/* The character that ends at `end`, from where it begins. */
static size_t
char_before(const struct jstr *s, size_t from, size_t end)
{
    size_t i = end - 1;

    while (i > from && end - i < 4 && ((unsigned char)s->p[i] & 0xC0) == 0x80)
        i--;
    return jchar_len(s->p + i, end - i) == end - i ? i : end - 1;
}

/* Where s[from..) ends without what is to be stripped. */
static size_t
strip_right(const struct jstr *s, const struct jstr *set, size_t from)
{
    size_t to = s->n, i, len;

    while (from < to) {
        i = char_before(s, from, to);
        if (!strips(set, s->p + i, to - i, &len))
            break;
        to = i;
    }
    return to;
}

static struct jv
strip(struct jrun *r, const struct jstr *s, struct jargs *a, int sides)
{
    struct jv chars = jarg(a, 0, "chars");
    const struct jstr *set = NULL;
    size_t from = 0, to = s->n, len;

    jargs_end(r, a, "strip");
    if (chars.type > JV_NONE)
        set = jwant_string(r, &chars, "strip");
    if (!jrun_step(r, s->n / 64))
        return jv_none();
    while ((sides & LEFT) && from < to
           && strips(set, s->p + from, to - from, &len))
        from += len;
    if (sides & RIGHT)
        to = strip_right(s, set, from);
    return jstr_part(&r->arena, s, from, to);
}

static bool
has_end(const struct jstr *s, const struct jstr *end, int side)
{
    return end->n <= s->n
           && memcmp(side == LEFT ? s->p : s->p + s->n - end->n, end->p,
                     end->n) == 0;
}

static struct jv
with_end(struct jrun *r, const struct jstr *s, struct jargs *a, int side)
{
    struct jv end = jarg(a, 0, "prefix");
    struct jlist one = { .item = &end, .n = 1 };
    const struct jlist *l = end.type == JV_LIST ? end.u.l : &one;
    const char *what = side == LEFT ? "startswith" : "endswith";
    bool has = false;

    jargs_end(r, a, what);
    for (size_t i = 0; i < l->n && r->rc == 0; i++)
        has |= has_end(s, jwant_string(r, &l->item[i], what), side);
    return jv_bool(has);
}

static struct jv
remove_end(struct jrun *r, const struct jstr *s, struct jargs *a, int side)
{
    struct jv v = jarg(a, 0, NULL);
    const struct jstr *end = jwant_string(r, &v, "removeprefix");
    size_t n = has_end(s, end, side) ? end->n : 0;

    jargs_end(r, a, "removeprefix");
    return jstr_part(&r->arena, s, side == LEFT ? n : 0,
                     side == LEFT ? s->n : s->n - n);
}

/* ---- parts ---- */

/* Where the first or last one is within [from, to); SIZE_MAX: none is. */
static size_t
find(struct jrun *r, const struct jstr *s, size_t from, size_t to,
     const struct jstr *what, bool last)
{
    const char *p;
    size_t i;

    if (!last) {
        p = memmem(s->p + from, to - from, what->p, what->n);
        i = p ? (size_t)(p - s->p) : to;
        return jrun_step(r, (i - from) / 64) && p ? i : SIZE_MAX;
    }
    for (i = to; i >= from + what->n && jrun_step(r, what->n / 64); i--)
        if (memcmp(s->p + i - what->n, what->p, what->n) == 0)
            return jrun_step(r, (to - i) / 64) ? i - what->n : SIZE_MAX;
    jrun_step(r, (to - from) / 64);
    return SIZE_MAX;
}

/* Words, with white space between; after `most` of them the rest is one. */
static void
split_words(struct jrun *r, const struct jstr *s, int64_t most,
            struct jlist *l)
{
    size_t i = 0, from, len;

    while (jrun_step(r, 1)) {
        while (i < s->n && jchar_space(s->p + i, s->n - i, &len))
            i += len;
        if (i == s->n)
            return;
        from = i;
        if (most >= 0 && most-- == 0) {
            i = strip_right(s, NULL, from);
            jlist_add(&r->arena, l, jstr_part(&r->arena, s, from, i));
            return;
        }
        while (i < s->n && !jchar_space(s->p + i, s->n - i, &len))
            i += len;
        jlist_add(&r->arena, l, jstr_part(&r->arena, s, from, i));
    }
}

/* From the left; `most` < 0: as often as there is one. */
static void
split_left(struct jrun *r, const struct jstr *s, const struct jstr *by,
           int64_t most, struct jlist *l)
{
    size_t from = 0, i;

    while (most-- != 0 && jrun_step(r, 1)) {
        i = find(r, s, from, s->n, by, false);
        if (i == SIZE_MAX)
            break;
        jlist_add(&r->arena, l, jstr_part(&r->arena, s, from, i));
        from = i + by->n;
    }
    jlist_add(&r->arena, l, jstr_part(&r->arena, s, from, s->n));
}

/* From the right; *l in order. */
static void
split_right(struct jrun *r, const struct jstr *s, const struct jstr *by,
            int64_t most, struct jlist *l)
{
    size_t to = s->n, i;
    struct jv v;

    while (most-- != 0 && jrun_step(r, 1)) {
        i = find(r, s, 0, to, by, true);
        if (i == SIZE_MAX)
            break;
        jlist_add(&r->arena, l, jstr_part(&r->arena, s, i + by->n, to));
        to = i;
    }
    jlist_add(&r->arena, l, jstr_part(&r->arena, s, 0, to));
    for (i = 0; i < l->n / 2; i++) {
        v = l->item[i];
        l->item[i] = l->item[l->n - 1 - i];
        l->item[l->n - 1 - i] = v;
    }
}

static struct jv
split(struct jrun *r, const struct jstr *s, struct jargs *a, int side)
{
    struct jv by = jarg(a, 0, "sep"), most = jarg(a, 1, "maxsplit");
    struct jlist *l = jlist_new(&r->arena, JLIST_LIST);
    int64_t n = -1;

    jargs_end(r, a, "split");
    if (most.type > JV_NONE)
        jwant_int(r, &most, "split", &n);
    n = n < 0 ? -1 : n;
    if (by.type <= JV_NONE) {
        if (side == RIGHT && n >= 0)
            jrun_fail(r, "rsplit without a separator is not supported");
        split_words(r, s, n, l);
    } else if (jwant_string(r, &by, "split")->n == 0) {
        jrun_fail(r, "split by an empty string");
    } else if (side == LEFT) {
        split_left(r, s, by.u.s, n, l);
    } else {
        split_right(r, s, by.u.s, n, l);
    }
    return jv_list(l);
}

static struct jv
partition(struct jrun *r, const struct jstr *s, struct jargs *a, int side)
{
    struct jv by = jarg(a, 0, "sep");
    const struct jstr *sep = jwant_string(r, &by, "partition");
    size_t i = r->rc < 0 ? 0 : find(r, s, 0, s->n, sep, side == RIGHT), k;
    struct jlist *l = jlist_new(&r->arena, JLIST_TUPLE);

    jargs_end(r, a, "partition");
    k = i == SIZE_MAX ? 0 : sep->n;
    if (i == SIZE_MAX)
        i = side == LEFT ? s->n : 0;
    jlist_add(&r->arena, l, jstr_part(&r->arena, s, 0, i));
    jlist_add(&r->arena, l, jstr_part(&r->arena, s, i, i + k));
    jlist_add(&r->arena, l, jstr_part(&r->arena, s, i + k, s->n));
    return jv_list(l);
}

static struct jv
split_lines(struct jrun *r, const struct jstr *s, struct jargs *a, int how)
{
    struct jlist *l = jlist_new(&r->arena, JLIST_LIST);
    size_t from = 0, i, len;

    (void)how;
    jargs_end(r, a, "splitlines");
    for (i = 0; i < s->n && jrun_step(r, 1); i += len > 0 ? len : 1) {
        len = jchar_line_end(s->p + i, s->n - i);
        if (len == 0)
            continue;
        jlist_add(&r->arena, l, jstr_part(&r->arena, s, from, i));
        from = i + len;
    }
    if (from < s->n)
        jlist_add(&r->arena, l, jstr_part(&r->arena, s, from, s->n));
    return jv_list(l);
}

/* The number of the character where the argument is, or of times. */
static struct jv
search(struct jrun *r, const struct jstr *s, struct jargs *a, int how)
{
    struct jv v = jarg(a, 0, "sub");
    const struct jstr *what = jwant_string(r, &v, "find");
    size_t i = find(r, s, 0, s->n, what, how == RIGHT);

    jargs_end(r, a, "find");
    if (i == SIZE_MAX && how == BOTH)
        jrun_fail(r, "index: the string is not there");
    return jv_int(i == SIZE_MAX ? -1 : (int64_t)jchar_count(s->p, i));
}

static struct jv
count(struct jrun *r, const struct jstr *s, struct jargs *a, int how)
{
    struct jv v = jarg(a, 0, "sub");
    const struct jstr *what = jwant_string(r, &v, "count");
    int64_t n = 0;
    size_t i = 0;

    (void)how;
    jargs_end(r, a, "count");
    if (what->n == 0)
        return jv_int((int64_t)jchar_count(s->p, s->n) + 1);
    while ((i = find(r, s, i, s->n, what, false)) != SIZE_MAX
           && jrun_step(r, 1)) {
        n++;
        i += what->n;
    }
    return jv_int(n);
}

/* ---- letters ---- */

enum { UPPER, LOWER, CAPITALIZE, TITLE, TITLE_FILTER };
enum { UP, DOWN, FIRST }; /* FIRST: up, of digraphs the first letter */

/* c in another case. Refused are those of which Python makes several
 * characters, or what depends on those beside it. */
static uint32_t
in_case(struct jrun *r, uint32_t c, int to)
{
    static const uint32_t more[][2] = {
        { 0xdf, 0xdf }, { 0x149, 0x149 }, { 0x1f0, 0x1f0 },
        { 0x390, 0x390 }, { 0x3b0, 0x3b0 }, { 0x587, 0x587 },
        { 0x1e96, 0x1e9a }, { 0x1f50, 0x1f56 }, { 0x1f80, 0x1ffc },
        { 0xfb00, 0xfb17 }
    };
    bool bad = to == DOWN && (c == 0x130 || c == 0x3a3);

    for (size_t i = 0; to != DOWN && i < sizeof(more) / sizeof(more[0]); i++)
        bad |= c >= more[i][0] && c <= more[i][1];
    if (bad)
        jrun_fail(r, "the other case of U+%04X is not supported", c);
    return (uint32_t)(to == UP ? utf8proc_toupper((int32_t)c) :
                      to == DOWN ? utf8proc_tolower((int32_t)c) :
                      utf8proc_totitle((int32_t)c));
}

/* Whether c is of upper case, or else of lower. */
static bool
has_case(uint32_t c, bool upper)
{
    if (upper)
        return utf8proc_category((int32_t)c) == UTF8PROC_CATEGORY_LU
               || utf8proc_isupper((int32_t)c);
    return utf8proc_category((int32_t)c) == UTF8PROC_CATEGORY_LL
           || utf8proc_islower((int32_t)c);
}

/* Whether a word goes on behind the character c at p[n]. */
static bool
goes_on(int how, uint32_t c, const char *p, size_t n)
{
    size_t len;

    if (how == TITLE_FILTER)
        return !(c < 0x80 && c && strchr("-({[<", (int)c))
               && !jchar_space(p, n, &len);
    return utf8proc_category((int32_t)c) == UTF8PROC_CATEGORY_LT
           || has_case(c, true) || has_case(c, false);
}

static struct jv
change_case(struct jrun *r, const struct jstr *s, struct jargs *a, int how)
{
    struct jinja_text t;
    uint32_t c, to;
    size_t len;
    bool first, inside = false; /* of a word */
    char text[4];

    jargs_end(r, a, "a change of case");
    jinja_text_init(&t);
    for (size_t i = 0; i < s->n && jrun_step(r, 1); i += len) {
        len = jchar_len(s->p + i, s->n - i);
        c = (unsigned char)s->p[i];
        if (c >= 0x80 && len > 1)
            utf8_decode(s->p + i, &c);
        first = how == CAPITALIZE ? i == 0 : !inside;
        to = how == UPPER ? UP : how == LOWER || !first ? DOWN :
             how == TITLE_FILTER ? UP : FIRST;
        to = c >= 0x80 && len == 1 ? c : in_case(r, c, (int)to);
        inside = goes_on(how, c, s->p + i, len);
        if (to == c) {
            jinja_text_str(&t, s, i, i + len, &r->like);
            continue;
        }
        jinja_text_for(&t, s, i, text, utf8_encode(to, text), &r->like);
    }
    return take(r, &t);
}

enum { IS_DIGIT, IS_ALPHA, IS_ALNUM, IS_SPACE, IS_LOWER, IS_UPPER };

static struct jv
is_all(struct jrun *r, const struct jstr *s, struct jargs *a, int how)
{
    bool cased = how == IS_LOWER || how == IS_UPPER, all = s->n > 0 && !cased;
    bool letter, digit, number;
    size_t len;
    uint32_t c;

    jargs_end(r, a, "a test of letters");
    for (size_t i = 0; i < s->n && jrun_step(r, 1); i += len) {
        len = jchar_len(s->p + i, s->n - i);
        c = (unsigned char)s->p[i];
        if (len > 1)
            utf8_decode(s->p + i, &c);
        letter = utf8proc_category((int32_t)c) <= UTF8PROC_CATEGORY_LO
                 && utf8proc_category((int32_t)c) > 0;
        digit = utf8proc_category((int32_t)c) == UTF8PROC_CATEGORY_ND;
        number = utf8proc_category((int32_t)c) >= UTF8PROC_CATEGORY_ND
                 && utf8proc_category((int32_t)c) <= UTF8PROC_CATEGORY_NO;
        if (cased && (utf8proc_category((int32_t)c) == UTF8PROC_CATEGORY_LT
                      || has_case(c, how == IS_LOWER)))
            return jv_bool(false);
        if (cased)
            all |= has_case(c, how == IS_UPPER);
        else
            all &= how == IS_SPACE ? jchar_space(s->p + i, len, &len) :
                   how == IS_DIGIT ? digit :
                   how == IS_ALPHA ? letter : letter || number;
    }
    return jv_bool(all);
}

/* ---- replacing ---- */

static struct jv
replace(struct jrun *r, const struct jstr *s, struct jargs *a, int how)
{
    struct jv from = jarg(a, 0, "old"), to = jarg(a, 1, "new");
    struct jv times = jarg(a, 2, "count");
    const struct jstr *old = jwant_string(r, &from, "replace");
    const struct jstr *by = jwant_string(r, &to, "replace");
    struct jinja_text t;
    size_t at = 0, i;
    int64_t n = -1;

    (void)how;
    jargs_end(r, a, "replace");
    if (times.type > JV_NONE)
        jwant_int(r, &times, "replace", &n);
    n = n < 0 ? -1 : n;
    if (old->n == 0)
        jrun_fail(r, "replacing an empty string is not supported");
    jinja_text_init(&t);
    while (n-- != 0 && jrun_step(r, 1 + by->n / 64) && jrun_room(r, &t)) {
        i = find(r, s, at, s->n, old, false);
        if (i == SIZE_MAX)
            break;
        jinja_text_str(&t, s, at, i, &r->like);
        jinja_text_str(&t, by, 0, by->n, &r->like);
        at = i + old->n;
    }
    jrun_room(r, &t);
    jinja_text_str(&t, s, at, s->n, &r->like);
    return take(r, &t);
}

static struct jv
join(struct jrun *r, const struct jstr *s, struct jargs *a, int how)
{
    struct jv of = jarg(a, 0, "iterable");
    struct jlist *l = jitems(r, &of);
    struct jinja_text t;

    (void)how;
    jargs_end(r, a, "join");
    jinja_text_init(&t);
    for (size_t i = 0; i < l->n && jrun_step(r, 1) && jrun_room(r, &t); i++) {
        if (i > 0)
            jinja_text_str(&t, s, 0, s->n, &r->like);
        jwant_string(r, &l->item[i], "join");
        jprint(r, &t, &l->item[i]);
    }
    return take(r, &t);
}

/* ---- as methods ---- */

struct jstr_method {
    const char *name;
    str_run *run;
    int how;
};

static const struct jstr_method methods[] = {
    { "strip", strip, BOTH }, { "lstrip", strip, LEFT },
    { "rstrip", strip, RIGHT }, { "split", split, LEFT },
    { "rsplit", split, RIGHT }, { "splitlines", split_lines, 0 },
    { "startswith", with_end, LEFT }, { "endswith", with_end, RIGHT },
    { "removeprefix", remove_end, LEFT },
    { "removesuffix", remove_end, RIGHT },
    { "partition", partition, LEFT }, { "rpartition", partition, RIGHT },
    { "replace", replace, 0 }, { "join", join, 0 },
    { "find", search, LEFT }, { "rfind", search, RIGHT },
    { "index", search, BOTH }, { "count", count, 0 },
    { "upper", change_case, UPPER }, { "lower", change_case, LOWER },
    { "capitalize", change_case, CAPITALIZE },
    { "title", change_case, TITLE },
    { "title filter", change_case, TITLE_FILTER },
    { "isdigit", is_all, IS_DIGIT },
    { "isalpha", is_all, IS_ALPHA }, { "isalnum", is_all, IS_ALNUM },
    { "isspace", is_all, IS_SPACE }, { "islower", is_all, IS_LOWER },
    { "isupper", is_all, IS_UPPER }
};

const struct jstr_method *
jstr_method(const char *name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

struct jv
jstr_call(struct jrun *r, const struct jstr_method *m,
          const struct jv *self, struct jargs *a)
{
    return m->run(r, self->u.s, a, m->how);
}
