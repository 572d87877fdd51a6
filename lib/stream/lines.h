/* lines.h - lines, words and numbers of the text in headers and trailers, read
 * from the front; private to lib/stream.
 */
#ifndef STREAM_LINES_H
#define STREAM_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number without sign and leading zero. False, *out untouched, for
 * anything else and for what is over 64 bits. */
bool decimal_parse(const char *s, size_t n, uint64_t *out);

/* Take, and move *p behind, a line that ends in a newline, without it; what
 * is before the next space, and the space. False when there is none. */
bool line_next(const char **p, const char *end, const char **line, size_t *n);
bool word_next(const char **p, size_t *n, const char **word, size_t *len);

#endif
