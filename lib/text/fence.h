/* fence.h - the code in an answer, between lines of three backquotes. */
#ifndef TEXT_FENCE_H
#define TEXT_FENCE_H

#include <stddef.h>

/* The lines between the first line that begins with ``` (and may go on with a
 * language's name) and the next that does, or the end; *n is how many bytes.
 * Blanks may stand before the backquotes. NULL where no line begins so. */
const char *fenced(const char *text, size_t len, size_t *n);

#endif
