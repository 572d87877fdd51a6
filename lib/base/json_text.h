/* json_text.h - the characters of a JSON text, as the checker and the reader
 * step through them; private to lib/base.
 */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include "base/bytes.h"
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

/* The high bit of each byte of w that is the byte c; those above the lowest
 * such one may be set, too. */
static inline uint64_t
json_bytes_equal(uint64_t w, unsigned char c)
{
    uint64_t x = w ^ c * 0x0101010101010101u;

    return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

/* Where the string that p is in comes to a quote, a backslash or, in a text
 * that was not checked, to anything but printable ASCII and DEL; or end. */
static inline const char *
json_run_end(const char *p, const char *end, bool checked)
{
    uint64_t w, odd;

    for (; end - p >= 8; p += 8) {
        w = load_u64(p);
        odd = json_bytes_equal(w, '"') | json_bytes_equal(w, '\\');
        if (!checked)
            odd |= (w | (w - 0x2020202020202020u)) & 0x8080808080808080u;
        if (odd)
            return p + __builtin_ctzll(odd) / 8;
    }
    while (p < end && *p != '"' && *p != '\\'
           && (checked || (signed char)*p >= 0x20))
        p++;
    return p;
}

/* json_view of the string that opens at j->p. */
void json_take_string(struct json *j, struct json_text *out,
                      struct buf *room);

/* The code point of the \u escape whose digits are at *p; moves *p behind
 * it (and its second half). -1 for bad digits, -2 for a lone surrogate. */
int32_t json_escape_code(const char **p, const char *end);

/* What \c stands for, 0 when there is no such escape. */
int json_escape_char(int c);

/* json_check; without nul_ok a NUL in a string value is refused, too. */
int json_check_text(const char *text, size_t n, const char *where,
                    bool nul_ok, struct err *e);

#endif
