/* regex_parse.c - an expression of Oniguruma's syntax into one of PCRE2's
 * over sets of characters.
 *
 * Where the two have a syntax in common but not its meaning, Oniguruma's is
 * spelled out: ^ and $ are about lines, x{1,3}+ is (?:x{1,3})+, x{2}? is
 * (?:x{2})?.
 *
 * An alternative that begins with a run, as \s+$, is tried from every
 * character of a run that it does not match, each time to the run's end. But
 * what fails from one character fails from the next one of the run: so it is
 * tried only where the character before is none of the run's, or where the
 * search begins. That makes these linear.
 */
#include "text/regex_parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/ucat.h"

#define MAX_REPEAT 1000

/* What a quantifier stands behind. */
enum atom { ATOM_SET, ATOM_GROUP, ATOM_PLACE };

static int alternatives(struct regex_parser *ps, bool *empty);

void
regex_parts_init(struct regex_parts *r)
{
    buf_init(&r->text);
    r->set = mem_array(REGEX_MAX_SETS, sizeof(r->set[0]));
    r->n_sets = 0;
}

void
regex_parts_release(struct regex_parts *r)
{
    for (size_t i = 0; i < r->n_sets; i++)
        uset_release(&r->set[i]);
    free(r->set);
    buf_release(&r->text);
}

void
regex_parts_set(struct regex_parts *r, const struct uset *s)
{
    size_t i = 0;

    while (i < r->n_sets && !uset_same(&r->set[i], s))
        i++;
    if (i == r->n_sets && i < REGEX_MAX_SETS) {
        uset_init(&r->set[i]);
        uset_join(&r->set[r->n_sets++], s);
    }
    buf_addc(&r->text, REGEX_SET);
    buf_u32(&r->text, (uint32_t)i);
}

/* Puts text before what begins at `at`. */
static void
insert(struct buf *b, size_t at, const char *text, size_t n)
{
    buf_room(b, n);
    memmove(b->data + at + n, b->data + at, b->len - at + 1);
    memcpy(b->data + at, text, n);
    b->len += n;
}

static bool
next_is(const struct regex_parser *ps, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(ps->end - ps->p) >= n && memcmp(ps->p, text, n) == 0;
}

/* Appends text, in which N stands for a newline, W for \w. */
static void
add_place(struct regex_parser *ps, const char *text)
{
    struct uset newline, word;

    uset_init(&newline);
    uset_init(&word);
    uset_add(&newline, '\n', '\n');
    uset_ucat(&word, UCAT_WORD);
    for (; *text; text++) {
        if (*text == 'N')
            regex_parts_set(ps->out, &newline);
        else if (*text == 'W')
            regex_parts_set(ps->out, &word);
        else
            buf_addc(&ps->out->text, *text);
    }
    uset_release(&newline);
    uset_release(&word);
}

