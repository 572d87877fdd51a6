/* scrub_rules.c - JSON to rules. */
#include "text/scrub_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/nearest.h"

#define ID_MAX_BYTES 50 /* "replaced." and the id are a ledger's reason */
#define TYPE_MAX_BYTES 30
#define WORD_MAX_BYTES 200
#define ITEMS_MAX 1000

/* ---- keys and values ---- */

static const cJSON *
get(const cJSON *o, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

/* All keys of the object are among those. */
static int
check_keys(const cJSON *o, const char *const *key, const char *where,
           struct err *e)
{
    const cJSON *item;

    if (!cJSON_IsObject(o))
        return err_set(e, ERR_DATA, "%s: not an object", where);
    cJSON_ArrayForEach(item, o) {
        struct nearest x = nearest_to(item->string, strlen(item->string), 3);

        for (const char *const *k = key; *k != NULL; k++)
            nearest_offer(&x, *k);
        if (x.name != NULL && x.edits == 0)
            continue;
        return err_set(e, ERR_DATA, "%s: unknown key \"%s\"%s%s%s", where,
                       item->string, x.name ? " (did you mean " : "",
                       x.name ? x.name : "", x.name ? "?)" : "");
    }
    return 0;
}

static int
get_bool(const cJSON *o, const char *key, bool missing, bool *out,
         const char *where, struct err *e)
{
    const cJSON *v = get(o, key);

    if (v && !cJSON_IsBool(v))
        return err_set(e, ERR_DATA, "%s: %s is neither true nor false", where,
                       key);
    *out = v ? cJSON_IsTrue(v) : missing;
    return 0;
}

/* A number from 0 to most, 0 where it is missing. */
static int
get_number(const cJSON *o, const char *key, double most, double *out,
           const char *where, struct err *e)
{
    const cJSON *v = get(o, key);

    *out = 0;
    if (v == NULL)
        return 0;
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0 && v->valuedouble <= most))
        return err_set(e, ERR_DATA, "%s: %s is no number from 0 to %g", where,
                       key, most);
    *out = v->valuedouble;
    return 0;
}

static int
get_string(const cJSON *o, const char *key, bool needed, const char **out,
           const char *where, struct err *e)
{
    const cJSON *v = get(o, key);

    *out = NULL;
    if (v == NULL && needed)
        return err_set(e, ERR_DATA, "%s: %s is missing", where, key);
    if (v && (!cJSON_IsString(v) || v->valuestring[0] == '\0'))
        return err_set(e, ERR_DATA, "%s: %s is no string of one byte or more",
                       where, key);
    *out = v ? v->valuestring : NULL;
    return 0;
}

/* A list of strings, each of 1 to WORD_MAX_BYTES; the caller frees them. */
static int
get_words(const cJSON *o, const char *key, char ***out, size_t *n,
          const char *where, struct err *e)
{
    const cJSON *v = get(o, key), *item;

    if (v == NULL)
        return 0;
    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) > ITEMS_MAX)
        return err_set(e, ERR_DATA, "%s: %s is no list of at most %d strings",
                       where, key, ITEMS_MAX);
    *out = mem_array((size_t)cJSON_GetArraySize(v), sizeof(**out));
    cJSON_ArrayForEach(item, v) {
        if (!cJSON_IsString(item) || item->valuestring[0] == '\0'
            || strlen(item->valuestring) > WORD_MAX_BYTES
            || strchr(item->valuestring, '\n'))
            return err_set(e, ERR_DATA, "%s: %s has an item that is no string "
                           "of 1 to %d bytes without newline", where, key,
                           WORD_MAX_BYTES);
        (*out)[(*n)++] = mem_strdup(item->valuestring);
    }
    return 0;
}

static void
free_words(char **word, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(word[i]);
    free(word);
}

/* ---- what is allowed ---- */

