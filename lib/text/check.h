/* check.h - what a completion must and must not say.
 *
 * A set of checks is read from a JSON object that a user wrote:
 *   "exact": STRING        the text is this, white space around it aside
 *   "contains": [STRING]   each occurs in the text
 *   "regex": [STRING]      each matches somewhere (PCRE2, UTF)
 *   "forbidden": [STRING]  none occurs
 * A single string may stand for a list of one. A text passes when all four
 * hold; a kind that isn't given holds. Matching has a step limit, and a
 * pattern that reaches it counts as not matched.
 */
#ifndef TEXT_CHECK_H
#define TEXT_CHECK_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum check_kind {
    CHECK_EXACT, CHECK_CONTAINS, CHECK_REGEX, CHECK_FORBIDDEN, CHECK_KINDS
};

struct check_item {
    char *text;
    size_t len;
    void *regex; /* compiled, of CHECK_REGEX */
};

struct check_set {
    struct check_item *item[CHECK_KINDS];
    size_t n[CHECK_KINDS];
};

/* Whether each kind held. */
struct check_result {
    bool held[CHECK_KINDS];
    bool passed;
};

/* "exact" and so on: the key of the kind. */
const char *check_name(enum check_kind kind);

/* Reads the four keys of the object, leaving others alone. where is the
 * message's prefix. ERR_DATA for a value of another type, an empty string
 * where that says nothing (all but exact) or a pattern that doesn't compile
 * (names its offset). On failure *c is released. */
int check_read(struct check_set *c, const cJSON *object, const char *where,
               struct err *e);
void check_release(struct check_set *c);

struct check_result check_run(const struct check_set *c, const char *text,
                              size_t n);

#endif
