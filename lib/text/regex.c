/* regex.c - classes of characters, and PCRE2 over them. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/regex_parse.h"
#include "text/uclass.h"

#define MAX_CLASSES 255
#define SET_WORDS (REGEX_MAX_SETS / 64)
#define HEAP_LIMIT (64u << 10) /* KiB */
#define STACK_FIRST (32u << 10)
#define STACK_LIMIT (64u << 20)

struct regex {
    pcre2_code *code;
    bool jit, any_first;
    uint8_t first[32]; /* unless any_first: bits of the classes that a match
                        * begins with */
    uint8_t class_of[UC_POINTS];
};

/* Which sets have a class's characters. */
struct class_sets {
    uint64_t in[SET_WORDS];
};

static int
by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* All places where some set begins or ends, sorted, with 0 and the end;
 * *n of them, some more than once. */
static uint32_t *
all_ends(const struct regex_parts *parts, size_t *n)
{
    uint32_t *end;
    size_t i, m = 2;

    for (i = 0; i < parts->n_sets; i++)
        m += parts->set[i].n;
    end = mem_array(m, sizeof(end[0]));
    end[1] = UC_POINTS;
    *n = 2;
    for (i = 0; i < parts->n_sets; i++) {
        const struct uset *s = &parts->set[i];

        if (s->n > 0)
            memcpy(end + *n, s->at, s->n * sizeof(end[0]));
        *n += s->n;
    }
    qsort(end, *n, sizeof(end[0]), by_value);
    return end;
}

/* The number of the class that is in these sets, a new one if need be. */
static size_t
class_number(struct class_sets *class, size_t *n, const struct class_sets *in)
{
    size_t i = 0;

    while (i < *n && memcmp(&class[i], in, sizeof(*in)) != 0)
        i++;
    if (i == *n && i < MAX_CLASSES)
        class[(*n)++] = *in;
    return i;
}

/* Parts all code points into classes, *n of them. */
static int
classify(struct regex *r, const struct regex_parts *parts,
         struct class_sets *class, size_t *n, struct err *e)
{
    size_t n_ends, i, k, number, at[REGEX_MAX_SETS] = { 0 };
    uint32_t *end = all_ends(parts, &n_ends);
    struct class_sets in;
    int rc = 0;

    *n = 0;
    for (i = 0; i + 1 < n_ends && end[i] < UC_POINTS; i++) {
        if (end[i] == end[i + 1])
            continue;
        memset(&in, 0, sizeof(in));
        for (k = 0; k < parts->n_sets; k++) {
            const struct uset *s = &parts->set[k];

            while (at[k] < s->n && s->at[at[k]] <= end[i])
                at[k]++;
            in.in[k / 64] |= (uint64_t)(at[k] & 1) << k % 64;
        }
        number = class_number(class, n, &in);
        if (number == MAX_CLASSES)
            rc = err_set(e, ERR_DATA, "over %d classes of characters",
                         MAX_CLASSES);
        memset(r->class_of + end[i], (int)number, end[i + 1] - end[i]);
    }
    free(end);
    return rc;
}

/* Appends a class of PCRE2 with what is in the set. */
static void
add_set(struct buf *b, const struct class_sets *class, size_t n, size_t set)
{
    size_t i, found = 0;

    buf_addc(b, '[');
    for (i = 0; i < n; i++)
        if (class[i].in[set / 64] >> set % 64 & 1) {
            buf_addf(b, "\\x%02zx", i);
            found++;
        }
    if (found == 0)
        buf_addstr(b, "^\\x00-\\xff");
    buf_addc(b, ']');
}

/* The expression with sets in the place of their numbers. */
static void
spell(struct buf *b, const struct regex_parts *parts,
      const struct class_sets *class, size_t n)
{
    const struct buf *text = &parts->text;
    uint32_t set;
    size_t i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] != REGEX_SET) {
            buf_addc(b, text->data[i]);
            continue;
        }
        memcpy(&set, text->data + i + 1, sizeof(set));
        add_set(b, class, n, set);
        i += sizeof(set);
    }
}

/* A program of PCRE2, or NULL and *e. */
static pcre2_code *
program(const struct buf *text, uint32_t options, struct err *e)
{
    PCRE2_UCHAR why[160];
    PCRE2_SIZE at;
    pcre2_code *code;
    int number;

    code = pcre2_compile((PCRE2_SPTR)text->data, text->len,
                         PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | options,
                         &number, &at, NULL);
    if (!code) {
        pcre2_get_error_message(number, why, sizeof(why));
        err_set(e, ERR_DATA, "%s", (const char *)why);
    }
    return code;
}

/* Which classes a match begins with, as PCRE2 finds out. */
static void
find_first(struct regex *r, const pcre2_code *code)
{
    const uint8_t *bits = NULL;
    uint32_t type = 0, unit = 0;

    pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODETYPE, &type);
    pcre2_pattern_info(code, PCRE2_INFO_FIRSTBITMAP, &bits);
    r->any_first = type != 1 && !bits;
    if (type == 1) {
        pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODEUNIT, &unit);
        r->first[unit / 8] = (uint8_t)(1 << unit % 8);
    } else if (bits) {
        memcpy(r->first, bits, sizeof(r->first));
    }
}

/* The program that searches has no optimisation of where a match may start:
 * with it the compiled code of PCRE2 10.42 misses matches, such as that of
 * (?:(?:a|)a*a){1,2}b in "bbaba". regex_search_next skips by itself. */