static int
get_patterns(const cJSON *o, const char *key, struct pattern **out, size_t *n,
             const char *where, struct err *e)
{
    char **word = NULL;
    size_t n_words = 0;
    int rc = get_words(o, key, &word, &n_words, where, e);

    *out = mem_array(n_words, sizeof(**out));
    for (; rc == 0 && *n < n_words; *n += rc == 0)
        rc = pattern_open(&(*out)[*n], word[*n], strlen(word[*n]), where, e);
    free_words(word, n_words);
    return rc;
}

static void
free_patterns(struct pattern *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pattern_release(&p[i]);
    free(p);
}

static void
allow_release(struct scrub_allow *a)
{
    free_patterns(a->regex, a->n_regexes);
    free_patterns(a->line, a->n_lines);
    free_words(a->stopword, a->n_stopwords);
    memset(a, 0, sizeof(*a));
}

/* The member "allow"; *a is set where there is one. */
static int
get_allow(const cJSON *o, struct scrub_allow *a, const char *where,
          struct err *e)
{
    static const char *const keys[] = { "regexes", "lines", "stopwords",
                                        NULL };
    const cJSON *v = get(o, "allow");
    int rc;

    if (v == NULL)
        return 0;
    allow_release(a);
    rc = check_keys(v, keys, where, e);
    if (rc == 0)
        rc = get_patterns(v, "regexes", &a->regex, &a->n_regexes, where, e);
    if (rc == 0)
        rc = get_patterns(v, "lines", &a->line, &a->n_lines, where, e);
    if (rc == 0)
        rc = get_words(v, "stopwords", &a->stopword, &a->n_stopwords, where,
                       e);
    return rc;
}

/* ---- rules ---- */

static void
rule_release(struct scrub_rule *r)
{
    free(r->id);
    free(r->type);
    pattern_release(&r->regex);
    free_words(r->keyword, r->n_keywords);
    allow_release(&r->allow);
    memset(r, 0, sizeof(*r));
}

/* Whether s is 1 to max of those characters, the first one a letter. */
static bool
is_name(const char *s, const char *of, size_t max)
{
    size_t n = strlen(s);

    return n <= max && strspn(s, of) == n && strchr("0123456789_-", *s) == NULL;
}

static int
get_names(const cJSON *o, struct scrub_rule *r, const char *where,
          struct err *e)
{
    const char *id, *type, *text;
    int rc = get_string(o, "id", true, &id, where, e);

