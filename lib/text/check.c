/* check.c - JSON to compiled checks, and checks on a text: each kind holds
 * when all of its items do. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/check.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "text/fence.h"

#define MATCH_LIMIT 1000000
#define MAX_ITEMS 1000

static const char *const names[CHECK_KINDS] = {
    "exact", "contains", "regex", "forbidden", "json", "compiles", "test"
};
static const char *const languages[CHECK_LANGUAGES] = { "c", "python" };

const char *
check_name(enum check_kind kind)
{
    return names[kind];
}

bool
check_runs(enum check_kind kind)
{
    return kind == CHECK_COMPILES || kind == CHECK_TEST;
}

const char *
check_language_name(enum check_language language)
{
    return languages[language];
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
read_language(struct check_item *t, enum check_kind kind, const cJSON *v,
              const char *where, struct err *e)
{
    if (!cJSON_IsString(v))
        return err_set(e, ERR_DATA, "%s: %s has no language (c or python)",
                       where, names[kind]);
    for (int i = 0; i < CHECK_LANGUAGES; i++) {
        if (strcmp(v->valuestring, languages[i]) == 0) {
            t->language = (enum check_language)i;
            return 0;
        }
    }
    return err_set(e, ERR_DATA, "%s: %s: unknown language '%s' (c or python)",
                   where, names[kind], v->valuestring);
}

/* {"language": ..., "code": ...} */
static int
read_test(struct check_item *t, const cJSON *v, const char *where,
          struct err *e)
{
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(v, "code");
    const cJSON *member;

    if (!cJSON_IsObject(v))
        return err_set(e, ERR_DATA, "%s: test is not an object with language "
                       "and code", where);
    cJSON_ArrayForEach(member, v) {
        if (strcmp(member->string, "code") != 0
            && strcmp(member->string, "language") != 0)
            return err_set(e, ERR_DATA, "%s: test: unknown key '%s' (it has "
                           "language and code)", where, member->string);
    }
    if (!cJSON_IsString(code) || *code->valuestring == '\0')
        return err_set(e, ERR_DATA, "%s: test has no code, or an empty one",
                       where);
    t->len = strlen(code->valuestring);
    t->text = mem_strdup(code->valuestring);
    return read_language(t, CHECK_TEST,
                         cJSON_GetObjectItemCaseSensitive(v, "language"),
                         where, e);
}

/* The kinds that have one item, which is no text. */
static int
read_single(struct check_set *c, enum check_kind kind, const cJSON *v,
            const char *where, struct err *e)
{
    if (v == NULL)
        return 0;
    if (kind == CHECK_JSON && !cJSON_IsTrue(v))
        return err_set(e, ERR_DATA, "%s: json is not true", where);
    c->item[kind] = mem_array(1, sizeof(*c->item[kind]));
    c->n[kind] = 1;
    if (kind == CHECK_COMPILES)
        return read_language(c->item[kind], kind, v, where, e);
    return kind == CHECK_TEST ? read_test(c->item[kind], v, where, e) : 0;
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
    if (n == 0)
        return err_set(e, ERR_DATA, "%s: %s is an empty list, which says "
                       "nothing", where, names[kind]);
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
    for (int k = 0; k < CHECK_KINDS && rc == 0; k++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, names[k]);

        rc = k < CHECK_JSON ? read_kind(c, k, v, where, e)
                            : read_single(c, k, v, where, e);
    }
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

/* In fences or bare. */
static bool
is_json(const char *text, size_t n)
{
    const char *inside = fenced(text, n, &n);
    struct err unused;

    return json_check(inside != NULL ? inside : text, n, "", &unused) == 0;
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
    case CHECK_FORBIDDEN:
        return memmem(text, n, t->text, t->len) == NULL;
    case CHECK_JSON:
        return is_json(text, n);
    default:
        return false;
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
        r.passed &= r.held[k] || check_runs(k);
    }
    return r;
}
