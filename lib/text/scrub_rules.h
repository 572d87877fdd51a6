/* scrub_rules.h - what scrub looks for: rules from JSON, and the names of
 * people.
 *
 * A file of rules is an object (schemas/scrub-rules.schema.json):
 *
 *     built_in  false: without the rules that are built in
 *     disable   ids of rules to go without
 *     allow     what no rule takes
 *     rules     each an object:
 *         id, description, type   of the placeholder: KEY for <KEY_1>
 *         regex or armour         how it is found
 *         secret                  the group that is replaced
 *         keywords                one of them is on the line
 *         entropy, check          what the secret must come up to
 *         multiline               over all of a text, not line by line
 *         generic                 for --generic alone
 *         allow                   regexes, lines, stopwords: what it isn't
 *
 * A rule with the id of one that was read before takes its place.
 */
#ifndef TEXT_SCRUB_RULES_H
#define TEXT_SCRUB_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/keywords.h"
#include "text/pattern.h"
#include "text/personal.h"

#define SCRUB_RULES_MAX 10000
#define SCRUB_FILE_MAX (8u << 20)

/* The file that is built in. */
extern const char scrub_builtin[];

/* What is no secret: one that a regex matches, or in which a stopword is, or
 * on a line that one of the others matches. */
struct scrub_allow {
    struct pattern *regex, *line;
    char **stopword;
    size_t n_regexes, n_lines, n_stopwords;
};

struct scrub_rule {
    char *id, *type;
    struct pattern regex;
    uint32_t group;
    double entropy; /* bits a byte, at least; 0: any */
    personal_check *check; /* or NULL */
    bool armour, multiline, generic;
    char **keyword;
    size_t n_keywords;
    struct scrub_allow allow;
};

/* A name or an address of mail that goes wherever it stands. */
struct scrub_name {
    char *text;
    size_t len;
    uint32_t rule;
};

struct scrub_rules {
    struct scrub_rule *rule;
    size_t n, cap;
    struct scrub_allow allow;
    struct scrub_name *name;
    size_t n_names, names_cap;
    struct keywords keywords; /* values: rules, then n + names */
};

/* The built-in rules and those of the file path (NULL: none); generic: with
 * those that are. ERR_DATA names file, rule and key, and of a key that is not
 * known the nearest. */
int scrub_rules_open(struct scrub_rules *r, const char *path, bool generic,
                     struct err *e);
void scrub_rules_release(struct scrub_rules *r);

/* Names of people, a line each: a name, or as `gitscrape --authors` writes
 * them: repository, author_K, name, mail, parted by tabs. Names of one word
 * are not taken; how many: *single. */
int scrub_rules_names(struct scrub_rules *r, const char *path,
                      uint64_t *single, struct err *e);

/* After the last name: makes r->keywords. */
int scrub_rules_build(struct scrub_rules *r, struct err *e);

#endif
