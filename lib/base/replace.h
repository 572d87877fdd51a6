/* replace.h - a file or a directory in the place of another. */
#ifndef BASE_REPLACE_H
#define BASE_REPLACE_H

#include "base/err.h"

/* with gets the name path, on the same file system; what had it is removed,
 * if there was something. There is always one of that name, unless the file
 * system can't exchange two: then there is none for a moment, and the old one
 * beside it, as WITH.old. */
int path_replace(const char *path, const char *with, struct err *e);

#endif
