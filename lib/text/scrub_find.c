/* scrub_find.c - one pass for all keywords, then the rules whose keyword is on
 * a line, over that line.
 */
#include "text/scrub_find.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/anycase.h"
#include "base/mem.h"

void
scrub_finder_init(struct scrub_finder *f, const struct scrub_rules *rules)
{
    memset(f, 0, sizeof(*f));
    f->rules = rules;
    f->seen = mem_array(rules->n, sizeof(*f->seen));
    f->wanted = mem_array(rules->n, sizeof(*f->wanted));
    pattern_search_init(&f->search);
}

void
scrub_finder_release(struct scrub_finder *f)
{
    free(f->span);
    free(f->seen);
    free(f->wanted);
    pattern_search_release(&f->search);
    memset(f, 0, sizeof(*f));
}

void
scrub_add(struct scrub_finder *f, size_t at, size_t end, uint32_t rule)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 64;
        f->span = mem_grow(f->span, f->cap * sizeof(*f->span));
    }
    f->span[f->n++] = (struct scrub_span){ at, end, rule };
}

/* ---- what is a secret ---- */

/* <KEY_1>, as a scrub before this one left it. */
static bool
is_placeholder(const char *p, size_t n)
{
    size_t i = 1;

    if (n < 5 || p[0] != '<' || p[n - 1] != '>')
        return false;
    while (i < n && ((p[i] >= 'A' && p[i] <= 'Z') || p[i] == '_'))
        i++;
    if (p[i - 1] != '_' || i == n - 1)
        return false;
    while (i < n - 1 && p[i] >= '0' && p[i] <= '9')
        i++;
    return i == n - 1;
}

/* 1: one of them matches. */
static int
matches_any(struct scrub_finder *f, const struct pattern *p, size_t n_patterns,
            const char *text, size_t n)
{
    struct pattern_match m;
    int rc = 0;

    for (size_t i = 0; i < n_patterns && rc == 0; i++)
        rc = pattern_find(&p[i], &f->search, text, n, 0, 0, &m);
    return rc;
}

/* 1: line[at, end) is allowed. */
static int
is_allowed(struct scrub_finder *f, const struct scrub_allow *a,
           const char *line, size_t n, size_t at, size_t end)
{
    int rc;

    for (size_t i = 0; i < a->n_stopwords; i++)
        if (anycase_has(line + at, end - at, a->stopword[i]))
            return 1;
    rc = matches_any(f, a->regex, a->n_regexes, line + at, end - at);
    return rc != 0 ? rc : matches_any(f, a->line, a->n_lines, line, n);
}

/* 1: what the rule matched is a secret. */
static int
is_secret(struct scrub_finder *f, const struct scrub_rule *r,
          const char *line, size_t n, size_t at, size_t end)
{
    const struct personal c = { line, n, at, end };
    int rc;

    if (at == end || is_placeholder(line + at, end - at))
        return 0;
    if (r->entropy > 0 && entropy_bits(line + at, end - at) < r->entropy)
        return 0;
    if (r->check && !r->check(&c))
        return 0;
    rc = is_allowed(f, &r->allow, line, n, at, end);
    if (rc == 0)
        rc = is_allowed(f, &f->rules->allow, line, n, at, end);
    return rc < 0 ? rc : !rc;
}

/* The part of each line of the secret p[at, end). */
static void
add_parts(struct scrub_finder *f, const char *p, size_t at, size_t end,
          size_t base, uint32_t rule)
{
    const char *eol;
    size_t stop;

    for (; at < end; at = stop + 1) {
        eol = memchr(p + at, '\n', end - at);
        stop = eol ? (size_t)(eol - p) : end;
        if (stop > at)
            scrub_add(f, base + at, base + stop, rule);
    }
}

/* All that the rule finds in p[n], which is at base of what spans are of. */
static int
run_rule(struct scrub_finder *f, uint32_t rule, const char *p, size_t n,
         size_t base)
{
    const struct scrub_rule *r = &f->rules->rule[rule];
    struct pattern_match m;
    size_t from = 0;
    int rc = 0;

    while (rc >= 0 && from <= n) {
        rc = pattern_find(&r->regex, &f->search, p, n, from, r->group, &m);
        if (rc <= 0)
            break;
        from = m.end > from ? m.end : from + 1;
        rc = is_secret(f, r, p, n, m.group_at, m.group_end);
        if (rc > 0)
            add_parts(f, p, m.group_at, m.group_end, base, rule);
    }
    if (rc < 0)
        f->limit = rule;
    return rc;
}

/* ---- lines ---- */

/* Makes the line that p[at] is in the finder's. */
static void
set_line(struct scrub_finder *f, size_t at)
{
    const char *newline = at ? memrchr(f->p, '\n', at) : NULL;

    f->line = newline ? (size_t)(newline + 1 - f->p) : 0;
    newline = memchr(f->p + at, '\n', f->p_len - at);
    f->line_end = newline ? (size_t)(newline - f->p) : f->p_len;
    f->first = f->line;
    if (f->skip)
        f->first += f->skip(f->p + f->line, f->line_end - f->line);
}

