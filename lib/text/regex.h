/* regex.h - regular expressions as Hugging Face's tokenizers has them
 * (Oniguruma, its own syntax, UTF-8), matched by PCRE2.
 *
 * The characters of a text are first told apart by what the expression can
 * tell apart, in at most 255 classes; what PCRE2 sees is a string of classes,
 * a byte each, and an expression over these. So no table of PCRE2's counts,
 * every byte sequence can be searched (a byte that is no part of valid UTF-8
 * is a character of its own), and compiled code (JIT) looks at bytes only.
 *
 * What is known: characters and escapes, classes with nested ones and &&,
 * \p{..} by category or script, \s \d \w \h, . ^ $ \A \z \Z \b \B, groups,
 * (?i:..) of ASCII letters, look-around, atomic groups, quantifiers. What
 * else Oniguruma has, and what it takes for something else than one would
 * think, is refused.
 */
#ifndef TEXT_REGEX_H
#define TEXT_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/uset.h"

#define REGEX_MATCH_LIMIT 10000000 /* PCRE2's, for one match */

struct regex;

/* NULL: e->text says what of the pattern is not known; e->code is
 * ERR_DATA. Afterwards it is not changed any more: threads may share it. */
struct regex *regex_new(const char *pattern, size_t n, struct err *e);

/* One that matches each character of the set alone. */
struct regex *regex_of_set(const struct uset *s);

void regex_free(struct regex *r);

/* What one thread needs to search. */
struct regex_search {
    const struct regex *r;
    struct regex_memory *memory; /* of PCRE2 */
    struct buf classes;          /* the text's characters */
    const uint8_t *p;
    size_t n;
    bool plain;                  /* a character a byte */
    size_t at_char, at_byte;     /* the same place */
    size_t next, last_end;       /* characters; where to go on */
};

void regex_search_init(struct regex_search *s, const struct regex *r);
void regex_search_release(struct regex_search *s);

/* Begins with p[n], which must stay as it is. */
void regex_search_start(struct regex_search *s, const uint8_t *p, size_t n);

/* The next match, its bytes from *start to *end: 1; 0 when there is none
 * left; ERR_LIMIT when finding it takes more than PCRE2's limits. A match of
 * nothing is one, but not at the end of the match before. */
int regex_search_next(struct regex_search *s, size_t *start, size_t *end);

#endif
