/* pattern.h - regular expressions of PCRE2 over bytes, with limits: what a
 * rule of scrub's is written in.
 *
 * No Unicode: \w, \d and ranges are of ASCII, and a text need not be UTF-8. ^
 * and $ match at lines.
 */
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PATTERN_BYTES_MAX 8192
#define PATTERN_MATCH_LIMIT 2000000 /* PCRE2's, for one match */

/* Compiled; threads may share it. */
struct pattern {
    void *code;
    uint32_t groups; /* that it captures */
};

/* ERR_DATA "WHERE: TEXT" with the offset of what is wrong. */
int pattern_open(struct pattern *p, const char *text, size_t n,
                 const char *where, struct err *e);
void pattern_release(struct pattern *p);

/* What one thread needs to match. */
struct pattern_search {
    void *match, *limits, *stack;
};

void pattern_search_init(struct pattern_search *s);
void pattern_search_release(struct pattern_search *s);

struct pattern_match {
    size_t at, end;             /* all of it */
    size_t group_at, group_end; /* the group asked for; where that has no
                                   part in it, all */
};

/* The first match in text[n] that begins at `from` or behind: 1; 0: there is
 * none; ERR_LIMIT, *e untouched, when that takes too many steps. Group 0 is
 * all. */
int pattern_find(const struct pattern *p, struct pattern_search *s,
                 const char *text, size_t n, size_t from, uint32_t group,
                 struct pattern_match *m);

/* Whether a match may have begun in text[n] of which more was to come: *at is
 * where. True, too, with *at 0, when that takes too many steps. */
bool pattern_begins(const struct pattern *p, struct pattern_search *s,
                    const char *text, size_t n, size_t *at);

#endif