    if (rc == 0)
        rc = get_string(o, "type", true, &type, where, e);
    if (rc == 0)
        rc = get_string(o, "description", false, &text, where, e);
    if (rc < 0)
        return rc;
    if (!is_name(id, "abcdefghijklmnopqrstuvwxyz0123456789-", ID_MAX_BYTES))
        return err_set(e, ERR_DATA, "%s: id \"%s\" (expected at most %d of "
                       "a-z, 0-9 and -)", where, id, ID_MAX_BYTES);
    if (!is_name(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_", TYPE_MAX_BYTES))
        return err_set(e, ERR_DATA, "%s: type \"%s\" (expected at most %d of "
                       "A-Z and _)", where, type, TYPE_MAX_BYTES);
    r->id = mem_strdup(id);
    r->type = mem_strdup(type);
    return 0;
}

/* How it is found: exactly one of the two. */
static int
get_regex(const cJSON *o, struct scrub_rule *r, const char *where,
          struct err *e)
{
    const char *regex;
    double group;
    int rc = get_string(o, "regex", false, &regex, where, e);

    if (rc == 0)
        rc = get_bool(o, "armour", false, &r->armour, where, e);
    if (rc == 0)
        rc = get_number(o, "secret", 63, &group, where, e);
    if (rc == 0 && (regex != NULL) == r->armour)
        rc = err_set(e, ERR_DATA, "%s: expected either regex or armour",
                     where);
    if (rc < 0 || regex == NULL)
        return rc;
    rc = pattern_open(&r->regex, regex, strlen(regex), where, e);
    if (rc < 0)
        return rc;
    if (!get(o, "secret"))
        group = r->regex.groups > 0;
    if (group > r->regex.groups || group != (double)(uint32_t)group)
        return err_set(e, ERR_DATA, "%s: secret is group %g, the regex has "
                       "%u", where, group, r->regex.groups);
    r->group = (uint32_t)group;
    return 0;
}

static int
get_check(const cJSON *o, struct scrub_rule *r, const char *where,
          struct err *e)
{
    const char *name;
    struct nearest x;
    int rc = get_string(o, "check", false, &name, where, e);

    if (rc < 0 || name == NULL)
        return rc;
    r->check = personal_find(name);
    if (r->check != NULL)
        return 0;
    x = nearest_to(name, strlen(name), 3);
    for (size_t i = 0; personal_name(i); i++)
        nearest_offer(&x, personal_name(i));
    return err_set(e, ERR_DATA, "%s: unknown check \"%s\"%s%s%s", where, name,
                   x.name ? " (did you mean " : "", x.name ? x.name : "",
                   x.name ? "?)" : "");
}

static int
rule_read(const cJSON *o, struct scrub_rule *r, const char *where,
          struct err *e)
{
    static const char *const keys[] = {
        "id", "description", "type", "regex", "armour", "secret", "keywords",
        "entropy", "check", "multiline", "generic", "allow", NULL
    };
    int rc = check_keys(o, keys, where, e);

    if (rc == 0)
        rc = get_names(o, r, where, e);
    if (rc == 0)
        rc = get_regex(o, r, where, e);
    if (rc == 0)
        rc = get_words(o, "keywords", &r->keyword, &r->n_keywords, where, e);
    if (rc == 0)
        rc = get_number(o, "entropy", 8, &r->entropy, where, e);
    if (rc == 0)
        rc = get_check(o, r, where, e);
    if (rc == 0)
        rc = get_bool(o, "multiline", false, &r->multiline, where, e);
    if (rc == 0)
        rc = get_bool(o, "generic", false, &r->generic, where, e);
    if (rc == 0)
        rc = get_allow(o, &r->allow, where, e);
    if (rc == 0 && r->armour && r->n_keywords == 0)
        rc = err_set(e, ERR_DATA, "%s: armour goes with keywords", where);
    return rc;
}

static struct scrub_rule *
find(const struct scrub_rules *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->rule[i].id, id) == 0)
            return &r->rule[i];
    return NULL;
}

/* Takes *rule, whose id may be there already. */
static void
put_rule(struct scrub_rules *r, const struct scrub_rule *rule)
{
    struct scrub_rule *old = find(r, rule->id);

    if (old != NULL) {
        rule_release(old);
        *old = *rule;
        return;
    }
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 128;
        r->rule = mem_grow(r->rule, r->cap * sizeof(*r->rule));
    }
    r->rule[r->n++] = *rule;
}

/* Rule number i of the list: its place for messages. */
static const char *
place(struct buf *b, const char *where, const cJSON *o, size_t i)
{
    const cJSON *id = get(o, "id");

    buf_reset(b);
    buf_addf(b, "%s: rules[%zu]", where, i);
    if (cJSON_IsString(id))
        buf_addf(b, " (%.*s)", ID_MAX_BYTES, id->valuestring);
    return b->data;
}

static int
read_rules(struct scrub_rules *r, const cJSON *list, const char *where,
           struct err *e)
{
    struct scrub_rule rule;
    struct buf at;
    const cJSON *o;
    size_t i = 0;
    int rc = 0;

    if (list == NULL)
        return 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > SCRUB_RULES_MAX)
        return err_set(e, ERR_DATA, "%s: rules is no list of at most %d",
                       where, SCRUB_RULES_MAX);
    buf_init(&at);
    cJSON_ArrayForEach(o, list) {
        memset(&rule, 0, sizeof(rule));
        rc = rule_read(o, &rule, place(&at, where, o, i++), e);
        if (rc < 0) {
            rule_release(&rule);
            break;
        }
        put_rule(r, &rule);
    }
    buf_release(&at);
    return rc;
}

static void
drop_rule(struct scrub_rules *r, struct scrub_rule *rule)
{
    size_t i = (size_t)(rule - r->rule);

    rule_release(rule);
    memmove(rule, rule + 1, (r->n - i - 1) * sizeof(*rule));
    r->n--;
}

