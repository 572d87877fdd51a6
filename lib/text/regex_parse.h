/* regex_parse.h - between the files that read a regular expression; private
 * to lib/text.
 *
 *   regex_parse.c   alternatives, items, groups, quantifiers
 *   regex_class.c   what one character may be: escapes, [...]
 *   regex.c         classes of characters, PCRE2, searching
 */
#ifndef TEXT_REGEX_PARSE_H
#define TEXT_REGEX_PARSE_H

#include "text/regex.h"

#define REGEX_SET 1 /* a byte in parts.text, before 4 of a set's number */
#define REGEX_MAX_SETS 256
#define REGEX_MAX_DEPTH 32

/* What an expression comes to: an expression of PCRE2 with numbers where
 * sets of characters are meant. */
struct regex_parts {
    struct buf text;
    struct uset *set;
    size_t n_sets;
};

void regex_parts_init(struct regex_parts *r);
void regex_parts_release(struct regex_parts *r);

/* Appends a character of the set. */
void regex_parts_set(struct regex_parts *r, const struct uset *s);

struct regex_parser {
    const char *p, *end;
    struct regex_parts *out;
    struct err *e;
    int depth;      /* of groups and classes */
    int n_classes;  /* that ps->p is in */
    bool fold;      /* in (?i:...) */
    uint32_t before; /* there, the letter just before, or 0 */
};

int regex_parse(struct regex_parts *out, const char *p, size_t n,
                struct err *e);

/* "... is not supported" about the n characters at ps->p. */
int regex_refuse(struct regex_parser *ps, size_t n, const char *why);

/* A character behind a backslash: 1 and *code, or 0 and *s has those that
 * it may be. ps->p is behind the backslash. */
int regex_escape(struct regex_parser *ps, uint32_t *code, struct uset *s);

/* The characters of a class; ps->p is behind its [. */
int regex_class(struct regex_parser *ps, struct uset *s);

/* One character as it stands. */
uint32_t regex_char(struct regex_parser *ps);

/* Adds first to last, in (?i:...) in both cases. */
int regex_add_range(struct regex_parser *ps, struct uset *s, uint32_t first,
                    uint32_t last);

#endif
