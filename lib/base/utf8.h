/* utf8.h - checking and stepping through UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether p[n] begins with UTF8_ASCII bytes of ASCII: a step over most texts.
 */
#define UTF8_ASCII 8
static inline bool
utf8_is_ascii(const void *p, size_t n)
{
    uint64_t bytes;

    if (n < UTF8_ASCII)
        return false;
    memcpy(&bytes, p, UTF8_ASCII);
    return !(bytes & 0x8080808080808080u);
}

/* Length of the longest valid prefix of p[n]; n when all of it is valid. */
size_t utf8_valid(const void *p, size_t n);

/* Whether p[n] is UTF-8 without control characters of ASCII: a line that can be
 * shown. */
bool utf8_is_line(const void *p, size_t n);

/* Length of the valid character at p[n], n > 0; 0 when there is none. */
size_t utf8_length(const void *p, size_t n);

/* Whether p[n] begins with a valid character of two bytes. */
static inline bool
utf8_is_two(const void *p, size_t n)
{
    const uint8_t *b = p;

    return n >= 2 && b[0] >= 0xc2 && b[0] < 0xe0 && (b[1] & 0xc0) == 0x80;
}

/* Decodes one code point of valid UTF-8 at p; returns its length. */
size_t utf8_decode(const void *p, uint32_t *code);

/* Encodes a code point into out; returns its length, 0 for a bad one. */
size_t utf8_encode(uint32_t code, char out[4]);

#endif
