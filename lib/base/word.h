/* word.h - any bytes as one word of printable ASCII: blanks, %, control bytes
 * and those over 126 are %XX.
 */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stddef.h>

#include "base/buf.h"

/* Appends p[n] as a word. */
void word_put(struct buf *b, const char *p, size_t n);

/* Appends what the word p[n] stands for; a % that begins no %XX is itself. */
void word_take(struct buf *b, const char *p, size_t n);

#endif