/* A place between characters, if one is meant. */
static bool
place(struct regex_parser *ps)
{
    static const struct {
        const char *name, *means;
    } known[] = {
        { "^", "(?:\\A|(?<=N)(?!\\z))" }, { "$", "(?=N|\\z)" },
        { "\\A", "\\A" }, { "\\z", "\\z" }, { "\\Z", "(?=N?\\z)" },
        { "\\b", "(?:(?<=W)(?!W)|(?<!W)(?=W))" },
        { "\\B", "(?:(?<=W)(?=W)|(?<!W)(?!W))" }
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (next_is(ps, known[i].name)) {
            ps->p += strlen(known[i].name);
            add_place(ps, known[i].means);
            return true;
        }
    return false;
}

/* Oniguruma takes some letters beside each other for one other character,
 * such as U+00DF for ss, when cases are not told apart. */
static int
check_folded(struct regex_parser *ps, uint32_t code)
{
    static const char pairs[] = "ssfffiflst";
    uint32_t c = code | 0x20;

    for (const char *p = pairs; *p; p += 2)
        if (ps->before == (uint32_t)p[0] && c == (uint32_t)p[1])
            return err_set(ps->e, ERR_DATA, "\"%.2s\" in (?i:...) is not "
                           "supported", p);
    ps->before = c;
    return 0;
}

/* A character or a class. */
static int
one_char(struct regex_parser *ps)
{
    uint32_t code = 0;
    struct uset s;
    int rc = 1;

    uset_init(&s);
    if (*ps->p == '.') {
        ps->p++;
        uset_add(&s, '\n', '\n');
        uset_negate(&s);
        rc = 0;
    } else if (*ps->p == '[') {
        ps->p++;
        rc = regex_class(ps, &s);
    } else if (*ps->p == '\\') {
        ps->p++;
        rc = regex_escape(ps, &code, &s);
    } else {
        code = regex_char(ps);
    }
    if (rc == 1 && ps->fold)
        rc = check_folded(ps, code) < 0 ? ERR_DATA : 1;
    else
        ps->before = 0;
    if (rc == 1)
        rc = regex_add_range(ps, &s, code, code);
    if (rc == 0)
        regex_parts_set(ps->out, &s);
    uset_release(&s);
    return rc;
}

/* Behind a ( that was read; *atom tells a group from a place. */
static int
group(struct regex_parser *ps, enum atom *atom, bool *empty)
{
    static const struct {
        const char *begin, *means;
        bool place, fold, unfold;
    } known[] = {
        { "?:", "(?:" }, { "?>", "(?>" },
        { "?=", "(?=", .place = true }, { "?!", "(?!", .place = true },
        { "?<=", "(?<=", .place = true }, { "?<!", "(?<!", .place = true },
        { "?i:", "(?:", .fold = true }, { "?-i:", "(?:", .unfold = true }
    };
    size_t i, n = sizeof(known) / sizeof(known[0]);
    bool fold = ps->fold;
    int rc;

    for (i = 0; i < n && !next_is(ps, known[i].begin); i++)
        ;
    if (i == n && next_is(ps, "?"))
        return regex_refuse(ps, 2, "group (");
    if (++ps->depth > REGEX_MAX_DEPTH)
        return err_set(ps->e, ERR_DATA, "it is over %d deep",
                       REGEX_MAX_DEPTH);
    ps->p += i < n ? strlen(known[i].begin) : 0;
    buf_addstr(&ps->out->text, i < n ? known[i].means : "(?:");
    ps->fold = i < n && (known[i].fold || known[i].unfold) ? known[i].fold :
               fold;
    *atom = i < n && known[i].place ? ATOM_PLACE : ATOM_GROUP;
    rc = alternatives(ps, empty);
    if (rc == 0 && ps->p == ps->end)
        rc = err_set(ps->e, ERR_DATA, "a group without its )");
    if (*atom == ATOM_PLACE)
        *empty = true;
    ps->p++;
    ps->fold = fold;
    ps->depth--;
    buf_addc(&ps->out->text, ')');
    return rc;
}

static int
atom(struct regex_parser *ps, enum atom *kind, bool *empty)
{
    *kind = ATOM_PLACE;
    *empty = true;
    if (place(ps)) {
        ps->before = 0;
        return 0;
    }
    if (*ps->p == '(') {
        ps->p++;
        return group(ps, kind, empty);
    }
    if (strchr("*+?", *ps->p) && *ps->p)
        return regex_refuse(ps, 1, "with nothing before it,");
    *kind = ATOM_SET;
    *empty = false;
    return one_char(ps);
}

/* ---- quantifiers ---- */

/* How often; most -1: without end. */
struct repeat {
    long least, most;
    bool interval;
};

static long
number(const char **p, const char *end)
{
    long v = -1;

    for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
        v = v > MAX_REPEAT ? v : (v < 0 ? 0 : v) * 10 + **p - '0';
    return v;
}

/* {n}, {n,}, {,m}, {n,m}: anything else is characters. */
static bool
read_interval(struct regex_parser *ps, struct repeat *r)
{
    const char *p = ps->p + 1;
    long least = number(&p, ps->end), most = least;

    if (p < ps->end && *p == ',') {
        p++;
        most = number(&p, ps->end);
        if (least < 0 && most < 0)
            return false;
    }
    if (p >= ps->end || *p != '}' || (least < 0 && most < 0))
        return false;
    *r = (struct repeat){ least < 0 ? 0 : least, most, true };
    ps->p = p + 1;
    return true;
}

static bool
read_repeat(struct regex_parser *ps, struct repeat *r)
{
    if (ps->p == ps->end)
        return false;
    switch (*ps->p) {
    case '*':
        *r = (struct repeat){ 0, -1, false };
        break;
    case '+':
        *r = (struct repeat){ 1, -1, false };
        break;
    case '?':
        *r = (struct repeat){ 0, 1, false };
        break;
    case '{':
        return read_interval(ps, r);
    default:
        return false;
    }
    ps->p++;
    return true;
}

/* Writes the quantifier of what begins at `at`, with the + or ? behind. */
static void
add_repeat(struct regex_parser *ps, size_t at, const struct repeat *r)
{
    struct buf *b = &ps->out->text;
    bool plus = ps->p < ps->end && *ps->p == '+';
    bool lazy = ps->p < ps->end && *ps->p == '?';

    if (r->most < 0)
        buf_addf(b, "{%ld,}", r->least);
    else
        buf_addf(b, "{%ld,%ld}", r->least, r->most);
    if (!plus && !lazy)
        return;
    if (r->interval && (plus || r->least == r->most)) {
        insert(b, at, "(?:", 3);
        buf_addc(b, ')');
    }
    buf_addc(b, *ps->p++);
}

static int
quantifier(struct regex_parser *ps, enum atom kind, size_t at, bool *empty,
           struct repeat *r)
{
    const char *from = ps->p;

    *r = (struct repeat){ 1, 1, false };
    if (!read_repeat(ps, r))
        return 0;
    if (kind == ATOM_PLACE || r->least > MAX_REPEAT || r->most > MAX_REPEAT
        || (r->most >= 0 && r->most < r->least)) {
        ps->p = from;
        return regex_refuse(ps, 8, "quantifier");
    }
    if (r->interval && r->most != 1
        && (*empty || (r->least == 0 && next_is(ps, "+"))))
        return err_set(ps->e, ERR_DATA, "an interval of what may be nothing "
                       "is not supported");
    *empty |= r->least == 0;
    add_repeat(ps, at, r);
    from = ps->p;
    if (read_repeat(ps, &(struct repeat){ 0, 0, false })) {
        ps->p = from;
        return regex_refuse(ps, 8, "a quantifier on a quantifier,");
    }
    return 0;
}

/* ---- what they are parts of ---- */

/* The guard of a run at the beginning of an alternative, as said above. */
static void
guard(struct regex_parts *out, size_t at)
{
    char run[5];

    memcpy(run, out->text.data + at, sizeof(run));
    insert(&out->text, at, "))", 2);
    insert(&out->text, at, run, sizeof(run));
    insert(&out->text, at, "(?:\\G|(?<!", 10);
}

static int
sequence(struct regex_parser *ps, bool *empty)
{
    bool first = true, may;
    struct repeat r;
    enum atom kind;
    int rc = 0;

    *empty = true;
    while (rc == 0 && ps->p < ps->end && *ps->p != '|' && *ps->p != ')') {
        size_t at = ps->out->text.len;

        rc = atom(ps, &kind, &may);
        if (rc == 0)
            rc = quantifier(ps, kind, at, &may, &r);
        if (rc == 0 && first && ps->depth == 0 && kind == ATOM_SET
            && r.most < 0 && r.least <= 1 && !r.interval
            && ps->p < ps->end && *ps->p != '|')
            guard(ps->out, at);
        *empty &= may;
        first = false;
        if (rc == 0 && ps->out->n_sets == REGEX_MAX_SETS)
            rc = err_set(ps->e, ERR_DATA, "over %d sets of characters",
                         REGEX_MAX_SETS - 1);
    }
    return rc;
}

static int
alternatives(struct regex_parser *ps, bool *empty)
{
    bool may;
    int rc;

    *empty = false;
    for (;;) {
        ps->before = 0;
        rc = sequence(ps, &may);
        *empty |= may;
        if (rc < 0 || ps->p == ps->end || *ps->p != '|')
            break;
        buf_addc(&ps->out->text, *ps->p++);
    }
    ps->before = 0;
    return rc;
}

int
regex_parse(struct regex_parts *out, const char *p, size_t n, struct err *e)
{
    struct regex_parser ps = { .p = p, .end = p + n, .out = out, .e = e };
    bool empty;
    int rc = alternatives(&ps, &empty);

    if (rc == 0 && ps.p < ps.end)
        return err_set(e, ERR_DATA, "a ) without its group");
    return rc;
}
