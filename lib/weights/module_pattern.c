/* module_pattern.c - names and patterns of modules, through PCRE2. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "weights/module_pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define MATCH_LIMIT 1000000 /* steps of a pattern */

bool
module_is_named(const char *module, const char *name)
{
    size_t n = strlen(module), k = strlen(name);

    if (k > n || strcmp(module + n - k, name) != 0)
        return false;
    return k == n || module[n - k - 1] == '.';
}

bool
module_parameter(char out[128], const char *module)
{
    static const char *const one[][2] = {
        { "gate_proj", "gate_up_proj" }, { "up_proj", "gate_up_proj" },
        { "down_proj", "down_proj" }
    };
    const char *at = strstr(module, ".experts."), *leaf;

    if (at == NULL)
        return false;
    at += strlen(".experts.");
    leaf = at + strspn(at, "0123456789");
    if (leaf == at || *leaf != '.')
        return false;
    for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
        if (strcmp(leaf + 1, one[i][0]) == 0)
            return snprintf(out, 128, "%.*s%s", (int)(at - module), module,
                            one[i][1]) < 128;
    return false;
}

bool
names_parameter(const char *target)
{
    return module_is_named(target, "experts.gate_up_proj")
           || module_is_named(target, "experts.down_proj");
}

/* shown is what the user wrote of it. */
static int
match(bool *found, const char *pattern, const char *shown,
      const char *module, struct err *e)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    PCRE2_SIZE at;
    int code, rc = PCRE2_ERROR_NOMATCH;
    pcre2_code *p = pcre2_compile((PCRE2_SPTR)pattern,
                                  PCRE2_ZERO_TERMINATED, PCRE2_UTF
                                  | PCRE2_ANCHORED | PCRE2_ENDANCHORED,
                                  &code, &at, NULL);

    if (p != NULL && data != NULL && limits != NULL) {
        pcre2_set_match_limit(limits, MATCH_LIMIT);
        rc = pcre2_match(p, (PCRE2_SPTR)module, strlen(module), 0, 0, data,
                         limits);
    }
    *found = rc >= 0;
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    pcre2_code_free(p);
    if (p == NULL || (rc < 0 && rc != PCRE2_ERROR_NOMATCH))
        return err_set(e, ERR_DATA, "\"%s\" is no pattern that can be "
                       "matched", shown);
    return 0;
}

int
module_matches(bool *found, const char *pattern, const char *module,
               struct err *e)
{
    return match(found, pattern, pattern, module, e);
}

int
module_ends(bool *found, const char *pattern, const char *module,
            struct err *e)
{
    struct buf whole;
    int rc;

    buf_init(&whole);
    buf_addf(&whole, "(?:.*\\.)?(?:%s)", pattern);
    rc = match(found, whole.data, pattern, module, e);
    buf_release(&whole);
    return rc;
}
