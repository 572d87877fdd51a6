/* encoded.h - text that is data in letters: base64, hexadecimal, bytes as
 * literals of a programming language. Certificates, signatures and embedded
 * pictures are such; a model that is to predict them learns noise.
 */
#ifndef TEXT_ENCODED_H
#define TEXT_ENCODED_H

#include <stdbool.h>
#include <stddef.h>

/* So many bytes of a text are encoded, at least, before it is data. */
#define ENCODED_LEAST 512

/* A run of base64's signs, or of hexadecimal digits, is of this length. */
#define ENCODED_RUN 32

/* So many literals stand in a line: 0x12, 0x34 or \x12\x34 or \u1234. */
#define ENCODED_LITERALS 8

/* How many bytes of text[n] are encoded: in runs of ENCODED_RUN or more whose
 * signs alternate between small letters, capitals and digits as those of
 * random bytes do, and names and paths do not, and in ENCODED_LITERALS or more
 * literals on a line. *shown has the number of all bytes that aren't blank. */
size_t encoded_bytes(const char *text, size_t n, size_t *shown);

/* Whether a text of which so many bytes are encoded is data: ENCODED_LEAST of
 * them are, and two thirds of those shown: code that compares hashes is half of
 * hashes. After "encoded data" of StarCoder 2's filters (Lozhkov et al., arXiv
 * 2402.19173), which take half, and a list of words for base64, too. */
bool encoded_is_data(size_t encoded, size_t shown);

#endif
