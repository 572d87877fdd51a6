/* pattern.c - PCRE2 with compiled code where there is some. Without room on
 * the stack of that code, the interpreter has another try: "no room" must not
 * pass for "no match". */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"

#include <pcre2.h>
#include <string.h>

#include "base/mem.h"

#define STACK_FIRST (32u << 10)
#define STACK_MOST (1u << 20)
#define HEAP_LIMIT 65536 /* KiB */
#define GROUPS_MAX 64

int
pattern_open(struct pattern *p, const char *text, size_t n, const char *where,
             struct err *e)
{
    PCRE2_UCHAR why[160];
    PCRE2_SIZE at;
    int code;

    memset(p, 0, sizeof(*p));
    if (n == 0 || n > PATTERN_BYTES_MAX)
        return err_set(e, ERR_DATA, "%s: regex of %zu bytes (expected 1 to "
                       "%d)", where, n, PATTERN_BYTES_MAX);
    p->code = pcre2_compile((PCRE2_SPTR)text, n,
                            PCRE2_MULTILINE | PCRE2_NEVER_UTF
                            | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C,
                            &code, &at, NULL);
    if (p->code == NULL) {
        pcre2_get_error_message(code, why, sizeof(why));
        return err_set(e, ERR_DATA, "%s: regex at offset %zu: %s", where,
                       (size_t)at, (const char *)why);
    }
    pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &p->groups);
    if (p->groups >= GROUPS_MAX) {
        pattern_release(p);
        return err_set(e, ERR_DATA, "%s: regex of %u groups (limit %d)",
                       where, p->groups, GROUPS_MAX - 1);
    }
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    return 0;
}

void
pattern_release(struct pattern *p)
{
    pcre2_code_free(p->code);
    p->code = NULL;
}

void
pattern_search_init(struct pattern_search *s)
{
    s->match = pcre2_match_data_create(GROUPS_MAX, NULL);
    s->limits = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, NULL);
    if (s->match == NULL || s->limits == NULL)
        mem_out(STACK_FIRST);
    pcre2_set_match_limit(s->limits, PATTERN_MATCH_LIMIT);
    pcre2_set_heap_limit(s->limits, HEAP_LIMIT);
    pcre2_jit_stack_assign(s->limits, NULL, s->stack);
}

void
pattern_search_release(struct pattern_search *s)
{
    pcre2_match_data_free(s->match);
    pcre2_match_context_free(s->limits);
    if (s->stack != NULL)
        pcre2_jit_stack_free(s->stack);
    memset(s, 0, sizeof(*s));
}

int
pattern_find(const struct pattern *p, struct pattern_search *s,
             const char *text, size_t n, size_t from, uint32_t group,
             struct pattern_match *m)
{
    const PCRE2_SIZE *at;
    int rc = pcre2_match(p->code, (PCRE2_SPTR)text, n, from, 0, s->match,
                         s->limits);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, (PCRE2_SPTR)text, n, from, PCRE2_NO_JIT,
                         s->match, s->limits);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0)
        return ERR_LIMIT;
    at = pcre2_get_ovector_pointer(s->match);
    if (at[0] > at[1]) /* \K behind what a look-ahead found */
        return 0;
    *m = (struct pattern_match){ at[0], at[1], at[0], at[1] };
    if ((int)group < rc && at[2 * group] != PCRE2_UNSET
        && at[2 * group] <= at[2 * group + 1]) {
        m->group_at = at[2 * group];
        m->group_end = at[2 * group + 1];
    }
    return 1;
}

bool
pattern_begins(const struct pattern *p, struct pattern_search *s,
               const char *text, size_t n, size_t *at)
{
    const PCRE2_SIZE *found;
    size_t from = 0;
    int rc;

    do {
        rc = pcre2_match(p->code, (PCRE2_SPTR)text, n, from,
                         PCRE2_PARTIAL_HARD, s->match, s->limits);
        found = pcre2_get_ovector_pointer(s->match);
        if (rc >= 0)
            from = found[1] > from ? found[1] : from + 1;
    } while (rc >= 0 && from <= n);
    *at = rc == PCRE2_ERROR_PARTIAL ? found[0] : 0;
    return rc < 0 && rc != PCRE2_ERROR_NOMATCH;
}
