/* b64.h - base64 (RFC 4648, with padding) for bytes that are no text. */
#ifndef BASE_B64_H
#define BASE_B64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends the encoding of p[n]. */
void b64_put(struct buf *b, const void *p, size_t n);

/* Appends what text[n] encodes. False, *b as before, for anything that
 * b64_put does not write: other characters, missing padding, stray bits. */
bool b64_get(struct buf *b, const char *text, size_t n);

#endif