static int
disable(struct scrub_rules *r, const cJSON *o, const char *where,
        struct err *e)
{
    char **id = NULL;
    size_t n = 0;
    int rc = get_words(o, "disable", &id, &n, where, e);

    for (size_t i = 0; i < n && rc == 0; i++) {
        struct nearest x = nearest_to(id[i], strlen(id[i]), 3);
        struct scrub_rule *rule = find(r, id[i]);

        if (rule) {
            drop_rule(r, rule);
            continue;
        }
        for (size_t k = 0; k < r->n; k++)
            nearest_offer(&x, r->rule[k].id);
        rc = err_set(e, ERR_DATA, "%s: disable: no rule \"%s\"%s%s%s", where,
                     id[i], x.name ? " (did you mean " : "",
                     x.name ? x.name : "", x.name ? "?)" : "");
    }
    free_words(id, n);
    return rc;
}

/* ---- files ---- */

static int
read_text(struct scrub_rules *r, const cJSON *o, const char *where,
          struct err *e)
{
    static const char *const keys[] = { "$schema", "built_in", "disable",
                                        "allow", "rules", NULL };
    int rc = check_keys(o, keys, where, e);

    if (rc == 0)
        rc = get_allow(o, &r->allow, where, e);
    if (rc == 0)
        rc = read_rules(r, get(o, "rules"), where, e);
    return rc < 0 ? rc : disable(r, o, where, e);
}

static int
read_builtin(struct scrub_rules *r, struct err *e)
{
    const char *where = "the rules that are built in";
    cJSON *o;
    int rc = json_user(&o, scrub_builtin, strlen(scrub_builtin), where, e);

    if (rc < 0)
        return rc;
    rc = read_text(r, o, where, e);
    cJSON_Delete(o);
    return rc;
}

static int
read_all(struct scrub_rules *r, const cJSON *own, const char *path,
         struct err *e)
{
    bool built_in = true;
    int rc = 0;

    if (own && !cJSON_IsObject(own))
        return err_set(e, ERR_DATA, "%s: not an object", path);
    if (own)
        rc = get_bool(own, "built_in", true, &built_in, path, e);
    if (rc == 0 && built_in)
        rc = read_builtin(r, e);
    return rc == 0 && own ? read_text(r, own, path, e) : rc;
}

int
scrub_rules_open(struct scrub_rules *r, const char *path, bool generic,
                 struct err *e)
{
    cJSON *own = NULL;
    int rc = 0;

    memset(r, 0, sizeof(*r));
    keywords_init(&r->keywords);
    if (path)
        rc = json_user_file(&own, path, SCRUB_FILE_MAX, e);
    if (rc == 0)
        rc = read_all(r, own, path, e);
    cJSON_Delete(own);
    for (size_t i = r->n; i-- > 0 && !generic;)
        if (r->rule[i].generic)
            drop_rule(r, &r->rule[i]);
    if (rc < 0)
        scrub_rules_release(r);
    return rc;
}

void
scrub_rules_release(struct scrub_rules *r)
{
    for (size_t i = 0; i < r->n; i++)
        rule_release(&r->rule[i]);
    for (size_t i = 0; i < r->n_names; i++)
        free(r->name[i].text);
    free(r->rule);
    free(r->name);
    allow_release(&r->allow);
    keywords_release(&r->keywords);
    memset(r, 0, sizeof(*r));
}

int
scrub_rules_build(struct scrub_rules *r, struct err *e)
{
    const struct scrub_rule *rule = r->rule;

    for (uint32_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < rule[i].n_keywords; k++)
            keywords_add(&r->keywords, rule[i].keyword[k],
                         strlen(rule[i].keyword[k]), i);
    for (size_t i = 0; i < r->n_names; i++)
        keywords_add(&r->keywords, r->name[i].text, r->name[i].len,
                     (uint32_t)(r->n + i));
    return keywords_build(&r->keywords, e);
}
