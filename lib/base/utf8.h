/* utf8.h - checking and stepping through UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the longest valid prefix of p[n]; n when all of it is valid. */
size_t utf8_valid(const void *p, size_t n);

/* Decodes one code point of valid UTF-8 at p; returns its length. */
size_t utf8_decode(const void *p, uint32_t *code);

/* Encodes a code point into out; returns its length, 0 for a bad one. */
size_t utf8_encode(uint32_t code, char out[4]);

#endif
