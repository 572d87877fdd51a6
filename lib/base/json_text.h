/* json_text.h - the characters of a JSON text, as the checker and the reader
 * step through them; private to lib/base.
 */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include "base/json.h"

static inline void
json_skip_space(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n'
                             || *j->p == '\t' || *j->p == '\r'))
        j->p++;
}

/* The next character after white space, 0 at the end. */
static inline int
json_next_char(struct json *j)
{
    json_skip_space(j);
    return j->p < j->end ? (unsigned char)*j->p : 0;
}

/* The code point of the \u escape whose digits are at *p; moves *p behind
 * it (and its second half). -1 for bad digits, -2 for a lone surrogate. */
int32_t json_escape_code(const char **p, const char *end);

/* What \c stands for, 0 when there is no such escape. */
int json_escape_char(int c);

/* json_check; without nul_ok a NUL in a string value is refused, too. */
int json_check_text(const char *text, size_t n, const char *where,
                    bool nul_ok, struct err *e);

#endif