static int
compile(struct regex *r, const struct buf *text, struct err *e)
{
    pcre2_code *studied = program(text, 0, e);

    if (!studied)
        return ERR_DATA;
    find_first(r, studied);
    pcre2_code_free(studied);
    r->code = program(text, PCRE2_NO_START_OPTIMIZE, e);
    if (!r->code)
        return ERR_DATA;
    r->jit = pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0;
    return 0;
}

static struct regex *
from_parts(const struct regex_parts *parts, struct err *e)
{
    struct regex *r = mem_alloc(sizeof(*r));
    struct class_sets class[MAX_CLASSES];
    struct buf text;
    size_t n;
    int rc;

    buf_init(&text);
    rc = classify(r, parts, class, &n, e);
    if (rc == 0) {
        spell(&text, parts, class, n);
        rc = compile(r, &text, e);
    }
    buf_release(&text);
    if (rc < 0) {
        free(r);
        return NULL;
    }
    return r;
}

struct regex *
regex_new(const char *pattern, size_t n, struct err *e)
{
    struct regex_parts parts;
    struct regex *r = NULL;

    regex_parts_init(&parts);
    if (regex_parse(&parts, pattern, n, e) == 0)
        r = from_parts(&parts, e);
    regex_parts_release(&parts);
    return r;
}

struct regex *
regex_of_set(const struct uset *s)
{
    struct regex_parts parts;
    struct regex *r;
    struct err e;

    regex_parts_init(&parts);
    regex_parts_set(&parts, s);
    r = from_parts(&parts, &e);
    regex_parts_release(&parts);
    return r;
}

void
regex_free(struct regex *r)
{
    if (r)
        pcre2_code_free(r->code);
    free(r);
}

/* ---- searching ---- */

struct regex_memory {
    pcre2_match_data *found;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
};

void
regex_search_init(struct regex_search *s, const struct regex *r)
{
    struct regex_memory *m = mem_alloc(sizeof(*m));

    memset(s, 0, sizeof(*s));
    s->r = r;
    s->memory = m;
    buf_init(&s->classes);
    m->found = pcre2_match_data_create(1, NULL);
    m->limits = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_LIMIT, NULL);
    if (!m->found || !m->limits || (r->jit && !m->stack))
        mem_out(STACK_LIMIT);
    pcre2_set_match_limit(m->limits, REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(m->limits, HEAP_LIMIT);
    pcre2_jit_stack_assign(m->limits, NULL, m->stack);
}

void
regex_search_release(struct regex_search *s)
{
    if (s->memory) {
        pcre2_match_data_free(s->memory->found);
        pcre2_match_context_free(s->memory->limits);
        pcre2_jit_stack_free(s->memory->stack);
        free(s->memory);
    }
    buf_release(&s->classes);
    memset(s, 0, sizeof(*s));
}

void
regex_search_start(struct regex_search *s, const uint8_t *p, size_t n)
{
    const uint8_t *class_of = s->r->class_of, *end = p + n;
    uint8_t *out;
    uint32_t code;

    buf_reset(&s->classes);
    out = (uint8_t *)buf_room(&s->classes, n);
    s->p = p;
    s->n = n;
    while (p < end) {
        if (*p < 0x80) {
            *out++ = class_of[*p++];
        } else {
            p += uclass_char(p, (size_t)(end - p), &code);
            *out++ = class_of[code];
        }
    }
    s->classes.len = (size_t)((char *)out - s->classes.data);
    s->plain = s->classes.len == n;
    s->at_char = s->at_byte = s->next = 0;
    s->last_end = SIZE_MAX;
}

/* The byte where that character is, which is not before the last asked. */
static size_t
byte_of(struct regex_search *s, size_t at)
{
    uint32_t code;

    if (s->plain)
        return at;
    for (; s->at_char < at; s->at_char++)
        s->at_byte += uclass_char(s->p + s->at_byte, s->n - s->at_byte,
                                  &code);
    return s->at_byte;
}

/* What PCRE2 says of the text from s->next on. */
static int
match(struct regex_search *s)
{
    struct regex_memory *m = s->memory;
    PCRE2_SPTR text = (PCRE2_SPTR)s->classes.data;
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;

    if (s->r->jit)
        rc = pcre2_jit_match(s->r->code, text, s->classes.len, s->next, 0,
                             m->found, m->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(s->r->code, text, s->classes.len, s->next,
                         PCRE2_NO_JIT, m->found, m->limits);
    return rc;
}

/* s->next moves to where a match may begin; false: nowhere. */
static bool
skip(struct regex_search *s)
{
    const uint8_t *class = (const uint8_t *)s->classes.data;
    const uint8_t *first = s->r->first;

    if (s->r->any_first)
        return s->next <= s->classes.len;
    while (s->next < s->classes.len
           && !(first[class[s->next] / 8] >> class[s->next] % 8 & 1))
        s->next++;
    return s->next < s->classes.len;
}

int
regex_search_next(struct regex_search *s, size_t *start, size_t *end)
{
    PCRE2_SIZE *found = pcre2_get_ovector_pointer(s->memory->found);
    int rc;

    while (skip(s)) {
        rc = match(s);
        if (rc == PCRE2_ERROR_NOMATCH)
            return 0;
        if (rc < 0)
            return ERR_LIMIT;
        if (found[0] == found[1] && found[1] == s->last_end) {
            s->next++;
            continue;
        }
        s->next = s->last_end = found[1];
        *start = byte_of(s, found[0]);
        *end = byte_of(s, found[1]);
        return 1;
    }
    return 0;
}
