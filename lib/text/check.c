/* check.c - JSON to compiled checks, and checks on a text: each kind holds
 * when all of its items do. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/check.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MATCH_LIMIT 1000000
#define MAX_ITEMS 1000

static const char *const names[CHECK_KINDS] = { "exact", "contains", "regex",
                                                "forbidden" };

const char *
check_name(enum check_kind kind)
{
    return names[kind];
}

static int
compile(struct check_item *t, const char *where, struct err *e)
{
    PCRE2_UCHAR text[160];
    PCRE2_SIZE at;
    int code;

    t->regex = pcre2_compile((PCRE2_SPTR)t->text, t->len,
                             PCRE2_UTF | PCRE2_MATCH_INVALID_UTF
                             | PCRE2_MULTILINE, &code, &at, NULL);
    if (t->regex != NULL)
        return 0;
    pcre2_get_error_message(code, text, sizeof(text));
    return err_set(e, ERR_DATA, "%s: regex '%s' at offset %zu: %s", where,
                   t->text, (size_t)at, (const char *)text);
}

static int
add_item(struct check_set *c, enum check_kind kind, const cJSON *v,
         const char *where, struct err *e)
{
    struct check_item *t = &c->item[kind][c->n[kind]];

    if (!cJSON_IsString(v))
        return err_set(e, ERR_DATA, "%s: %s is not a string", where,
                       names[kind]);
    t->len = strlen(v->valuestring);
    if (t->len == 0 && kind != CHECK_EXACT)
        return err_set(e, ERR_DATA, "%s: %s is an empty string, which is in "
                       "every text", where, names[kind]);
    t->text = mem_strdup(v->valuestring);
    c->n[kind]++;
    return kind == CHECK_REGEX ? compile(t, where, e) : 0;
}

static int
read_kind(struct check_set *c, enum check_kind kind, const cJSON *v,
          const char *where, struct err *e)
{
    int n = cJSON_IsArray(v) ? cJSON_GetArraySize(v) : 1;
    const cJSON *item;
    int rc = 0;

    if (v == NULL)
        return 0;
    if (n > MAX_ITEMS)
        return err_set(e, ERR_LIMIT, "%s: %d items of %s are over the limit "
                       "of %d", where, n, names[kind], MAX_ITEMS);
    if (kind == CHECK_EXACT && cJSON_IsArray(v))
        return err_set(e, ERR_DATA, "%s: exact is not a string", where);
    c->item[kind] = mem_array((size_t)n, sizeof(*c->item[kind]));
    if (!cJSON_IsArray(v))
        return add_item(c, kind, v, where, e);
    cJSON_ArrayForEach(item, v) {
        rc = add_item(c, kind, item, where, e);
        if (rc < 0)
            break;
    }
    return rc;
}

int
check_read(struct check_set *c, const cJSON *object, const char *where,
           struct err *e)
{
    int rc = 0;

    memset(c, 0, sizeof(*c));
    for (int k = 0; k < CHECK_KINDS && rc == 0; k++)
        rc = read_kind(c, k,
                       cJSON_GetObjectItemCaseSensitive(object, names[k]),
                       where, e);
    if (rc < 0)
        check_release(c);
    return rc;
}

void
check_release(struct check_set *c)
{
    for (int k = 0; k < CHECK_KINDS; k++) {
        for (size_t i = 0; i < c->n[k]; i++) {
            free(c->item[k][i].text);
            pcre2_code_free(c->item[k][i].regex);
        }
        free(c->item[k]);
    }
    memset(c, 0, sizeof(*c));
}

static bool
regex_matches(const struct check_item *t, const char *text, size_t n)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *found = pcre2_match_data_create(1, NULL);
    int rc = -1;

    if (limits != NULL && found != NULL) {
        pcre2_set_match_limit(limits, MATCH_LIMIT);
        rc = pcre2_match(t->regex, (PCRE2_SPTR)text, n, 0, 0, found,
                         limits);
    }
    pcre2_match_data_free(found);
    pcre2_match_context_free(limits);
    return rc >= 0;
}

/* The bytes of text[*n] between white space at its ends. */
static const char *
trim(const char *text, size_t *n)
{
    while (*n > 0 && isspace((unsigned char)text[*n - 1]))
        --*n;
    while (*n > 0 && isspace((unsigned char)*text)) {
        text++;
        --*n;
    }
    return text;
}

static bool
equals_trimmed(const struct check_item *t, const char *text, size_t n)
{
    size_t k = t->len;
    const char *want = trim(t->text, &k);

    text = trim(text, &n);
    return n == k && memcmp(text, want, n) == 0;
}

static bool
item_holds(const struct check_item *t, enum check_kind kind,
           const char *text, size_t n)
{
    switch (kind) {
    case CHECK_EXACT:
        return equals_trimmed(t, text, n);
    case CHECK_REGEX:
        return regex_matches(t, text, n);
    case CHECK_CONTAINS:
        return memmem(text, n, t->text, t->len) != NULL;
    default:
        return memmem(text, n, t->text, t->len) == NULL;
    }
}

struct check_result
check_run(const struct check_set *c, const char *text, size_t n)
{
    struct check_result r = { .passed = true };

    for (int k = 0; k < CHECK_KINDS; k++) {
        r.held[k] = true;
        for (size_t i = 0; i < c->n[k]; i++)
            r.held[k] &= item_holds(&c->item[k][i], k, text, n);
        r.passed &= r.held[k];
    }
    return r;
}
