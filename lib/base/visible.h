/* visible.h - text from anywhere, as a reader can see it. */
#ifndef BASE_VISIBLE_H
#define BASE_VISIBLE_H

#include "base/buf.h"

/* Appends the character at p[*at], *at < n, and puts *at behind it: as it is,
 * or, where it can't be seen, makes others move (control characters, marks of
 * direction) or is no UTF-8, as \xHH or \u{H}. */
void visible_step(struct buf *b, const char *p, size_t n, size_t *at);

/* Appends p[n] so; after max bytes of it, it is cut and ends in an ellipsis.
 */
void visible_put(struct buf *b, const char *p, size_t n, size_t max);

#endif