static int
try_line(struct scrub_finder *f, uint32_t rule)
{
    if (f->seen[rule] == f->line + 1)
        return 0;
    f->seen[rule] = f->line + 1;
    return run_rule(f, rule, f->p + f->first, f->line_end - f->first,
                    f->first);
}

static bool
in_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

/* A name that stands there by itself. */
static void
try_name(struct scrub_finder *f, const struct scrub_name *name, size_t end)
{
    size_t at = end - name->len;

    if (at < f->first
        || strncasecmp(f->p + at, name->text, name->len) != 0
        || (at > f->first && in_word((unsigned char)f->p[at - 1]))
        || (end < f->line_end && in_word((unsigned char)f->p[end])))
        return;
    scrub_add(f, at, end, name->rule);
}

static int
on_keyword(void *ctx, uint32_t value, size_t end)
{
    struct scrub_finder *f = ctx;
    const struct scrub_rule *r;

    if (end > f->line_end || f->line_end == 0)
        set_line(f, end - 1);
    if (end <= f->first)
        return 0;
    if (value >= f->rules->n) {
        try_name(f, &f->rules->name[value - f->rules->n], end);
        return 0;
    }
    r = &f->rules->rule[value];
    if (r->armour) {
        f->armour = true;
        return 0;
    }
    if (r->multiline) {
        f->multiline = f->wanted[value] = true;
        return 0;
    }
    return try_line(f, value);
}

/* Rules that go without a keyword. */
static int
run_always(struct scrub_finder *f)
{
    const struct scrub_rule *r = f->rules->rule;
    int rc = 0;

    for (uint32_t i = 0; i < f->rules->n && rc >= 0; i++) {
        if (r[i].n_keywords > 0 || !r[i].regex.code)
            continue;
        if (r[i].multiline) {
            f->multiline = f->wanted[i] = true;
            continue;
        }
        for (size_t at = 0; at < f->p_len && rc >= 0; at = f->line_end + 1) {
            set_line(f, at);
            rc = try_line(f, i);
        }
    }
    return rc;
}

static int
limit_error(const struct scrub_finder *f, struct err *e)
{
    return err_set(e, ERR_LIMIT, "rule %s takes more than %d steps to match",
                   f->rules->rule[f->limit].id, PATTERN_MATCH_LIMIT);
}

int
scrub_find(struct scrub_finder *f, const char *p, size_t n, scrub_skip *skip,
           struct err *e)
{
    int rc;

    f->n = 0;
    f->armour = f->multiline = false;
    f->p = p;
    f->p_len = n;
    f->skip = skip;
    f->line = f->line_end = f->first = 0;
    memset(f->seen, 0, f->rules->n * sizeof(*f->seen));
    memset(f->wanted, 0, f->rules->n * sizeof(*f->wanted));
    rc = keywords_find(&f->rules->keywords, p, n, on_keyword, f);
    if (rc >= 0)
        rc = run_always(f);
    return rc < 0 ? limit_error(f, e) : 0;
}

/* ---- views ---- */

/* Spans from number `from` on are of the view: to places of the text. */
static void
to_text(struct scrub_finder *f, size_t from, const struct scrub_line *line,
        size_t n_lines)
{
    for (size_t i = from; i < f->n; i++) {
        struct scrub_span *s = &f->span[i];
        size_t low = 0, high = n_lines, mid;

        while (high - low > 1) {
            mid = low + (high - low) / 2;
            if (line[mid].view <= s->at)
                low = mid;
            else
                high = mid;
        }
        s->at = s->at - line[low].view + line[low].text;
        s->end = s->end - line[low].view + line[low].text;
    }
}

int
scrub_find_view(struct scrub_finder *f, const char *p, size_t n,
                const struct scrub_line *line, size_t n_lines, bool cut,
                struct err *e)
{
    const struct scrub_rule *r = f->rules->rule;
    size_t from = f->n;
    int rc = 0;

    for (uint32_t i = 0; i < f->rules->n && rc >= 0; i++) {
        if (f->armour && r[i].armour && r[i].n_keywords > 0)
            scrub_armour(f, p, n, cut, i);
        if (f->wanted[i])
            rc = run_rule(f, i, p, n, 0);
    }
    if (rc < 0)
        return limit_error(f, e);
    if (n_lines > 0)
        to_text(f, from, line, n_lines);
    return 0;
}

/* ---- order ---- */

static int
compare(const void *a, const void *b)
{
    const struct scrub_span *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

void
scrub_settle(struct scrub_finder *f)
{
    size_t n = 0;

    if (f->n < 2)
        return;
    qsort(f->span, f->n, sizeof(*f->span), compare);
    for (size_t i = 1; i < f->n; i++) {
        struct scrub_span *last = &f->span[n], *s = &f->span[i];

        if (s->at >= last->end) {
            f->span[++n] = *s;
            continue;
        }
        if (s->end > last->end)
            last->end = s->end;
        if (s->rule < last->rule)
            last->rule = s->rule;
    }
    f->n = n + 1;
}
