/* check.h - what a completion must and must not say, and what must come of
 * it.
 *
 * A set of checks is read from a JSON object that a user wrote:
 *   "exact": STRING        the text is this, white space around it aside
 *   "contains": [STRING]   each occurs in the text
 *   "regex": [STRING]      each matches somewhere (PCRE2, UTF)
 *   "forbidden": [STRING]  none occurs
 *   "json": true           it is JSON, or what it has between fences is
 *   "compiles": LANGUAGE   the program that it makes is one of that language
 *   "test": {"language": LANGUAGE, "code": STRING}
 *                          the program does what the code behind it asks
 * A single string may stand for a list of one. A text passes when all of
 * them hold; a kind that isn't given holds. Matching has a step limit, and a
 * pattern that reaches it counts as not matched. JSON is what json_check
 * passes. What programs do is for others to find out: see eval/run_check.h.
 */
#ifndef TEXT_CHECK_H
#define TEXT_CHECK_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum check_kind {
    CHECK_EXACT, CHECK_CONTAINS, CHECK_REGEX, CHECK_FORBIDDEN, CHECK_JSON,
    CHECK_COMPILES, CHECK_TEST, CHECK_KINDS
};

enum check_language { CHECK_C, CHECK_PYTHON, CHECK_LANGUAGES };

struct check_item {
    char *text;
    size_t len;
    void *regex; /* compiled, of CHECK_REGEX */
    enum check_language language; /* of CHECK_COMPILES and CHECK_TEST */
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

/* Whether a program has to be run to know. */
bool check_runs(enum check_kind kind);

const char *check_language_name(enum check_language language); /* "c" */

/* Reads the keys of the kinds, leaving others alone. where is the
 * message's prefix. ERR_DATA for a value of another type, an empty string
 * where that says nothing (all but exact), a pattern that doesn't compile
 * (names its offset) or a language that isn't known. On failure *c is
 * released. */
int check_read(struct check_set *c, const cJSON *object, const char *where,
               struct err *e);
void check_release(struct check_set *c);

/* Of the kinds that run a program held is false where they are given, and
 * passed leaves them out. */
struct check_result check_run(const struct check_set *c, const char *text,
                              size_t n);

#endif
